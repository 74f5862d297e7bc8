"""Beside the form: where the run goes, what speaks against it, the button, and the configuration to take away.

Launching is idempotent: while an equal run is active the store gives that one back, so a double click starts one run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

import streamlit as st

from dashboard import data
from dashboard.access import acts
from dashboard.actions import launch_run, launch_stages, launch_study
from dashboard.addresses import RUN, STUDY
from dashboard.components.launch.checks import (
    render_expectation,
    render_findings,
    render_memory,
    summary,
)
from dashboard.components.launch.study import check_of, render_check, render_vary, study_of_form, study_words
from dashboard.components.launch.subset import problems_of, settings_of
from dashboard.components.launch.toml import render_toml
from dashboard.components.shared.errors import boundary, fragment, render_error
from dashboard.components.shared.going import Page, go_to
from dashboard.keys import Keys
from dashboard.launch_changes import Base
from dashboard.memory import Launch
from dashboard.state import State
from dashboard.text import plain
from training.allowed import allowed_model, allowed_source
from training.backends import BackendState
from training.backends.registry import backend_named, backend_names
from training.command_line.outputs import backend_line
from training.config import StageConfig, parse_config
from training.data.problem import ProblemSet
from training.errors import AtlasError, ConfigError
from training.jobs.train.job import JOB_OF
from training.preflight import Preflight
from training.preflight.sequence import with_sequence
from training.presets import load_preset, preset_paths
from training.runs.launch import as_second, narrow_run
from training.store import LOCAL, Job
from training.studies.launching import StudyCheck
from training.studies.plan import StudySpec

_POLL_S = 2.0
_ABOUT_PROBLEMS = ("source", "evaluation_problems", "max_steps", "max_prompt_length")
"""What preflight finds about them means nothing before they are fetched."""
_STYLE = f"""<style>
.stColumn:has(.st-key-{Keys.LAUNCH_PANEL}) {{ position: sticky; top: 4rem; align-self: flex-start; }}
.st-key-{Keys.LAUNCH_PANEL} {{ max-height: calc(100vh - 5rem); overflow-y: auto; }}
.stMain .stColumn:has(.st-key-{Keys.LAUNCH_PANEL}) {{ min-width: min(100%, 17rem) !important; }}
@media (max-width: 1050px) {{
  .stColumn:has(.st-key-{Keys.LAUNCH_PANEL}) {{ position: static; order: -1; }}
}}
</style>"""
"""The button stays in sight while the form is scrolled; above the form where there is no room beside it."""


@dataclass(frozen=True)
class _Second:
    """The run behind the one of the form."""

    config: StageConfig
    """As its preset has it."""
    found: Preflight


@dataclass(frozen=True)
class _Checked:
    """A configuration that can be looked at further."""

    config: StageConfig
    """With its source and subset named exactly, where the source is at hand."""
    found: Preflight
    twin: Job | None
    """The active run with exactly this configuration."""
    is_fetched: bool = True
    """Whether the problems are at hand; without them only the rest was checked."""
    second: _Second | None = None
    study: tuple[StudySpec, StudyCheck] | None = None
    """What is made of the run instead, and what is known of that."""

    @property
    def is_refused(self) -> bool:
        """Whether launching would refuse it."""
        if self.study is not None:
            return self.study[1].is_refused
        errors = self.found.errors + (self.second.found.errors if self.second is not None else ())
        return any(finding.certain for finding in errors)


def render_panel(base: Base, state: State) -> None:
    """Everything beside the form."""
    st.html(_STYLE)
    with st.container(border=True, key=Keys.LAUNCH_PANEL):
        if not _render_backend(state):
            _button(disabled=True)
            return
        _render_then(state)
        render_vary(state)
        place = st.container()
        try:
            checked = _check(base, state)
        except AtlasError as error:
            with place:
                _button(disabled=True)
                render_error(error.problem, error.remedy)
            return
        with place:
            _render_launch(checked, state)
        with st.container(gap="xsmall"):
            render_findings(checked.found.findings)
            if checked.second is not None:
                st.markdown(f"**Then {plain(state.launch.then)}**")
                render_findings(checked.second.found.findings)
        if checked.study is not None:
            render_check(checked.study[1])
        elif checked.is_fetched:
            render_expectation(checked.found.expectation)
        render_memory(checked.found.memory, data.machine_of(state.launch.backend))
        render_toml(checked.config, base, state)


def _check(base: Base, state: State) -> _Checked:
    """Raises `AtlasError` where the settings are wrong or name what is not there."""
    checked = _look_at(parse_config(settings_of(base, state)), state)
    if (spec := study_of_form(checked.config, state)) is not None:
        if state.launch.then:
            raise ConfigError("A study has no second run.", f"Vary the stage before instead: first = {state.launch.then}.")
        return replace(checked, study=(spec, check_of(spec)), twin=None)
    if not state.launch.then:
        return checked
    own = data.home().presets
    if state.launch.then not in preset_paths(own):
        raise ConfigError(f"There is no preset {state.launch.then!r}.", "Choose another for the second run, or none.")
    then = load_preset(state.launch.then, own=own)
    second = _look_at(as_second(checked.config, then), state)
    return replace(checked, second=_Second(then, with_sequence(second.found, checked.config, second.config)), twin=None)


def _look_at(config: StageConfig, state: State) -> _Checked:
    store, home = data.store(), data.home()
    exactly = {"model": allowed_model(config.model, store, home), "source": allowed_source(config.source, home)}
    config = config.model_copy(update=exactly)
    if data.needs_fetch(config.source):
        found = data.preflight_of(config, ProblemSet("GSM8K", config.source, ()), state.launch.backend)
        rest = tuple(finding for finding in found.findings if finding.about not in _ABOUT_PROBLEMS)
        return _Checked(config, replace(found, findings=rest), None, is_fetched=False)
    config, problems = narrow_run(store, config, problems_of(config.source))
    found = data.preflight_of(config, problems, state.launch.backend)
    twin = store.active_twin(JOB_OF[config.stage].kind, config.model_dump(mode="json"))
    rest = tuple(finding for finding in found.findings if twin is None or finding.about != "seed")  # said beside the button
    return _Checked(config, replace(found, findings=rest), twin)


def _render_backend(state: State) -> bool:
    """Where the run goes; whether it can be reached."""
    try:
        titles = {name: backend_named(name, data.home()).title for name in backend_names(data.home())}
    except AtlasError as error:
        render_error(error.problem, error.remedy)
        titles = {LOCAL: backend_named(LOCAL, data.home()).title}
    if state.launch.backend not in titles:
        state.launch.backend = Launch.backend.default
    st.selectbox("Where to run", list(titles), format_func=titles.__getitem__, **Launch.backend.bind())
    chosen = state.launch.backend
    is_away = _is_away(data.backend_state(chosen))
    fragment(_render_backend_states, run_every=_POLL_S)(chosen, titles, is_away)
    return not is_away


def _render_then(state: State) -> None:
    """The preset of a second run, if there is to be one."""
    st.selectbox(
        "Then",
        ["", *dict.fromkeys((*sorted(preset_paths(data.home().presets)), *filter(None, [state.launch.then])))],
        format_func=lambda name: plain(name) if name else "nothing more",
        help="The preset of a second run, which begins with this one's last checkpoint once that has finished.",
        **Launch.then.bind(),
    )


def _render_backend_states(chosen: str, titles: Mapping[str, str], was_away: bool) -> None:
    """The chosen one's, then the others' in a line each. What the button may do follows when it comes or goes."""
    found = data.backend_state(chosen)
    st.markdown(backend_text(found))
    for name in titles:
        if name != chosen:
            st.caption(f"**{plain(titles[name])}** {backend_text(data.backend_state(name))}")
    if _is_away(found) != was_away:
        st.rerun()


def backend_text(found: BackendState | None) -> str:
    """How a backend is, as Markdown: a badge, and what that means for a run launched now."""
    if found is None:
        return ":gray-badge[:material/hourglass_empty: asking] Asking for its state."
    colour, icon = {
        "free": ("green", ":material/check_circle:"),
        "busy": ("orange", ":material/hourglass_top:"),
        "unreachable": ("red", ":material/error:"),
    }[found.kind]
    return f":{colour}-badge[{icon} {found.kind}] {plain(backend_line(found))}"


def _is_away(found: BackendState | None) -> bool:
    return found is not None and found.kind == "unreachable"


def _render_launch(checked: _Checked, state: State) -> None:
    label = "Launch the run" if checked.study is None else "Launch the study"
    if _button(label, disabled=checked.is_refused or checked.twin is not None):
        with boundary():
            _launch(checked, state)
    if checked.study is not None:
        st.caption(plain(f"{study_words(checked.study[0])} Each: {summary(checked.config)}"))
    else:
        st.caption(plain(summary(checked.config)))
    if checked.second is not None:
        st.caption(plain(f"Then {state.launch.then}: {summary(checked.second.config)}"))
    if checked.is_refused:
        st.caption(":red[It would be refused: see the errors below.]")
    if checked.twin is not None:
        _render_twin(checked.twin)
    if not checked.is_fetched:
        st.caption(
            "GSM8K has not been fetched yet: launching fetches it from the Hub, about 5 MB, and checks the run against it."
        )


def _button(label: str = "Launch the run", *, disabled: bool) -> bool:
    return st.button(
        label,
        key="launch",
        type="primary",
        icon=":material/rocket_launch:",
        width="stretch",
        **acts(disabled=disabled),
    )


def _launch(checked: _Checked, state: State) -> None:
    """Start the run, and queue the one behind it, or the study, and go to its page."""
    store, home, backend = data.store(), data.home(), state.launch.backend
    if checked.study is not None:
        with st.spinner("Checking and starting the study"):
            state.studied.study = launch_study(store, home, checked.study[0])
        state.shown.run = ""
        go_to(Page.RUNS, STUDY)
    with st.spinner("Checking and starting the run"):
        if checked.second is None:
            run_id = launch_run(store, home, checked.config, backend)
        else:
            run_id, _ = launch_stages(store, home, checked.config, checked.second.config, backend)
    _open(run_id, state)


def _render_twin(twin: Job) -> None:
    status = "waits for its turn" if twin.status == "queued" else f"is already {twin.status}"
    st.info(
        plain(f"{twin.id} {status} with exactly these settings. To repeat it at the same time, change the seed."),
        icon=":material/content_copy:",
    )
    if st.button(f"Open {plain(twin.id)}", key="open twin", icon=":material/monitoring:"):
        _open(twin.id, State())


def _open(run_id: str, state: State) -> NoReturn:
    """Go to a run's page."""
    state.shown.run = run_id
    state.open_run(run_id)
    go_to(Page.RUNS, RUN)
