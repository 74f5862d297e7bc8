"""Evaluate: what a run changed, measured on problems that it did not train on."""

import streamlit as st

from dashboard import data
from dashboard.components.evaluation import render_comparison
from dashboard.components.style import render_title
from dashboard.state import Keys, State
from training.store import Evaluation


def evaluated_runs() -> dict[str, list[Evaluation]]:
    """Run id -> its evaluations, newest run first, runs without any left out."""
    found = {run.id: data.store().evaluations(run.id) for run in data.store().jobs("train")}
    return {run_id: evaluations for run_id, evaluations in found.items() if evaluations}


render_title("Evaluate", "The same test problems before and after training, by the article's five measures.")
state = State()
runs = evaluated_runs()
if not runs:
    st.write("A run that evaluates (the demo preset does) leaves its table here, before and after training.")
    if st.button("Launch a run", type="primary"):
        st.switch_page("app_pages/launch.py")
else:
    ids = list(runs)
    st.session_state.setdefault(Keys.EVALUATED_RUN, state.run if state.run in ids else ids[0])
    run_id = st.selectbox("Run", ids, key=Keys.EVALUATED_RUN)
    state.run = run_id
    render_comparison(data.store().job(run_id), {evaluation.label: evaluation for evaluation in runs[run_id]})
state.write_url(State.run)
