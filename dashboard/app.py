"""The dashboard's entry (`streamlit run dashboard/app.py`): its server where it is imported, its pages where it is run.

`streamlit run` imports this file once, serves its `app`, and has each session run it as its main script.
"""

from pathlib import Path

import streamlit as st

from dashboard.components.shared.errors import boundary
from dashboard.components.shared.going import Page, render_going
from dashboard.components.shared.sidebar import render_sidebar
from dashboard.components.shared.style import SIDEBAR_PX, render_style
from dashboard.gate import MIDDLEWARE, started
from dashboard.stale_requests import leave_out_stale_requests
from dashboard.state import State

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    leave_out_stale_requests()
    st.set_page_config("GRPO Atlas", str(HERE / "icon.svg"), "wide", SIDEBAR_PX)
    page = st.navigation(
        [
            st.Page(HERE / Page.EXPLORE, title="Explore", icon=":material/scatter_plot:", default=True),
            st.Page(HERE / Page.INSIGHTS, title="Insights", icon=":material/lightbulb:"),
            st.Page(HERE / Page.LAUNCH, title="Launch", icon=":material/rocket_launch:"),
            st.Page(HERE / Page.RUNS, title="Runs", icon=":material/monitoring:"),
            st.Page(HERE / Page.EVALUATE, title="Evaluate", icon=":material/balance:"),
        ]
    )
    render_style()
    with boundary("The sidebar"):
        render_sidebar(page.url_path)
    with boundary("Going to another page"):
        render_going(State())
    with boundary(f"The page {page.title}"):
        page.run()
else:
    app = st.App(__file__, middleware=MIDDLEWARE, lifespan=started)
