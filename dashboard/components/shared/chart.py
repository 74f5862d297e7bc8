"""A plotly chart that keeps its place: reruns never move the view. The browser's half is `chart.js`.

`st.plotly_chart` makes its chart anew whenever the figure changes, because the figure is part of the element's identity;
`uirevision` cannot help there. This component redraws in place. What is done with a chart besides is in `chart_tools`.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
import streamlit.components.v2 as components_v2
from streamlit.components.v2.types import ComponentRenderer

from dashboard.components.shared import chart_tools
from dashboard.components.shared.browser import plotly_url, reference, script
from dashboard.figures import Spec

_SCRIPT = Path(__file__).with_name("chart.js")
_STYLE = """
.atlas-chart { width: 100%; }
.atlas-clickable .nsewdrag { cursor: default; }
"""
PRELOAD = "plotly"
"""Key of the element that only loads plotly.js."""


def render_chart(
    spec: Spec, *, key: str, alt: str, height: str = "240px", on_clicked: Callable[[Any], None] | None = None
) -> None:
    """Draw a figure.

    Args:
        spec: the figure.
        key: the widget's key; files that are made of the chart are named by it.
        alt: the chart's text alternative.
        height: as CSS.
        on_clicked: called with the `customdata` of what was clicked: a histogram's category.
    """

    def take_click() -> None:
        clicked = st.session_state[key].get("clicked")
        if clicked is not None and on_clicked is not None:
            on_clicked(clicked)

    data = {
        "plotly_url": plotly_url(),
        "figure": reference(spec, None),
        "height": height,
        "alt": alt,
        "clickable": on_clicked is not None,
        **chart_tools.facts(key),
    }
    _component()(key=key, data=data, on_clicked_change=take_click)


def preload_plotly() -> None:
    """Have the browser load plotly.js while the page is still on its way; running it takes longer than drawing a map."""
    _component()(key=PRELOAD, data={"plotly_url": plotly_url()})


@cache
def _component() -> ComponentRenderer:
    return components_v2.component(
        "grpo_atlas_chart",
        html='<div class="atlas-chart atlas-plot"></div>',
        css=_STYLE + chart_tools.STYLE,
        js=script(chart_tools.SCRIPT, _SCRIPT),
        isolate_styles=False,
    )
