"""The little CSS that Streamlit's theme settings cannot express."""

import streamlit as st

from dashboard.components.shared.chart import PRELOAD, preload_plotly
from dashboard.components.shared.going import FRAME
from dashboard.components.shared.panes import CARDS, PANES, ROWS

MAP_HEIGHT = "max(420px, 68vh)"
"""The map leaves room for the line that says what is selected."""
RUN_MAP_HEIGHT = "max(360px, 54vh)"
"""A run's map leaves room for its head and its steps."""
STAGE, BESIDE_DRAWER = "stage", "beside_drawer"
DRAWER, PINNED_DRAWER = "drawer", "drawer_pinned"
"""What lies above the stage from its right side; in a wide window the table makes room for it, and the map if it is pinned."""
_DRAWER_WIDTH = "26rem"
_NARROW, _WIDE = "1000px", "1200px"
"""Windows in which the drawer stands below the map, and those in which there is room for a table beside it."""
PROBLEM_PANEL = "problem_panel"
NEIGHBORS = "neighbors"
_LATE_S = 8
"""A link that the browser follows by itself is shown when it has not done so by then."""
DANGER = "danger"
"""How keys begin of buttons that do what cannot be undone."""
EQUATIONS = "equations"
TITLE = "title"
SIDEBAR_PX = 232


def _wrapping(kind: str, least: str) -> str:
    """Columns, or those of a kind, go below one another rather than become narrower."""
    row = f'.stMain [class*="st-key-{kind}-"] > div > .stHorizontalBlock' if kind else ".stMain .stHorizontalBlock"
    return f"{row}:has(> .stColumn) {{ flex-wrap: wrap; }} {row} > .stColumn {{ min-width: min(100%, {least}); }}"


def _style(paper: str) -> str:
    """The style sheet of a page with this background."""
    return f"""<style>
.stMainBlockContainer {{ padding: 2.2rem clamp(1.2rem, 3vw, 3rem) 4rem; }}
.st-key-{TITLE} h1 {{ padding: 0; font-size: 1.9rem; }}
.st-key-{TITLE} {{ align-items: baseline; }}
.st-key-{PROBLEM_PANEL} {{ max-height: calc({MAP_HEIGHT} + 2.5rem); overflow-y: auto; padding-right: 0.5rem; }}
.st-key-{STAGE} {{ position: relative; }}
.st-key-{STAGE}:is(:fullscreen, .atlas-overlaid) {{ overflow: auto !important; padding: 1rem; background: {paper}; }}
@media (min-width: {_NARROW}) {{
  .st-key-{STAGE} :is(.st-key-{DRAWER}, .st-key-{PINNED_DRAWER}) {{ position: absolute; inset: 0 0 0 auto; z-index: 2;
    width: {_DRAWER_WIDTH}; pointer-events: none; }}
  .st-key-{STAGE} .st-key-{PROBLEM_PANEL} {{ position: sticky; top: 0.5rem; max-height: calc(100vh - 5rem);
    pointer-events: auto; padding: 0.5rem 1rem 1rem; background: {paper}; border-radius: 8px;
    border: 1px solid rgb(128 128 128 / 0.3); box-shadow: -4px 4px 16px rgb(0 0 0 / 0.12); }}
}}
@media (min-width: {_WIDE}) {{
  .st-key-{STAGE}:has(.st-key-{DRAWER}, .st-key-{PINNED_DRAWER}) .st-key-{BESIDE_DRAWER},
  .st-key-{STAGE}:has(.st-key-{PINNED_DRAWER}) .st-key-map {{ padding-right: calc({_DRAWER_WIDTH} + 1rem); }}
}}
{_wrapping("", "7.5rem")}
{_wrapping(PANES, "24rem")}
{_wrapping(CARDS, "14rem")}
{_wrapping(ROWS, "0px")}
[class*="st-key-{DANGER}-"] button {{ background: #C62828; border-color: #C62828; color: #FFFFFF; }}
[class*="st-key-{DANGER}-"] button:is(:hover, :focus-visible) {{ background: #A31515; border-color: #A31515; color: #FFFFFF; }}
[data-testid="stButtonGroup"] > div {{ flex-wrap: wrap; row-gap: 0.25rem; }}
[data-testid="stElementToolbar"] {{ top: 0.2rem !important; right: 0.2rem !important; }}
[data-stale] {{ opacity: 1 !important; transition: none !important; }}
.st-key-{PRELOAD} {{ display: none; }}
.st-key-{FRAME} {{ position: absolute; width: auto; z-index: 1; background: {paper}; }}
.st-key-{FRAME} a {{ visibility: hidden; animation: atlas-late 0s {_LATE_S}s forwards; }}
@keyframes atlas-late {{ to {{ visibility: visible; }} }}
.st-key-{NEIGHBORS} button {{ justify-content: flex-start; text-align: left; font-size: 0.9rem; padding: 0.15rem 0; }}
.st-key-{NEIGHBORS} button * {{ text-align: left; }}
:is(a, [role="tab"]):focus-visible {{ outline: 2px solid currentColor !important; outline-offset: -2px; }}
[role="tab"]:focus-visible {{ box-shadow: none !important; }}
</style>"""


def render_style() -> None:
    """Once a page, before anything that it applies to; also has the browser load what the charts need."""
    st.html(_style(str(st.get_option(f"theme.{st.context.theme.type or 'light'}.backgroundColor"))))
    preload_plotly()


def render_title(title: str, caption: str) -> None:
    """The page's name, and in the same line what it is."""
    with st.container(key=TITLE, horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.title(title, anchor=False, width="content")
        st.caption(caption, width="stretch")
