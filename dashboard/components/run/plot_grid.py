"""Small figures in a grid, three in a row where there is room, as one component: what is new goes to the browser in one piece.

The browser's half is `plot_grid.js`; it draws a figure when it comes into view, and again when its revision is another. Of what
is live, it fetches what is new by itself.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import streamlit as st
import streamlit.components.v2 as components_v2
from streamlit.components.v2.types import ComponentRenderer

from dashboard.components.shared.browser import plotly_url, script

_SCRIPT = Path(__file__).with_name("plot_grid.js")
_STYLE = """
.atlas-grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(max(260px, 30%), 1fr)); gap: 1rem; }
.atlas-cell { height: 210px; min-width: 0; }
"""


@dataclass(frozen=True)
class LivePanels:
    """Figures that the browser fetches, again and again."""

    head: str
    """Address of the file that tells when there is something new, see `live_head`."""
    panels: str
    """Address of the figures."""
    newest: int
    """What is there now at least."""


def render_plot_grid(panels: bytes | LivePanels, *, key: str, on_zoomed: Callable[[tuple[float, float] | None], None]) -> None:
    """Draw figures that share their x axis; zoom is kept as long as a figure's `uirevision` stays the same.

    Args:
        panels: `figures.panels_json`, or where they are.
        key: the widget's key.
        on_zoomed: called with the part of the x axis that one was zoomed to, `None` for all of it again.
    """

    def take_zoom() -> None:
        zoomed = st.session_state[key].get("zoomed")
        if zoomed is not None:
            on_zoomed(None if zoomed["range"] is None else (zoomed["range"][0], zoomed["range"][1]))

    data = b'{"plotly_url":%b,%b}' % (json.dumps(plotly_url()).encode(), _given(panels))
    _component()(key=key, data=data, on_zoomed_change=take_zoom)


def _given(panels: bytes | LivePanels) -> bytes:
    if isinstance(panels, LivePanels):
        return b'"live":%b' % json.dumps(asdict(panels)).encode()
    return b'"panels":%b' % panels


@cache
def _component() -> ComponentRenderer:
    return components_v2.component(
        "grpo_atlas_plot_grid", html='<div class="atlas-grid"></div>', css=_STYLE, js=script(_SCRIPT), isolate_styles=False
    )
