"""A run's curves in small multiples, three in a row, with one step axis, one zoom and one smoothing for all."""

from collections.abc import Sequence
from math import ceil, floor

import streamlit as st

from dashboard import curves, data, run_data
from dashboard.components.run.header import live_address
from dashboard.components.run.plot_grid import LivePanels, render_plot_grid
from dashboard.components.shared.browser import file_url
from dashboard.curves import Curve
from dashboard.keys import Keys
from dashboard.live_run import View
from dashboard.memory import ShownRun
from dashboard.state import State
from dashboard.thinning import Window
from training.config import RunConfig
from training.errors import HomeError
from training.store import Job

_SMOOTHING_HELP = "Exponential moving average, corrected for its start as in TensorBoard: the weight of the past."


def render_curves(run: Job, config: RunConfig, state: State) -> None:
    """All curves of what the run learns."""
    shown = curves.run_curves(config, run_data.logged_names(run.id))
    _render_controls(run, config, state)
    render_grid(run, shown, state)
    st.caption(_thinning_note(run.id, _window(state)))


def render_grid(run: Job, shown: Sequence[Curve], state: State) -> None:
    """Some curves; dragging over one shows that part of the run in all, a double click the whole run."""

    def zoom(window: Window | None) -> None:
        state.shown.window = () if window is None else (max(0, floor(window[0])), ceil(window[1]))

    view = View(tuple(shown), round(run.total), state.shown.smoothing, _window(state))
    render_plot_grid(_live(run, view) or run_data.curves_json(run.id, view), key=Keys.RUN_CURVES, on_zoomed=zoom)


def _render_controls(run: Job, config: RunConfig, state: State) -> None:
    smoothing, note, whole = st.columns([2, 4, 1], vertical_alignment="bottom")
    smoothing.slider("Smoothing", 0.0, 0.99, step=0.01, help=_SMOOTHING_HELP, **ShownRun.smoothing.bind())
    window = _window(state)
    if window is None:
        note.caption("Drag over a curve to look closer at a part of the run.")
        return
    note.caption(f"Steps {window[0]:,.0f} to {window[1]:,.0f} of {run.total:,.0f}.")
    if whole.button("Whole run", key=Keys.WHOLE_RUN, width="stretch"):
        state.shown.window = ()
        st.rerun()


def _live(run: Job, view: View) -> LivePanels | None:
    """Where the browser gets the curves of a run that goes on; `None` where they have to be given to it."""
    head = live_address(run)
    if head is None:
        return None
    try:
        panels = file_url(data.web_files(), run_data.live_run(run.id).follow(view))
    except HomeError:
        return None
    return LivePanels(head, panels, data.store().last_scalar(run.id))


def _window(state: State) -> Window | None:
    return (state.shown.window[0], state.shown.window[1]) if state.shown.window else None


def _thinning_note(run_id: str, window: Window | None) -> str:
    drawn, there = curves.points_drawn(run_data.series_of(run_id, ["reward"])["reward"], window)
    if drawn == there:
        return "Every step is drawn."
    return f"Showing {drawn:,} of {there:,} steps, with peaks and dips kept (MinMaxLTTB); zoom in to see every step."
