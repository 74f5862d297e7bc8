// Small figures in a grid, drawn when they come into view and again when they have changed; redrawing keeps the zoom.
// `data`: JSON in UTF-8 with plotly_url and panels, each {key, alt, revision, figure}.
// Reports {zoomed: {range: [from, to] or null}}. Follows `plotly.js`.

const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false }; // the page knows the whole

// The page answers with figures of just that part, in which every point is there.
function reportZoom(grid, event) {
  const range = event["xaxis.range"] ?? [event["xaxis.range[0]"], event["xaxis.range[1]"]];
  if (range.every(Number.isFinite)) grid.tell("zoomed", { range });
}

async function drawPanel(grid, cell) {
  const { panel, inView } = cell.atlas;
  const ink = getComputedStyle(cell).getPropertyValue("--st-text-color").trim();
  const state = `${panel.revision} ${ink}`;
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
  grid.drawing = grid.drawing.then(() => drawPanel(grid, cell)).catch((error) => {
    console.error(error);
    if (!cell._fullLayout) cell.textContent = "The chart cannot be drawn in this browser.";
  });
}

function newGrid(box, url) {
  const grid = { cells: new Map(), drawing: loadPlotly(url) };
  grid.views = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      target.atlas.inView = isIntersecting;
      schedule(grid, target);
    }
  });
  grid.sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => fit(target)));
  return grid;
}

function newCell(grid) {
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

export default function ({ data, parentElement, setTriggerValue }) {
  const { plotly_url: url, panels } = JSON.parse(new TextDecoder().decode(data));
  const box = parentElement.querySelector(".atlas-grid");
  const grid = (box.atlas ??= newGrid(box, url));
  grid.tell = setTriggerValue;
  const keys = new Set(panels.map(({ key }) => key));
  for (const [key, cell] of grid.cells) if (!keys.has(key)) removeCell(grid, key, cell);
  for (const panel of panels) {
    const cell = grid.cells.get(panel.key) ?? newCell(grid);
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
  return () => {
    grid.views.disconnect();
    grid.sizes.disconnect();
    setTimeout(() => box.isConnected || grid.cells.forEach((cell) => globalThis.Plotly?.purge(cell)));
  };
}
