// Colours a map step by step, at the pace of the browser: a button that plays, a slider, and a line that says which steps.
// The server sends the groups of a run once; what they come to at a step is put together here.
// `data`: plot (class of the map's element); timeline ({revision, json} or {revision, url}); first, last (steps); window
// (steps that count up to the one chosen, 0 for all); at (the step chosen, 0 for the last); answers (the last report that
// `at` takes in).
// Reports {stepped: {step, report}}, with step 0 for the last.
// Follows `plotly.js`.

const PLAYED_MS = 10_000; // a run from its first step to its last, however long

// The first place whose step is not below one.
function placeOf(steps, step) {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < step) low = middle + 1;
    else high = middle;
  }
  return low;
}

// What each problem comes to in steps above `after` and up to `until`: the mean of its groups, or their number.
function standing({ rows, x, y, problems, steps, values, counts }, after, until) {
  const sums = new Float64Array(rows.length);
  const numbers = new Int32Array(rows.length);
  const end = placeOf(steps, until + 1);
  for (let place = placeOf(steps, after + 1); place < end; place += 1) {
    sums[problems[place]] += values[place];
    numbers[problems[place]] += 1;
  }
  const met = [];
  for (let place = 0; place < rows.length; place += 1) if (numbers[place]) met.push(place);
  return {
    x: met.map((place) => x[place]),
    y: met.map((place) => y[place]),
    customdata: met.map((place) => rows[place]),
    colours: met.map((place) => (counts ? sums[place] : sums[place] / numbers[place])),
  };
}

function mapOf(control) {
  return document.querySelector(`.${control.data.plot} .atlas-plot`);
}

// Painting takes a while without a GPU: of the steps asked for meanwhile only the latest is painted.
async function paint(control) {
  control.stale = true;
  if (control.painting) return;
  control.painting = true;
  try {
    while (control.stale) {
      control.stale = false;
      await paintOnce(control);
    }
  } catch (error) {
    console.error(error);
  } finally {
    control.painting = false;
  }
}

async function paintOnce(control) {
  const box = mapOf(control);
  const trace = box?._fullData?.findIndex(({ uid }) => uid === "met") ?? -1;
  if (trace < 0 || !control.content || !box.atlas?.traces[trace]) return;
  const { data, step } = control;
  const found = standing(control.content, data.window ? step - data.window : 0, step);
  box.atlas.traces[trace].customdata = found.customdata;
  const change = { x: [found.x], y: [found.y], customdata: [found.customdata], "marker.color": [found.colours] };
  await globalThis.Plotly.restyle(box, change, [trace]);
  box.dataset.step = String(step);
}

function show(control) {
  const { data, step, parts } = control;
  parts.slider.min = String(data.first);
  parts.slider.max = String(data.last);
  parts.slider.value = String(step);
  const from = data.window ? Math.max(data.first, step - data.window + 1) : data.first;
  const words = from === step ? `Step ${step.toLocaleString("en")}` : `Steps ${from.toLocaleString("en")} to ${step.toLocaleString("en")}`;
  parts.line.textContent = `${words} of ${data.last.toLocaleString("en")}`;
  parts.slider.setAttribute("aria-valuetext", parts.line.textContent);
  parts.play.textContent = control.playing ? "Pause" : "Play";
  paint(control);
}

function tell(control) {
  control.reports += 1;
  control.report({ step: control.step >= control.data.last ? 0 : control.step, report: control.reports });
}

function stopPlaying(control) {
  control.playing = null;
  show(control);
  tell(control);
}

function play(control) {
  const { first, last } = control.data;
  if (control.step >= last) control.step = first;
  const playing = { from: control.step, start: performance.now() };
  control.playing = playing;
  const frame = (now) => {
    if (control.playing !== playing || !control.parts.play.isConnected) return;
    const passed = ((now - playing.start) / PLAYED_MS) * Math.max(1, control.data.last - first);
    const step = Math.min(control.data.last, playing.from + Math.floor(Math.max(0, passed)));
    if (step !== control.step) {
      control.step = step;
      show(control);
    }
    if (step >= control.data.last) stopPlaying(control);
    else requestAnimationFrame(frame);
  };
  show(control);
  requestAnimationFrame(frame);
}

// Takes over the page's step unless it is older than what was chosen here.
function takeStep(control, data) {
  const asked = data.at ? Math.min(Math.max(data.at, data.first), data.last) : data.last;
  const follows = control.data && control.step >= control.data.last && !data.at;
  control.data = data;
  if (control.playing || (data.answers < control.reports && !follows)) return;
  control.reports = data.answers;
  control.step = asked;
}

function listen(control) {
  const { play: button, slider } = control.parts;
  button.addEventListener("click", () => (control.playing ? stopPlaying(control) : play(control)));
  slider.addEventListener("input", () => {
    control.playing = null;
    control.step = Number(slider.value);
    show(control);
  });
  slider.addEventListener("change", () => tell(control));
}

export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector(".atlas-timeline");
  const part = (name) => frame.querySelector(`.atlas-timeline-${name}`);
  const isNew = !frame.control;
  const control = (frame.control ??= {
    reports: 0,
    parts: { play: part("play"), slider: part("slider"), line: part("line") },
  });
  control.report = (value) => setTriggerValue("stepped", value);
  if (isNew) listen(control);
  takeStep(control, data);
  show(control);
  Promise.resolve(contentOf(data.timeline)).then((content) => {
    if (control.data !== data) return;
    control.content = content;
    paint(control);
  }, console.error);
  // The map is drawn anew in other colours, or after this: then its points are without their colours until they are painted.
  const drawn = (event) => event.target === mapOf(control) && paint(control);
  document.addEventListener("atlas-drawn", drawn);
  return () => document.removeEventListener("atlas-drawn", drawn);
}
