"""Runs: the list of runs, or one of them live."""

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components.errors import boundary
from dashboard.components.run_view import POLL_S, render_run, started
from dashboard.components.style import render_title
from dashboard.state import Keys, State
from dashboard.text import duration, plain
from training.store import Job


def render_list(state: State) -> None:
    """The runs, newest first; choosing a row opens it."""
    runs = data.store().jobs("train")
    if not runs:
        st.write("A run trains a model on your problems with GRPO; its curves and completions appear here as it learns.")
        if st.button("Launch a run", type="primary"):
            st.switch_page("app_pages/launch.py")
        return

    def choose() -> None:
        picked = st.session_state[Keys.RUN_TABLE]["selection"]["rows"]
        if picked:
            state.run = runs[picked[0]].id

    st.dataframe(
        pd.DataFrame([_row(run) for run in runs]),
        key=Keys.RUN_TABLE,
        on_select=choose,
        selection_mode="single-row",
        hide_index=True,
        column_config={"progress": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)},
    )
    if state.run:
        st.rerun(scope="app")


def _row(run: Job) -> dict[str, object]:
    took = duration((run.ended_at or run.heartbeat_at) - run.started_at) if run.started_at else ""
    return {
        "run": run.id,
        "status": run.status,
        "progress": run.fraction,
        "steps": f"{run.done:,.0f} of {run.total:,.0f}",
        "backend": run.backend,
        "launched": started(run),
        "took": took,
        "why": run.reason or run.message,
    }


state = State()
if state.run:
    title, back = st.columns([6, 1], vertical_alignment="center")
    with title:
        render_title("Runs", plain(state.run))
    back.button("All runs", on_click=lambda: setattr(state, "run", ""), icon=":material/arrow_back:", width="stretch")
    with boundary():
        render_run(state.run)
else:
    render_title("Runs", "Every training run, the newest first. Choose a row to open it.")
    st.fragment(render_list, run_every=POLL_S)(state)
state.write_url(State.run)
