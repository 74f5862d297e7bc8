"""The steps of a run under its map: a button that plays them and a slider. The map changes in the browser, not by reruns.

The browser's half is `timeline.js`. Only when the person has let go of the slider, or a play has ended, does the page hear
of the step.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import streamlit as st
import streamlit.components.v2 as components_v2
from streamlit.components.v2.types import ComponentRenderer

from dashboard.components.shared.plot import reference, script
from dashboard.figures import Spec
from dashboard.web_files import WebFiles

_SCRIPT = Path(__file__).with_name("timeline.js")
_HTML = """<div class="atlas-timeline">
  <button type="button" class="atlas-timeline-play">Play</button>
  <input type="range" class="atlas-timeline-slider" aria-label="Step" step="1">
  <span class="atlas-timeline-line"></span>
</div>"""
_STYLE = """
.atlas-timeline { display: flex; align-items: center; gap: 0.8rem; padding: 0.2rem 0; font-size: 14px; }
.atlas-timeline-play { min-width: 5rem; padding: 0.3rem 0.8rem; font: inherit; cursor: pointer; border-radius: 8px;
  color: var(--st-text-color); background: none; border: 1px solid var(--st-border-color); }
.atlas-timeline-play:hover, .atlas-timeline-play:focus-visible { border-color: var(--st-primary-color);
  color: var(--st-primary-color); }
.atlas-timeline-slider { flex: 1; min-width: 6rem; accent-color: var(--st-primary-color); }
.atlas-timeline-line { min-width: 11rem; text-align: right; font-variant-numeric: tabular-nums; color: var(--st-text-color); }
"""


def render_timeline(
    timeline: Spec,
    *,
    key: str,
    plot: str,
    files: WebFiles,
    first: int,
    last: int,
    at: int,
    window: int,
    on_stepped: Callable[[int], None],
) -> None:
    """Let a person choose the step that a map shows.

    Args:
        timeline: `training_map_figure.timeline`.
        key: the widget's key.
        plot: key of the map, a `training_map_figure.timeline_figure`.
        files: where a large timeline is put for the browser to fetch.
        first: the first step that has groups.
        last: the last one.
        at: the step shown, 0 for the last.
        window: how many steps up to that one count, 0 for all.
        on_stepped: called with the step that was chosen, 0 for the last.
    """
    reports = f"{key} reports"

    def take() -> None:
        stepped = st.session_state[key].get("stepped")
        if stepped is not None:
            st.session_state[reports] = stepped["report"]
            on_stepped(int(stepped["step"]))

    data = {
        "plot": f"st-key-{plot}",
        "timeline": reference(timeline, files),
        "first": first,
        "last": last,
        "at": at,
        "window": window,
        "answers": st.session_state.get(reports, 0),
    }
    _component()(key=key, data=data, on_stepped_change=take)


@cache
def _component() -> ComponentRenderer:
    return components_v2.component("grpo_atlas_timeline", html=_HTML, css=_STYLE, js=script(_SCRIPT), isolate_styles=False)
