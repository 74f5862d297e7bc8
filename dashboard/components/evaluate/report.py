"""The button that makes a run's report."""

import streamlit as st

from dashboard import data
from training.insight.report import report_html


def render_report(run_id: str) -> None:
    """One self-contained HTML file, made when it is asked for."""
    st.download_button(
        "Report",
        data=data.file_queue().making(lambda: report_html(data.store(), data.home(), run_id)),
        file_name=f"{run_id}.html",
        mime="text/html",
        icon=":material/description:",
        on_click="ignore",
        width="stretch",
        help="One HTML file with configuration, curves, health, tables and completions; it opens anywhere, without a network.",
    )
