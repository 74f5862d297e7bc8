// What a person does with a chart besides looking at it: full screen, a logarithmic axis, PNG, SVG, and CSV of what is drawn.
// A small bar in the chart's corner, reachable by keyboard. Follows `plotly.js`, stands before the scripts that draw charts.
// biome-ignore-all lint/correctness/noUnusedVariables: those scripts use it

const PATHS = {
  fullScreen: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  more: "M8 3v.01M8 8v.01M8 13v.01",
};
const FORMULA = /^\s*[=+\-@＝＋－＠]/; // as analysis.export.spreadsheet_text
const NEGATIVE = /^-[0-9][0-9,]*(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;
const FLOAT32_DIGITS = 7;
const PNG_SCALE = 2;

// ---- The colours of the page

function isDark(box) {
  return getComputedStyle(box).colorScheme === "dark";
}

// The figure with its colours as they are on a dark page.
function recoloured(part, colours) {
  if (typeof part === "string") {
    return part.includes("#") ? part.replace(/#[0-9a-f]{6}\b/gi, (colour) => colours[colour.toUpperCase()] ?? colour) : part;
  }
  if (Array.isArray(part)) return typeof part[0] === "number" ? part : part.map((inner) => recoloured(inner, colours));
  if (part === null || typeof part !== "object" || ArrayBuffer.isView(part)) return part;
  return Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, recoloured(inner, colours)]));
}

function inPageColours(box, figure, colours) {
  return isDark(box) ? recoloured(figure, colours) : figure;
}

// ---- A logarithmic axis

// The letter of the axis that values stand on: the other one where y has categories.
function valueLetter({ _fullLayout: layout }) {
  return ["linear", "log"].includes(layout.yaxis?.type) ? "y" : "x";
}

// Lines and points without values below zero; the length of a bar would mean nothing.
function canBeLogarithmic(box) {
  const letter = valueLetter(box);
  const values = box._fullData
    .filter(({ visible, fill }) => visible === true && fill !== "toself")
    .flatMap((trace) => (trace.type === "scatter" ? Array.from(trace[letter]) : [Number.NaN]))
    .filter((value) => value !== null);
  return values.every((value) => typeof value === "number" && value >= 0) && values.some((value) => value > 0);
}

function setLogarithmic(box, layout) {
  const letter = box.atlas.log;
  if (!letter) return;
  const axes = new Set(["xaxis", "yaxis", ...Object.keys(layout)].filter((name) => name.startsWith(`${letter}axis`)));
  for (const name of axes) {
    const { range, dtick, rangemode, ...kept } = layout[name] ?? {};
    layout[name] = { ...kept, type: "log", autorange: true, uirevision: `${layout.uirevision} log`, nticks: 6 };
  }
}

// ---- Files

async function saveImage(box, format) {
  const paper = getComputedStyle(box).getPropertyValue("--st-background-color").trim() || "#fff";
  const size = { width: box.clientWidth, height: box.clientHeight };
  const layout = { ...box.layout, ...size, paper_bgcolor: paper, plot_bgcolor: paper };
  if (box.layout.meta?.legend) Object.assign(layout, legendBelow(box, layout));
  const options = { format, width: layout.width, height: layout.height, scale: format === "png" ? PNG_SCALE : 1 };
  offer(await globalThis.Plotly.toImage({ data: box.data, layout }, options), `${box.atlas.name}.${format}`);
}

// Of a figure whose legend stands in the page.
function legendBelow(box, layout) {
  const rows = Math.ceil(new Set(box.data.map(({ name }) => name)).size / 3);
  const height = layout.height + 24 * rows;
  const margin = { ...layout.margin, b: layout.margin.b + 24 * rows };
  const legend = { orientation: "h", x: 0, xanchor: "left", yref: "container", y: 0, yanchor: "bottom" };
  return { height, margin, legend, showlegend: true };
}

function plainText(text) {
  return String(text ?? "")
    .replace(/<[^>]*>/g, " ")
    .trim();
}

function csvCell(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) && !NEGATIVE.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function numbersOf(values) {
  return values instanceof Float32Array ? Array.from(values, (value) => Number(value.toPrecision(FLOAT32_DIGITS))) : values;
}

function coordinate(axis, value) {
  return axis?.type === "date" && typeof value === "number" ? new Date(value).toISOString() : value;
}

// Below and above each value: where its error bar ends.
function errorEnds({ visible, symmetric, array, arrayminus }, values) {
  if (!visible || !array) return [];
  const below = symmetric === false && arrayminus ? arrayminus : array;
  const rounded = (value) => Number(value.toPrecision(FLOAT32_DIGITS));
  return Array.from(values, (value, place) => [rounded(value - below[place]), rounded(value + array[place])]);
}

function barRows(bars, name) {
  return bars.filter(({ s }) => s !== undefined).map(({ ph0, ph1, p, s }) => [name, ph0 ?? p, s, ph0, ph1]);
}

// An area around a line, forth and back.
function bandRows({ x, y }, name) {
  const half = x.length / 2;
  const [places, ends] = [numbersOf(x), numbersOf(y)];
  return Array.from({ length: half }, (_, at) => [name, places[at], "", ends[x.length - 1 - at], ends[at]]);
}

function traceRows(box, trace, place) {
  const name = plainText(box.data[place].name ?? trace.legendgroup); // plotly names what has no name
  if (trace.type === "histogram") return barRows(box.calcdata[place], name);
  if (trace.fill === "toself") return bandRows(trace, name);
  const letter = valueLetter(box);
  const [x, y] = [numbersOf(trace.x), numbersOf(trace.y)];
  const ends = errorEnds(trace[`error_${letter}`] ?? {}, letter === "y" ? y : x);
  const { xaxis, yaxis } = box._fullLayout;
  const texts = Array.isArray(trace.text) ? trace.text.map(plainText) : [];
  return Array.from(x, (_, at) => [
    name,
    coordinate(xaxis, x[at]),
    coordinate(yaxis, y[at]),
    ...(ends[at] ?? ["", ""]),
    texts[at],
  ]);
}

// As the figure has it; what plotly makes of it has words of its own where there is none.
function titleOf({ title } = {}) {
  return plainText(typeof title === "string" ? title : title?.text);
}

// A row a point, `low` and `high` where there are intervals, with names that a table's columns may have.
function csvOf(box) {
  const titles = [titleOf(box.layout.xaxis), titleOf(box.layout.yaxis) || titleOf(box.layout)];
  const names = ["series", titles[0] || "x", titles[1] || "value", "low", "high", "text"];
  const rows = box._fullData.flatMap((trace, place) => (trace.visible === true ? traceRows(box, trace, place) : []));
  const used = names.map((_, column) => column < 3 || rows.some((row) => csvCell(row[column]) !== ""));
  const lines = [names, ...rows].map((row) =>
    names.flatMap((_, column) => (used[column] ? [csvCell(row[column])] : [])).join(","),
  );
  return `${lines.join("\r\n")}\r\n`;
}

function saveCsv(box) {
  saveFile(new Blob([csvOf(box)], { type: "text/csv" }), `${box.atlas.name}.csv`);
}

// ---- The bar

function toolButton(path, label, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = label;
  button.setAttribute("aria-label", label);
  button.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;
  button.addEventListener("click", act);
  return button;
}

function toggleLogarithmic(box) {
  box.atlas.log = box.atlas.log ? "" : valueLetter(box);
  box.atlas.redraw();
}

function menuItems(box) {
  const items = [
    ["PNG", () => saveImage(box, "png")],
    ["SVG", () => saveImage(box, "svg")],
    ["CSV of what is drawn", () => saveCsv(box)],
    ...(box.atlas.items?.() ?? []),
  ];
  if (box.atlas.log || canBeLogarithmic(box)) {
    items.unshift(["Logarithmic axis", () => toggleLogarithmic(box), Boolean(box.atlas.log)]);
  }
  return items;
}

function closeMenu(box) {
  const { menu, more } = box.atlas.tools;
  const hadFocus = menu.contains(document.activeElement);
  menu.hidden = true;
  more.setAttribute("aria-expanded", "false");
  if (hadFocus) more.focus();
}

function openMenu(box) {
  const { menu, more } = box.atlas.tools;
  menu.replaceChildren(
    ...menuItems(box).map(([label, act, checked]) => {
      const item = document.createElement("button");
      item.type = "button";
      item.tabIndex = -1;
      item.textContent = label;
      item.setAttribute("role", checked === undefined ? "menuitem" : "menuitemcheckbox");
      if (checked !== undefined) item.setAttribute("aria-checked", String(checked));
      item.addEventListener("click", () => {
        closeMenu(box);
        Promise.resolve(act()).catch((error) => console.error(error));
      });
      return item;
    }),
  );
  menu.hidden = false;
  more.setAttribute("aria-expanded", "true");
  menu.firstChild.focus();
}

const STEPS_IN_MENU = { ArrowDown: 1, ArrowUp: -1 };

function moveInMenu(box, event) {
  const items = [...box.atlas.tools.menu.children];
  const step = STEPS_IN_MENU[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
}

function onEscape(box, event) {
  if (event.key !== "Escape") return;
  if (!box.atlas.tools.menu.hidden) closeMenu(box);
  else if (isFull(box)) leaveFull(box);
  else return;
  event.stopPropagation();
}

// Adds the bar once. `box.atlas` has name (of files), redraw, and items, which gives what the menu has besides.
function addTools(box) {
  if (box.atlas.tools?.bar.isConnected) return;
  const bar = document.createElement("div");
  bar.className = "atlas-tools";
  const full = toolButton(PATHS.fullScreen, "Full screen", () => (isFull(box) ? leaveFull(box) : enterFull(box)));
  const more = toolButton(PATHS.more, "More for this chart", () => (menu.hidden ? openMenu(box) : closeMenu(box)));
  const menu = document.createElement("div");
  menu.hidden = true;
  menu.setAttribute("role", "menu");
  more.setAttribute("aria-haspopup", "menu");
  more.setAttribute("aria-expanded", "false");
  bar.append(full, more, menu);
  menu.addEventListener("keydown", (event) => moveInMenu(box, event));
  bar.addEventListener("focusout", ({ relatedTarget }) => bar.contains(relatedTarget) || closeMenu(box));
  box.append(bar);
  box.atlas.tools = { bar, menu, more };
  box.tabIndex = -1; // a click keeps the keyboard in it
  box.addEventListener("keydown", (event) => onEscape(box, event));
}
