"""The status of a run or another job, as it looks on every page."""

from typing import Literal

import streamlit as st

from training.store import Status

_Color = Literal["gray", "blue", "orange", "green", "red"]
_BADGES: dict[Status, tuple[_Color, str]] = {
    "queued": ("gray", ":material/hourglass_empty:"),
    "running": ("blue", ":material/play_arrow:"),
    "stopping": ("orange", ":material/pause:"),
    "stopped": ("gray", ":material/stop:"),
    "finished": ("green", ":material/check:"),
    "failed": ("red", ":material/error:"),
    "lost": ("red", ":material/help:"),
}


def render_status(status: Status) -> None:
    """Show a status as a coloured badge with its word."""
    color, icon = _BADGES[status]
    st.badge(status, color=color, icon=icon)
