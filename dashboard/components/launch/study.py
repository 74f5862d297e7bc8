"""Launch's way to a study: which settings of the form's run are varied, with how many seeds, and what that comes to."""

from dataclasses import replace

import streamlit as st

from dashboard import data, study_data
from dashboard.components.launch.checks import render_findings
from dashboard.keys import Keys
from dashboard.memory import Launch
from dashboard.state import State
from dashboard.text import plain
from training.allowed import allowed_model, allowed_source
from training.config import StageConfig
from training.errors import SourceError
from training.studies.launching import StudyCheck, study_of
from training.studies.plan import StudySpec, parse_vary, planned_run
from training.studies.ready_studies import ready_studies
from training.text import count, rough_duration, size_text

_MOST_SEEDS = 100
_EXAMPLE = "lora_rank = 2, 8, 32\nloss_type = grpo, dapo"


def render_vary(state: State) -> None:
    """Fields for what is varied; open where something is."""
    with st.expander("Study: vary settings", expanded=bool(state.launch.vary), icon=":material/science:"):
        _render_ready(state)
        st.text_area(
            "Settings and their values, one a line",
            placeholder=_EXAMPLE,
            help="Every combination becomes a run with each seed; first = , demo-sft varies the stage before.",
            **Launch.vary.bind_text(),
        )
        st.number_input(
            "Seeds", 1, _MOST_SEEDS, help="Runs of each combination, with seeds from the form's own on.", **Launch.seeds.bind()
        )


def _render_ready(state: State) -> None:
    """Studies to begin with, which fill the fields."""
    ready = ready_studies()

    def begin() -> None:
        if chosen := st.session_state[Keys.READY_STUDY]:
            state.launch.preset, state.launch.origin, state.launch.changes = ready[chosen].preset, "", {}
            state.launch.vary = "\n".join(ready[chosen].vary)

    st.selectbox(
        "Begin with",
        ["", *ready],
        format_func=lambda name: plain(f"{name}: {ready[name].description}") if name else "settings of your own",
        key=Keys.READY_STUDY,
        on_change=begin,
        help="The article's design choices, at the size of the demo.",
    )


def study_of_form(config: StageConfig, state: State) -> StudySpec | None:
    """The study that the form asks for, with models and data sets named exactly; `None` where nothing is varied.

    Raises:
        ConfigError: it cannot be run as it is told.
        ModelError, SourceError: an arm names what a page may not, or problems that have not been fetched.
    """
    lines = [line for line in state.launch.vary.splitlines() if line.strip()]
    if not lines:
        return None
    store, home = data.store(), data.home()
    spec = study_of(config, parse_vary(lines), state.launch.seeds, own_presets=home.presets, backend=state.launch.backend)
    for arm in spec.arms:
        run = planned_run(spec, arm, spec.seeds[0])
        for each in filter(None, (run.config, run.first)):
            allowed_model(each.model, store, home)
            if data.needs_fetch(allowed_source(each.source, home)):
                raise SourceError(
                    f"A study is checked on its problems, and those of {each.source} have not been fetched yet.",
                    "Build their map first, or launch one run on them.",
                )
    return spec


def check_of(spec: StudySpec) -> StudyCheck:
    """What the study would come to."""
    return study_data.study_check(spec.model_dump_json())


def render_check(found: StudyCheck) -> None:
    """What is wrong with which arms, and what all runs together come to."""
    for check in found.arms:
        findings = [finding for finding in check.findings if finding.severity == "error"]
        if findings:
            render_findings([replace(finding, text=f"{check.arm.label}: {finding.text}") for finding in findings])
    tokens = f"At most {found.most_tokens:,}" if found.tokens is None else f"About {found.tokens:,.0f}"
    took = "unknown, as no similar run has been made here yet" if found.total_s is None else rough_duration(found.total_s)
    st.markdown(f":small[**Time for all: {plain(took)}**]")
    room = "" if found.left_gib is None else f"; about {size_text(found.left_gib * 2**30)} on the disk"
    st.caption(plain(f"{tokens} tokens in all{room}. Runs go one after another."))


def study_words(spec: StudySpec) -> str:
    """`12 runs: 4 arms × 3 seeds.`"""
    return f"{count(spec.runs, 'run')}: {count(len(spec.arms), 'arm')} × {count(len(spec.seeds), 'seed')}."
