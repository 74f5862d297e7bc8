"""The list of runs: what it shows, the table that keeps its selection while it polls, the queue, and what can be done."""

import hashlib
from collections.abc import Sequence
from typing import Any, get_args

import streamlit as st

from dashboard import data
from dashboard.access import acts
from dashboard.actions import stop_run
from dashboard.addresses import LAUNCH
from dashboard.components.run.import_log import render_import
from dashboard.components.run.marks import render_keeping, render_tags_and_note
from dashboard.components.shared.errors import boundary, fragment, shielded
from dashboard.components.shared.going import Page, go_to
from dashboard.components.shared.table import render_table
from dashboard.keys import Keys
from dashboard.memory import RunList
from dashboard.run_rows import Waiting, found_line, queue_of, run_table
from dashboard.state import State
from dashboard.text import plain
from training.store import RUN_KINDS, Job, Status
from training.store.job_search import FoundRuns, find_runs
from training.store.overview import reward_sparklines
from training.store.run_marks import all_marks, known_tags
from training.store.sessions import sessions_of
from training.text import count

_PAGE = 100
"""Runs on a page of the list."""
_BUSY_POLL_S = 2.0
_IDLE_POLL_S = 5.0
_ROW_PX = 33
_ROWS_SHOWN = 14
_NAMED = 4
_STATUS_COLOURS: dict[Status, str] = {
    "queued": "gray",
    "running": "blue",
    "stopping": "orange",
    "stopped": "gray",
    "finished": "green",
    "failed": "red",
    "lost": "red",
}


def render_list(state: State) -> None:
    """Filters, the runs, newest first, the queue, and what can be done with the runs that are chosen."""
    if not data.store().count_jobs(RUN_KINDS):
        st.write("A run trains a model on your problems with GRPO; its curves and completions appear here as it learns.")
        with st.container(horizontal=True):
            if st.button("Launch a run", type="primary"):
                go_to(Page.LAUNCH, LAUNCH)
            render_import(state)
        return
    _render_filters(state)
    if state.run_list.turned not in (None, state.run_list.value):
        state.run_list.page = 1
    state.run_list.turned = state.run_list.value
    poll_s = _BUSY_POLL_S if data.store().active_jobs() else _IDLE_POLL_S
    fragment(_render_live, run_every=poll_s)(state, (state.run_list.page, state.run_list.marked))
    with boundary(tells_away=False):
        shown = {run.id: run for run in _found(state).runs}
        _render_actions(state, [shown[run_id] for run_id in state.run_list.marked if run_id in shown])
    render_import(state)
    fragment(_render_queue, run_every=poll_s)()


def _render_filters(state: State) -> None:
    search, statuses, tags, archived = st.columns([4, 3, 3, 2], vertical_alignment="bottom")
    search.text_input(
        "Search", placeholder="Run, preset, model, tag or note", icon=":material/search:", **RunList.search.bind_text()
    )
    statuses.multiselect("Status", list(get_args(Status)), placeholder="All", **RunList.statuses.bind())
    found = sorted({*known_tags(data.store()), *state.run_list.tags}, key=str.casefold)
    tags.multiselect("Tags", found, placeholder="All", **RunList.tags.bind())
    archived.toggle("Show archived", help="Also list the runs that were archived.", **RunList.archived.bind())


def _found(state: State) -> FoundRuns:
    return find_runs(data.store(), state.run_list.value, page=state.run_list.page, size=_PAGE)


def _render_live(state: State, chosen_before: tuple[int, tuple[str, ...]]) -> None:
    with boundary():
        found = _found(state)
        state.run_list.page = found.page
        _render_table(state, found.runs)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(found_line(found, _PAGE), width="content")
            if found.matching > _PAGE:
                _render_pages(state, found)
        if not found.runs and st.button("Show all runs", on_click=state.run_list.show_all):
            st.rerun(scope="app")
    if (state.run_list.page, state.run_list.marked) != chosen_before:
        st.rerun(scope="app")


def _render_pages(state: State, found: FoundRuns) -> None:
    """The way to the other pages."""

    def turn(to: int) -> None:
        state.run_list.page = to

    last = -(-found.matching // _PAGE)
    for label, to in (("Newest", 1), ("Newer", found.page - 1), ("Older", found.page + 1), ("Oldest", last)):
        key = f"{Keys.RUN_TABLE} {label}"
        st.button(label, key=key, type="tertiary", disabled=to in (0, found.page, last + 1), on_click=turn, args=(to,))


def _render_table(state: State, runs: Sequence[Job]) -> None:
    ids = [run.id for run in runs]
    # Rows are chosen by their place, so a table with other rows, or in another order, is another table.
    key = f"{Keys.RUN_TABLE} {hashlib.sha256(' '.join(ids).encode()).hexdigest()[:12]}"

    def choose() -> None:
        state.run_list.marked = tuple(ids[place] for place in st.session_state[key]["selection"]["rows"])

    if not runs:
        return
    store = data.store()
    table = run_table(runs, all_marks(store, ids), reward_sparklines(store, ids), sessions_of(store, ids))
    render_table(
        table,
        key=key,
        height=_ROW_PX * (min(len(runs), _ROWS_SHOWN) + 1) + 2,
        row_height=_ROW_PX,
        on_select=choose,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(run_id) for run_id in state.run_list.marked if run_id in ids]}},
        hide_index=True,
        column_config=_columns(sorted({tag for tags in table["tags"] for tag in tags})),
        alt=f"The list of {count(len(runs), 'run')}: {', '.join(f'{run.id} {run.status}' for run in runs[:10])}",
    )


def _columns(tags: Sequence[str]) -> dict[str, Any]:
    column = st.column_config
    return {
        "run": column.TextColumn(width=150, pinned=True),
        "status": column.MultiselectColumn(
            width=90, options=list(_STATUS_COLOURS), color=list(_STATUS_COLOURS.values()), disabled=True
        ),
        "progress": column.ProgressColumn(width=100, format="%d%%", min_value=0, max_value=100),
        "reward": column.LineChartColumn(
            width=120, y_min=0, y_max=1, help="Total reward by step, from 0 to the highest that the run can reach."
        ),
        "steps": column.TextColumn(width=90),
        "took": column.TextColumn(width=90, help="Training time; pauses before a resume are left out."),
        "launched": column.DatetimeColumn(width=110, format="D MMM HH:mm"),
        "backend": column.TextColumn(width=70),
        "tags": column.MultiselectColumn(width=130, options=list(tags), color="auto", disabled=True),
        "note": column.TextColumn(width=220),
        "model": column.TextColumn(width=130),
        "how it stands": column.TextColumn(width=260),
    }


def _render_queue() -> None:
    with boundary(tells_away=False):
        queue = queue_of(data.store().active_jobs())
        if queue:
            st.subheader("Queue", anchor=False)
        for waiting in queue:
            _render_waiting(waiting)


def _render_waiting(waiting: Waiting) -> None:
    job_id = waiting.job.id

    def cancel() -> None:
        st.toast(plain(stop_run(data.store(), data.home(), job_id)))

    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(f"{waiting.position}. **{plain(job_id)}** waits {plain(waiting.waits_for)}", width="stretch")
        st.button(
            "Cancel",
            key=f"{Keys.RUN_TABLE} cancel {job_id}",
            on_click=shielded(cancel),
            **acts(help="It can be resumed later."),
        )


def _render_actions(state: State, runs: Sequence[Job]) -> None:
    if not runs:
        st.caption("Choose a row to open, tag, archive or delete its run; choose several to compare them.")
        return
    more = f" and {len(runs) - _NAMED} more" if runs[_NAMED:] else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(plain(", ".join(run.id for run in runs[:_NAMED]) + more), anchor=False, width="content")
        if len(runs) == 1 and st.button("Open", type="primary", icon=":material/open_in_full:"):
            state.shown.run = runs[0].id
            st.rerun()
        compare = f"Compare {count(len(runs), 'run')}"
        if len(runs) > 1 and st.button(compare, type="primary", icon=":material/compare_arrows:"):
            state.compared.runs = tuple(run.id for run in runs)
            st.rerun()
        render_keeping(runs)
    if len(runs) == 1:
        render_tags_and_note(runs[0])
