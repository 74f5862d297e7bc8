// A chart that stays where the person left it: it is redrawn in place.
// (Streamlit's own chart element is made anew whenever its figure changes.)
// `data`: plotly_url, and nothing else to have it loaded ahead; figure ({revision, json}); height (CSS); alt; clickable; name (of
// files); dark (colour -> on a dark page). Reports {clicked: customdata}. Follows `plotly.js` and `chart_tools.js`.

const CONFIG = { displayModeBar: false, responsive: false };

async function draw(box, { figure, plotly_url: url, clickable, dark }) {
  const { atlas } = box;
  await loadPlotly(url);
  const look = `${inkOf(box)} ${atlas.log ?? ""}`;
  if (!box.isConnected || (figure.revision === atlas.revision && look === atlas.look)) return;
  const { data, layout } = inPageColours(box, contentOf(figure), dark);
  const traces = data.map((trace) => ({ ...trace, customdata: typed(trace.customdata) }));
  const isNew = !atlas.revision;
  Object.assign(atlas, { revision: figure.revision, look });
  paintColours(box, layout);
  setLogarithmic(box, layout);
  await globalThis.Plotly[isNew ? "newPlot" : "react"](box, traces, layout, CONFIG);
  addTools(box);
  if (!isNew || !clickable) return;
  box.on("plotly_click", ({ points }) => points[0].customdata !== undefined && atlas.tell("clicked", points[0].customdata));
}

export default function ({ data, parentElement, setTriggerValue }) {
  if (!data.figure) {
    loadPlotly(data.plotly_url).catch((error) => console.error(error)); // whoever draws says so on the page
    return undefined;
  }
  const box = parentElement.querySelector(".atlas-chart");
  settle(box, data);
  Object.assign(box.atlas, { tell: setTriggerValue, name: data.name, redraw: () => drawInTurn(box, () => draw(box, data)) });
  box.classList.toggle("atlas-clickable", data.clickable);
  box.atlas.redraw();
  return () => release(box);
}
