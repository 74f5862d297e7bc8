"""Runs: the list of runs, one of them live, several compared, or a study of many."""

import streamlit as st

from dashboard import data
from dashboard.addresses import COMPARED, RUN, RUN_LIST, STUDY
from dashboard.components.run.comparison import render_comparison
from dashboard.components.run.list import render_list
from dashboard.components.run.view import render_run
from dashboard.components.shared.errors import boundary
from dashboard.components.shared.style import render_title
from dashboard.components.study.list import render_studies
from dashboard.components.study.view import render_study
from dashboard.state import State
from dashboard.text import plain
from training.store.run_marks import run_name


def render_heading(title: str, caption: str) -> None:
    """The title, and the way back to the list."""
    heading, back = st.columns([6, 1], vertical_alignment="center")
    with heading:
        render_title(title, caption)
    label = "The study" if state.shown.run and state.studied.study else "All runs"
    back.button(label, on_click=leave, icon=":material/arrow_back:", width="stretch")


def leave() -> None:
    """Back to the study that the run was opened from, else to the list."""
    if state.shown.run and state.studied.study:
        state.shown.run = ""
        return
    state.shown.run, state.compared.runs, state.studied.study = "", (), ""


state = State()
if state.shown.run:
    run_id, name = state.shown.run, state.shown.run
    with boundary(tells_away=False):
        name = run_name(data.store(), run_id)
    render_heading(
        plain(name), plain(run_id) if name != run_id else "One run: how it stands, what it wrote, and what it came to."
    )
    with boundary():
        render_run(state.shown.run)
    state.write_url(*RUN)
elif state.compared.runs:
    render_heading("Runs", "The same figures of several runs, side by side.")
    with boundary():
        render_comparison(state)
    state.write_url(*COMPARED)
elif state.studied.study:
    render_heading(plain(state.studied.study), "A study: runs that differ in named settings and seeds, and what that does.")
    with boundary():
        render_study(state.studied.study, state)
    state.write_url(*STUDY)
else:
    render_title("Runs", "Every run, and what it came to.")
    render_studies(state)
    with boundary():
        render_list(state)
    state.write_url(*RUN_LIST)
