"""The key that leads to the search of completions. The browser's half is `search_key.js`."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import streamlit.components.v2 as components_v2
from streamlit.components.v2.types import ComponentRenderer

from dashboard.keys import Keys

_SCRIPT = Path(__file__).with_name("search_key.js")


def render_search_key(field: str, focus: int, on_pressed: Callable[[], None]) -> None:
    """Have "/" lead to a field, from wherever nobody writes.

    Args:
        field: the field's selector; where there is none, `on_pressed` is called, which is to bring it.
        focus: another number for each time that the field is to have the focus.
        on_pressed: called when the key was pressed and the field is not there.
    """
    _component()(key=Keys.SEARCH_KEY, data={"field": field, "focus": focus}, on_pressed_change=on_pressed)


@cache
def _component() -> ComponentRenderer:
    return components_v2.component(
        "grpo_atlas_search_key",
        html='<div class="atlas-search-key"></div>',
        css=f".st-key-{Keys.SEARCH_KEY} {{ display: none; }}",
        js=_SCRIPT.read_text(encoding="utf-8"),
        isolate_styles=False,
    )
