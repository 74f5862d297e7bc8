"""What anybody writes in Streamlit: a plotly map of a table with colours and a lasso, for `explore_page.py` to compare with.

`TABLE=map.parquet streamlit run bare_page.py`, the table as `python -m analysis export --format map-parquet` writes it.
"""

import os

import pandas as pd
import plotly.express as px
import streamlit as st

st.set_page_config(layout="wide")


@st.cache_data
def read(path: str) -> pd.DataFrame:
    table = pd.read_parquet(path)
    steps = [str(number) if number < 8 else "8+" for number in table["steps"]]
    return table.assign(steps=steps, row=range(len(table)))


def explore() -> None:
    table = read(os.environ["TABLE"])
    colour = st.selectbox("Colour by", ["Split", "Steps"])
    figure = px.scatter(
        table,
        x="x",
        y="y",
        color=colour.lower(),
        custom_data=["row"],
        hover_data={"question": True},
        render_mode="webgl",
        height=612,
    )
    figure.update_layout(dragmode="lasso", uirevision="map")
    chosen = st.plotly_chart(figure, key="map", on_select="rerun")
    rows = [point["customdata"][0] for point in chosen["selection"]["points"]]
    shown = table.iloc[rows] if rows else table
    test = (shown["split"] == "test").mean()
    st.markdown(
        f"**{len(shown):,} selected, {test:.0%} test**" if rows else f"**All {len(shown):,} problems, {test:.0%} test**"
    )
    left, right = st.columns([2, 1])
    left.dataframe(shown[["id", "split", "steps", "equations", "cluster_name", "gold", "question"]], height=320)
    right.bar_chart(shown["steps"].value_counts().sort_index())


def launch() -> None:
    st.button("Launch the run")


st.navigation([st.Page(explore, title="Explore", default=True), st.Page(launch, title="Launch")]).run()
