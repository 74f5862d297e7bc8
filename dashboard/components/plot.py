"""A plotly chart that keeps its place: reruns never move the view, and clicks come through while the lasso is on.

`st.plotly_chart` makes its chart anew whenever the figure changes, because the figure is part of the element's identity;
`uirevision` cannot help there. This component redraws in place. The browser's half is `plot.js`; plotly.js itself is
served from the installed plotly package, so that it fits the figures made here.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import plotly
import streamlit as st
import streamlit.components.v1 as components_v1
import streamlit.components.v2 as components_v2
from streamlit.components.v2.types import ComponentRenderer

from dashboard import figures

_SCRIPT = Path(__file__).with_name("plot.js")
_STYLE = """
.atlas-frame { position: relative; overflow: hidden; }
.atlas-plot { width: 100%; }
.atlas-ring { position: absolute; width: 20px; height: 20px; margin: -10px; border-radius: 50%; pointer-events: none;
  border: 2px solid var(--st-text-color); outline: 2px solid var(--st-background-color);
  box-shadow: inset 0 0 0 2px var(--st-background-color); }
.atlas-ring[hidden] { display: none; }
.atlas-plot .outline-controllers { display: none; }
.atlas-plot .selectionlayer path, .atlas-plot .select-outline { pointer-events: none !important; }
"""
"""A drawn selection is an outline only: its points can be clicked like all others."""
_PLOTLY_FOLDER = Path(plotly.__file__).parent / "package_data"


def render_plot(
    spec: figures.Spec,
    *,
    key: str,
    view: str,
    alt: str,
    height: str = "240px",
    selected: Sequence[str] = (),
    chosen: str = "",
    on_selected: Callable[[list[str]], None] | None = None,
    on_clicked: Callable[[str], None] | None = None,
) -> None:
    """Draw a figure.

    Args:
        spec: the figure.
        key: the widget's key.
        view: what the figure shows; the person's zoom is kept as long as it stays the same.
        alt: the chart's text alternative.
        height: as CSS.
        selected: ids (customdata) of the points that stand out; with none, all do.
        chosen: id of the point with the ring.
        on_selected: called with the ids inside a lasso or box, an empty list when the selection is undone. Without it
            and `on_clicked` the chart is for looking at only.
        on_clicked: called with the id of a clicked point.
    """

    def report(event: str, answer: Callable[..., None] | None) -> None:
        value = st.session_state[key].get(event)
        if answer is not None and value is not None:
            answer(value)

    data = {
        "plotly_url": _plotly_url(),
        "figure": spec.json,
        "revision": spec.revision,
        "view": view,
        "height": height,
        "alt": alt,
        "interactive": on_selected is not None or on_clicked is not None,
        "selected": list(selected),
        "chosen": chosen,
    }
    _component()(
        key=key,
        data=data,
        on_selected_change=lambda: report("selected", on_selected),
        on_clicked_change=lambda: report("clicked", on_clicked),
    )


@cache
def _component() -> ComponentRenderer:
    return components_v2.component(
        "grpo_atlas_plot",
        html='<div class="atlas-frame"><div class="atlas-plot"></div><div class="atlas-ring" hidden></div></div>',
        css=_STYLE,
        js=_SCRIPT.read_text(encoding="utf-8"),
        isolate_styles=False,
    )


def _plotly_url() -> str:
    """Where the server gives out plotly.js, relative to the page."""
    served = components_v1.declare_component("plotly_js", path=_PLOTLY_FOLDER)
    return f"component/{served.name}/plotly.min.js"
