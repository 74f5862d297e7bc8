"""What a person keeps with a run, and its end: tags, note, archive, delete. Below the list of runs and on a run's own page."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from dashboard import data
from dashboard.access import acts
from dashboard.actions import delete_job, set_marks
from dashboard.components.shared.errors import boundary, shielded
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import plain
from training.runs.deletion import belongings_line, belongings_of
from training.store import Job
from training.store.run_marks import NOTE_CHARACTERS, TAGS_AT_MOST, known_tags, marks_of
from training.text import count


def render_marks(run: Job) -> None:
    """The run's tags and note to edit, and what archives and deletes it.

    Raises:
        StoreError: there is no such run any more.
    """
    render_tags_and_note(run)
    with st.container(horizontal=True, gap="small"):
        render_keeping([run])


def render_keeping(runs: Sequence[Job]) -> None:
    """Two buttons for runs that are chosen: archive them or take them back, and delete them for good."""
    archived = all(marks_of(data.store(), run.id).archived for run in runs)
    key = f"{Keys.RUN_MARKS} archive {'archived' if archived else 'shown'}"
    label, icon = ("Unarchive", "unarchive") if archived else ("Archive", "archive")
    told = "Archived runs are hidden from the list unless asked for."
    if st.button(label, key=key, icon=f":material/{icon}:", **acts(help=told)):
        with boundary():
            for run in runs:
                set_marks(data.store(), run.id, replace(marks_of(data.store(), run.id), archived=not archived))
            st.rerun()
    active = [run.id for run in runs if run.active]
    told = (
        f"{active[0]} is at work or queued: stop it first."
        if active
        else "Asks for confirmation, and lists what would be deleted."
    )
    if st.button("Delete", key=f"{Keys.RUN_MARKS} delete", icon=":material/delete:", **acts(disabled=bool(active), help=told)):
        _render_deletion(runs)


def render_tags_and_note(run: Job) -> None:
    """The run's tags and note to edit.

    Raises:
        StoreError: there is no such run any more.
    """
    marks = marks_of(data.store(), run.id)
    with st.form(f"{Keys.RUN_MARKS} {run.id}", border=False):
        tags_column, note_column, save_column = st.columns([3, 5, 1], vertical_alignment="bottom")
        tags = tags_column.multiselect(
            "Tags",
            sorted({*known_tags(data.store()), *marks.tags}, key=str.casefold),
            default=list(marks.tags),
            accept_new_options=True,
            max_selections=TAGS_AT_MOST,
            placeholder="Choose, or type a new one",
            key=f"{Keys.RUN_MARKS} tags {run.id}",
        )
        note = note_column.text_area(
            "Note",
            marks.note,
            key=f"{Keys.RUN_MARKS} note {run.id}",
            max_chars=NOTE_CHARACTERS,
            placeholder="What was tried, what came of it",
            height=68,
        )
        saved = save_column.form_submit_button("Save", **acts())
    if saved:
        with boundary():
            set_marks(data.store(), run.id, replace(marks, tags=tuple(tags), note=note.strip()))
            st.toast("Saved.")
            st.rerun()


@st.dialog("Delete for good")
def _render_deletion(runs: Sequence[Job]) -> None:
    store, home = data.store(), data.home()

    def delete() -> None:
        for run in runs:
            delete_job(store, home, run.id)
            _forget(run.id)

    with boundary():
        for run in runs:
            st.markdown(f"**{plain(run.id)}**: {plain(belongings_line(belongings_of(store, home, run.id)))}")
        st.caption("Steps, completions, evaluations, the log and every checkpoint go. This cannot be undone.")
        told = f"Delete {count(len(runs), 'run')}"
        if st.button(told, type="primary", key=f"{Keys.RUN_MARKS} delete now", on_click=shielded(delete), **acts()):
            st.rerun()


def _forget(run_id: str) -> None:
    """Nothing in the session refers to a run that is gone."""
    state = State()
    state.shown.run = "" if state.shown.run == run_id else state.shown.run
    state.run_list.marked = tuple(other for other in state.run_list.marked if other != run_id)
    state.compared.runs = tuple(other for other in state.compared.runs if other != run_id)
