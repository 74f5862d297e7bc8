"""A page with nothing but two charts, for `test_chart_tools.py`: points with intervals, and bars."""

import plotly.graph_objects as go
import streamlit as st

from dashboard import figures, theme
from dashboard.components.shared.chart import render_chart

points = go.Figure(
    go.Scatter(
        x=[1, 10, 100],
        y=[0.5, 5.0, 50.0],
        name="=1+1, <b>bold</b>",
        mode="markers",
        error_y={"array": [0.1, 1, 10], "arrayminus": [0.2, 2, 20], "symmetric": False},
        text=["first", "-2", "@SUM(A1)"],
        line={"color": theme.TRAIN},
    )
)
points.update_layout(xaxis={"title": "tokens"}, yaxis={"title": "reward"})
bars = go.Figure(go.Bar(x=["a", "b"], y=[1, 2], name="counts"))
if st.session_state.get("more"):
    points.add_trace(go.Scatter(x=[1, 100], y=[1, 1], name="more"))
st.toggle("More", key="more")
render_chart(figures.spec(figures.quiet(points, view="points")), key="some points", alt="points")
render_chart(figures.spec(figures.quiet(bars)), key="bars", alt="bars")
