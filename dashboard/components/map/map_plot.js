// A map that stays where the person left it: redrawing keeps zoom, camera, hidden legend entries and selection.
// (Streamlit's own chart element takes no clicks while the lasso is on.)
// `data`: plotly_url; figure, texts, overlay (each {revision, json} or {revision, url}, the latter two or null), with rows as the
// points' customdata; view; name (of files); height (CSS); alt; selectable; selected (bits of rows), answers (the last report that
// `selected` takes in); chosen (row or null); timeline (see `timeline.js`, or null).
// Reports {selected: {rows: bits, report: n}}, {clicked: row} and {stepped: {step, report}}.
// Follows `plotly.js`, `timeline.js`, `map_overlay.js`, `map_views.js` and `map_lasso.js`.

globalThis.grpoAtlasViews ??= new Map();
const views = globalThis.grpoAtlasViews;

const BUTTONS = {
  flat: ["zoomIn2d", "zoomOut2d", "resetScale2d"],
  deep: ["orbitRotation", "pan3d", "zoom3d", "resetCameraDefault3d"],
};

// The same one each time: to plotly another one, if only by its functions, is another plot.
const configs = new Map();

function configOf(kind, selectable) {
  const key = `${kind} ${selectable}`;
  if (!configs.has(key)) {
    const tools = kind === "flat" ? [...(selectable ? ["lasso2d", "select2d"] : []), "pan2d"] : [];
    const modeBarButtons = [ourButtons(kind === "flat"), [...tools, ...BUTTONS[kind]]];
    configs.set(key, { displaylogo: false, displayModeBar: true, scrollZoom: true, responsive: false, modeBarButtons });
  }
  return configs.get(key);
}

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

async function showSelection(box) {
  const { traces, selected, kind } = box.atlas;
  showStanding(box);
  const places = traces.map((_, place) => place);
  const change =
    kind === "deep"
      ? { "marker.size": traces.map((trace) => selectedSizes(trace, selected)) }
      : { selectedpoints: traces.map((trace) => selectedPoints(trace, selected)) };
  await globalThis.Plotly.restyle(box, change, places);
}

function select(box, rows) {
  report(box, rows);
  box.atlas.drawing = box.atlas.drawing.then(() => showSelection(box));
}

// What the mouse has drawn or clicked when it is let go; a click on the name of a cluster selects it.
function takePress(box) {
  const { pressed, pointer, outlining, hovered, selectable } = box.atlas;
  const rows = outlining ? endOutline(box) : null;
  if (rows) {
    if (!rows.length) dropOutline(box);
    select(box, rows);
    return;
  }
  if (!pressed || Math.hypot(pressed.x - pointer.x, pressed.y - pointer.y) > CLICK_PX) return;
  if (selectable && pressed.name !== null) {
    dropOutline(box);
    select(box, rowsOfName(box, pressed.name));
  } else if (outlining && hovered !== undefined) box.atlas.tell("clicked", hovered);
}

function unselect(box) {
  if (box.atlas.kind === "flat") dropOutline(box);
  if (box.atlas.selected) select(box, []);
}

// --- The text of the point under the pointer, as text: whatever it holds, nothing of it is markup ---

function describe(meta, colour, point) {
  if (!meta?.title) return "";
  if (meta.names) return meta.names[meta.groups[point]];
  if (meta.value !== undefined) return meta.value;
  if (meta.levels) return meta.levels[colour];
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
  const value = describe(meta, marker.color?.[point.pointNumber], point.pointNumber);
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
  box.on("plotly_click", (event) => {
    const clicked = event.points[0].customdata;
    if (clicked !== undefined && (box.atlas.pressed?.name ?? null) === null) box.atlas.tell("clicked", clicked);
  });
  box.on("plotly_hover", (event) => {
    box.atlas.hovered = event.points[0].customdata;
    showText(box, event.points[0]);
  });
  box.on("plotly_unhover", () => {
    box.atlas.hovered = undefined;
    hideText(box);
  });
  box.on("plotly_relayout", () => keepView(box));
  box.on("plotly_relayouting", () => {
    hideText(box);
    light(box, null);
    placeOver(box);
  });
  box.on("plotly_afterplot", () => placeOver(box));
}

async function drawFigure(box, data, { data: traces, layout: drawn }) {
  const atlas = box.atlas;
  const layout = structuredClone(drawn); // plotly writes into what it is given, and the file is kept
  const kind = layout.scene ? "deep" : "flat";
  atlas.traces = traces.map((trace) => ({ customdata: typed(trace.customdata), size: trace.marker?.size }));
  const shown = traces.map((trace, number) => {
    const { customdata } = atlas.traces[number];
    const meta = trace.meta?.groups ? { ...trace.meta, groups: typed(trace.meta.groups) } : trace.meta;
    const own = { ...trace, customdata, meta };
    if (kind === "flat") return { ...own, selectedpoints: selectedPoints(atlas.traces[number], atlas.selected) };
    return { ...own, marker: { ...trace.marker, size: selectedSizes(atlas.traces[number], atlas.selected) } };
  });
  atlas.ink = paintColours(box, layout);
  returnToView(layout, data.view, kind);
  const isNew = atlas.kind !== kind; // another set of buttons: plotly starts anew and forgets who listens
  Object.assign(atlas, { kind, view: data.view, name: data.name, revision: data.figure.revision, places: null });
  const config = configOf(kind, data.selectable);
  await globalThis.Plotly[isNew ? "newPlot" : "react"](box, shown, layout, config);
  if (isNew) listen(box);
  if (kind === "deep" && !atlas.follows) {
    atlas.follows = true;
    followCamera(box);
  }
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
}

async function draw(box, data) {
  const atlas = box.atlas;
  const isNew = data.figure.revision !== atlas.revision || inkOf(box) !== atlas.ink;
  const [figure] = await Promise.all([isNew ? contentOf(data.figure) : null, loadPlotly(data.plotly_url)]);
  if (!box.isConnected) return;
  const selectionChanged = takeSelection(atlas, data);
  if (selectionChanged) atlas.outline = null; // the page made something else of it
  if (isNew) {
    await drawFigure(box, data, figure);
    if (atlas.timeline) paint(atlas.timeline); // the points are without their colours until then
  }
  if (!isNew && selectionChanged) await showSelection(box);
  atlas.chosen = data.chosen;
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
  Object.assign(box.atlas, { tell: setTriggerValue, selectable: data.selectable });
  takeTimeline(parentElement.querySelector(".atlas-timeline"), box, data.timeline, (value) =>
    setTriggerValue("stepped", value),
  );
  const follow = (event) => {
    const { left, top } = frame.getBoundingClientRect();
    box.atlas.pointer = { x: event.clientX - left, y: event.clientY - top };
    if (!event.buttons) light(box, box.atlas.over?.clusters ? nameUnder(box) : null);
  };
  const press = (event) => {
    follow(event);
    box.atlas.pressed = { ...box.atlas.pointer, name: box.atlas.lit ?? null };
    box.atlas.wheelZooms = true;
    if (!beginsOutline(box, event)) return;
    event.stopPropagation(); // from here on it is not plotly's
    event.preventDefault();
    beginOutline(box);
  };
  const drag = (event) => {
    if (!box.atlas.outlining) return;
    event.stopPropagation(); // nothing need be looked for under the pointer
    hideText(box);
    follow(event);
    goOnWithOutline(box);
  };
  const leave = ({ clientX: x, clientY: y }) => {
    const { left, right, top, bottom } = frame.getBoundingClientRect();
    if (x > left && x < right && y > top && y < bottom) return; // onto what plotly lays over all while it drags
    box.atlas.wheelZooms = false;
    light(box, null);
  };
  const letGo = () => {
    takePress(box);
    setTimeout(() => {
      box.atlas.pressed = null;
    });
  };
  const turn = (event) => {
    if (!event.ctrlKey && !event.metaKey && !box.atlas.wheelZooms) event.stopPropagation(); // the page scrolls
  };
  const undo = (event) => {
    if (event.key !== "Escape" || !frame.matches(":hover, :focus-within")) return;
    if (isFull(wholeOf(box))) leaveFull(wholeOf(box));
    else if (data.selectable) unselect(box);
  };
  const undoByMouse = () => {
    if (data.selectable && DRAWN.includes(box._fullLayout?.dragmode)) unselect(box);
  };
  const heard = { mousemove: follow, mousedown: press, mouseleave: leave, wheel: turn, dblclick: undoByMouse };
  for (const [name, listener] of Object.entries(heard)) frame.addEventListener(name, listener, true);
  document.addEventListener("keydown", undo);
  document.addEventListener("mousemove", drag, true);
  document.addEventListener("mouseup", letGo, true);
  drawInTurn(box, () => draw(box, data));
  return () => {
    for (const [name, listener] of Object.entries(heard)) frame.removeEventListener(name, listener, true);
    document.removeEventListener("keydown", undo);
    document.removeEventListener("mousemove", drag, true);
    document.removeEventListener("mouseup", letGo, true);
    release(box);
  };
}
