"""A plotly chart that keeps its place: reruns never move the view, and clicks come through while the lasso is on.

`st.plotly_chart` makes its chart anew whenever the figure changes, because the figure is part of the element's identity;
`uirevision` cannot help there. This component redraws in place. The browser's half is `plot.js`; plotly.js itself is
served from the installed plotly package, so that it fits the figures made here. Large figures go as files, once, instead
of through the websocket with every rerun.
"""

import base64
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import plotly
import streamlit as st
import streamlit.components.v1 as components_v1
import streamlit.components.v2 as components_v2
from numpy.typing import NDArray
from streamlit.components.v2.types import ComponentRenderer

from analysis.atlas import MAP_LIMIT
from dashboard.figures import Spec
from dashboard.web_files import WebFiles
from training.errors import HomeError

_SCRIPT = Path(__file__).with_name("plot.js")
_SHARED = Path(__file__).with_name("plotly.js")
_STYLE = """
.atlas-frame { position: relative; overflow: hidden; }
.atlas-plot { width: 100%; }
.atlas-ring { position: absolute; width: 20px; height: 20px; margin: -10px; border-radius: 50%; pointer-events: none;
  border: 2px solid var(--st-text-color); outline: 2px solid var(--st-background-color);
  box-shadow: inset 0 0 0 2px var(--st-background-color); }
.atlas-ring[hidden], .atlas-hover[hidden] { display: none; }
.atlas-overlay { position: absolute; overflow: hidden; pointer-events: none; }
.atlas-overlay path { fill: none; stroke: var(--st-text-color); stroke-width: 1px; vector-effect: non-scaling-stroke; }
.atlas-overlay text { font-size: 12px; fill: var(--st-text-color); text-anchor: middle; dominant-baseline: central; }
.atlas-overlay text, .atlas-plot .annotation-text { font-weight: 600; paint-order: stroke; stroke-width: 4px;
  stroke: var(--st-background-color); stroke-linejoin: round; }
.atlas-hover { position: absolute; max-width: 340px; padding: 0.4rem 0.6rem; pointer-events: none; font-size: 12px;
  line-height: 1.35; overflow-wrap: anywhere; color: var(--st-text-color); background: var(--st-background-color);
  border: 1px solid var(--st-border-color); border-radius: 6px; }
.atlas-hover div + div { opacity: 0.75; margin-top: 0.15rem; }
.atlas-plot .modebar-btn:focus-visible { outline: 2px solid var(--st-text-color) !important; }
.atlas-clickable .nsewdrag { cursor: default; }
.atlas-plot .outline-controllers { display: none; }
.atlas-plot .selectionlayer path, .atlas-plot .select-outline { pointer-events: none !important; }
"""
"""A drawn selection is an outline only: its points can be clicked like all others."""
_HTML = """<div class="atlas-frame">
  <div class="atlas-plot"></div>
  <svg class="atlas-overlay" aria-hidden="true"></svg>
  <div class="atlas-ring" hidden></div>
  <div class="atlas-hover" role="tooltip" hidden></div>
</div>"""
_PLOTLY_FOLDER = Path(plotly.__file__).parent / "package_data"
PRELOAD = "plotly"
"""Key of the element that only loads plotly.js."""
_INLINE_CHARACTERS = 32_000
"""Smaller figures are not worth a request of their own."""
_BITS_CHARACTERS = 4 * ceil(MAP_LIMIT / 24)
"""Of the rows of the largest map, in base64: three bytes, of eight rows each, in four characters."""


def render_plot(
    spec: Spec,
    *,
    key: str,
    view: str,
    alt: str,
    height: str = "240px",
    files: WebFiles | None = None,
    texts: Spec | None = None,
    overlay: Spec | None = None,
    selected: Sequence[int] | NDArray[np.integer] = (),
    chosen: int | None = None,
    on_selected: Callable[[list[int]], None] | None = None,
    on_clicked: Callable[[Any], None] | None = None,
) -> None:
    """Draw a figure; with `on_selected` or `texts` it is a map, whose points' `customdata` are rows.

    Args:
        spec: the figure.
        key: the widget's key.
        view: what the figure shows; the person's zoom is kept as long as it stays the same.
        alt: the chart's text alternative.
        height: as CSS.
        files: where large parts are put for the browser to fetch; without it, and where they cannot be written, they travel
            with every rerun.
        texts: `atlas_figure.texts`, shown of the point under the pointer.
        overlay: `atlas_figure.overlay`.
        selected: rows of the points that stand out; with none, all do.
        chosen: row of the point with the ring.
        on_selected: called with the rows inside a lasso or box, an empty list when the selection is undone. What the page
            then passes as `selected` is shown, whatever it made of them.
        on_clicked: called with the `customdata` of what was clicked: a map's row, a histogram's category.

    Raises:
        HomeError: the files cannot be written.
    """
    reports = f"{key} reports"

    def take_selection() -> None:
        drawn = st.session_state[key].get("selected")
        if drawn is not None and on_selected is not None:
            st.session_state[reports] = drawn["report"]
            on_selected(rows_of(drawn["rows"]))

    def take_click() -> None:
        clicked = st.session_state[key].get("clicked")
        if clicked is not None and on_clicked is not None:
            on_clicked(clicked)

    data = {
        "plotly_url": plotly_url(),
        "figure": reference(spec, files),
        "texts": reference(texts, files),
        "overlay": reference(overlay, files),
        "view": view,
        "height": height,
        "alt": alt,
        "map": on_selected is not None or texts is not None,
        "selectable": on_selected is not None,
        "clickable": on_clicked is not None,
        "selected": bits_of(selected),
        "answers": st.session_state.get(reports, 0),
        "chosen": chosen,
    }
    _component()(key=key, data=data, on_selected_change=take_selection, on_clicked_change=take_click)


def preload_plotly() -> None:
    """Have the browser load plotly.js while the page is still on its way; running it takes longer than drawing a map."""
    _component()(key=PRELOAD, data={"plotly_url": plotly_url()})


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
    return components_v2.component("grpo_atlas_plot", html=_HTML, css=_STYLE, js=script(_SCRIPT), isolate_styles=False)


def script(file: Path) -> str:
    """A component's script, after what all that draw with plotly.js share."""
    return "\n".join(part.read_text(encoding="utf-8") for part in (_SHARED, file))


def reference(spec: Spec | None, files: WebFiles | None) -> dict[str, str] | None:
    """The content itself, or where to fetch it."""
    if spec is None:
        return None
    if files is not None and len(spec.json) >= _INLINE_CHARACTERS:
        with suppress(HomeError):  # a full disk takes no map away
            return {"revision": spec.revision, "url": file_url(files, files.keep(spec))}
    return {"revision": spec.revision, "json": spec.json}


def file_url(files: WebFiles, name: str) -> str:
    """Where the browser gets one of the files, relative to the page."""
    return _url("web_files", files.folder, name)


def plotly_url() -> str:
    """Where the browser gets plotly.js, relative to the page."""
    return _url("plotly_js", _PLOTLY_FOLDER, f"plotly.min.js?{plotly.__version__}")


def _url(name: str, folder: Path, file: str) -> str:
    """Where the server gives out a file of a folder, relative to the page."""
    return f"component/{_served(name, folder)}/{file}"


@cache
def _served(name: str, folder: Path) -> str:
    """The name under which the server gives out a folder."""
    return components_v1.declare_component(name, path=folder).name
