// Has "/" lead to the search, wherever on the page nobody writes. `data`: field (a selector), focus (another number for each time that
// the field is to have the focus, 0 for never). Reports {pressed: how often so far}.

const LOOK_AGAIN_MS = 20;

function writes(target) {
  return target.isContentEditable || target.matches?.("input, textarea, select");
}

export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".atlas-search-key");
  box.atlas ??= { focused: data.focus };
  const { atlas } = box;
  let timer;
  const focus = () => {
    const field = document.querySelector(data.field);
    if (field) field.focus();
    else timer = setTimeout(focus, LOOK_AGAIN_MS);
  };
  const listen = (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || writes(event.target)) return;
    event.preventDefault();
    if (document.querySelector(data.field)) focus();
    else setTriggerValue("pressed", data.focus + 1);
  };
  document.addEventListener("keydown", listen);
  if (data.focus !== atlas.focused) {
    atlas.focused = data.focus;
    focus();
  }
  return () => {
    clearTimeout(timer);
    document.removeEventListener("keydown", listen);
  };
}
