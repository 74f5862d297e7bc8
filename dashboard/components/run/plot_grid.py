"""Small figures in a grid, three in a row where there is room, as one component: what is new goes to the browser in one piece.

The browser's half is `plot_grid.js`: it draws a figure when it comes into view, and again when its revision is another. What
is live it fetches what is new by itself. One crosshair goes over all figures, and one legend where they show the same runs.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import streamlit as st
import streamlit.components.v2 as components_v2
from streamlit.components.v2.types import ComponentRenderer

from dashboard.comparison_figures import LegendEntry
from dashboard.components.shared import chart_tools
from dashboard.components.shared.browser import plotly_url, script

_HERE = Path(__file__).parent
_SCRIPTS = (chart_tools.SCRIPT, _HERE / "crosshair.js", _HERE / "grid_legend.js", _HERE / "plot_grid.js")
_HTML = '<div class="atlas-legend" role="group" aria-label="Runs shown"></div><div class="atlas-grid"></div>'
_STYLE = """
.atlas-grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(max(260px, 30%), 1fr)); gap: 1rem; }
.atlas-cell { height: 210px; min-width: 0; }
.atlas-grid.atlas-wide { grid-template-columns: repeat(auto-fill, minmax(max(320px, 45%), 1fr)); }
.atlas-wide .atlas-cell { height: 250px; }
.atlas-grip { position: absolute; left: 36px; right: 0; top: 0; height: 24px; cursor: grab; z-index: 1; }
.atlas-plot:fullscreen > .atlas-grip, .atlas-overlaid > .atlas-grip { display: none; }
.atlas-crosshair { position: absolute; width: 0; border-left: 1px solid currentColor; opacity: 0.55; pointer-events: none; }
.atlas-readout {
  position: absolute; z-index: 2; padding: 2px 6px; border-radius: 4px; pointer-events: none; font-size: 12px;
  line-height: 1.35; font-variant-numeric: tabular-nums; white-space: nowrap; color: var(--st-text-color);
  background: color-mix(in srgb, var(--st-background-color) 88%, transparent);
}
.atlas-readout i { display: inline-block; width: 8px; height: 8px; margin-right: 5px; border-radius: 50%; }
.atlas-readout .atlas-diamond { border-radius: 0; transform: rotate(45deg) scale(0.85); }
.atlas-crosshair[hidden], .atlas-readout[hidden] { display: none; }
.atlas-legend { display: flex; flex-wrap: wrap; gap: 2px 10px; margin-bottom: 6px; }
.atlas-legend:empty { display: none; }
.atlas-legend button {
  background: none; border: 0; border-radius: 4px; padding: 2px 6px; cursor: pointer; font: inherit; font-size: 13px;
  color: var(--st-text-color);
}
.atlas-legend button:hover { background: var(--st-secondary-background-color); }
.atlas-legend button:focus-visible { outline: 2px solid currentColor; outline-offset: -2px; }
.atlas-legend button[aria-pressed="false"] { opacity: 0.4; text-decoration: line-through; }
.atlas-legend svg { width: 28px; height: 8px; margin-right: 6px; stroke-width: 2.5; fill: none; }
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


def render_plot_grid(
    panels: bytes | LivePanels,
    *,
    key: str,
    name: str,
    on_zoomed: Callable[[tuple[float, float] | None], None],
    on_arranged: Callable[[list[str]], None] | None = None,
    legend: Sequence[LegendEntry] = (),
) -> None:
    """Draw figures that share their x axis; zoom is kept as long as a figure's `uirevision` stays the same.

    Args:
        panels: `figures.panels_json`, or where they are.
        key: the widget's key.
        name: what files of the figures are named by.
        on_zoomed: called with the part of the x axis that one was zoomed to, `None` for all of it again.
        on_arranged: called with the keys of the panels that are left, in their new order; without it they stay.
        legend: the runs of which each figure has a line.
    """

    def take_zoom() -> None:
        zoomed = st.session_state[key].get("zoomed")
        if zoomed is not None:
            on_zoomed(None if zoomed["range"] is None else (zoomed["range"][0], zoomed["range"][1]))

    def take_order() -> None:
        arranged = st.session_state[key].get("arranged")
        if arranged is not None and on_arranged is not None:
            on_arranged([str(panel) for panel in arranged["keys"]])

    facts = {
        "plotly_url": plotly_url(),
        "movable": on_arranged is not None,
        "legend": [asdict(entry) for entry in legend],
        **chart_tools.facts(name),
    }
    data = b"%b,%b}" % (json.dumps(facts).encode()[:-1], _given(panels))
    _component()(key=key, data=data, on_zoomed_change=take_zoom, on_arranged_change=take_order)


def _given(panels: bytes | LivePanels) -> bytes:
    if isinstance(panels, LivePanels):
        return b'"live":%b' % json.dumps(asdict(panels)).encode()
    return b'"panels":%b' % panels


@cache
def _component() -> ComponentRenderer:
    return components_v2.component(
        "grpo_atlas_plot_grid",
        html=_HTML,
        css=_STYLE + chart_tools.STYLE,
        js=script(*_SCRIPTS),
        isolate_styles=False,
    )
