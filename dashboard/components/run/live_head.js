// The line and the figures of a run's head. `data`: part ("line" or "figures"); head {status, fraction, line, figures [{title,
// value, change, basis}], tab}; address of a file with the head as it is now and newest, what was logged last, or null.
// The line looks at the file every second and tells the page by the event "atlas-live" {address, head}; the figures and the curves
// (plot_grid.js) listen. Nothing of this asks for a rerun, so none can come between a person and a button; only another status is
// reported, once, since another status is another page: {status: what it is now}.

const LOOK_MS = 1000;

function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

function drawLine(box, { line, fraction }) {
  const percent = 100 * Math.max(0, Math.min(1, fraction));
  if (!box.firstChild) box.append(element("div", {}), element("div", { className: "atlas-bar" }, element("div")));
  const [text, bar] = box.children;
  text.textContent = line;
  bar.firstChild.style.width = `${percent}%`;
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-label", "progress");
  bar.setAttribute("aria-valuenow", percent.toFixed(0));
}

function drawFigures(box, { figures }) {
  const list = element("dl", { className: "atlas-figures" });
  for (const { title, value, change, basis } of figures) {
    const told = [value, change, basis].map((textContent) => element("dd", { textContent }));
    list.append(element("div", {}, element("dt", { textContent: title }), ...told));
  }
  box.replaceChildren(list);
}

function show(box, head) {
  const { part } = box.atlas.data;
  box.classList.toggle("atlas-line", part === "line");
  if (part === "line") {
    drawLine(box, head);
    showInTab(box, head.tab);
  } else drawFigures(box, head);
}

// What the tab of the browser says instead of the page's title, which is put back when the run has ended or is left.
function showInTab(box, tab) {
  const { atlas } = box;
  if (!tab) {
    if (atlas.title !== undefined && document.title === atlas.tab) document.title = atlas.title;
    atlas.tab = "";
    return;
  }
  if (document.title !== atlas.tab) atlas.title = document.title; // Streamlit has set the page's own
  atlas.tab = tab;
  document.title = tab;
}

// Fails quietly: it is tried again a second later, and reruns say what is wrong.
async function look(box) {
  const { address } = box.atlas.data;
  if (box.atlas.looking || document.hidden) return;
  box.atlas.looking = true;
  try {
    const answer = await fetch(new URL(address, document.baseURI), { cache: "no-store" });
    if (!answer.ok) return;
    const head = await answer.json();
    if (box.atlas.data.address === address)
      document.dispatchEvent(new CustomEvent("atlas-live", { detail: { address, head } }));
  } catch (error) {
    console.debug(error);
  } finally {
    box.atlas.looking = false;
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".atlas-head");
  box.atlas ??= {};
  const { atlas } = box;
  if (atlas.listen) document.removeEventListener("atlas-live", atlas.listen);
  clearInterval(atlas.timer);
  atlas.data = data;
  show(box, data.head);
  if (data.address) {
    atlas.listen = ({ detail: { address, head } }) => {
      if (address !== data.address) return;
      show(box, head);
      if (data.part === "line" && head.status !== data.head.status && atlas.told !== head.status) {
        atlas.told = head.status;
        setTriggerValue("status", head.status);
      }
    };
    document.addEventListener("atlas-live", atlas.listen);
    if (data.part === "line") atlas.timer = setInterval(() => look(box), LOOK_MS);
  }
  return () => {
    clearInterval(atlas.timer);
    document.removeEventListener("atlas-live", atlas.listen);
    showInTab(box, "");
  };
}
