"""Having a judge score completions from the page: the button, and how far a job is."""

from collections.abc import Sequence

import streamlit as st

from dashboard import data
from dashboard.access import acts
from dashboard.actions import launch_judging, stop_run
from dashboard.components.shared.errors import boundary, fragment, render_error
from dashboard.components.shared.sidebar import job_line
from dashboard.evaluation_catalogue import Measured
from dashboard.fields import TEXT_CHARACTERS
from dashboard.keys import Keys
from dashboard.text import plain
from training.allowed import allowed_judge
from training.jobs.judge import JUDGE, judge_spec

_POLL_S = 1.0
_LOOKED_AT = 20
"""The newest jobs."""
_HELP = (
    'A Hub name, a folder, or "demo": a classifier of whole completions or of steps. Of a language model marks:NAME where it '
    "answers each step with + or -, or likelihood:NAME for how likely it finds what was written."
)


def render_judging(shown: Sequence[Measured]) -> None:
    """The button that asks a judge about these evaluations, and what is under way."""
    with st.popover("Ask a judge", icon=":material/gavel:", width="stretch", disabled=not shown):
        name = st.text_input("Judge", "demo", max_chars=TEXT_CHARACTERS, help=_HELP, key=Keys.JUDGE)
        st.caption("Scores what is on record, in the background; a job that is stopped goes on when it is asked again.")
        if st.button("Judge", type="primary", **acts()):
            with boundary():
                _launch(shown, name)
                st.rerun()
    active = bool(data.store().active_jobs((JUDGE.kind,)))
    fragment(_render_job, run_every=_POLL_S if active else None)(active, frozenset(one.heading.job_id for one in shown))


def _launch(shown: Sequence[Measured], name: str) -> None:
    judge = allowed_judge(name, data.store(), data.home())
    specs = [judge_spec(data.store(), one.heading.job_id, judge, one.heading.label) for one in shown]
    for spec in specs:
        launch_judging(data.store(), data.home(), spec)


def _render_job(was_active: bool, shown: frozenset[str]) -> None:
    """What is under way, and why the newest that was asked about these jobs failed."""
    active = data.store().active_jobs((JUDGE.kind,))
    if was_active and not active:
        st.rerun(scope="app")
    for job in active:
        st.progress(job.fraction, text=plain("waiting for its turn" if job.status == "queued" else job_line(job)))
        if st.button("Stop", key=f"judging {job.id}", **acts(disabled=job.status == "stopping")):
            stop_run(data.store(), data.home(), job.id)
            st.rerun()
    newest = next((job for job in data.store().jobs(JUDGE.kind, limit=_LOOKED_AT) if job.spec["job"] in shown), None)
    if newest is not None and newest.status in ("failed", "lost"):
        render_error(newest.reason)
