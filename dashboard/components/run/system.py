"""What a run takes of its machine over time, and the end of its log."""

import streamlit as st

from dashboard import run_data
from dashboard.components.run.curves import render_grid
from dashboard.components.run.log import render_log
from dashboard.curves import system_curves
from dashboard.state import State
from training.config import StageConfig
from training.store import Job


def render_system(run: Job, config: StageConfig, state: State) -> None:
    """Curves of processor, memory and GPU as far as they were recorded, then the log."""
    if shown := system_curves(run_data.logged_names(run.id)):
        render_grid(run, shown, state)
    else:
        st.caption("Processor, memory and GPU appear here with the first step.")
    render_log(run, state)
