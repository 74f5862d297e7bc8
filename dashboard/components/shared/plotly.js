// What all components share that draw with plotly.js; stands before each of their scripts.

async function fetchFile(url, cache) {
  const answer = await fetch(new URL(url, document.baseURI), { cache });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer;
}

// Of addresses that change with what they lead to any copy that the browser still has is right.
function fetchKept(url) {
  return fetchFile(url, "force-cache");
}

function unpacked(answer) {
  return new Response(answer.body.pipeThrough(new DecompressionStream("gzip"))).json();
}

const files = (globalThis.grpoAtlasFiles ??= new Map());
const FILES_KEPT = 12;

async function fetchJson(url) {
  return unpacked(await fetchKept(url));
}

function contentOf({ revision, json, url }) {
  if (json) return JSON.parse(json);
  const content = files.get(revision) ?? fetchJson(url);
  files.delete(revision); // put in again as the latest used
  files.set(revision, content);
  content.catch(() => files.delete(revision));
  while (files.size > FILES_KEPT) files.delete(files.keys().next().value);
  return content;
}

async function runScript(url) {
  const script = document.createElement("script");
  script.src = URL.createObjectURL(await (await fetchKept(url)).blob());
  const loaded = new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error(`cannot run ${url}`));
  });
  document.head.append(script);
  await loaded.finally(() => URL.revokeObjectURL(script.src));
}

function loadPlotly(url) {
  return (globalThis.grpoAtlasPlotly ??= runScript(url));
}

// In the colours of the page, light or dark; gives that of the text.
function paintColours(box, layout) {
  const style = getComputedStyle(box);
  const ink = style.getPropertyValue("--st-text-color").trim();
  const paper = style.getPropertyValue("--st-background-color").trim() || "#fff";
  const border = style.getPropertyValue("--st-border-color").trim() || "#888";
  const font = { color: ink, family: style.fontFamily };
  layout.font = { ...layout.font, ...font };
  layout.hoverlabel = { ...layout.hoverlabel, bgcolor: paper, bordercolor: border, font: { ...layout.hoverlabel?.font, ...font } };
  if (layout.modebar) layout.modebar.activecolor = ink;
  return ink;
}

function fit(box) {
  const drawn = box._fullLayout;
  if (drawn && (drawn.width !== box.clientWidth || drawn.height !== box.clientHeight)) globalThis.Plotly.Plots.resize(box);
}
