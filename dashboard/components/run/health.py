"""What the doctor says of a run: each finding with its onset, arithmetic, evidence one click away, remedy and source."""

import streamlit as st

from dashboard import run_data
from dashboard.components.run.completion_cards import open_place
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import plain
from training.doctor.examination import MIN_STEPS, Health
from training.doctor.finding import Evidence, Finding, Level, Signal
from training.doctor.signals import SIGNALS
from training.signal_names import SignalName
from training.store import Job
from training.text import count

COMPLETIONS = "Completions"
"""The tab that shows the evidence."""

_BADGES: dict[Level, tuple[str, str]] = {"alarm": (":material/error:", "orange"), "audit": (":material/search:", "blue")}
"""Icon and colour; the word stands beside them."""

_LEVELS = (
    "An alarm was false in fewer than 5% of the runs of its record that were well in that respect; an audit is also true of "
    "many good runs."
)


def render_health(run: Job, state: State) -> None:
    """All signals: what was found, what passed, what could not be checked and why, and what there was to check."""
    health = run_data.health_of(run)
    if health is None or health.steps < MIN_STEPS:
        st.caption(f"The signals are checked from {MIN_STEPS} steps on.")
        return
    st.markdown(f"**{health.verdict}**", help=_LEVELS)
    for name, finding in health.findings.items():
        _render_finding(SIGNALS[name], finding, state)
    with st.container(gap="xsmall"):
        for name in health.passed:
            _render_check(":green[:material/check_circle:]", name, f"passed. {SIGNALS[name].passed}")
        for name, reason in health.unchecked.items():
            _render_check(":gray[:material/help:]", name, f"not checked, {reason}.")
    st.caption(_coverage(health, run))


def _render_finding(signal: Signal, finding: Finding, state: State) -> None:
    with st.container(border=True, key=f"{Keys.EVIDENCE} finding {signal.name}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            render_level(signal.level)
            st.markdown(f"**{signal.title}** since step {finding.onset:,}", width="content")
        st.markdown(plain(finding.sentence))
        st.caption(plain(finding.arithmetic))
        with st.container(horizontal=True, gap="small"):
            for number, evidence in enumerate(finding.evidence):
                _render_evidence(f"{signal.name} {number}", evidence, state)
        st.markdown(f"**What to do:** {plain(signal.remedy)}")
        st.caption(plain(f"Source: {signal.source}. Needs {signal.needs}."))


def render_level(level: Level) -> None:
    """The word "alarm" or "audit" with its colour."""
    icon, colour = _BADGES[level]
    st.badge(level, icon=icon, color=colour, width="content")  # type: ignore[arg-type]


def _render_check(icon: str, name: SignalName, told: str) -> None:
    st.markdown(f"{icon} **{SIGNALS[name].title}**: {plain(told)}")


def render_first_finding(run: Job, state: State) -> None:
    """One line above the curves: the first thing that deserves a look, if there is one."""
    health = run_data.health_of(run)
    if health is None or not health.findings:
        return
    name, finding = next(iter(health.findings.items()))
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        render_level(SIGNALS[name].level)
        st.markdown(plain(finding.sentence), width="stretch")
        if finding.evidence and st.button("Show me", key=f"{Keys.EVIDENCE} first {name}", help=finding.evidence[0].words):
            show_evidence(finding.evidence[0], state)


def show_evidence(evidence: Evidence, state: State) -> None:
    """Go to the completions of a place in the ledger."""
    state.shown.tab = COMPLETIONS
    open_place(state, evidence.step, evidence.group_index, evidence.position)
    st.rerun(scope="app")


def _render_evidence(key: str, evidence: Evidence, state: State) -> None:
    if st.button(plain(evidence.words), key=f"{Keys.EVIDENCE} {key}", type="tertiary", icon=":material/arrow_forward:"):
        show_evidence(evidence, state)


def _coverage(health: Health, run: Job) -> str:
    read = count(health.steps, "step")
    sampled = health.steps < health.on_record
    told = f"Checked on {read} of {health.on_record:,}, evenly apart" if sampled else f"Checked on {read}"
    again = "; checked again as the run gets longer" if run.active else ""
    return f"{told}{again}. A signal is a reason to look, not a verdict."
