// What lies above the map's points and moves with them without a redraw: contours, lines between pairs, names of clusters, the
// ring around the chosen point, and the cluster that lights up under the pointer. Nothing of it takes clicks from plotly.
// `over`: contours ({x, y, unit, paths} or null), pairs (of rows), labels ({place, text, cluster, colour}, the most important
// first), clusters (one a row, or null). Stands before `map_plot.js`.
// biome-ignore-all lint/correctness/noUnusedVariables: `map_plot.js` uses it

function svgElement(name, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// --- Where a place of the data lies, in pixels of an area of the frame; null before anything is drawn ---

function placerOf(box) {
  return box.atlas.kind === "deep" ? deepPlacer(box) : flatPlacer(box);
}

function flatPlacer(box) {
  const { xaxis, yaxis } = box._fullLayout ?? {};
  if (!xaxis?.range) return null;
  const [width, height] = [xaxis._length, yaxis._length];
  const scale = { x: width / (xaxis.range[1] - xaxis.range[0]), y: height / (yaxis.range[1] - yaxis.range[0]) };
  const at = ([x, y]) => [(x - xaxis.range[0]) * scale.x, (yaxis.range[1] - y) * scale.y];
  return { left: xaxis._offset, top: yaxis._offset, width, height, scale, at };
}

// As plotly.js places annotations in three dimensions.
function deepPlacer(box) {
  const scene = box._fullLayout?.scene?._scene;
  const camera = scene?.glplot?.cameraParams;
  if (!camera) return null;
  const [frame, area] = [box.parentElement, scene.container].map((element) => element.getBoundingClientRect());
  const at = (place) => {
    const scaled = [...place.map((number, axis) => number * scene.dataScale[axis]), 1];
    const [x, y, , depth] = [camera.model, camera.view, camera.projection].reduce(transformed, scaled);
    return [((1 + x / depth) * area.width) / 2, ((1 - y / depth) * area.height) / 2];
  };
  return { left: area.left - frame.left, top: area.top - frame.top, width: area.width, height: area.height, at };
}

function transformed(vector, matrix) {
  return vector.map((_, row) => vector.reduce((sum, value, column) => sum + matrix[4 * column + row] * value, 0));
}

function isInside([x, y], { width, height }) {
  return x >= 0 && y >= 0 && x <= width && y <= height;
}

// Row -> its place, from the traces as they were drawn.
function placesOf(box) {
  box.atlas.places ??= new Map(
    box._fullData.flatMap(({ x, y, z }, number) =>
      Array.from(box.atlas.traces[number]?.customdata ?? [], (row, index) => [
        row,
        z ? [x[index], y[index], z[index]] : [x[index], y[index]],
      ]),
    ),
  );
  return box.atlas.places;
}

// --- Filling ---

function fillOverlay(box, over) {
  box.atlas.over = over && { ...over, clusters: over.clusters && typed(over.clusters) };
  const lines = svgElement("g", { class: "atlas-contours" });
  for (const [level, path] of (over?.contours?.paths ?? []).entries()) {
    lines.append(svgElement("path", { d: path, opacity: 0.16 + 0.08 * level }));
  }
  const names = svgElement("g", { class: "atlas-names" });
  for (const { text, colour } of over?.labels ?? []) {
    const name = svgElement("text");
    name.textContent = text;
    if (colour) name.style.setProperty("--cluster", colour);
    names.append(name);
  }
  box.parentElement
    .querySelector(".atlas-overlay")
    .replaceChildren(
      lines,
      svgElement("path", { class: "atlas-pairs" }),
      names,
      svgElement("path", { class: "atlas-outline" }),
    );
  showStanding(box);
}

// What of it depends on what stands out: its pairs, and the clusters that most of it belongs to.
function showStanding(box) {
  const { over, selected } = box.atlas;
  if (!over) return;
  const stands = selected ? membership(selected) : () => true;
  const hits = new Map();
  if (selected && over.clusters) {
    for (const [row, cluster] of over.clusters.entries()) if (stands(row)) hits.set(cluster, (hits.get(cluster) ?? 0) + 1);
  }
  const order = [...over.labels.keys()];
  if (hits.size)
    order.sort((one, other) => (hits.get(over.labels[other].cluster) ?? 0) - (hits.get(over.labels[one].cluster) ?? 0));
  box.atlas.named = order.filter((number) => !hits.size || hits.has(over.labels[number].cluster));
  const places = over.pairs.length ? placesOf(box) : null;
  const drawn = over.pairs.filter(([one, other]) => stands(one) && stands(other) && places.has(one) && places.has(other));
  const path = drawn.map(([one, other]) => `M${places.get(one).join(" ")}L${places.get(other).join(" ")}`).join("");
  box.parentElement.querySelector(".atlas-pairs").setAttribute("d", path);
}

// --- Placing ---

function placeOver(box) {
  const frame = box.parentElement;
  const [svg, ring] = [frame.querySelector(".atlas-overlay"), frame.querySelector(".atlas-ring")];
  const placer = placerOf(box);
  ring.hidden = true;
  svg.style.display = placer ? "" : "none";
  if (!placer) return;
  const { left, top, width, height, scale, at } = placer;
  Object.assign(svg.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  const place = box.atlas.chosen === null ? null : placesOf(box).get(box.atlas.chosen);
  if (place && isInside(at(place), placer)) {
    const [x, y] = at(place);
    Object.assign(ring.style, { left: `${left + x}px`, top: `${top + y}px` });
    ring.hidden = false;
  }
  placeOutline(box, placer);
  if (!box.atlas.over) return;
  if (scale) placeLines(svg, box.atlas.over.contours, placer);
  placeNames(box, svg, placer);
}

function placeLines(svg, contours, { scale, at }) {
  const matrix = (unit, [x, y]) => `matrix(${[unit * scale.x, 0, 0, -unit * scale.y, x, y].join(" ")})`;
  svg.querySelector(".atlas-pairs")?.setAttribute("transform", matrix(1, at([0, 0])));
  if (contours)
    svg.querySelector(".atlas-contours").setAttribute("transform", matrix(contours.unit, at([contours.x, contours.y])));
}

// One that would touch an earlier one, or leave the map, waits for a closer look.
function placeNames(box, svg, placer) {
  const taken = [];
  const names = svg.querySelectorAll(".atlas-names text");
  for (const name of names) name.style.visibility = "hidden";
  for (const number of box.atlas.named) {
    const name = names[number];
    const [x, y] = placer.at(box.atlas.over.labels[number].place);
    const [halfWidth, halfHeight] = [name.getComputedTextLength() / 2 + 4, 10];
    const area = [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight];
    const free = taken.every(
      ({ area: other }) => area[2] < other[0] || area[0] > other[2] || area[3] < other[1] || area[1] > other[3],
    );
    if (!free || !isInside(area, placer) || !isInside(area.slice(2), placer)) continue;
    taken.push({ area, number });
    name.setAttribute("x", x);
    name.setAttribute("y", y);
    name.style.visibility = "visible";
  }
  box.atlas.shownNames = taken;
}

// A camera that turns tells nobody: as long as there are three dimensions each frame looks.
function followCamera(box) {
  if (box.atlas.kind !== "deep" || !box.isConnected) {
    box.atlas.follows = false;
    return;
  }
  const { view, projection } = box._fullLayout?.scene?._scene?.glplot?.cameraParams ?? {};
  const seen = `${box.clientWidth} ${view} ${projection}`;
  if (seen !== box.atlas.seen) placeOver(box);
  box.atlas.seen = seen;
  requestAnimationFrame(() => followCamera(box));
}

// --- The cluster whose name is under the pointer ---

function nameUnder(box) {
  const { pointer, shownNames = [] } = box.atlas;
  const svg = box.parentElement.querySelector(".atlas-overlay");
  const [x, y] = [pointer.x - Number.parseFloat(svg.style.left), pointer.y - Number.parseFloat(svg.style.top)];
  const found = shownNames.find(({ area }) => x >= area[0] && x <= area[2] && y >= area[1] && y <= area[3]);
  return found ? found.number : null;
}

function rowsOfName(box, number) {
  const { clusters, labels } = box.atlas.over;
  const rows = [];
  for (const [row, cluster] of clusters.entries()) if (cluster === labels[number].cluster) rows.push(row);
  return rows;
}

function light(box, number) {
  if (number === (box.atlas.lit ?? null)) return;
  box.atlas.lit = number;
  const canvas = box.parentElement.querySelector(".atlas-lit");
  canvas.hidden = number === null;
  box.style.cursor = number === null ? "" : "pointer";
  if (number !== null) paintCluster(box, canvas, number);
}

// All else fades under a veil, which is quicker than having plotly draw every point anew.
function paintCluster(box, canvas, number) {
  const placer = placerOf(box);
  const style = getComputedStyle(box);
  const ratio = globalThis.devicePixelRatio || 1;
  Object.assign(canvas, { width: placer.width * ratio, height: placer.height * ratio });
  const sides = { left: placer.left, top: placer.top, width: placer.width, height: placer.height };
  for (const [side, pixels] of Object.entries(sides)) canvas.style[side] = `${pixels}px`;
  const brush = canvas.getContext("2d");
  brush.scale(ratio, ratio);
  brush.globalAlpha = 0.82;
  brush.fillStyle = style.getPropertyValue("--st-background-color").trim() || "#fff";
  brush.fillRect(0, 0, placer.width, placer.height);
  brush.globalAlpha = 0.9;
  brush.fillStyle = box.atlas.over.labels[number].colour || style.getPropertyValue("--st-primary-color").trim();
  const places = placesOf(box);
  for (const row of rowsOfName(box, number)) {
    if (!places.has(row)) continue;
    const [x, y] = placer.at(places.get(row));
    brush.beginPath();
    brush.arc(x, y, 3, 0, 2 * Math.PI);
    brush.fill();
  }
}
