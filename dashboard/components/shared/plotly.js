// What all components share that draw with plotly.js; stands before each of their scripts.
// biome-ignore-all lint/correctness/noUnusedVariables: those scripts use it

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

globalThis.grpoAtlasFiles ??= new Map();
const files = globalThis.grpoAtlasFiles;
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
  globalThis.grpoAtlasPlotly ??= runScript(url);
  return globalThis.grpoAtlasPlotly;
}

function offer(url, name) {
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
}

function saveFile(blob, name) {
  const url = URL.createObjectURL(blob);
  offer(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

// --- Full screen ---

function isFull(element) {
  return document.fullscreenElement === element || element.classList.contains("atlas-overlaid");
}

// Where a browser refuses, as within a page of somebody else, over all of the window.
async function enterFull(element) {
  try {
    await element.requestFullscreen();
  } catch {
    element.popover = "manual"; // above all else, wherever the chart stands
    element.classList.add("atlas-overlaid");
    element.showPopover();
  }
}

async function leaveFull(element) {
  if (document.fullscreenElement === element) await document.exitFullscreen();
  if (!element.classList.contains("atlas-overlaid")) return;
  element.classList.remove("atlas-overlaid");
  element.removeAttribute("popover");
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

const TYPED = { i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array, i4: Int32Array };

function typed(array) {
  return array?.bdata ? new TYPED[array.dtype](bytesOf(array.bdata).buffer) : (array ?? []);
}

function inkOf(box) {
  return getComputedStyle(box).getPropertyValue("--st-text-color").trim();
}

// In the colours of the page, light or dark; gives that of the text.
function paintColours(box, layout) {
  const style = getComputedStyle(box);
  const ink = inkOf(box);
  const paper = style.getPropertyValue("--st-background-color").trim() || "#fff";
  const border = style.getPropertyValue("--st-border-color").trim() || "#888";
  const font = { color: ink, family: style.fontFamily };
  layout.font = { ...layout.font, ...font };
  layout.hoverlabel = {
    ...layout.hoverlabel,
    bgcolor: paper,
    bordercolor: border,
    font: { ...layout.hoverlabel?.font, ...font },
  };
  if (layout.modebar) layout.modebar.activecolor = ink;
  return ink;
}

function fit(box) {
  const drawn = box._fullLayout;
  if (drawn && (drawn.width !== box.clientWidth || drawn.height !== box.clientHeight)) globalThis.Plotly.Plots.resize(box);
}

// Prepares an element for a drawing that fills it, whatever its size will be.
function settle(box, { height, alt }) {
  box.atlas ??= {}; // everything of ours; the element's other properties are plotly's
  box.style.height = height;
  box.setAttribute("role", "figure");
  box.setAttribute("aria-label", alt);
  box.atlas.resize ??= new ResizeObserver(() => fit(box));
  box.atlas.resize.observe(box);
}

// Draws when what was asked for before is drawn.
function drawInTurn(box, draw) {
  box.atlas.drawing = (box.atlas.drawing ?? Promise.resolve()).then(draw).catch((error) => {
    console.error(error);
    const words = "The chart cannot be drawn in this browser; the table below has the same data.";
    if (!box.atlas.revision) box.textContent = words;
  });
}

function release(box) {
  box.atlas.resize.disconnect();
  setTimeout(() => box.isConnected || globalThis.Plotly?.purge(box)); // frees the WebGL contexts, of which a page has few
}
