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


def render_heading(title: str, caption: str, back_to: str = "All runs") -> None:
    """The title, and the way back to the list, or to the study that a run was opened from."""
    heading, back = st.columns([6, 1], vertical_alignment="center")
    with heading:
        render_title(title, caption)
    back.button(back_to, on_click=leave, icon=":material/arrow_back:", width="stretch")


def leave() -> None:
    """Back to where the run, the comparison or the study was opened."""
    if not (state.shown.run and state.studied.study):
        state.compared.runs, state.studied.study = (), ""
    state.shown.run = ""


state = State()
if state.shown.run:
    run_id, name, study = state.shown.run, state.shown.run, ""
    with boundary(tells_away=False):
        name, study = run_name(data.store(), run_id), data.store().job(run_id).study
    if state.studied.study != study:
        state.studied.study = ""
    caption = plain(run_id) if name != run_id else "One run: how it stands, what it wrote, and what it came to."
    render_heading(plain(name), caption, "The study" if state.studied.study else "All runs")
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
