"""The map of a source: shown if it is finished, else the offer to build it, the build under way, or why it failed."""

import streamlit as st

from analysis.atlas import Atlas
from dashboard import data
from dashboard.components.errors import render_error
from dashboard.components.sidebar import job_line
from dashboard.state import State
from dashboard.text import count, plain
from training.launch import submit_job
from training.problems import ProblemSet
from training.store import Job

_POLL_S = 1.0
_MAP_PROBLEMS_PER_S = 80
"""What two CPU cores manage, for the estimate on the button's help; a GPU is faster."""


def render_map_source(state: State, *, stand_in: bool = False) -> Atlas | None:
    """Find the atlas to show for the session's source, and render what stands in its place or above it.

    With `stand_in` the demo's atlas is shown for the source `auto` until its own is built.

    Raises:
        SourceError: the source cannot be read.
    """
    if data.needs_fetch(state.source):
        with st.container(border=True):
            st.write("GSM8K comes from the Hugging Face Hub: 8,792 grade-school maths problems, about 5 MB.")
            _render_build("hub", "GSM8K", "Fetch GSM8K and build its map")
        return None
    problems = data.problem_set(state.source)
    atlas = data.atlas(problems)
    if atlas is None:
        return _render_missing(problems, stand_in=stand_in and state.source == "auto")
    if problems.notice:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            _render_notice(problems)
    return atlas


def _render_notice(problems: ProblemSet) -> None:
    st.write(
        f"This is the demo: {count(len(problems.problems), 'generated problem')} shaped like GSM8K. "
        "Fetch GSM8K for the real ones, or name your own folder in the sidebar."
    )
    _render_build("hub", "GSM8K", "Fetch GSM8K and build its map")


def _render_missing(problems: ProblemSet, *, stand_in: bool) -> Atlas | None:
    shown = data.atlas(data.problem_set("demo")) if stand_in else None
    with st.container(border=True):
        st.write(
            f"{plain(problems.name)} has {count(len(problems.problems), 'problem')} and no map yet. "
            "The map puts problems with alike wording close together; it is built in the background."
            + (" Until then the demo's map stands here." if shown else "")
        )
        _render_build(problems.source, problems.name, "Build the map", len(problems.problems))
    return shown


def _render_build(source: str, name: str, label: str, problems: int = 8792) -> None:
    job = _latest_build(source)
    if job is not None and job.active:
        st.fragment(_follow_build, run_every=_POLL_S)(job.id)
        return
    if job is not None and job.status in ("failed", "lost"):
        render_error("The map could not be built.", job.reason)
    minutes = max(1, round(problems / _MAP_PROBLEMS_PER_S / 60))
    pressed = st.button(
        "Try again" if job is not None and job.status in ("failed", "lost") else label,
        key=f"build {source}",
        type="primary",
        help=f"Runs in the background: about {count(minutes, 'minute')} on two CPU cores.",
    )
    if pressed:
        submit_job(
            data.store(),
            data.home(),
            kind="build",
            name=f"map of {name}",
            spec={"source": source},
            module="analysis",
            arguments=["build", "--source", source],
        )
        st.rerun()


def _follow_build(job_id: str) -> None:
    """Progress of one build; when it ends, the whole page is made again, with the map or the reason."""
    job = data.store().job(job_id)
    if not job.active:
        st.rerun(scope="app")
    st.progress(job.fraction, text=plain(job_line(job) if job.status != "queued" else "waiting to start"))


def _latest_build(source: str) -> Job | None:
    builds = (job for job in data.store().jobs(kind="build") if job.spec.get("source") == source)
    return max(builds, key=lambda job: job.created_at, default=None)
