// A chart that stays where the person left it: it is redrawn in place.
// (Streamlit's own chart element is made anew whenever its figure changes.)
// `data`: plotly_url, and nothing else to have it loaded ahead; figure ({revision, json}); height (CSS); alt; clickable.
// Reports {clicked: customdata}. Follows `plotly.js`.

const CONFIG = { displayModeBar: false, responsive: false };

async function draw(box, { figure, plotly_url: url, clickable }) {
  const { atlas } = box;
  await loadPlotly(url);
  if (!box.isConnected || (figure.revision === atlas.revision && inkOf(box) === atlas.ink)) return;
  const { data, layout } = contentOf(figure);
  const traces = data.map((trace) => ({ ...trace, customdata: typed(trace.customdata) }));
  const isNew = !atlas.revision;
  Object.assign(atlas, { revision: figure.revision, ink: paintColours(box, layout) });
  await globalThis.Plotly[isNew ? "newPlot" : "react"](box, traces, layout, CONFIG);
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
  box.atlas.tell = setTriggerValue;
  box.classList.toggle("atlas-clickable", data.clickable);
  drawInTurn(box, () => draw(box, data));
  return () => release(box);
}
