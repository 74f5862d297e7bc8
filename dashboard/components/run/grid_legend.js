// One legend for all figures of a grid: a button shows and hides a run in all of them. Stands before `plot_grid.js`.
// biome-ignore-all lint/correctness/noUnusedVariables: `plot_grid.js` uses it

const DASHES = { solid: "", dash: "8 5", dot: "2 4", dashdot: "8 4 2 4", longdash: "13 5" };

function withoutHidden(grid, traces) {
  return grid.hidden.size
    ? traces.map((trace) => (grid.hidden.has(trace.legendgroup) ? { ...trace, visible: false } : trace))
    : traces;
}

function redrawAll(grid) {
  for (const button of grid.legend.children) button.setAttribute("aria-pressed", String(!grid.hidden.has(button.atlasName)));
  for (const cell of grid.cells.values()) schedule(grid, cell);
}

function toggleRun(grid, name) {
  if (!grid.hidden.delete(name)) grid.hidden.add(name);
  redrawAll(grid);
}

// A run alone, or all again where it is alone.
function showAlone(grid, name) {
  const others = [...grid.legend.children].map(({ atlasName }) => atlasName).filter((other) => other !== name);
  const isAlone = !grid.hidden.has(name) && others.every((other) => grid.hidden.has(other));
  grid.hidden = new Set(isAlone ? [] : others);
  redrawAll(grid);
}

function legendButton(grid, { name, colour, dash }) {
  const button = document.createElement("button");
  button.type = "button";
  button.atlasName = name;
  button.title = "Click to hide or show, with Shift to see it alone";
  const shown = isDark(grid.box) ? (grid.dark[colour] ?? colour) : colour;
  button.innerHTML = `<svg viewBox="0 0 28 8" aria-hidden="true"><path d="M0 4h28"/></svg>`;
  const { style } = button.querySelector("path");
  Object.assign(style, { stroke: shown, strokeDasharray: DASHES[dash] });
  button.append(name);
  button.addEventListener("click", (event) => (event.shiftKey ? showAlone(grid, name) : toggleRun(grid, name)));
  return button;
}

function showLegend(grid, box, entries) {
  const look = JSON.stringify([entries, isDark(grid.box)]);
  if (grid.legendLook === look) return;
  Object.assign(grid, { legend: box, legendLook: look });
  const names = new Set(entries.map(({ name }) => name));
  for (const name of grid.hidden) if (!names.has(name)) grid.hidden.delete(name);
  box.replaceChildren(...entries.map((entry) => legendButton(grid, entry)));
  redrawAll(grid);
}
