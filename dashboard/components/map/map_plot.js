// A map that stays where the person left it: redrawing keeps zoom, camera, hidden legend entries and selection.
// (Streamlit's own chart element takes no clicks while the lasso is on.)
// `data`: plotly_url; figure, texts, overlay (each {revision, json} or {revision, url}, the latter two or null), with rows as the
// points' customdata; view; height (CSS); alt; selectable; selected (bits of rows), answers (the last report that `selected` takes
// in); chosen (row or null); timeline (see `timeline.js`, or null).
// Reports {selected: {rows: bits, report: n}}, {clicked: row} and {stepped: {step, report}}.
// Follows `plotly.js` and `timeline.js`.

globalThis.grpoAtlasViews ??= new Map();
const views = globalThis.grpoAtlasViews;

const BUTTONS = {
  roaming: [["pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  flat: [["lasso2d", "select2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  deep: [["orbitRotation", "pan3d", "zoom3d", "resetCameraDefault3d"]],
};
const CONFIGS = {
  flat: { displaylogo: false, displayModeBar: true, scrollZoom: true, responsive: false, modeBarButtons: BUTTONS.flat },
  roaming: { displaylogo: false, displayModeBar: true, scrollZoom: true, responsive: false, modeBarButtons: BUTTONS.roaming },
  deep: { displaylogo: false, displayModeBar: true, scrollZoom: true, responsive: false, modeBarButtons: BUTTONS.deep },
};
const LABELS_IN_DEPTH = 10; // more cover each other from most sides

// --- Selections: a bit a row, row 0 first, in base64 ---

function bitsOf(rows) {
  if (!rows.length) return "";
  const bytes = new Uint8Array((rows.reduce((most, row) => Math.max(most, row), 0) >> 3) + 1);
  for (const row of rows) bytes[row >> 3] |= 128 >> (row & 7);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function membership(bits) {
  const bytes = bytesOf(bits);
  return (row) => (bytes[row >> 3] & (128 >> (row & 7))) !== 0;
}

function selectedPoints(trace, bits) {
  if (!bits) return null;
  const isSelected = membership(bits);
  const found = [];
  for (let index = 0; index < trace.customdata.length; index += 1) if (isSelected(trace.customdata[index])) found.push(index);
  return found;
}

// Three dimensions know no selected points: what is not selected shrinks.
function selectedSizes(trace, bits) {
  if (!bits) return trace.size;
  const isSelected = membership(bits);
  return Array.from(trace.customdata, (row) => (isSelected(row) ? trace.size + 2 : trace.size / 3));
}

function report(box, rows) {
  const atlas = box.atlas;
  const bits = bitsOf(rows);
  if (bits === atlas.selected) return;
  atlas.selected = bits;
  atlas.reports += 1;
  atlas.tell("selected", { rows: bits, report: atlas.reports });
}

// Takes over the page's selection unless it is older than what was drawn here; true if it differs from what is shown.
function takeSelection(atlas, data) {
  if (data.answers < atlas.reports) return false; // that rerun began before the lasso
  atlas.reports = data.answers;
  const changed = data.selected !== atlas.selected;
  atlas.selected = data.selected;
  return changed;
}

// A redraw of ours, during which plotly tells of selections that nobody has drawn.
async function redraw(box, change) {
  box.atlas.redrawing = true;
  try {
    await change(globalThis.Plotly);
  } finally {
    box.atlas.redrawing = false;
  }
}

async function showSelection(box) {
  const { traces, selected, kind } = box.atlas;
  const places = traces.map((_, place) => place);
  await redraw(box, async (Plotly) => {
    if (kind === "deep") {
      await Plotly.restyle(box, { "marker.size": traces.map((trace) => selectedSizes(trace, selected)) }, places);
    } else {
      await Plotly.relayout(box, { selections: [] }); // first: without its outline plotly selects anew
      await Plotly.restyle(box, { selectedpoints: traces.map((trace) => selectedPoints(trace, selected)) }, places);
    }
  });
}

function unselect(box) {
  if (!box.atlas.selected) return;
  report(box, []);
  box.atlas.drawing = box.atlas.drawing.then(() => showSelection(box));
}

// --- The ring around the chosen point, contours and labels: elements above the plot, which move without a redraw and leave
// plotly's lasso alone. In three dimensions, where plotly alone knows the camera, a trace and annotations. ---

function placeOf(box, row) {
  if (row === null) return null;
  for (const [number, trace] of box.atlas.traces.entries()) {
    const index = trace.customdata.indexOf(row);
    const { x, y, z } = box._fullData[number];
    if (index >= 0) return z ? [x[index], y[index], z[index]] : [x[index], y[index]];
  }
  return null;
}

function placeOver(box) {
  const frame = box.parentElement;
  const svg = frame.querySelector(".atlas-overlay");
  const mark = frame.querySelector(".atlas-ring");
  const flat = box.atlas.kind === "flat";
  svg.style.display = flat ? "" : "none";
  mark.hidden = true;
  if (!flat || !box._fullLayout?.xaxis) return;
  const { xaxis, yaxis } = box._fullLayout;
  Object.assign(svg.style, { left: `${xaxis._offset}px`, top: `${yaxis._offset}px` });
  Object.assign(svg.style, { width: `${xaxis._length}px`, height: `${yaxis._length}px` });
  const scale = { x: xaxis._length / (xaxis.range[1] - xaxis.range[0]), y: yaxis._length / (yaxis.range[1] - yaxis.range[0]) };
  const across = (x) => (x - xaxis.range[0]) * scale.x;
  const down = (y) => (yaxis.range[1] - y) * scale.y;
  placeRing(mark, box.atlas.place, { across, down, xaxis, yaxis });
  const lines = box.atlas.over?.contours;
  if (lines) {
    const matrix = [lines.unit * scale.x, 0, 0, -lines.unit * scale.y, across(lines.x), down(lines.y)];
    svg.querySelector("g").setAttribute("transform", `matrix(${matrix.join(" ")})`);
  }
  placeLabels(svg, box.atlas.over?.labels ?? [], { across, down });
}

function placeRing(mark, place, { across, down, xaxis, yaxis }) {
  if (!place) return;
  const [x, y] = [across(place[0]), down(place[1])];
  if (x < 0 || x > xaxis._length || y < 0 || y > yaxis._length) return;
  Object.assign(mark.style, { left: `${xaxis._offset + x}px`, top: `${yaxis._offset + y}px` });
  mark.hidden = false;
}

// The first labels are the most important; one that would touch an earlier one, or leave the map, waits for a closer look.
function placeLabels(svg, labels, { across, down }) {
  const taken = [];
  const [width, height] = [svg.clientWidth, svg.clientHeight];
  for (const [number, text] of [...svg.querySelectorAll("text")].entries()) {
    const [x, y] = [across(labels[number][0][0]), down(labels[number][0][1])];
    const [halfWidth, halfHeight] = [text.getComputedTextLength() / 2 + 4, 10];
    const box = [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight];
    const free = taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
    const inside = box[0] >= 0 && box[1] >= 0 && box[2] <= width && box[3] <= height;
    text.style.visibility = free && inside ? "visible" : "hidden";
    if (!free || !inside) continue;
    taken.push(box);
    text.setAttribute("x", x);
    text.setAttribute("y", y);
  }
}

function fillOverlay(box, over) {
  box.atlas.over = over;
  const svg = box.parentElement.querySelector(".atlas-overlay");
  const element = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);
  const lines = element("g");
  for (const [level, path] of (over?.contours?.paths ?? []).entries()) {
    const line = element("path");
    line.setAttribute("d", path);
    line.style.opacity = 0.16 + 0.08 * level;
    lines.append(line);
  }
  const labels = (over?.labels ?? []).map(([, words]) => {
    const text = element("text");
    text.textContent = words;
    return text;
  });
  svg.replaceChildren(lines, ...labels);
}

function sceneLabels({ over, ink }) {
  const style = { showarrow: false, font: { size: 12, color: ink }, captureevents: false };
  return (over?.labels ?? [])
    .slice(0, LABELS_IN_DEPTH)
    .map(([[x, y, z], text]) => ({ x, y, z, text: escaped(text), ...style }));
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function ringTrace({ place, ink }) {
  const [x, y, z] = place ?? [];
  const marker = { symbol: "circle-open", size: 10, color: ink, line: { width: 2, color: ink } };
  const points = place ? { x: [x], y: [y], z: [z] } : { x: [], y: [], z: [] };
  return { type: "scatter3d", mode: "markers", hoverinfo: "skip", showlegend: false, uid: "ring", marker, ...points };
}

// --- The text of the point under the pointer, as text: whatever it holds, nothing of it is markup ---

function describe(meta, colour) {
  if (!meta?.title) return "";
  if (meta.value !== undefined) return meta.value;
  const rounded = { maximumSignificantDigits: 3 };
  if (meta.scale === "share") return `${(100 * colour).toLocaleString("en", rounded)}% ${meta.unit}`;
  return `${(meta.scale === "log" ? 10 ** colour - 1 : colour).toLocaleString("en", rounded)} ${meta.unit}`.trim();
}

function hideText(box) {
  box.parentElement.querySelector(".atlas-hover").hidden = true;
}

function showText(box, point) {
  const { texts, pointer } = box.atlas;
  const bubble = box.parentElement.querySelector(".atlas-hover");
  const row = point.customdata;
  if (!texts || row === undefined || !pointer) return;
  const { meta, marker } = point.fullData;
  const value = describe(meta, marker.color?.[point.pointNumber]);
  const parts = [texts.texts[row], `${texts.ids[row]}, ${meta.title.toLowerCase()}: ${value}`];
  bubble.replaceChildren(...parts.map((part) => Object.assign(document.createElement("div"), { textContent: part })));
  bubble.hidden = false;
  const frame = box.parentElement;
  const left = pointer.x + 14 + bubble.offsetWidth > frame.clientWidth ? pointer.x - 14 - bubble.offsetWidth : pointer.x + 14;
  const top = Math.min(pointer.y + 10, frame.clientHeight - bubble.offsetHeight - 4);
  Object.assign(bubble.style, { left: `${Math.max(0, left)}px`, top: `${Math.max(0, top)}px` });
}

// --- Drawing ---

function keepView(box) {
  const { view, kind } = box.atlas;
  const { xaxis, yaxis, scene } = box._fullLayout ?? {};
  if (!view) return;
  if (kind === "flat" && xaxis?.range) views.set(`${view} flat`, { x: [...xaxis.range], y: [...yaxis.range] });
  if (kind === "deep" && scene?._scene) views.set(`${view} deep`, scene._scene.getCamera());
}

function returnToView(layout, view, kind) {
  const kept = views.get(`${view} ${kind}`);
  if (!kept) return;
  if (kind === "deep") layout.scene = { ...layout.scene, camera: kept };
  else {
    layout.xaxis = { ...layout.xaxis, range: kept.x };
    layout.yaxis = { ...layout.yaxis, range: kept.y };
  }
}

function listen(box) {
  const rowsOf = ({ points }) => points.map(({ customdata }) => customdata);
  box.on("plotly_selected", (event) => event && !box.atlas.redrawing && report(box, rowsOf(event)));
  box.on("plotly_deselect", () => box.atlas.redrawing || report(box, []));
  box.on("plotly_click", (event) => {
    const clicked = event.points[0].customdata;
    if (clicked !== undefined) box.atlas.tell("clicked", clicked);
  });
  box.on("plotly_hover", (event) => showText(box, event.points[0]));
  box.on("plotly_unhover", () => hideText(box));
  box.on("plotly_relayout", () => keepView(box));
  box.on("plotly_relayouting", () => {
    hideText(box);
    placeOver(box);
  });
  box.on("plotly_afterplot", () => placeOver(box));
}

async function drawFigure(box, data, { data: traces, layout: drawn }, selectionChanged) {
  const atlas = box.atlas;
  const layout = structuredClone(drawn); // plotly writes into what it is given, and the file is kept
  const kind = layout.scene ? "deep" : "flat";
  atlas.traces = traces.map((trace) => ({ customdata: typed(trace.customdata), size: trace.marker?.size }));
  const shown = traces.map((trace, number) => {
    const { customdata } = atlas.traces[number];
    if (kind === "flat") return { ...trace, customdata, selectedpoints: selectedPoints(atlas.traces[number], atlas.selected) };
    return { ...trace, customdata, marker: { ...trace.marker, size: selectedSizes(atlas.traces[number], atlas.selected) } };
  });
  atlas.ink = paintColours(box, layout);
  if (kind === "deep") {
    shown.push(ringTrace(atlas));
    layout.scene.annotations = sceneLabels(atlas);
  } else {
    layout.selections = selectionChanged || atlas.kind !== "flat" ? [] : (box.layout?.selections ?? []);
    layout.selectionrevision = `${data.figure.revision} ${atlas.ink}`; // plotly would carry point indices over to other traces
  }
  returnToView(layout, data.view, kind);
  const isNew = atlas.kind !== kind; // another set of buttons: plotly starts anew and forgets who listens
  Object.assign(atlas, { kind, view: data.view, revision: data.figure.revision });
  const config = kind === "flat" && !data.selectable ? CONFIGS.roaming : CONFIGS[kind];
  await redraw(box, (Plotly) => (isNew ? Plotly.newPlot : Plotly.react)(box, shown, layout, config));
  if (isNew) listen(box);
}

// Gives one of the traces other points.
async function showPoints(box, uid, { x, y, customdata, colours }) {
  const number = box._fullData?.findIndex((trace) => trace.uid === uid) ?? -1;
  if (number < 0 || !box.atlas.traces[number]) return;
  box.atlas.traces[number].customdata = customdata;
  const change = { x: [x], y: [y], customdata: [customdata], "marker.color": [colours] };
  await globalThis.Plotly.restyle(box, change, [number]);
}

async function drawOverlay(box, data) {
  const revision = data.overlay?.revision;
  if (revision === box.atlas.overRevision) return;
  fillOverlay(box, data.overlay ? await contentOf(data.overlay) : null);
  box.atlas.overRevision = revision;
  if (box.atlas.kind === "deep") await globalThis.Plotly.relayout(box, { "scene.annotations": sceneLabels(box.atlas) });
}

async function drawRing(box, row) {
  const atlas = box.atlas;
  const before = String(atlas.place);
  atlas.place = placeOf(box, row);
  atlas.chosen = row;
  if (atlas.kind !== "deep" || before === String(atlas.place)) return;
  const { x, y, z } = ringTrace(atlas);
  await globalThis.Plotly.restyle(box, { x: [x], y: [y], z: [z] }, [atlas.traces.length]);
}

async function draw(box, data) {
  const atlas = box.atlas;
  const isNew = data.figure.revision !== atlas.revision || inkOf(box) !== atlas.ink;
  const [figure] = await Promise.all([isNew ? contentOf(data.figure) : null, loadPlotly(data.plotly_url)]);
  if (!box.isConnected) return;
  const selectionChanged = takeSelection(atlas, data);
  if (isNew) {
    await drawFigure(box, data, figure, selectionChanged);
    if (atlas.timeline) paint(atlas.timeline); // the points are without their colours until then
  }
  if (!isNew && selectionChanged) await showSelection(box);
  await drawRing(box, data.chosen);
  await drawOverlay(box, data);
  placeOver(box);
  atlas.texts = data.texts ? await contentOf(data.texts) : null; // last: the map is there without them
}

function takeTimeline(frame, box, data, report) {
  frame.hidden = !data;
  if (!data && frame.control) frame.control.playing = null;
  if (data) frame.control ??= newTimeline(frame, (points) => showPoints(box, TIMELINE_TRACE, points));
  box.atlas.timeline = data ? frame.control : null;
  if (data) showTimeline(frame.control, data, report);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector(".atlas-frame");
  const box = frame.querySelector(".atlas-plot");
  settle(box, data);
  box.atlas.reports ??= 0;
  box.atlas.selected ??= "";
  box.atlas.tell = setTriggerValue;
  takeTimeline(parentElement.querySelector(".atlas-timeline"), box, data.timeline, (value) =>
    setTriggerValue("stepped", value),
  );
  const follow = (event) => {
    const { left, top } = frame.getBoundingClientRect();
    box.atlas.pointer = { x: event.clientX - left, y: event.clientY - top };
  };
  const undo = (event) => {
    if (event.key === "Escape" && data.selectable && frame.matches(":hover, :focus-within")) unselect(box);
  };
  frame.addEventListener("mousemove", follow, true);
  document.addEventListener("keydown", undo);
  drawInTurn(box, () => draw(box, data));
  return () => {
    frame.removeEventListener("mousemove", follow, true);
    document.removeEventListener("keydown", undo);
    release(box);
  };
}
