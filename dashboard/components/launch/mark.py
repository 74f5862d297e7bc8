"""How the launch form marks what differs from the preset or run that it began with."""

import streamlit as st

from dashboard.launch_changes import Base, none_words, written
from dashboard.state import State
from dashboard.text import plain

MARK = "orange"
"""Streamlit's name of the colour."""


def set_value(base: Base, setting: str, key: str) -> None:
    """Take a widget's value over into the changes; for `on_change`."""
    state, value = State(), st.session_state[key]
    if value is None:  # an emptied field of a number
        value = type(base.value(setting))(0) if none_words(setting) else base.value(setting)
    state.launch.changes = base.changed(state.launch.changes, setting, value)


def marked(base: Base, state: State, setting: str, label: str) -> str:
    """A field's label, with a dot and the base's value if its own differs."""
    if setting not in state.launch.changes:
        return label
    value = base.value(setting)
    before = (not value and none_words(setting)) or written(value)
    return f":{MARK}[●] {label} :{MARK}-badge[{plain(base.name)}: {plain(before)}]"
