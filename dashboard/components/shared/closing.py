"""A popover that the program closes."""

from typing import Any

import streamlit as st


def closing_popover(label: str, key: str, **options: Any) -> Any:
    """A popover as `st.popover` makes it, which `close_popover` closes.

    What closes it is that another one stands in its place: Streamlit's own closing is lost where the browser opened it, and the
    person went on, before the server knew.
    """
    return st.popover(label, key=f"{key} {_closed(key)}", on_change="rerun", **options)


def close_popover(key: str) -> None:
    """Close the popover with this key; to be called before it is drawn, or as a callback."""
    st.session_state[_counter(key)] = _closed(key) + 1


def _closed(key: str) -> int:
    """How often it was closed."""
    return int(st.session_state.get(_counter(key), 0))


def _counter(key: str) -> str:
    return f"{key} closed"
