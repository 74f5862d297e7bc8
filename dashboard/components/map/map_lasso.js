// A lasso or a box: an outline that follows the pointer however many points there are. They are looked through once, when it is let
// go; plotly looks through them at every move, which takes it a third of a second where there are 100,000.
// `box.atlas.outline` is the outline in places of the data, `box.atlas.outlining` whether it is under way.
// Stands before `map_plot.js`.
// biome-ignore-all lint/correctness/noUnusedVariables: `map_plot.js` uses it

const CLICK_PX = 3;
const DRAWN = ["lasso", "select"];

function beginsOutline(box, event) {
  const { kind, selectable } = box.atlas;
  const onPlot = event.target.closest?.(".nsewdrag");
  return selectable && kind === "flat" && event.button === 0 && onPlot && DRAWN.includes(box._fullLayout?.dragmode);
}

// The place of the data under the pointer.
function dataPlace(box) {
  const { pointer } = box.atlas;
  const { left, top, scale } = flatPlacer(box);
  const { xaxis, yaxis } = box._fullLayout;
  return [xaxis.range[0] + (pointer.x - left) / scale.x, yaxis.range[1] - (pointer.y - top) / scale.y];
}

function beginOutline(box) {
  box.atlas.outlining = true;
  box.atlas.outline = [dataPlace(box)];
}

function goOnWithOutline(box) {
  const { outline } = box.atlas;
  const place = dataPlace(box);
  if (box._fullLayout.dragmode === "lasso") outline.push(place);
  else outline.splice(1, 3, [place[0], outline[0][1]], place, [outline[0][0], place[1]]);
  placeOutline(box, flatPlacer(box));
}

// Ends it; gives the rows within, or null where it was a click.
function endOutline(box) {
  box.atlas.outlining = false;
  const { pressed, pointer } = box.atlas;
  if (Math.hypot(pressed.x - pointer.x, pressed.y - pointer.y) > CLICK_PX || box.atlas.outline.length > 8)
    return rowsWithin(box);
  dropOutline(box);
  return null;
}

function dropOutline(box) {
  Object.assign(box.atlas, { outline: null, outlining: false });
  placeOutline(box, flatPlacer(box));
}

function placeOutline(box, placer) {
  const line = box.parentElement.querySelector(".atlas-outline");
  const outline = placer && box.atlas.kind === "flat" ? box.atlas.outline : null;
  line?.setAttribute("d", outline ? `M${outline.map((place) => placer.at(place).join(" ")).join("L")}Z` : "");
}

// Of the points that are shown, those that the outline holds.
function rowsWithin(box) {
  const { outline, traces } = box.atlas;
  const { low, high } = extentOf(outline);
  const rows = new Set();
  for (const [number, { x, y, visible }] of box._fullData.entries()) {
    if (visible !== true) continue;
    for (const [index, row] of traces[number].customdata.entries()) {
      const inBox = x[index] >= low[0] && x[index] <= high[0] && y[index] >= low[1] && y[index] <= high[1];
      if (inBox && holds(outline, x[index], y[index])) rows.add(row);
    }
  }
  return [...rows];
}

// Whether a ray from the place crosses the outline an odd number of times.
function holds(outline, x, y) {
  let isInside = false;
  for (let here = 0, before = outline.length - 1; here < outline.length; before = here, here += 1) {
    const [[x1, y1], [x2, y2]] = [outline[here], outline[before]];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) isInside = !isInside;
  }
  return isInside;
}
