"""What a person keeps with a run, and its end: tags, note, archive, delete. Below the list of runs and on a run's own page."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from dashboard import data
from dashboard.access import acts
from dashboard.actions import delete_job, set_marks
from dashboard.components.shared.closing import close_popover, closing_popover
from dashboard.components.shared.errors import boundary, shielded
from dashboard.components.shared.style import DANGER
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import plain
from training.runs.deletion import belongings_line, belongings_of
from training.store import Job
from training.store.run_marks import NAME_CHARACTERS, NOTE_CHARACTERS, TAGS_AT_MOST, known_tags, marks_of
from training.text import count


def render_marks(run: Job) -> None:
    """What is kept with the run, behind a button: its name, tags and note to edit, and what archives and deletes it.

    It closes when something is saved or a dialog opens, which would lie beneath it.

    Raises:
        StoreError: there is no such run any more.
    """
    told = "Name, tags and note, archive and delete."
    with closing_popover("Tags & notes", Keys.MARKS_POPOVER, icon=":material/sell:", help=told):
        render_tags_and_note(run, on_saved=_close_popover)
        with st.container(horizontal=True, gap="small"):
            render_keeping([run])


def _close_popover() -> None:
    close_popover(Keys.MARKS_POPOVER)


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
    if st.button(
        "Delete",
        key=f"{Keys.RUN_MARKS} delete",
        icon=":material/delete:",
        on_click=_close_popover,
        **acts(disabled=bool(active), help=told),
    ):
        _render_deletion(runs)


def render_tags_and_note(run: Job, on_saved: Callable[[], None] = lambda: None) -> None:
    """The run's name, tags and note to edit.

    Args:
        on_saved: called when they are to be saved.

    Raises:
        StoreError: there is no such run any more.
    """
    marks = marks_of(data.store(), run.id)
    with st.form(f"{Keys.RUN_MARKS} {run.id}", border=False):
        name_column, tags_column = st.columns([2, 3])
        name = name_column.text_input(
            "Name",
            marks.name,
            key=f"{Keys.RUN_MARKS} name {run.id}",
            max_chars=NAME_CHARACTERS,
            placeholder=run.id,
            help=f"What the run is called on all pages; its id stays {plain(run.id)}.",
        )
        tags = tags_column.multiselect(
            "Tags",
            sorted({*known_tags(data.store()), *marks.tags}, key=str.casefold),
            default=list(marks.tags),
            accept_new_options=True,
            max_selections=TAGS_AT_MOST,
            placeholder="Choose, or type a new one",
            key=f"{Keys.RUN_MARKS} tags {run.id}",
        )
        note = st.text_area(
            "Note",
            marks.note,
            key=f"{Keys.RUN_MARKS} note {run.id}",
            max_chars=NOTE_CHARACTERS,
            placeholder="What was tried, what came of it",
            height=68,
        )
        saved = st.form_submit_button("Save", on_click=on_saved, **acts())
    if saved:
        with boundary():
            set_marks(data.store(), run.id, replace(marks, name=name, tags=tuple(tags), note=note.strip()))
            st.toast("Saved.")
            st.rerun()


@st.dialog("Delete for good")
def _render_deletion(runs: Sequence[Job]) -> None:
    store, home = data.store(), data.home()

    def delete() -> None:
        for run_id in there:
            delete_job(store, home, run_id)
            _forget(run_id)

    with boundary():
        there = store.jobs_named(run.id for run in runs)
        if not there:  # gone by the button below, or elsewhere
            st.rerun()
        for run in there.values():
            st.markdown(f"**{plain(run.id)}**: {plain(belongings_line(belongings_of(store, home, run.id)))}")
        st.caption("Steps, completions, evaluations, the log and every checkpoint go. This cannot be undone.")
        with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
            told = f"Delete {count(len(there), 'run')}"
            if st.button("Cancel", key=f"{Keys.RUN_MARKS} cancel deletion"):
                st.rerun()
            st.button(told, type="primary", key=f"{DANGER} delete runs", on_click=shielded(delete), **acts())


def _forget(run_id: str) -> None:
    """Nothing in the session refers to a run that is gone."""
    state = State()
    state.shown.run = "" if state.shown.run == run_id else state.shown.run
    state.run_list.marked = tuple(other for other in state.run_list.marked if other != run_id)
    state.compared.runs = tuple(other for other in state.compared.runs if other != run_id)
