// One crosshair over all figures of a grid: where the mouse or the arrow keys are in one, all say their values.
// Of each trace `meta` says what it is: {kind: "line", "evaluated", "raw" or "band", title}. Stands before `plot_grid.js`.
// biome-ignore-all lint/correctness/noUnusedVariables: `plot_grid.js` uses it

const NEAR_PX = 10; // so near to the crosshair an evaluation is told
const ROW_PX = 17;
const NUMBERS = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const TIME = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

function brief(value) {
  const size = Math.abs(value);
  if (size >= 1000) return WHOLE.format(value);
  return size && size < 1e-3 ? value.toExponential(2) : NUMBERS.format(value);
}

// The place of the value nearest to x; `values` ascend.
function nearest(values, x) {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && x - values[low - 1] <= values[low] - x ? low - 1 : low;
}

function linesOf(cell) {
  return (cell._fullData ?? []).filter(({ visible, meta, x }) => visible === true && meta?.kind === "line" && x.length);
}

function placeText(cell, x) {
  const { text } = cell._fullLayout.xaxis.title;
  return text === "step" ? `step ${WHOLE.format(x)}` : `${(text.startsWith("training") ? TIME : WHOLE).format(x)} ${text}`;
}

// What a trace says at x; nothing where it has ended before, and an evaluation only where it is.
function readingOf(cell, trace, x) {
  const { kind, title } = trace.meta ?? {};
  if (trace.visible !== true || !["line", "evaluated"].includes(kind) || !trace.x.length) return [];
  const at = nearest(trace.x, x);
  const { xaxis } = cell._fullLayout;
  const distance = Math.abs(xaxis.l2p(trace.x[at]) - xaxis.l2p(x));
  const colour = [trace.marker?.color ?? trace.line.color].flat()[0];
  if (kind === "line") return distance <= 2 * NEAR_PX ? [{ title, colour, value: trace.y[at], text: brief(trace.y[at]) }] : [];
  if (distance > NEAR_PX) return [];
  const { array, arrayminus } = trace.error_y;
  const ends = `${brief(trace.y[at] - arrayminus[at])} to ${brief(trace.y[at] + array[at])}`;
  return [
    { title: `${title}, evaluated`, colour, value: trace.y[at], text: `${brief(trace.y[at])} (${ends})`, evaluated: true },
  ];
}

function fillReadout(cell, x, isPointed) {
  const { readout } = cell.atlas.crosshair;
  const readings = cell._fullData.flatMap((trace) => readingOf(cell, trace, x));
  const isOne = new Set(linesOf(cell).map(({ meta }) => meta.title)).size === 1;
  readings.sort((one, other) => other.value - one.value);
  const room = Math.max(2, Math.floor(cell._fullLayout._size.h / ROW_PX) - 2);
  const rows = readings.slice(0, room).map(({ title, colour, text, evaluated }) => {
    const row = document.createElement("div");
    const swatch = document.createElement("i");
    swatch.style.background = colour;
    if (evaluated) swatch.className = "atlas-diamond";
    const named = isOne ? (evaluated ? "evaluated " : "") : `${title} `;
    row.append(swatch, `${named}${text}`);
    return row;
  });
  const more = readings.length - rows.length;
  const head = isPointed ? [placeText(cell, x)] : [];
  readout.replaceChildren(...head, ...rows, ...(more > 0 ? [`and ${more} more`] : []));
  readout.hidden = !readout.childNodes.length;
}

function showCrosshair(cell, x, isPointed) {
  const { crosshair, inView } = cell.atlas;
  if (!crosshair || !inView || !cell._fullLayout?.xaxis) return;
  const { xaxis, _size: size } = cell._fullLayout;
  const left = xaxis.l2p(x);
  if (!(left >= -1 && left <= xaxis._length + 1)) {
    hideCrosshair(cell);
    return;
  }
  const { line, readout } = crosshair;
  Object.assign(line.style, { left: `${size.l + left}px`, top: `${size.t}px`, height: `${size.h}px` });
  line.hidden = false;
  fillReadout(cell, x, isPointed);
  const isRight = left > xaxis._length / 2;
  Object.assign(readout.style, {
    top: `${size.t}px`,
    left: isRight ? "auto" : `${size.l + left + 6}px`,
    right: isRight ? `${cell.clientWidth - size.l - left + 6}px` : "auto",
  });
}

function hideCrosshair(cell) {
  const { crosshair } = cell.atlas;
  if (crosshair) crosshair.line.hidden = crosshair.readout.hidden = true;
}

function showAll(grid, pointed, x) {
  grid.at = x;
  for (const cell of grid.cells.values()) showCrosshair(cell, x, cell === pointed);
}

function hideAll(grid) {
  grid.at = null;
  for (const cell of grid.cells.values()) hideCrosshair(cell);
}

// Where the mouse is, at the nearest point of the figure's first line.
function follow(grid, cell, event) {
  const { xaxis, yaxis } = cell._fullLayout ?? {};
  const [line] = linesOf(cell);
  if (!line || !xaxis) return;
  const { left, top } = cell.getBoundingClientRect();
  const [across, down] = [event.clientX - left - xaxis._offset, event.clientY - top - yaxis._offset];
  const isWithin = across >= 0 && across <= xaxis._length && down >= 0 && down <= yaxis._length;
  if (isWithin) showAll(grid, cell, line.x[nearest(line.x, xaxis.p2l(across))]);
  else hideAll(grid);
}

function addCrosshair(grid, cell) {
  const line = document.createElement("div");
  const readout = document.createElement("div");
  line.className = "atlas-crosshair";
  readout.className = "atlas-readout";
  line.hidden = readout.hidden = true;
  cell.append(line, readout);
  cell.atlas.crosshair = { line, readout };
  cell.addEventListener("mousemove", (event) => {
    cancelAnimationFrame(grid.frame);
    grid.frame = requestAnimationFrame(() => follow(grid, cell, event));
  });
  cell.addEventListener("mouseleave", () => {
    cancelAnimationFrame(grid.frame);
    hideAll(grid);
  });
}

const STEPS_OF_KEYS = { ArrowLeft: -1, ArrowRight: 1 };

// The arrow keys move the crosshair from point to point while the keyboard is in a figure.
function moveByKey(grid, event) {
  const cell = event.target.closest(".atlas-cell");
  const step = STEPS_OF_KEYS[event.key];
  const [line] = cell ? linesOf(cell) : [];
  if (event.key === "Escape") hideAll(grid);
  if (!step || !line) return;
  event.preventDefault();
  const last = line.x.length - 1;
  const at = grid.at === null || grid.at === undefined ? (step > 0 ? -1 : last + 1) : nearest(line.x, grid.at);
  cell.atlas.crosshair.readout.setAttribute("role", "status"); // read aloud
  showAll(grid, cell, line.x[Math.min(last, Math.max(0, at + step))]);
}
