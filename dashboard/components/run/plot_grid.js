// Small figures in a grid, drawn when they come into view and again when they have changed; redrawing keeps the zoom.
// `data`: JSON in UTF-8 with plotly_url and either panels, each {key, alt, revision, figure}, or live {head, panels, newest}: the
// addresses of the head's file, of which the page tells what is new (live_head.js), and of the panels, {newest, panels} in gzip.
// Reports {zoomed: {range: [from, to] or null}}. Follows `plotly.js`.

const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false }; // the page knows the whole

// The page answers with figures of just that part, in which every point is there.
function reportZoom(grid, event) {
  const range = event["xaxis.range"] ?? [event["xaxis.range[0]"], event["xaxis.range[1]"]];
  if (range.every(Number.isFinite)) grid.tell("zoomed", { range });
}

async function drawPanel(grid, cell) {
  const { panel, inView } = cell.atlas;
  const state = `${panel.revision} ${inkOf(cell)}`;
  if (!inView || !cell.isConnected || cell.atlas.drawn === state) return;
  cell.atlas.drawn = state;
  const layout = structuredClone(panel.figure.layout); // plotly writes into what it is given
  paintColours(cell, layout);
  const isNew = !cell._fullLayout;
  await globalThis.Plotly[isNew ? "newPlot" : "react"](cell, panel.figure.data, layout, CONFIG);
  if (!isNew) return;
  cell.on("plotly_relayout", (event) => reportZoom(grid, event));
  cell.on("plotly_doubleclick", () => grid.tell("zoomed", { range: null }));
}

function schedule(grid, cell) {
  grid.drawing = grid.drawing
    .then(() => drawPanel(grid, cell))
    .catch((error) => {
      console.error(error);
      if (!cell._fullLayout) cell.textContent = "The chart cannot be drawn in this browser.";
    });
}

function newGrid(url) {
  const grid = { cells: new Map(), drawing: loadPlotly(url) };
  grid.views = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      target.atlas.inView = isIntersecting;
      schedule(grid, target);
    }
  });
  grid.sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) fit(target);
  });
  return grid;
}

function newCell() {
  const cell = document.createElement("div");
  cell.className = "atlas-cell";
  cell.setAttribute("role", "figure");
  cell.atlas = { inView: false };
  return cell;
}

function removeCell(grid, key, cell) {
  grid.views.unobserve(cell);
  grid.sizes.unobserve(cell);
  grid.cells.delete(key);
  globalThis.Plotly?.purge(cell);
  cell.remove();
}

function showPanels(grid, box, panels) {
  const keys = new Set(panels.map(({ key }) => key));
  for (const [key, cell] of grid.cells) if (!keys.has(key)) removeCell(grid, key, cell);
  for (const panel of panels) {
    const cell = grid.cells.get(panel.key) ?? newCell();
    cell.atlas.panel = panel;
    cell.setAttribute("aria-label", panel.alt);
    if (!grid.cells.has(panel.key)) {
      grid.cells.set(panel.key, cell);
      box.append(cell);
    }
    grid.views.observe(cell);
    grid.sizes.observe(cell);
    schedule(grid, cell);
  }
}

// Fetches what is new of a live grid. Fails quietly: the next head asks again.
async function update(grid, box, newest) {
  const { live } = grid;
  if (grid.fetching === live.panels || (grid.shown === live.panels && grid.newest >= newest)) return;
  grid.fetching = live.panels;
  try {
    const content = await unpacked(await fetchFile(live.panels, "no-store"));
    if (grid.live?.panels !== live.panels || !box.isConnected) return;
    showPanels(grid, box, content.panels);
    Object.assign(grid, { newest: content.newest, shown: live.panels });
  } catch (error) {
    console.debug(error);
  } finally {
    if (grid.fetching === live.panels) grid.fetching = null;
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const { plotly_url: url, panels, live } = JSON.parse(new TextDecoder().decode(data));
  const box = parentElement.querySelector(".atlas-grid");
  box.atlas ??= newGrid(url);
  const grid = box.atlas;
  grid.tell = setTriggerValue;
  grid.live = live;
  if (grid.listen) document.removeEventListener("atlas-live", grid.listen);
  if (live) {
    grid.listen = ({ detail: { address, head } }) => address === live.head && update(grid, box, head.newest);
    document.addEventListener("atlas-live", grid.listen);
    update(grid, box, live.newest);
  } else showPanels(grid, box, panels);
  return () => {
    document.removeEventListener("atlas-live", grid.listen);
    grid.views.disconnect();
    grid.sizes.disconnect();
    setTimeout(() => {
      if (!box.isConnected) for (const cell of grid.cells.values()) globalThis.Plotly?.purge(cell);
    });
  };
}
