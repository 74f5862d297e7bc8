// Completions as text, each token on the colour of its value; the values of the one under the pointer, or under the arrow keys.
// `data`: content ({revision, json} or {revision, url}: [{texts, shown, ended, values {measure: [number or null]}, otherLogprob,
// likeliest, likeliestLogprob}]); titles; by (the measure); title, ends (two words), signed, end (of the scale), scale ([background,
// text] each); parts (the place at which two part, or null); marked ([completion, place] or null); other (the second model's name).
// Follows `plotly.js`.

const FIGURE = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const NAMES = { logprob: "log-probability", entropy: "entropy", ratio: "log-ratio", kl: "KL" };
const SHOWN_SIGNS = { "\n": "\u21b5\n", "\t": "\u21e5\t", "\r": "\u240d" };

function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

function figure(value) {
  return value === null || value === undefined ? "ruled out" : FIGURE.format(value);
}

function shadeOf(value, { signed, end, scale }) {
  if (value === null) return scale[signed ? 0 : scale.length - 1]; // ruled out: as far as the scale goes
  const share = Math.min(1, Math.abs(value) / end) * (signed ? Math.sign(value) : 1);
  return scale[Math.round((signed ? (share + 1) / 2 : share) * (scale.length - 1))];
}

function signOf(control) {
  const code = control.codePointAt(0);
  return SHOWN_SIGNS[control] ?? (code < 0x20 ? String.fromCodePoint(0x2400 + code) : "\u2421");
}

// What is seen of a token: line breaks and other characters without a shape get a sign.
function faceOf({ texts, ended }, place) {
  const text = texts[place];
  if (!text)
    return element("i", { className: "sign", textContent: ended && place === texts.length - 1 ? "\u25a0 end" : "\u00b7" });
  return text.replace(/\p{Cc}/gu, signOf);
}

function newText(content, place) {
  const text = element("div", { className: "atlas-tokens", tabIndex: 0 });
  text.setAttribute("role", "group");
  text.dataset.completion = place;
  const spans = content.texts.map((_, token) => element("span", {}, faceOf(content, token)));
  for (const [token, span] of spans.entries()) span.dataset.token = token;
  text.append(...spans);
  return text;
}

function paintText(text, content, data, place) {
  const values = content.values[data.by];
  text.setAttribute("aria-label", `${data.titles[place]}, coloured by ${data.title}; arrow keys go through its tokens`);
  const changes = [...text.children].map((span, token) => [span, shadeOf(values[token], data)]);
  for (const [token, [span, [background, ink]]] of changes.entries()) {
    span.style.background = background;
    span.style.color = ink;
    span.classList.toggle("parts", token === data.parts);
    span.classList.toggle("marked", data.marked?.[0] === place && data.marked[1] === token);
  }
}

function drawLegend(box, data) {
  const legend = box.querySelector(".atlas-tokens-legend");
  const bar = element(
    "span",
    { className: "bar" },
    ...data.scale.map(([background]) => element("i", { style: `background: ${background}` })),
  );
  const low = data.signed ? figure(-data.end) : "0";
  const high = figure(data.by === "logprob" ? -data.end : data.end);
  const [first, last] = data.ends;
  const note = data.parts === null ? "" : "\u25bc the first different token";
  const words = [`${data.title}, nats:`, `${low} ${first}`, bar, `${high} or beyond, ${last}`, note];
  legend.replaceChildren(...words.map((word) => (word === bar ? bar : element("span", { textContent: word }))));
  legend.setAttribute("aria-label", `Scale of ${data.title} from ${low}, ${first}, to ${high}, ${last}`);
}

function rowsOf(content, token, { other }) {
  const chance = (logprob) => (logprob === null ? "none" : `${FIGURE.format(100 * Math.exp(logprob))}%`);
  const { values } = content;
  return [
    ["probability", chance(values.logprob[token])],
    [`under ${other}`, chance(content.otherLogprob[token])],
    ...Object.entries(NAMES).map(([name, title]) => [title, figure(values[name][token])]),
    [`likeliest: ${JSON.stringify(content.likeliest[token])}`, chance(content.likeliestLogprob[token])],
  ];
}

function showValues(box, span) {
  const { contents, data } = box.atlas;
  const values = box.querySelector(".atlas-tokens-values");
  const content = contents[Number(span.parentElement.dataset.completion)];
  const token = Number(span.dataset.token);
  const list = element("dl", {});
  for (const [title, value] of rowsOf(content, token, data))
    list.append(element("dt", { textContent: title }), element("dd", { textContent: value }));
  const head = element(
    "div",
    {},
    element("b", { textContent: JSON.stringify(content.shown[token]) }),
    ` token ${token + 1} of ${content.texts.length}`,
  );
  values.replaceChildren(head, list);
  values.hidden = false;
  const [{ left, bottom, top }] = span.getClientRects();
  const fits = bottom + values.offsetHeight + 8 < innerHeight;
  values.style.left = `${Math.max(4, Math.min(left, innerWidth - values.offsetWidth - 8))}px`;
  values.style.top = `${fits ? bottom + 6 : Math.max(4, top - values.offsetHeight - 6)}px`;
  box.querySelector(".atlas-tokens .at")?.classList.remove("at");
  span.classList.add("at");
}

function hideValues(box) {
  box.querySelector(".atlas-tokens-values").hidden = true;
  box.querySelector(".atlas-tokens .at")?.classList.remove("at");
}

function step(text, by) {
  const spans = text.children;
  const now = [...spans].findIndex((span) => span.classList.contains("at"));
  return spans[Math.max(0, Math.min(spans.length - 1, now + by))];
}

const MOVES = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10, End: 1e9, Home: -1e9 };

function listen(box) {
  const texts = box.querySelector(".atlas-tokens-texts");
  texts.addEventListener("pointerover", ({ target }) => {
    const span = target.closest?.(".atlas-tokens > span");
    if (span) showValues(box, span);
    else hideValues(box);
  });
  texts.addEventListener("pointerleave", () => hideValues(box));
  texts.addEventListener("focusout", () => hideValues(box));
  texts.addEventListener("scroll", () => hideValues(box), true);
  texts.addEventListener("keydown", (event) => {
    const by = MOVES[event.key];
    if (event.key === "Escape") hideValues(box);
    if (!by || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation(); // the page's own arrow keys go to another group
    const span = step(event.target.closest(".atlas-tokens"), by);
    if (!span) return;
    span.scrollIntoView({ block: "nearest" });
    showValues(box, span);
  });
}

function drawTexts(box) {
  const { contents, data } = box.atlas;
  const texts = box.querySelector(".atlas-tokens-texts");
  if (box.atlas.revision !== data.content.revision) {
    const sections = contents.map((content, place) => element("section", {}, element("h4", {}), newText(content, place)));
    texts.replaceChildren(...sections);
    box.atlas.revision = data.content.revision;
  }
  for (const [place, content] of contents.entries()) {
    const [heading, text] = texts.children[place].children;
    heading.textContent = data.titles[place];
    paintText(text, content, data, place);
  }
  if (data.marked) texts.querySelector(".marked")?.scrollIntoView({ block: "nearest" });
}

async function draw(box, data) {
  const contents = await contentOf(data.content);
  if (!box.isConnected || box.atlas.data !== data) return;
  box.atlas.contents = contents;
  hideValues(box);
  drawLegend(box, data);
  drawTexts(box);
}

export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".atlas-token-view");
  if (!box.atlas) {
    box.atlas = {};
    listen(box);
  }
  box.atlas.data = data;
  draw(box, data).catch((error) => {
    console.error(error);
    box.querySelector(".atlas-tokens-texts").textContent =
      "The text cannot be drawn in this browser; the table below has the same data.";
  });
}
