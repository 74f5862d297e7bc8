"""A map that keeps its place: reruns never move the view, and clicks come through while the lasso is on.

The browser's half is `map_plot.js`, with `timeline.js` for a map that the steps of a run colour: that changes in the browser,
not by reruns. Only when the person has let go of the slider, or a play has ended, does the page hear of the step.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path

import numpy as np
import streamlit as st
import streamlit.components.v2 as components_v2
from numpy.typing import NDArray
from streamlit.components.v2.types import ComponentRenderer

from analysis.atlas import MAP_LIMIT
from dashboard.components.shared.browser import plotly_url, reference, script
from dashboard.figures import Spec
from dashboard.web_files import WebFiles

_PARTS = ("timeline.js", "map_overlay.js", "map_views.js", "map_lasso.js", "map_plot.js")
SCRIPTS = tuple(Path(__file__).with_name(name) for name in _PARTS)
STYLE = """
.atlas-frame { position: relative; overflow: hidden; }
.atlas-plot { width: 100%; }
.atlas-ring { position: absolute; width: 20px; height: 20px; margin: -10px; border-radius: 50%; pointer-events: none;
  border: 2px solid var(--st-text-color); outline: 2px solid var(--st-background-color);
  box-shadow: inset 0 0 0 2px var(--st-background-color); }
.atlas-ring[hidden], .atlas-hover[hidden] { display: none; }
.atlas-overlay { position: absolute; overflow: hidden; pointer-events: none; }
.atlas-overlay path { fill: none; stroke: var(--st-text-color); stroke-width: 1px; vector-effect: non-scaling-stroke; }
.atlas-overlay .atlas-pairs { stroke-width: 1.5px; opacity: 0.75; }
.atlas-overlay text { font-size: 12px; font-weight: 600; text-anchor: middle; dominant-baseline: central;
  fill: color-mix(in srgb, var(--cluster, var(--st-text-color)) 55%, var(--st-text-color));
  paint-order: stroke; stroke-width: 4px; stroke: var(--st-background-color); stroke-linejoin: round; }
.atlas-lit { position: absolute; pointer-events: none; }
.atlas-lit[hidden] { display: none; }
.atlas-frame:is(:fullscreen, .atlas-overlaid) { background: var(--st-background-color); }
:is(:fullscreen, .atlas-overlaid) .atlas-frame > .atlas-plot,
.atlas-frame:is(:fullscreen, .atlas-overlaid) > .atlas-plot { height: calc(100vh - 9rem) !important; }
.atlas-hover { position: absolute; max-width: 340px; padding: 0.4rem 0.6rem; pointer-events: none; font-size: 12px;
  line-height: 1.35; overflow-wrap: anywhere; color: var(--st-text-color); background: var(--st-background-color);
  border: 1px solid var(--st-border-color); border-radius: 6px; }
.atlas-hover div + div { opacity: 0.75; margin-top: 0.15rem; }
.atlas-plot .modebar-container { left: 0; right: auto !important; }
.atlas-plot .modebar { top: 3rem !important; left: 0 !important; right: auto !important; }
.atlas-plot .modebar-btn:focus-visible { outline: 2px solid var(--st-text-color) !important; }
.atlas-overlay .atlas-outline { stroke-width: 1.5px; stroke-dasharray: 3 3; opacity: 0.7; }
.atlas-timeline { display: flex; align-items: center; gap: 0.8rem; padding: 1.2rem 0 0.2rem; font-size: 14px; }
.atlas-timeline[hidden] { display: none; }
.atlas-timeline-play { min-width: 5rem; padding: 0.3rem 0.8rem; font: inherit; cursor: pointer; border-radius: 8px;
  color: var(--st-text-color); background: none; border: 1px solid var(--st-border-color); }
.atlas-timeline-play:hover, .atlas-timeline-play:focus-visible { border-color: var(--st-primary-color);
  color: var(--st-primary-color); }
.atlas-timeline-slider { flex: 1; min-width: 6rem; accent-color: var(--st-primary-color); }
.atlas-timeline-line { min-width: 11rem; text-align: right; font-variant-numeric: tabular-nums; color: var(--st-text-color); }
"""
HTML = """<div class="atlas-frame">
  <div class="atlas-plot"></div>
  <canvas class="atlas-lit" hidden></canvas>
  <svg class="atlas-overlay" aria-hidden="true"></svg>
  <div class="atlas-ring" hidden></div>
  <div class="atlas-hover" role="tooltip" hidden></div>
</div>
<div class="atlas-timeline" hidden>
  <button type="button" class="atlas-timeline-play">Play</button>
  <input type="range" class="atlas-timeline-slider" aria-label="Step" step="1">
  <span class="atlas-timeline-line"></span>
</div>"""
_BITS_CHARACTERS = 4 * ceil(MAP_LIMIT / 24)
"""Of the rows of the largest map, in base64: three bytes, of eight rows each, in four characters."""


@dataclass(frozen=True)
class Timeline:
    """The steps of a run under its map: a button that plays them and a slider."""

    content: Spec
    """`training_map_figure.timeline`, which colours a `training_map_figure.timeline_figure`."""
    first: int
    """The first step that has groups."""
    last: int
    at: int
    """The step shown, 0 for the last."""
    window: int
    """How many steps up to that one count, 0 for all."""
    on_stepped: Callable[[int], None]
    """Called with the step that was chosen, 0 for the last."""


@dataclass(frozen=True)
class MapParts:
    """What a map is made of; its points' `customdata` are rows."""

    figure: Spec
    texts: Spec
    """`atlas_figure.texts`, shown of the point under the pointer."""
    overlay: Spec
    """`atlas_figure.overlay`."""
    words: str
    """The map's text alternative."""
    standing_out: Sequence[int] | NDArray[np.integer] = ()
    """Rows of the points that stand out; with none, all do."""


def render_map(
    parts: MapParts,
    *,
    key: str,
    view: str,
    name: str,
    height: str,
    files: WebFiles,
    chosen: int | None,
    on_selected: Callable[[list[int]], None] | None = None,
    on_clicked: Callable[[int], None],
    timeline: Timeline | None = None,
) -> None:
    """Draw a map.

    Args:
        parts: what it is made of.
        key: the widget's key.
        view: what the figure shows; the person's zoom is kept as long as it stays the same.
        name: of files that are made of it, without an ending.
        height: as CSS.
        files: where large parts are put for the browser to fetch; where they cannot be written, they travel with every rerun.
        chosen: row of the point with the ring.
        on_selected: called with the rows inside a lasso or box, an empty list when the selection is undone. What the page
            then has stand out is shown, whatever it made of them.
        on_clicked: called with the row of the point that was clicked.
        timeline: what colours the map step by step.
    """
    reports, step_reports = f"{key} reports", f"{key} step reports"

    def take_selection() -> None:
        drawn = st.session_state[key].get("selected")
        if drawn is not None and on_selected is not None:
            st.session_state[reports] = drawn["report"]
            on_selected(rows_of(drawn["rows"]))

    def take_click() -> None:
        clicked = st.session_state[key].get("clicked")
        if clicked is not None:
            on_clicked(clicked)

    def take_step() -> None:
        stepped = st.session_state[key].get("stepped")
        if stepped is not None and timeline is not None:
            st.session_state[step_reports] = stepped["report"]
            timeline.on_stepped(int(stepped["step"]))

    data = {
        "plotly_url": plotly_url(),
        **parts_data(parts, files),
        "view": view,
        "name": name,
        "height": height,
        "selectable": on_selected is not None,
        "answers": st.session_state.get(reports, 0),
        "chosen": chosen,
        "timeline": None if timeline is None else _steps(timeline, files, st.session_state.get(step_reports, 0)),
    }
    _component()(
        key=key, data=data, on_selected_change=take_selection, on_clicked_change=take_click, on_stepped_change=take_step
    )


def parts_data(parts: MapParts, files: WebFiles | None) -> dict[str, object]:
    """What a map is made of as the browser gets it, large parts as files where there are any."""
    return {
        "figure": reference(parts.figure, files),
        "texts": reference(parts.texts, files),
        "overlay": reference(parts.overlay, files),
        "alt": parts.words,
        "selected": bits_of(parts.standing_out),
    }


def _steps(timeline: Timeline, files: WebFiles, answers: int) -> dict[str, object]:
    """The timeline as the browser gets it."""
    content = reference(timeline.content, files)
    place = {"first": timeline.first, "last": timeline.last, "at": timeline.at, "window": timeline.window}
    return {"content": content, **place, "answers": answers}


def bits_of(rows: Sequence[int] | NDArray[np.integer]) -> str:
    """Rows as the browser gets them: a bit a row, row 0 first, in base64. Thirty thousand rows take 17 KB."""
    places = np.asarray(rows, np.int64)
    mask = np.zeros(int(places.max()) + 1 if len(places) else 0, bool)
    mask[places] = True
    return base64.b64encode(np.packbits(mask).tobytes()).decode()


def rows_of(bits: str) -> list[int]:
    """The inverse of `bits_of`, in order; no more rows than a map has, whatever was sent."""
    packed = base64.b64decode(bits[:_BITS_CHARACTERS])
    rows: list[int] = np.flatnonzero(np.unpackbits(np.frombuffer(packed, np.uint8))).tolist()
    return rows


@cache
def _component() -> ComponentRenderer:
    return components_v2.component("grpo_atlas_map", html=HTML, css=STYLE, js=script(*SCRIPTS), isolate_styles=False)
