"""The sidebar below the navigation: which problems are shown, which jobs run, and who may act.

Whatever of the address or of a field becomes a path is held to `training.allowed` here, before any page reads it.
"""

from collections.abc import Iterable, Mapping, Sequence

import streamlit as st

from dashboard import data
from dashboard.access import acts, require_act
from dashboard.components.shared.about import render_about, render_mark
from dashboard.components.shared.errors import boundary, fragment, render_error, unexpected
from dashboard.components.shared.going import Page
from dashboard.components.shared.news import tell_news
from dashboard.components.shared.sign_in import render_sign_in
from dashboard.components.shared.source_dialog import kept_lines, render_source_dialog
from dashboard.fields import TEXT_CHARACTERS, Field
from dashboard.keys import Keys
from dashboard.memory import MapParameters, Studied
from dashboard.sources import readable_source
from dashboard.state import State
from dashboard.text import plain
from training.allowed import allowed_embedding
from training.data.problem import ProblemSet
from training.data.sources import BUILT_IN
from training.errors import AtlasError, StoreAwayError, StoreFailedError
from training.store import RUN_KINDS, Job
from training.studies.conducting import STUDY
from training.text import count, duration

FOLDER = "folder"
_CHOICES = {"auto": "Automatic", "demo": "Demo", "hub": "GSM8K from the Hub", FOLDER: "Folder or file"}
_SHOWN_REJECTIONS = 200
_LEFT_OUT_SHOWN = 3
_QUEUED_SHOWN = 3
"""Of the jobs that wait for their turn; how many more do is told."""
_POLL_S = 5.0


def render_sidebar(page: str) -> None:
    """Source, jobs, and who may act. Takes what the address says into the session first.

    Args:
        page: the page's path in the address.
    """
    state = State()
    render_mark()
    with boundary("Reading the address"):
        _take_address(state, page)
    with st.sidebar:
        with boundary("Reading the problems"):
            _render_source(state)
        st.divider()
        with boundary("Looking at the home folder"):
            _render_notices()
        with boundary("Looking for jobs"):
            fragment(_render_jobs, run_every=_POLL_S)()
        with boundary("Signing in"):
            render_sign_in()
        render_about()


def _render_notices() -> None:
    """What is unusual about the home and the store."""
    if reason := data.home().why_unwritable():
        st.caption(
            plain(f"The home folder {data.home().root} cannot be written ({reason}): nothing can be launched or kept there.")
        )
    if data.shares_home():
        st.caption("Another dashboard is open on this store. Runs launched in either appear in both.")
    with boundary(tells_away=False):
        if notice := data.store_notice():
            st.caption(plain(notice))


def _take_address(state: State, page: str) -> None:
    """Read the address; what it may not name is left out, and said."""
    fields: tuple[Field[str], ...] = (State.source, MapParameters.model, MapParameters.compare_with)
    before = [field.get() for field in fields]
    state.read_url(page)
    wanted = [field.get() for field in fields]
    if wanted == before:
        return
    asked = state.source
    state.source_error = ""
    for field in fields:  # until each is allowed, whatever comes between
        field.reset()
    for field, named in zip(fields, wanted, strict=True):
        try:
            field.set(readable_source(named) if field is State.source else allowed_embedding(named, home=data.home()))
        except AtlasError as error:
            state.source_error = str(error)
    if state.source != before[0]:
        state.selection.clear()
    offered = _choices(kept_lines())
    st.session_state[Keys.SOURCE_CHOICE] = asked if asked in offered else FOLDER
    st.session_state[Keys.SOURCE_FOLDER] = "" if asked in offered else asked


def _render_source(state: State) -> None:
    names: Mapping[str, str] = {}
    with boundary("Reading the kept sources"):
        names = kept_lines()
    choices, kept = _choices(names), {line: name for name, line in names.items()}
    if mapped := state.mapped_source:
        state.mapped_source = ""
        _take(mapped)
    named = kept.get(state.source, state.source if state.source in choices else FOLDER)
    if mapped:
        st.session_state[Keys.SOURCE_CHOICE] = named
        st.session_state[Keys.SOURCE_FOLDER] = state.source if named == FOLDER else ""
    st.session_state.setdefault(Keys.SOURCE_CHOICE, named)
    st.session_state.setdefault(Keys.SOURCE_FOLDER, state.source if named == FOLDER else "")
    choice = st.selectbox(
        "Data set",
        list(choices),
        format_func=lambda choice: choices.get(choice, choice),
        key=Keys.SOURCE_CHOICE,
        on_change=_take_choice,
        help="Automatic takes your own folder (GRPO_ATLAS_DATA), else GSM8K if it was fetched, else the demo.",
    )
    if choice == FOLDER:
        st.text_input(
            "Path",
            key=Keys.SOURCE_FOLDER,
            max_chars=TEXT_CHARACTERS,
            on_change=_take_folder,
            placeholder="/data/my-problems",
            **acts(help="A folder with train and test files, one file, or hub:owner/name; after ? may stand how it is read."),
        )
    if state.source_error:
        render_error(state.source_error)
    try:
        _render_problem_set(data.problem_set(state.source))
    except AtlasError as error:
        st.caption(plain(error.problem))
    _render_reading(state, choice)


def _choices(names: Iterable[str]) -> dict[str, str]:
    """What the sidebar offers: what everybody has, what is kept, and whatever a path leads to."""
    return (
        {name: title for name, title in _CHOICES.items() if name != FOLDER}
        | {name: name for name in names}
        | {FOLDER: _CHOICES[FOLDER]}
    )


def _render_reading(state: State, choice: str) -> None:
    """The way to say how the rows of one's own are read: also of those that could not be."""
    wanted = str(st.session_state.get(Keys.SOURCE_FOLDER) or "") if choice == FOLDER else choice
    if not wanted or wanted in BUILT_IN:
        return
    label = "How it is read"
    if st.button(label, key="map columns", icon=":material/table_rows:", type="tertiary", **acts()):
        render_source_dialog(wanted, _take_mapped)


def _render_problem_set(problems: ProblemSet) -> None:
    st.caption(f"**{plain(problems.name)}**, {count(len(problems.problems), 'problem')}", help=plain(problems.read_as) or None)
    for file in problems.left_out[:_LEFT_OUT_SHOWN]:
        st.caption(plain(f"Left out: {file}"))
    if not problems.rejected:
        return
    with st.expander(f"{count(len(problems.rejected), 'row')} left out", icon=":material/warning:"):
        for rejection in problems.rejected[:_SHOWN_REJECTIONS]:
            st.text(str(rejection))
        if len(problems.rejected) > _SHOWN_REJECTIONS:
            st.caption(f"and {len(problems.rejected) - _SHOWN_REJECTIONS:,} more")


def _render_jobs() -> None:
    """The active jobs and the news; when the store is back after it was away, the whole page is drawn again."""
    state = State()
    try:
        data.reconcile_soon()
        active = data.store().active_jobs()
    except StoreFailedError as error:
        state.store_away = True
        if isinstance(error, StoreAwayError):
            st.caption("The run store cannot be reached; jobs go on, and this page does when it is back.")
        else:
            st.caption(plain(f"{error.problem} {error.remedy}"))
        return
    if state.store_away:
        state.store_away = False
        st.rerun(scope="app")
    with boundary():
        tell_news(state)
        _render_active_jobs(active)


def _render_active_jobs(active: Sequence[Job]) -> None:
    """All that are at work, then those whose turn comes next, and how many more wait.

    Args:
        active: newest first.
    """
    at_work = [job for job in active if job.status != "queued"]
    queued = [job for job in reversed(active) if job.status == "queued"]
    if not active:
        st.caption("Nothing running")
    for job in (*at_work, *queued[:_QUEUED_SHOWN]):
        if query := _query_of(job):
            st.page_link(Page.RUNS, label=f"{plain(job.id)}, {job.status}", query_params=query)
        else:
            st.caption(f"**{plain(job.name)}**, {job.status}")
        if job.status != "queued":
            st.progress(job.fraction, text=plain(job_line(job)))
    if more := len(queued[_QUEUED_SHOWN:]):
        st.caption(f"and {more:,} more queued")


def _query_of(job: Job) -> dict[str, str]:
    """The query of a link to the job's own page; empty where it has none."""
    if job.kind == STUDY.kind:
        return {Studied.study.url: job.id}
    return State().query_of_run(job.id) if job.kind in RUN_KINDS else {}


def job_line(job: Job) -> str:
    """What an active job does now and how long it still takes: `embedding 3,200 of 8,792 questions, 22 s left`.

    A training run has its step instead; its own page knows the time left from the seconds a step.
    """
    done = job.message or job.status
    if job.kind in RUN_KINDS:
        return f"step {job.done:,.0f} of {job.total:,.0f}, {done}"
    if job.started_at is None or job.fraction <= 0.02:
        return done
    elapsed_s = job.heartbeat_at - job.started_at
    left_s = elapsed_s * (1 - job.fraction) / job.fraction
    return f"{done}, {duration(left_s)} left" if left_s >= 1 else done


def _take_mapped(source: str) -> None:
    """Show what the dialog maps, with the next run: the fields that say it belong to the page and not to the dialog."""
    State().mapped_source = source


def _take_choice() -> None:
    choice = str(st.session_state[Keys.SOURCE_CHOICE])
    if choice != FOLDER:
        _take(choice)


def _take_folder() -> None:
    path = str(st.session_state[Keys.SOURCE_FOLDER]).strip().strip("'\"")
    if path:
        _take(path)


def _take(source: str) -> None:
    """Show another source if a page may name it and it can be read; otherwise keep what is shown and say why."""
    state = State()
    try:
        if source not in _CHOICES:
            require_act()
        source = readable_source(source)
        if not data.needs_fetch(source):
            data.problem_set(source)
    except AtlasError as error:
        state.source_error = str(error)
        return
    except Exception as error:  # callbacks run before the page, of which nothing would be drawn
        state.source_error = unexpected("Reading the problems", error)
        return
    state.source_error = ""
    if source != state.source:
        state.source = source
        state.forget_problems()
