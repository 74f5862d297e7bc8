"""A run's curves in small multiples, three in a row, with one horizontal axis, one zoom and one smoothing for all."""

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard import data, run_data
from dashboard.axes import offered_axes
from dashboard.components.run.curve_controls import chosen_axis, chosen_window, render_controls, take_zoom
from dashboard.components.run.header import live_address
from dashboard.components.run.plot_grid import LivePanels, render_plot_grid
from dashboard.components.shared.browser import file_url
from dashboard.curve_figures import points_drawn
from dashboard.curves import Curve, arranged, main_scalar, run_curves
from dashboard.keys import Keys
from dashboard.live_run import View
from dashboard.memory import ShownRun
from dashboard.state import State
from dashboard.thinning import Window
from training.config import StageConfig
from training.errors import HomeError
from training.store import Job
from training.stored_config import stored_config


def render_curves(run: Job, config: StageConfig, state: State) -> None:
    """The curves of what the run learns, those that were chosen in their order."""
    names = run_data.logged_names(run.id)
    catalogue = run_curves(config, names)
    shown = arranged(catalogue, state.shown.panels)
    render_controls(offered_axes(config, names), catalogue, shown, ShownRun.panels, run.total, state)

    def arrange(keys: list[str]) -> None:
        state.shown.panels = tuple(keys)

    render_grid(run, shown, state, arrange)
    has_onsets = run_data.is_soon_examined(run) and bool(run_data.onsets_of(run))
    st.caption(_note(run.id, main_scalar(config), chosen_window(state), has_onsets))


def render_grid(run: Job, shown: Sequence[Curve], state: State, on_arranged: Callable[[list[str]], None] | None = None) -> None:
    """Some curves; dragging over one shows that part of the run in all, a double click the whole run."""

    axis = chosen_axis(offered_axes(stored_config(run.spec), run_data.logged_names(run.id)), state)

    def zoom(window: Window | None) -> None:
        take_zoom(window, run_data.axes_of([run], axis)[run.id], state)

    onsets = run_data.onsets_of(run) if run_data.is_soon_examined(run) else ()
    view = View(tuple(shown), round(run.total), state.shown.smoothing, chosen_window(state), axis, onsets)
    panels = _live(run, view) or run_data.curves_json(run.id, view)
    render_plot_grid(panels, key=Keys.RUN_CURVES, name=run.id, on_zoomed=zoom, on_arranged=on_arranged)


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


def _note(run_id: str, name: str, window: Window | None, has_onsets: bool) -> str:
    drawn, there = points_drawn(run_data.series_of(run_id, [name])[name], window)
    marks = " Diamonds are evaluations with their 95% intervals." if run_data.points_of(run_id) else ""
    marks += " Dashed lines are where a finding of the tab Health begins." if has_onsets else ""
    if drawn == there:
        return f"Every step is drawn.{marks}"
    return f"Showing {drawn:,} of {there:,} steps, with peaks and dips kept (MinMaxLTTB); zoom in to see every step.{marks}"
