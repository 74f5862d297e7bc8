"""One run: its head, then its parts in tabs. Only the open part is drawn, anew every few seconds while the run is active."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import data, run_data
from dashboard.addresses import RUN
from dashboard.components.run.beginning import render_beginning
from dashboard.components.run.checkpoints import render_checkpoints
from dashboard.components.run.completions_browser import render_completions
from dashboard.components.run.configuration import render_configuration
from dashboard.components.run.curves import render_curves
from dashboard.components.run.disagreement import DISAGREEMENT, render_disagreement
from dashboard.components.run.header import render_actions, render_figures, render_progress
from dashboard.components.run.health import COMPLETIONS, render_first_finding, render_health
from dashboard.components.run.solutions import render_evaluated_map, render_no_signals, render_solutions
from dashboard.components.run.stages import render_stages
from dashboard.components.run.system import render_system
from dashboard.components.run.training_map import MAP, render_training_map
from dashboard.components.shared.errors import boundary, fragment
from dashboard.keys import Keys
from dashboard.state import State
from training.config import RunConfig, StageConfig
from training.store import Job, Status
from training.stored_config import stored_config

CURVES = "Curves"
_TAB_POLL_S = 2.0
_SLOW_POLL_S = 10.0
"""Of what moves by itself meanwhile, see `dashboard.live_run`."""
_ENDED_POLL_S = 5.0
"""One that has ended may be gone on with from elsewhere."""

Part = Callable[[Job, Any, State], None]
"""Draws a part of a run, given its configuration, of the stage that has the part."""


def render_run(run_id: str) -> None:
    """The whole view of one run.

    Raises:
        StoreError: there is no such run.
        ConfigError: its configuration is of another version of the program.
    """
    run, state = data.store().job(run_id), State()
    stored_config(run.spec)
    state.open_run(run_id)
    poll_s = _SLOW_POLL_S if _moves(run) else None
    line, actions = st.columns([5.1, 5.9], vertical_alignment="center")
    with line:
        _follow(run, _render_progress, poll_s or _ENDED_POLL_S)
    with actions:
        _follow(run, _render_actions, None)
    _follow(run, _render_below, poll_s)


def _moves(run: Job) -> bool:
    """Whether anything on the page may change."""
    return run.active or bool(data.store().active_jobs(("evaluate",)))


def _follow(run: Job, part: Part, every: float | None) -> None:
    """A part that is drawn again by itself."""
    fragment(_render_part, run_every=every)(run.id, part, run.status)


def _render_part(run_id: str, part: Part, was: Status) -> None:
    """A part of the page as it is now, an error in its place; when the run's status is another, the whole page is drawn."""
    state = State()
    with boundary(tells_away=part not in (_render_progress, _render_actions)):
        run = data.store().job(run_id)
        if run.status != was:
            st.rerun(scope="app")
        part(run, stored_config(run.spec), state)
    state.write_url(*RUN)


def _render_progress(run: Job, config: StageConfig, state: State) -> None:
    render_progress(run, config)


def _render_actions(run: Job, config: StageConfig, state: State) -> None:
    render_actions(run)


def _render_below(run: Job, config: StageConfig, state: State) -> None:
    """The stages, the figures and the open tab, which is drawn again by itself more often unless it moves without."""
    render_stages(run, state)
    render_figures(run, config)
    parts = _parts(run, config)
    title, tab = _render_tabs(parts, state)
    with tab:
        if not _moves(run) or (title == CURVES and data.store().last_scalar(run.id)):
            with boundary():
                parts[title](run, config, state)
        else:
            _follow(run, parts[title], _TAB_POLL_S)


def _parts(run: Job, config: StageConfig) -> Mapping[str, Part]:
    """The tabs that a run has."""
    if run.kind == "import":
        return {title: part for title, part in PARTS.items() if title not in _OF_TRAINING}
    return PARTS if isinstance(config, RunConfig) else PARTS | WITHOUT_COMPLETIONS


def _render_tabs(parts: Mapping[str, Part], state: State) -> tuple[str, DeltaGenerator]:
    """The tabs, and the open one of them."""
    if state.shown.tab not in parts:
        state.shown.tab = ""
    chosen = state.shown.tab or next(iter(parts))
    st.session_state[Keys.RUN_TABS] = chosen

    def choose() -> None:
        state.shown.tab = str(st.session_state[Keys.RUN_TABS])

    tabs = st.tabs(list(parts), key=Keys.RUN_TABS, on_change=choose)
    return chosen, tabs[list(parts).index(chosen)]


def _render_curves(run: Job, config: StageConfig, state: State) -> None:
    if not data.store().last_scalar(run.id):
        render_beginning(run, config)
        return
    above = st.container()
    is_marked = run_data.is_soon_examined(run)
    render_curves(run, config, state)
    with above:  # after the curves, since a long run takes a second to be examined
        render_first_finding(run, state)
    if not is_marked and run_data.onsets_of(run):
        st.rerun()


def _render_health(run: Job, config: StageConfig, state: State) -> None:
    render_health(run, state)


def _render_checkpoints(run: Job, config: StageConfig, state: State) -> None:
    render_checkpoints(run, config)


_OF_TRAINING = ("Checkpoints", "System and log")
"""Tabs that a run of another trainer does not have."""

PARTS: dict[str, Part] = {
    CURVES: _render_curves,
    COMPLETIONS: render_completions,
    MAP: render_training_map,
    "Health": _render_health,
    DISAGREEMENT: render_disagreement,
    "Checkpoints": _render_checkpoints,
    "System and log": render_system,
    "Configuration": render_configuration,
}
"""Title of a tab -> what draws it."""

WITHOUT_COMPLETIONS: dict[str, Part] = {
    COMPLETIONS: render_solutions,
    MAP: render_evaluated_map,
    "Health": render_no_signals,
}
"""What stands there of a run that learns from reference solutions."""
