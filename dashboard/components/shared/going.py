"""Going to another page for the person who pressed a button: the browser follows a link, as if they had clicked it.

`st.switch_page` is not used anywhere: it lets what the old page asks for by itself run into the new one, which ends in a
white page (see docs/streamlit-white-page.md), and leaves an address in the browser's history that was never shown, so that
going back leads nowhere. Of a link, the browser stops asking for parts of the old page first, and going back works.
"""

import time
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NoReturn

import streamlit as st
import streamlit.components.v2 as components_v2
from streamlit.components.v2.types import ComponentRenderer

from dashboard.addresses import Fields
from dashboard.state import Going, State, address_of

FRAME = "going"
"""Key of what holds the link."""
_SCRIPT = Path(__file__).with_name("going.js")


class Page(StrEnum):
    """The pages, as Streamlit takes them."""

    EXPLORE = "app_pages/explore.py"
    INSIGHTS = "app_pages/insights.py"
    LAUNCH = "app_pages/launch.py"
    RUNS = "app_pages/runs.py"
    EVALUATE = "app_pages/evaluate.py"


def go_to(page: Page, fields: Fields) -> NoReturn:
    """Have the browser open another page than the one that is open; as after `st.rerun`, nothing more is done here.

    Args:
        fields: what the page's address says, all of it as the page would write it: with less, it would correct its address,
            and going back would take two steps.
    """
    state = State()
    state.going = Going(page, address_of(*fields), origin=state.page, number=str(time.time_ns()))
    st.rerun(scope="app")


def render_going(state: State) -> None:
    """The link that is to be followed, if there is one; what the page holds after it stands where it stood."""
    with st.container(key=FRAME):
        going = state.going
        if going is None:
            return
        if going.origin != state.page:  # arrived, there or elsewhere
            state.going = None
            return
        title = Page(going.page).name.capitalize()
        st.page_link(going.page, label=f"Go on to {title}", query_params=going.address)
        _component()(key=f"{FRAME} link", data={"link": f".st-key-{FRAME} a", "number": going.number})


@cache
def _component() -> ComponentRenderer:
    return components_v2.component("grpo_atlas_going", html="", js=_SCRIPT.read_text(encoding="utf-8"), isolate_styles=False)
