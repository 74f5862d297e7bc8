// Ways to look at the map: at its main body, at what stands out, in full screen; and pictures of it as files.
// Stands before `map_plot.js`.
// biome-ignore-all lint/correctness/noUnusedVariables: `map_plot.js` uses it

const GRID = 48; // cells across, to tell the main body from islands
const VECTORS_AT_MOST = 20_000; // of more points a picture holds an image
const MARGIN = 0.05;
const LEAST_SHARE = 0.04; // of the whole map: closer than that a few hits have nothing around them
const PICTURE_SCALE = 2;
const ICONS = {
  body: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4zM12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
  hits: "M10 3a7 7 0 1 0 4.2 12.6l5.1 5.1 1.4-1.4-5.1-5.1A7 7 0 0 0 10 3zm0 2a5 5 0 1 1 0 10 5 5 0 0 1 0-10zM9 7h2v2h2v2h-2v2H9v-2H7V9h2z",
  full: "M3 3h7v2H6.4l4 4L9 10.4l-4-4V10H3zM21 21h-7v-2h3.6l-4-4 1.4-1.4 4 4V14h2z",
  png: "M9 4 7.5 6H3v14h18V6h-4.5L15 4zm3 4a5 5 0 1 1 0 10 5 5 0 0 1 0-10zm0 2a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  svg: "M3 3h5v5H6.5v8H8v5H3v-5h1.5V8H3zM16 3h5v5h-1.5v8H21v5h-5v-5h1.5V8H16zM8 4.7h8v1.6H8zM8 17.7h8v1.6H8z",
};

function modeButton(name, title, click) {
  return { name, title, icon: { width: 24, height: 24, path: ICONS[name] }, click };
}

// Those that tell a stranger what to do with them come first.
function ourButtons(isFlat) {
  const views = [
    modeButton("hits", "Zoom to what stands out", (box) => showRows(box, standingRows(box))),
    modeButton("body", "Fit the main body, without islands", (box) => showRows(box, mainBody(placesOf(box)))),
  ];
  const rest = [
    modeButton("full", "Full screen", (box) => toggleFullScreen(box)),
    modeButton("png", "Picture as PNG", (box) => savePicture(box, "png")),
    modeButton("svg", "Picture as SVG", (box) => savePicture(box, "svg")),
  ];
  return isFlat ? [...views, ...rest] : rest;
}

function standingRows(box) {
  const places = placesOf(box);
  return box.atlas.selected ? [...places.keys()].filter(membership(box.atlas.selected)) : [...places.keys()];
}

function extentOf(places) {
  const extent = { low: [Infinity, Infinity], high: [-Infinity, -Infinity] };
  for (const place of places) {
    for (const axis of [0, 1]) {
      extent.low[axis] = Math.min(extent.low[axis], place[axis]);
      extent.high[axis] = Math.max(extent.high[axis], place[axis]);
    }
  }
  return extent;
}

async function showRows(box, rows) {
  const places = placesOf(box);
  if (!rows.length) return;
  const whole = extentOf(places.values());
  const { low, high } = extentOf(rows.map((row) => places.get(row)));
  const range = (axis) => {
    const span = Math.max((high[axis] - low[axis]) * (1 + 2 * MARGIN), LEAST_SHARE * (whole.high[axis] - whole.low[axis]));
    const middle = (low[axis] + high[axis]) / 2;
    return [middle - span / 2, middle + span / 2];
  };
  await globalThis.Plotly.relayout(box, { "xaxis.range": range(0), "yaxis.range": range(1) });
}

// The rows of the largest part of the map that hangs together: of points with at most an empty cell of a grid between them.
function mainBody(places) {
  const { low, high } = extentOf(places.values());
  const cell = Math.max(high[0] - low[0], high[1] - low[1], 1e-9) / GRID;
  const cells = new Map();
  for (const [row, [x, y]] of places) {
    const key = `${Math.floor((x - low[0]) / cell)} ${Math.floor((y - low[1]) / cell)}`;
    if (!cells.has(key)) cells.set(key, []);
    cells.get(key).push(row);
  }
  let largest = [];
  const left = new Set(cells.keys());
  while (left.size) {
    const found = connected(left, left.values().next().value).flatMap((key) => cells.get(key));
    if (found.length > largest.length) largest = found;
  }
  return largest;
}

// Takes out of a set of cells all that hang together with one.
function connected(left, first) {
  const found = [first];
  left.delete(first);
  for (const key of found) {
    const [column, line] = key.split(" ").map(Number);
    for (let across = -2; across <= 2; across += 1) {
      for (let down = -2; down <= 2; down += 1) {
        const near = `${column + across} ${line + down}`;
        if (left.delete(near)) found.push(near);
      }
    }
  }
  return found;
}

// On Explore with the problem and the table.
function wholeOf(box) {
  return box.closest('[class*="st-key-stage"]') ?? box.parentElement;
}

function toggleFullScreen(box) {
  const whole = wholeOf(box);
  return isFull(whole) ? leaveFull(whole) : enterFull(whole);
}

// --- Pictures ---

// The figure in the page's colours, with what lies above it, as the text of an SVG.
async function pictureOf(box) {
  const style = getComputedStyle(box);
  const paper = style.getPropertyValue("--st-background-color").trim() || "#fff";
  const [width, height] = [box.clientWidth, box.clientHeight];
  const isLight = placesOf(box).size <= VECTORS_AT_MOST;
  const data = box.data.map((trace) => (trace.type === "scattergl" && isLight ? { ...trace, type: "scatter" } : trace));
  const figure = { data, layout: { ...box.layout, paper_bgcolor: paper, width, height } };
  const address = await globalThis.Plotly.toImage(figure, { format: "svg", width, height });
  const picture = new DOMParser().parseFromString(decodeURIComponent(address.split(",").slice(1).join(",")), "image/svg+xml");
  const overlay = document.importNode(box.parentElement.querySelector(".atlas-overlay"), true);
  dress(overlay, box.parentElement.querySelector(".atlas-overlay"));
  const { left, top, width: across, height: down } = placerOf(box);
  for (const [name, value] of Object.entries({ x: left, y: top, width: across, height: down }))
    overlay.setAttribute(name, value);
  picture.documentElement.append(picture.importNode(overlay, true));
  return { text: new XMLSerializer().serializeToString(picture), width, height };
}

const DRESS = ["fill", "stroke", "stroke-width", "stroke-linejoin", "paint-order", "opacity", "visibility", "vector-effect"];
const FONT = ["font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline"];

// Gives a copy of the overlay, part by part, the style that the page gives the original.
function dress(copy, original) {
  const style = getComputedStyle(original);
  copy.removeAttribute("class");
  copy.removeAttribute("style");
  for (const name of original.tagName === "text" ? [...DRESS, ...FONT] : DRESS) {
    copy.setAttribute(name, style.getPropertyValue(name).replaceAll('"', "'"));
  }
  for (const [place, part] of [...copy.children].entries()) dress(part, original.children[place]);
}

async function savePicture(box, format) {
  const { text, width, height } = await pictureOf(box);
  const vector = new Blob([text], { type: "image/svg+xml" });
  saveFile(format === "svg" ? vector : await rasterOf(vector, width, height), `${box.atlas.name}.${format}`);
}

async function rasterOf(vector, width, height) {
  const image = new Image();
  image.src = URL.createObjectURL(vector);
  await image.decode().finally(() => URL.revokeObjectURL(image.src));
  const canvas = Object.assign(document.createElement("canvas"), {
    width: PICTURE_SCALE * width,
    height: PICTURE_SCALE * height,
  });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
}
