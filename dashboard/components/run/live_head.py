"""The moving parts of the head of a run's page: the line with its bar, and the five figures.

While the run goes on they follow a file by themselves, see `dashboard.live_run` and the browser's half, `live_head.js`; a rerun
brings nothing that they would not have shown.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Literal

import streamlit.components.v2 as components_v2
from streamlit.components.v2.types import ComponentRenderer

from dashboard.run_head import Head

_SCRIPT = Path(__file__).with_name("live_head.js")
_STYLE = """
.atlas-line { display: flex; flex-direction: column; gap: 0.35rem; overflow-wrap: anywhere; }
.atlas-bar { height: 0.5rem; border-radius: 0.25rem; overflow: hidden; background: var(--st-secondary-background-color); }
.atlas-bar div { height: 100%; border-radius: inherit; background: var(--st-primary-color); transition: width 0.5s linear; }
.atlas-figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1rem; margin: 0; }
.atlas-figures dt { font-size: 0.875rem; font-weight: 400; }
.atlas-figures dd { margin: 0; font-size: 1.5rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
.atlas-figures dd + dd { font-size: 0.875rem; }
.atlas-figures dd + dd + dd { font-size: 0.8rem; opacity: 0.7; }
"""


def render_line(head: Head, address: str | None, *, key: str, on_ended: Callable[[], None]) -> None:
    """Where the run stands, in a line, and as a bar.

    Args:
        head: as it is now.
        address: of the file that says how it goes on, `None` where it does not.
        key: the widget's key.
        on_ended: called once when the run's status is another than the head's.
    """
    _component()(key=key, data=_data(head, address, "line"), on_status_change=on_ended)


def render_figures(head: Head, address: str | None, *, key: str) -> None:
    """The run's figures.

    Args:
        head: as it is now.
        address: as of `render_line`, which has to be on the page too: it alone looks at the file.
        key: the widget's key.
    """
    _component()(key=key, data=_data(head, address, "figures"))


def _data(head: Head, address: str | None, part: Literal["line", "figures"]) -> dict[str, object]:
    return {"part": part, "address": address, "head": asdict(head)}


@cache
def _component() -> ComponentRenderer:
    return components_v2.component(
        "grpo_atlas_live_head",
        html='<div class="atlas-head"></div>',
        css=_STYLE,
        js=_SCRIPT.read_text(encoding="utf-8"),
        isolate_styles=False,
    )
