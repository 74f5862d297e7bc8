"""How the launch form marks what differs from the preset or run that it began with."""

import streamlit as st

from dashboard.launch_changes import Base, written
from dashboard.state import State
from dashboard.text import plain

MARK = "orange"
"""Streamlit's name of the colour."""


def set_value(base: Base, setting: str, key: str) -> None:
    """Take a widget's value over into the changes; for `on_change`."""
    state = State()
    state.launch.changes = base.changed(state.launch.changes, setting, st.session_state[key])


def marked(base: Base, state: State, setting: str, label: str) -> str:
    """A field's label, with a dot and the base's value if its own differs."""
    if setting not in state.launch.changes:
        return label
    return f":{MARK}[●] {label} :{MARK}-badge[{plain(base.name)}: {plain(written(base.value(setting)))}]"
