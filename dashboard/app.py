"""The dashboard's entry (`streamlit run dashboard/app.py`): page settings, navigation, the sidebar, then the page itself."""

from pathlib import Path

import streamlit as st

from dashboard.components.errors import boundary
from dashboard.components.sidebar import render_sidebar
from dashboard.components.style import render_style

HERE = Path(__file__).resolve().parent
PAGES = HERE / "app_pages"

st.set_page_config(page_title="GRPO Atlas", page_icon=str(HERE / "icon.svg"), layout="wide")
page = st.navigation(
    [
        st.Page(PAGES / "explore.py", title="Explore", icon=":material/scatter_plot:", default=True),
        st.Page(PAGES / "insights.py", title="Insights", icon=":material/lightbulb:"),
        st.Page(PAGES / "launch.py", title="Launch", icon=":material/rocket_launch:"),
        st.Page(PAGES / "runs.py", title="Runs", icon=":material/monitoring:"),
        st.Page(PAGES / "evaluate.py", title="Evaluate", icon=":material/balance:"),
    ]
)
render_style()
with boundary("The sidebar"):
    render_sidebar(page.url_path)
with boundary(f"The page {page.title}"):
    page.run()
