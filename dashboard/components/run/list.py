"""The list of runs: the table that keeps its selection while it polls, the queue, and what can be done."""

import hashlib
from collections.abc import Sequence

import streamlit as st

from dashboard import data
from dashboard.access import acts
from dashboard.actions import stop_run
from dashboard.addresses import LAUNCH
from dashboard.components.run.import_log import render_import
from dashboard.components.run.list_controls import column_config, render_controls
from dashboard.components.run.marks import render_keeping, render_tags_and_note
from dashboard.components.run.run_groups import render_groups
from dashboard.components.shared.errors import boundary, fragment, shielded
from dashboard.components.shared.going import Page, go_to
from dashboard.components.shared.table import render_table
from dashboard.keys import Keys
from dashboard.run_rows import Row, Waiting, found_line, queue_of, run_table
from dashboard.state import State
from dashboard.text import plain
from training.store import RUN_KINDS, Job
from training.store.following import first_stages
from training.store.job_search import FoundRuns, find_runs
from training.store.overview import reward_sparklines
from training.store.run_marks import Marks, all_marks
from training.store.run_table import standings
from training.store.sessions import sessions_of
from training.text import count

_PAGE = 100
"""Runs on a page of the list."""
_BUSY_POLL_S = 2.0
_IDLE_POLL_S = 5.0
_ROW_PX = 33
_ROWS_SHOWN = 14
_NAMED = 4


def render_list(state: State) -> None:
    """Filters, the runs, newest first, the queue, and what can be done with the runs that are chosen."""
    if not data.store().count_jobs(RUN_KINDS):
        st.write("A run trains a model on your problems with GRPO; its curves and completions appear here as it learns.")
        with st.container(horizontal=True):
            if st.button("Launch a run", type="primary"):
                go_to(Page.LAUNCH, LAUNCH)
            render_import(state)
        return
    render_controls(state)
    asked = (state.run_list.value, state.run_list.order)
    if state.run_list.turned not in (None, asked):
        state.run_list.page = 1
    state.run_list.turned = asked
    poll_s = _BUSY_POLL_S if data.store().active_jobs() else _IDLE_POLL_S
    fragment(_render_live, run_every=poll_s)(state, (state.run_list.page, state.run_list.marked))
    with boundary(tells_away=False):
        shown = {run.id: run for run in _shown(state, _found(state))}
        _render_actions(state, [shown[run_id] for run_id in state.run_list.marked if run_id in shown])
    render_import(state)
    fragment(_render_queue, run_every=poll_s)()


def _found(state: State) -> FoundRuns:
    return find_runs(data.store(), state.run_list.value, page=state.run_list.page, size=_PAGE, order=state.run_list.order)


def _shown(state: State, found: FoundRuns) -> list[Job]:
    """The runs of a page, the baseline above them, from whatever page it is."""
    baseline = data.store().jobs_named([state.run_list.baseline] if state.run_list.baseline else [])
    return [*baseline.values(), *(run for run in found.runs if run.id not in baseline)]


def _render_live(state: State, chosen_before: tuple[int, tuple[str, ...]]) -> None:
    with boundary():
        found = _found(state)
        state.run_list.page = found.page
        if state.run_list.by:
            render_groups(state)
        _render_table(state, _shown(state, found))
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
    rows = _rows(runs)
    baseline = next((row for row in rows if row.run.id == state.run_list.baseline), None)
    table = run_table(rows, state.run_list.columns, baseline)
    render_table(
        table,
        key=key,
        height=_ROW_PX * (min(len(runs), _ROWS_SHOWN) + 1) + 2,
        row_height=_ROW_PX,
        on_select=choose,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(run_id) for run_id in state.run_list.marked if run_id in ids]}},
        hide_index=True,
        column_config=column_config(list(table.columns), sorted({tag for row in rows for tag in row.marks.tags})),
        alt=f"The list of {count(len(runs), 'run')}: {', '.join(f'{run.id} {run.status}' for run in runs[:10])}",
    )


def _rows(runs: Sequence[Job]) -> list[Row]:
    store, ids = data.store(), [run.id for run in runs]
    marks, rewards, worked, came_to = (
        all_marks(store, ids),
        reward_sparklines(store, ids),
        sessions_of(store, ids),
        standings(store, ids),
    )
    first = first_stages(store, runs)
    return [
        Row(
            run,
            marks.get(run.id, Marks()),
            rewards.get(run.id, ()),
            worked.get(run.id, ()),
            came_to[run.id],
            first.get(run.id),
        )
        for run in runs
    ]


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


def _names(runs: Sequence[Job]) -> list[str]:
    marks = all_marks(data.store(), [run.id for run in runs])
    return [f"{kept.name} ({run.id})" if (kept := marks.get(run.id, Marks())).name else run.id for run in runs]


def _render_opening(state: State, run: Job) -> None:
    if st.button("Open", type="primary", icon=":material/open_in_full:"):
        state.shown.run = run.id
        st.rerun()
    for first in first_stages(data.store(), [run]).values():
        told = "The stage before: what this run begins with."
        if st.button(f"Open {plain(first.id)}", key=f"open {first.id}", icon=":material/first_page:", help=told):
            state.shown.run = first.id
            st.rerun()
    is_baseline = state.run_list.baseline == run.id

    def pin() -> None:
        state.run_list.baseline = "" if is_baseline else run.id

    told = "The baseline stays on top, and the others are held against it."
    st.button("Unpin" if is_baseline else "Pin as baseline", icon=":material/keep:", help=told, on_click=pin)


def _render_actions(state: State, runs: Sequence[Job]) -> None:
    if not runs:
        st.caption("Choose a row to open, tag, archive or delete its run; choose several to compare them.")
        return
    more = f" and {len(runs) - _NAMED} more" if runs[_NAMED:] else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(plain(", ".join(_names(runs[:_NAMED])) + more), anchor=False, width="content")
        if len(runs) == 1:
            _render_opening(state, runs[0])
        compare = f"Compare {count(len(runs), 'run')}"
        if len(runs) > 1 and st.button(compare, type="primary", icon=":material/compare_arrows:"):
            state.compared.runs = tuple(run.id for run in runs)
            st.rerun()
        render_keeping(runs)
    if len(runs) == 1:
        render_tags_and_note(runs[0])
