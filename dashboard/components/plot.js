// A plotly figure that stays where the person left it: redrawing keeps zoom, pan, hidden legend entries and selection.
// (Streamlit's own chart element is made anew whenever its figure changes, and takes no clicks while the lasso is on.)
// `data`: plotly_url, figure (JSON text), revision, view, height (CSS), alt, selected (ids), chosen (id).
// Reports {selected: [ids]} and {clicked: id}; ids are the points' customdata.

const views = (globalThis.grpoAtlasViews ??= new Map());

const CONFIG = {
  displaylogo: false,
  displayModeBar: true,
  scrollZoom: true,
  responsive: false,
  modeBarButtons: [["lasso2d", "select2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
};
const STILL = { displayModeBar: false, responsive: false };

function loadPlotly(url) {
  return (globalThis.grpoAtlasPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL(url, document.baseURI).href;
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => reject(new Error(`cannot load ${script.src}`));
    document.head.append(script);
  }));
}

function paintColours(box, layout) {
  const style = getComputedStyle(box);
  const ink = style.getPropertyValue("--st-text-color").trim();
  const paper = style.getPropertyValue("--st-background-color").trim() || "#fff";
  const border = style.getPropertyValue("--st-border-color").trim() || "#888";
  const font = { color: ink, family: style.fontFamily };
  layout.font = { ...layout.font, ...font };
  layout.hoverlabel = { ...layout.hoverlabel, bgcolor: paper, bordercolor: border, font: { ...layout.hoverlabel?.font, ...font } };
  if (layout.modebar) layout.modebar.activecolor = ink;
  box.atlas.ink = ink;
}

function selectedPoints(trace, selected) {
  if (!selected.size) return null;
  return (trace.customdata ?? []).flatMap((id, index) => (selected.has(id) ? [index] : []));
}

function placeOf(box, id) {
  for (const [place, trace] of (box._fullData ?? []).entries()) {
    const index = id ? (trace.customdata?.indexOf(id) ?? -1) : -1;
    if (index >= 0) return [box._fullData[place].x[index], box._fullData[place].y[index]];
  }
  return null;
}

// The ring is an element of its own above the plot: it moves without a redraw, and plotly's shapes disturb its lasso.
function ring(box) {
  const mark = box.parentElement.querySelector(".atlas-ring");
  const { xaxis, yaxis } = box._fullLayout;
  mark.hidden = true;
  if (!box.atlas.place) return;
  const part = (axis, value) => (value - axis.range[0]) / (axis.range[1] - axis.range[0]);
  const [across, up] = [part(xaxis, box.atlas.place[0]), part(yaxis, box.atlas.place[1])];
  if (across < 0 || across > 1 || up < 0 || up > 1) return;
  mark.style.left = `${xaxis._offset + across * xaxis._length}px`;
  mark.style.top = `${yaxis._offset + (1 - up) * yaxis._length}px`;
  mark.hidden = false;
}

function keepView(box) {
  const { xaxis, yaxis } = box._fullLayout ?? {};
  if (box.atlas.view && xaxis?.range) views.set(box.atlas.view, { x: [...xaxis.range], y: [...yaxis.range] });
}

function listen(box) {
  box.on("plotly_selected", (event) => {
    if (event) report(box, event.points.map((point) => point.customdata));
  });
  box.on("plotly_deselect", () => report(box, []));
  box.on("plotly_click", (event) => box.atlas.tell("clicked", event.points[0].customdata));
  box.on("plotly_relayout", () => keepView(box));
  box.on("plotly_relayouting", () => ring(box));
  box.on("plotly_afterplot", () => ring(box));
}

function keyOf(ids) {
  return [...ids].sort().join("\n");
}

function report(box, ids) {
  const key = keyOf(ids);
  if (key === box.atlas.selectedKey) return;
  Object.assign(box.atlas, { selected: ids, selectedKey: key });
  box.atlas.tell("selected", ids);
}

// Takes over the page's selection if it is news; true if it differs from what is shown. A rerun that began before a
// lasso still brings the selection of before the lasso: no news, so the lasso stands.
function takeSelection(atlas, ids) {
  const key = keyOf(ids);
  const news = key !== atlas.served && key !== atlas.selectedKey;
  atlas.served = key;
  if (news) Object.assign(atlas, { selected: ids, selectedKey: key });
  return news;
}

async function draw(box, data) {
  const Plotly = await loadPlotly(data.plotly_url);
  if (!box.isConnected) return;
  const atlas = box.atlas;
  const changed = takeSelection(atlas, data.selected);
  const selected = new Set(atlas.selected);
  const ink = getComputedStyle(box).getPropertyValue("--st-text-color").trim();
  if (data.revision !== atlas.revision || ink !== atlas.ink) {
    const { data: traces, layout } = JSON.parse(data.figure);
    if (data.interactive) {
      for (const trace of traces) trace.selectedpoints = selectedPoints(trace, selected);
      layout.selections = changed ? [] : (box.layout?.selections ?? []);
      layout.selectionrevision = `${data.revision} ${ink}`; // plotly would carry point indices over to other traces
    }
    paintColours(box, layout);
    const view = data.interactive && views.get(data.view);
    if (view) {
      layout.xaxis = { ...layout.xaxis, range: view.x };
      layout.yaxis = { ...layout.yaxis, range: view.y };
    }
    const first = atlas.revision === undefined;
    await Plotly.react(box, traces, layout, data.interactive ? CONFIG : STILL);
    if (first && data.interactive) listen(box);
    Object.assign(atlas, { revision: data.revision, view: data.view, traces });
  } else if (changed) {
    await Plotly.relayout(box, { selections: [] }); // first: without its outline plotly selects anew
    await Plotly.restyle(box, { selectedpoints: atlas.traces.map((trace) => selectedPoints(trace, selected)) });
  }
  atlas.chosen = data.chosen;
  atlas.place = placeOf(box, data.chosen);
  if (data.interactive) ring(box);
}

function fit(box) {
  const drawn = box._fullLayout;
  if (drawn && (drawn.width !== box.clientWidth || drawn.height !== box.clientHeight)) globalThis.Plotly.Plots.resize(box);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".atlas-plot");
  box.atlas ??= {}; // everything of ours; the element's other properties are Plotly's
  box.style.height = data.height;
  box.setAttribute("role", "figure");
  box.setAttribute("aria-label", data.alt);
  box.atlas.tell = setTriggerValue;
  box.atlas.resize ??= new ResizeObserver(() => fit(box));
  box.atlas.resize.observe(box);
  box.atlas.drawing = (box.atlas.drawing ?? Promise.resolve()).then(() => draw(box, data)).catch((error) => {
    console.error(error);
    if (!box.atlas.revision) box.textContent = "The chart cannot be drawn in this browser; the table below has the same data.";
  });
  return () => {
    box.atlas.resize.disconnect();
    setTimeout(() => box.isConnected || globalThis.Plotly?.purge(box)); // frees the WebGL contexts, of which a page has few
  };
}
