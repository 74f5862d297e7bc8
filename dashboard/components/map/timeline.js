// Colours a map step by step, at the pace of the browser: a button that plays, a slider, and a line that says which steps.
// The server sends the groups of a run once; what they come to at a step is put together here.
// `data`: content ({revision, json} or {revision, url}); first, last (steps); window (steps that count up to the one chosen, 0 for
// all); at (the step chosen, 0 for the last); answers (the last report that `at` takes in).
// Reports {step, report}, with step 0 for the last. Stands before `map_plot.js`.
// biome-ignore-all lint/correctness/noUnusedVariables: `map_plot.js` uses it

const TIMELINE_TRACE = "met"; // the trace's uid, see dashboard/training_map_figure.py
const PLAYED_MS = 10_000; // a run from its first step to its last, however long

// The first place whose step is not below one.
function firstFrom(steps, step) {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < step) low = middle + 1;
    else high = middle;
  }
  return low;
}

// What each problem comes to in steps above `after` and up to `until`: the mean of its groups' values, their sum, or the last one.
function standing({ rows, x, y, problems, steps, values, combine }, after, until) {
  const sums = new Float64Array(rows.length);
  const numbers = new Int32Array(rows.length);
  const end = firstFrom(steps, until + 1);
  for (let place = firstFrom(steps, after + 1); place < end; place += 1) {
    sums[problems[place]] = combine === "last" ? values[place] : sums[problems[place]] + values[place];
    numbers[problems[place]] += 1;
  }
  const met = [];
  for (let place = 0; place < rows.length; place += 1) if (numbers[place]) met.push(place);
  return {
    x: met.map((place) => x[place]),
    y: met.map((place) => y[place]),
    customdata: met.map((place) => rows[place]),
    colours: met.map((place) => (combine === "mean" ? sums[place] / numbers[place] : sums[place])),
  };
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

async function paintOnce({ content, data, step, showPoints }) {
  if (content) await showPoints(standing(content, data.window ? step - data.window : 0, step));
}

function showStep(control) {
  const { data, step, parts } = control;
  parts.slider.min = String(data.first);
  parts.slider.max = String(data.last);
  parts.slider.value = String(step);
  const from = data.window ? Math.max(data.first, step - data.window + 1) : data.first;
  const words =
    from === step ? `Step ${step.toLocaleString("en")}` : `Steps ${from.toLocaleString("en")} to ${step.toLocaleString("en")}`;
  parts.line.textContent = `${words} of ${data.last.toLocaleString("en")}`;
  parts.slider.setAttribute("aria-valuetext", parts.line.textContent);
  parts.play.textContent = control.playing ? "Pause" : "Play";
  paint(control);
}

function tellStep(control) {
  control.reports += 1;
  control.report({ step: control.step >= control.data.last ? 0 : control.step, report: control.reports });
}

function stopPlaying(control) {
  control.playing = null;
  showStep(control);
  tellStep(control);
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
      showStep(control);
    }
    if (step >= control.data.last) stopPlaying(control);
    else requestAnimationFrame(frame);
  };
  showStep(control);
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

function newTimeline(frame, showPoints) {
  const part = (name) => frame.querySelector(`.atlas-timeline-${name}`);
  const [button, slider] = [part("play"), part("slider")];
  const control = { reports: 0, parts: { play: button, slider, line: part("line") }, showPoints };
  button.addEventListener("click", () => (control.playing ? stopPlaying(control) : play(control)));
  slider.addEventListener("input", () => {
    control.playing = null;
    control.step = Number(slider.value);
    showStep(control);
  });
  slider.addEventListener("change", () => tellStep(control));
  return control;
}

function showTimeline(control, data, report) {
  control.report = report;
  takeStep(control, data);
  showStep(control);
  Promise.resolve(contentOf(data.content)).then((content) => {
    if (control.data !== data) return;
    control.content = content;
    paint(control);
  }, console.error);
}
