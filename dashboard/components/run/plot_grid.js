// Small figures in a grid, drawn when they come into view and again when they have changed; redrawing keeps the zoom.
// `data`: JSON in UTF-8 with plotly_url; name (of files); dark (colour -> on a dark page); legend ({name, colour, dash} of what all
// figures show); movable; and either panels, each {key, alt, revision, figure}, or live {head, panels, newest}: the addresses of
// the head's file, of which the page tells what is new (live_head.js), and of the panels, {newest, panels} in gzip.
// Reports {zoomed: {range: [from, to] or null}} and {arranged: {keys}}. Follows `plotly.js`, `chart_tools.js`, `crosshair.js` and
// `grid_legend.js`.

const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false }; // the page knows the whole

// The page answers with figures of just that part, in which every point is there.
function reportZoom(grid, event) {
  const range = event["xaxis.range"] ?? [event["xaxis.range[0]"], event["xaxis.range[1]"]];
  if (range.every(Number.isFinite)) grid.tell("zoomed", { range });
}

async function drawPanel(grid, cell) {
  const { panel, inView, log } = cell.atlas;
  const state = `${panel.revision} ${inkOf(cell)} ${log ?? ""} ${[...grid.hidden].join()}`;
  if (!inView || !cell.isConnected || cell.atlas.drawn === state) return;
  cell.atlas.drawn = state;
  const { data, layout: given } = inPageColours(cell, panel.figure, grid.dark);
  const layout = structuredClone(given); // plotly writes into what it is given
  paintColours(cell, layout);
  setLogarithmic(cell, layout);
  const isNew = !cell._fullLayout;
  const traces = log ? data.filter(({ meta }) => meta.kind !== "band") : data; // which may reach below zero
  await globalThis.Plotly[isNew ? "newPlot" : "react"](cell, withoutHidden(grid, traces), layout, CONFIG);
  hideCrosshair(cell); // its numbers are of before
  if (!isNew) return;
  addTools(cell);
  addCrosshair(grid, cell);
  addGrip(grid, cell);
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

// ---- The order of the panels

function arrange(grid, keys) {
  grid.tell("arranged", { keys });
}

function moved(grid, key, place) {
  const keys = [...grid.cells.keys()].filter((other) => other !== key);
  keys.splice(place, 0, key);
  return keys;
}

function orderItems(grid, key) {
  if (!grid.movable) return [];
  const keys = [...grid.cells.keys()];
  const at = keys.indexOf(key);
  return [
    ...(at > 0 ? [["Move to the front", () => arrange(grid, moved(grid, key, 0))]] : []),
    ...(at > 0 ? [["Move back one place", () => arrange(grid, moved(grid, key, at - 1))]] : []),
    ...(at < keys.length - 1 ? [["Move on one place", () => arrange(grid, moved(grid, key, at + 1))]] : []),
    ...(keys.length > 1
      ? [
          [
            "Hide this panel",
            () =>
              arrange(
                grid,
                keys.filter((other) => other !== key),
              ),
          ],
        ]
      : []),
  ];
}

// A panel is taken by its title and put where another one is.
function addGrip(grid, cell) {
  if (!grid.movable) return;
  const grip = document.createElement("div");
  grip.className = "atlas-grip";
  grip.title = "Drag to another place";
  grip.draggable = true;
  grip.addEventListener("dragstart", (event) => {
    grid.dragged = cell.atlas.panel.key;
    event.dataTransfer.setDragImage(cell, 20, 10);
  });
  cell.addEventListener("dragover", (event) => grid.dragged && event.preventDefault());
  cell.addEventListener("drop", (event) => {
    event.preventDefault();
    const place = [...grid.cells.keys()].indexOf(cell.atlas.panel.key);
    if (grid.dragged) arrange(grid, moved(grid, grid.dragged, place));
  });
  grip.addEventListener("dragend", () => {
    grid.dragged = null;
  });
  cell.append(grip);
}

// ---- The grid

function newGrid(url, box) {
  const grid = { cells: new Map(), drawing: loadPlotly(url), hidden: new Set(), box };
  grid.views = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      target.atlas.inView = isIntersecting;
      schedule(grid, target);
    }
  });
  grid.sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      fit(target);
      hideCrosshair(target);
    }
  });
  box.addEventListener("keydown", (event) => moveByKey(grid, event));
  return grid;
}

function newCell(grid, key) {
  const cell = document.createElement("div");
  cell.className = "atlas-cell atlas-plot";
  cell.setAttribute("role", "figure");
  cell.atlas = { inView: false, redraw: () => schedule(grid, cell), items: () => orderItems(grid, key) };
  return cell;
}

function removeCell(grid, key, cell) {
  grid.views.unobserve(cell);
  grid.sizes.unobserve(cell);
  grid.cells.delete(key);
  globalThis.Plotly?.purge(cell);
  cell.remove();
}

function showPanels(grid, panels) {
  const keys = new Set(panels.map(({ key }) => key));
  for (const [key, cell] of grid.cells) if (!keys.has(key)) removeCell(grid, key, cell);
  panels.forEach((panel, place) => {
    const cell = grid.cells.get(panel.key) ?? newCell(grid, panel.key);
    Object.assign(cell.atlas, { panel, name: `${grid.name}-${panel.key}` });
    cell.setAttribute("aria-label", panel.alt);
    grid.cells.delete(panel.key); // put in again in the panels' order
    grid.cells.set(panel.key, cell);
    if (grid.box.children[place] !== cell) grid.box.insertBefore(cell, grid.box.children[place] ?? null);
    grid.views.observe(cell);
    grid.sizes.observe(cell);
    schedule(grid, cell);
  });
}

// Fetches what is new of a live grid. Fails quietly: the next head asks again.
async function update(grid, newest) {
  const { live } = grid;
  if (grid.fetching === live.panels || (grid.shown === live.panels && grid.newest >= newest)) return;
  grid.fetching = live.panels;
  try {
    const content = await unpacked(await fetchFile(live.panels, "no-store"));
    if (grid.live?.panels !== live.panels || !grid.box.isConnected) return;
    showPanels(grid, content.panels);
    Object.assign(grid, { newest: content.newest, shown: live.panels });
  } catch (error) {
    console.debug(error);
  } finally {
    if (grid.fetching === live.panels) grid.fetching = null;
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const { plotly_url: url, panels, live, name, dark, legend, movable } = JSON.parse(new TextDecoder().decode(data));
  const box = parentElement.querySelector(".atlas-grid");
  box.atlas ??= newGrid(url, box);
  const grid = box.atlas;
  Object.assign(grid, { tell: setTriggerValue, live, name, dark, movable });
  box.classList.toggle("atlas-wide", legend.length > 0);
  showLegend(grid, parentElement.querySelector(".atlas-legend"), legend);
  if (grid.listen) document.removeEventListener("atlas-live", grid.listen);
  if (live) {
    grid.listen = ({ detail: { address, head } }) => address === live.head && update(grid, head.newest);
    document.addEventListener("atlas-live", grid.listen);
    update(grid, live.newest);
  } else showPanels(grid, panels);
  return () => {
    document.removeEventListener("atlas-live", grid.listen);
    grid.views.disconnect();
    grid.sizes.disconnect();
    setTimeout(() => {
      if (!box.isConnected) for (const cell of grid.cells.values()) globalThis.Plotly?.purge(cell);
    });
  };
}
