"""The map of a source: shown as far as it is built, with the offer to build it, the build under way, or why it failed."""

from typing import Literal

import streamlit as st

from analysis.atlas import Atlas, AtlasParameters
from analysis.jobs import BUILD, BuildSpec
from dashboard import data
from dashboard.access import acts
from dashboard.actions import launch_job
from dashboard.components.shared.errors import boundary, fragment, render_error
from dashboard.components.shared.sidebar import job_line
from dashboard.state import State
from dashboard.text import plain
from training.data.problem import ProblemSet
from training.names import as_title
from training.store import Job
from training.store.job_search import newest_with
from training.text import count

_POLL_S = 1.0
_MAP_PROBLEMS_PER_S = 60
"""What two CPU cores manage, for the estimate on the button's help; a GPU is faster."""


def render_map_source(state: State, *, stand_in: bool = False) -> Atlas | None:
    """Find the atlas to show for the session's source, and render what stands in its place or above it.

    Until there is anything of a map with other settings, the source's usual map is shown; with `stand_in` the demo's for the
    source `auto` until its own has begun.

    Raises:
        SourceError: the source cannot be read.
    """
    if data.needs_fetch(state.source):
        _render_fetch(state.parameters.value)
        return None
    problems = data.mapped_problems(state.source)
    atlas = data.atlas(problems, state.parameters.value)
    if atlas is None:
        return _render_missing(problems, state.parameters.value, stand_in=stand_in and state.source == "auto")
    if kept := data.map_notice(problems, state.parameters.value):
        st.caption(plain(kept))
    if not atlas.complete:
        _render_unfinished(atlas)
    elif problems.notice:
        _render_notice(problems)
    return atlas


def render_map_of(source: str, parameters: AtlasParameters) -> Atlas | None:
    """The map of a run's source as far as it is built, with other settings if need be; the offer to build it in its place.

    Raises:
        SourceError: the source cannot be read.
    """
    if data.needs_fetch(source):
        _render_fetch(AtlasParameters())
        return None
    problems = data.mapped_problems(source)
    found = data.atlas(problems, parameters) or data.atlas(problems, AtlasParameters())
    return found or _render_missing(problems, AtlasParameters(), stand_in=False)


def start_build(problems: ProblemSet, parameters: AtlasParameters) -> str:
    """Build a map in the background; the id of its job, which is the running one if it is being built already."""
    return _start(problems.source, parameters, problems.name)


def _start(source: str, parameters: AtlasParameters, name: str) -> str:
    spec = BuildSpec.of(source, parameters)
    return launch_job(data.store(), data.home(), BUILD, spec, name=as_title(f"map of {name}"))


def _render_fetch(parameters: AtlasParameters) -> None:
    with st.container(border=True):
        st.write("GSM8K comes from the Hugging Face Hub: 8,792 grade-school maths problems, about 5 MB.")
        _render_build("hub", parameters, "GSM8K", "Fetch GSM8K and build its map")


def _render_notice(problems: ProblemSet) -> None:
    """One line, as the map below it is what people came for."""
    if problems.source != "demo":
        st.caption(plain(str(problems.notice)))
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            "This is the demo, generated and shaped like GSM8K. Name your own folder in the sidebar, or get the real one:"
        )
        _render_build("hub", AtlasParameters(), "GSM8K", "Fetch GSM8K and build its map", kind="tertiary")


def _render_missing(problems: ProblemSet, parameters: AtlasParameters, *, stand_in: bool) -> Atlas | None:
    usual = data.atlas(problems, AtlasParameters())
    shown = usual or (data.atlas(data.problem_set("demo"), AtlasParameters()) if stand_in else None)
    with st.container(border=True):
        st.write(
            f"{plain(problems.name)} has {count(len(problems.problems), 'problem')} and no map "
            + (f"with the model {plain(parameters.model)} yet. " if usual else "yet. ")
            + "The map puts problems worded alike close together; it is built in the background."
            + (
                " Until then the usual map stands here."
                if usual
                else " Until then the demo's map stands here."
                if shown
                else ""
            )
        )
        _render_build(problems.source, parameters, problems.name, "Build the map", len(problems.problems))
    return shown


def _render_unfinished(atlas: Atlas) -> None:
    """The map is there in part: principal components first, then the layout, then what is measured on it."""
    problems = atlas.problem_set
    with st.container(border=True):
        if atlas.layout is None:
            st.write("Until the layout is computed, the map shows the first principal components of the embeddings.")
        else:
            st.write("The map is there; clusters and measurements follow.")
        _render_build(problems.source, atlas.parameters, problems.name, "Finish the map", len(problems.problems), atlas.stages)


def _render_build(
    source: str,
    parameters: AtlasParameters,
    name: str,
    label: str,
    problems: int = 8792,
    shown_stages: int = 0,
    kind: Literal["primary", "tertiary"] = "primary",
) -> None:
    job = _latest_build(source, parameters)
    if job is not None and job.active:
        fragment(_follow_build, run_every=_POLL_S)(job.id, source, parameters, shown_stages)
        return
    failed = job is not None and job.status in ("failed", "lost")
    if job is not None and failed:
        problem = f"The map of {name} could not be built."
        if kind == "primary":
            render_error(problem, job.reason)
        else:  # what stands below is another map, and whole
            st.caption(plain(f"{problem} {job.reason}"))
    minutes = max(1, round(problems / _MAP_PROBLEMS_PER_S / 60))
    told = f"Runs in the background: about {count(minutes, 'minute')} on two CPU cores, less for what is there already."
    if st.button("Try again" if failed else label, key=f"build {source}", type=kind, **acts(help=told)):
        with boundary():
            _start(source, parameters, name)
            st.rerun()


def _follow_build(job_id: str, source: str, parameters: AtlasParameters, shown_stages: int) -> None:
    """Progress of one build; when a stage is done, the whole page is made again with what is new."""
    job = data.store().job(job_id)
    if not job.active or _stages(source, parameters) > shown_stages:
        st.rerun(scope="app")
    st.progress(job.fraction, text=plain(job_line(job) if job.status != "queued" else "waiting to start"))


def _stages(source: str, parameters: AtlasParameters) -> int:
    """How many stages can be shown now."""
    if data.needs_fetch(source):
        return 0
    atlas = data.atlas(data.mapped_problems(source), parameters)
    return 0 if atlas is None else atlas.stages


def _latest_build(source: str, parameters: AtlasParameters) -> Job | None:
    spec = BuildSpec.of(source, parameters).model_dump()
    return data.readable(lambda store: newest_with(store, BUILD.kind, spec), None)
