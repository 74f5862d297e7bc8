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
  box.atlas.paper = paper;
}

function selectedPoints(trace, selected) {
  if (!selected.size) return null;
  return (trace.customdata ?? []).flatMap((id, index) => (selected.has(id) ? [index] : []));
}

// Two circles, so that the ring shows on points of any colour.
function ring(box, traces, chosen) {
  for (const [place, trace] of traces.entries()) {
    const index = trace.customdata?.indexOf(chosen) ?? -1;
    if (index < 0) continue;
    const [x, y] = [box._fullData[place].x[index], box._fullData[place].y[index]];
    const circle = (radius, color, width) => ({
      type: "circle", xref: "x", yref: "y", xsizemode: "pixel", ysizemode: "pixel", xanchor: x, yanchor: y,
      x0: -radius, x1: radius, y0: -radius, y1: radius, line: { color, width },
    });
    return [circle(10, box.atlas.paper, 5), circle(10, box.atlas.ink, 2)];
  }
  return [];
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
}

function report(box, ids) {
  const key = ids.join("\n");
  if (key === box.atlas.selectedKey) return;
  box.atlas.selectedKey = key;
  box.atlas.tell("selected", ids);
}

async function draw(box, data) {
  const Plotly = await loadPlotly(data.plotly_url);
  if (!box.isConnected) return;
  const atlas = box.atlas;
  const selected = new Set(data.selected);
  const selectedKey = data.selected.join("\n");
  const ink = getComputedStyle(box).getPropertyValue("--st-text-color").trim();
  if (data.revision !== atlas.revision || ink !== atlas.ink) {
    const { data: traces, layout } = JSON.parse(data.figure);
    for (const trace of traces) if (data.interactive) trace.selectedpoints = selectedPoints(trace, selected);
    paintColours(box, layout);
    const view = data.interactive && views.get(data.view);
    if (view) {
      layout.xaxis = { ...layout.xaxis, range: view.x };
      layout.yaxis = { ...layout.yaxis, range: view.y };
    }
    const first = atlas.revision === undefined;
    await Plotly.react(box, traces, layout, data.interactive ? CONFIG : STILL);
    if (first && data.interactive) listen(box);
    Object.assign(atlas, { revision: data.revision, view: data.view, traces, selectedKey, chosen: "" });
  } else if (selectedKey !== atlas.served && selectedKey !== atlas.selectedKey) {
    atlas.selectedKey = selectedKey;
    await Plotly.restyle(box, { selectedpoints: atlas.traces.map((trace) => selectedPoints(trace, selected)) });
    await Plotly.relayout(box, { selections: [] });
  }
  atlas.served = selectedKey; // a rerun that began before a lasso brings the selection of before: no news, so left alone
  if (data.chosen !== atlas.chosen) {
    atlas.chosen = data.chosen;
    await Plotly.relayout(box, { shapes: ring(box, atlas.traces, data.chosen) });
  }
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
