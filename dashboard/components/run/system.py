"""What a run takes of its machine over time, and the end of its log."""

import streamlit as st

from dashboard import data, run_data
from dashboard.components.run.curves import render_grid
from dashboard.components.shared.errors import render_error
from dashboard.curves import system_curves
from dashboard.state import State
from training.backends.registry import backend_named
from training.config import RunConfig
from training.errors import AtlasError
from training.store import Job


def render_system(run: Job, config: RunConfig, state: State) -> None:
    """Curves of processor, memory and GPU as far as they were recorded, then the log."""
    if shown := system_curves(run_data.logged_names(run.id)):
        render_grid(run, shown, state)
    else:
        st.caption("Processor, memory and GPU appear here with the first step.")
    st.markdown("**Log**")
    try:
        text = backend_named(run.backend, data.home()).logs(run)
    except AtlasError as error:
        render_error(error.problem, error.remedy)
        return
    with st.container(height=360, autoscroll=True, border=False):  # its end is what is new
        st.code(text or "Nothing was printed yet.", language=None)
    st.download_button(
        "Download the log", text, file_name=f"{run.id}.log", mime="text/plain", key="download log", on_click="ignore"
    )
