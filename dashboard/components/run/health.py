"""What was checked of a run: each signal in a sentence, with the completions that show it one click away."""

import streamlit as st

from dashboard import run_data
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import plain
from training.insight.health import MIN_STEPS, SIGNALS, Evidence
from training.insight.rollout_pages import Examination
from training.store import Job
from training.text import count

COMPLETIONS = "Completions"
"""The tab that shows the evidence."""


def render_health(run: Job, state: State) -> None:
    """All signals: what was found, what passed, what could not be checked and why, and what there was to check."""
    found = run_data.health_of(run)
    if found is None or found.health.steps < MIN_STEPS:
        st.caption(f"The signals are checked from {MIN_STEPS} steps on.")
        return
    health = found.health
    st.markdown(f"**{health.verdict}**")
    for name, finding in health.findings.items():
        with st.container(border=True):
            st.markdown(f":orange[:material/visibility:] **{SIGNALS[name].title}**: look here")
            st.markdown(plain(finding.sentence))
            with st.container(gap="xxsmall"):
                for number, evidence in enumerate(finding.evidence):
                    _render_evidence(f"{name} {number}", evidence, state)
    with st.container(gap="xsmall"):
        for name in health.passed:
            _render_check(":green[:material/check_circle:]", name, f"passed. {SIGNALS[name].passed}")
        for name, reason in health.unchecked.items():
            _render_check(":gray[:material/help:]", name, f"not checked, {reason}.")
    st.caption(_coverage(found, run))


def _render_check(icon: str, name: str, told: str) -> None:
    st.markdown(f"{icon} **{SIGNALS[name].title}**: {plain(told)}")


def render_first_finding(run: Job, state: State) -> None:
    """One line above the curves: the first thing that deserves a look, if there is one."""
    found = run_data.health_of(run)
    if found is None or not found.health.findings:
        return
    name, finding = next(iter(found.health.findings.items()))
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        st.markdown(f":orange[:material/visibility:] {plain(finding.sentence)}", width="stretch")
        if finding.evidence and st.button("Show me", key=f"{Keys.EVIDENCE} first {name}", help=_shown(finding.evidence[0])):
            show_evidence(finding.evidence[0], state)


def show_evidence(evidence: Evidence, state: State) -> None:
    """Go to the completions of a place in the ledger."""
    state.shown.tab, state.completions.browse = COMPLETIONS, "groups"
    state.completions.step = evidence.step
    state.completions.group = 1 if evidence.group_index is None else evidence.group_index + 1
    state.completions.completion = 0 if evidence.position is None else evidence.position + 1
    st.rerun(scope="app")


def _render_evidence(key: str, evidence: Evidence, state: State) -> None:
    if st.button(plain(_shown(evidence)), key=f"{Keys.EVIDENCE} {key}", type="tertiary", icon=":material/arrow_forward:"):
        show_evidence(evidence, state)


def _shown(evidence: Evidence) -> str:
    """`step 34, group 2, completion 5: wrong, yet paid 2.10`."""
    parts = [f"step {evidence.step:,}"]
    if evidence.group_index is not None:
        parts.append(f"group {evidence.group_index + 1}")
    if evidence.position is not None:
        parts.append(f"completion {evidence.position + 1}")
    return f"{', '.join(parts)}: {evidence.shows}"


def _coverage(found: Examination, run: Job) -> str:
    read = count(found.health.steps, "step")
    told = f"Checked on {read}" if found.steps == found.health.steps else f"Checked on {read} of {found.steps:,}, evenly apart"
    again = "; checked again as the run gets longer" if run.active else ""
    return f"{told}{again}. A signal is a reason to look, not a verdict."
