"""What is selected on the map: how much it is, a table of it, and its steps beside those of all."""

import pandas as pd
import streamlit as st

from analysis.atlas import Atlas
from dashboard import data, figures
from dashboard.components.plot import render_plot
from dashboard.state import Keys, State
from dashboard.text import count, percent

_COLUMNS = ["id", "split", "steps", "equations", "gold", "question"]


def render_selection(atlas: Atlas, state: State) -> None:
    """The line, the table and the histogram of the selection; the table of everything while nothing is selected."""
    everything = data.frame(atlas)
    selected = everything[everything["id"].isin(state.selected)] if state.selected else everything
    line, clear = st.columns([5, 1], vertical_alignment="center")
    line.markdown(f"**{_line(selected, bool(state.selected))}**")
    if state.selected:
        clear.button("Clear selection", on_click=_clear, args=(state,), width="stretch")
    table, steps = st.columns([2, 1], gap="medium")
    with table:
        _render_table(selected, state)
    with steps:
        _render_steps(selected, everything, bool(state.selected))


def _line(rows: pd.DataFrame, is_selection: bool) -> str:
    test = percent((rows["split"] == "test").mean()) if len(rows) else "0%"
    if is_selection:
        return f"{len(rows):,} selected, {test} test"
    return f"All {count(len(rows), 'problem')}, {test} test. Draw a lasso on the map to select some."


def _render_table(rows: pd.DataFrame, state: State) -> None:
    def choose() -> None:
        picked = st.session_state[Keys.TABLE]["selection"]["rows"]
        if picked:
            state.problem = str(rows["id"].iloc[picked[0]])

    st.dataframe(
        rows[_COLUMNS],
        key=Keys.TABLE,
        on_select=choose,
        selection_mode="single-row",
        hide_index=True,
        height=320,
        column_config={
            "id": st.column_config.TextColumn(width="small"),
            "split": st.column_config.TextColumn(width="small"),
            "steps": st.column_config.NumberColumn(width="small", help="Lines of the reference solution before ####."),
            "equations": st.column_config.NumberColumn(width="small", help="Calculator annotations such as <<48/2=24>>."),
            "gold": st.column_config.TextColumn(width="small"),
            "question": st.column_config.TextColumn(width="large"),
        },
    )


def _render_steps(selected: pd.DataFrame, everything: pd.DataFrame, is_selection: bool) -> None:
    of_selection = selected["steps"].mean()
    of_all = everything["steps"].mean()
    caption = f"Mean steps: {of_all:.2f} over all" + (f", {of_selection:.2f} in the selection." if is_selection else ".")
    render_plot(
        figures.spec(figures.counts_figure(selected["steps"] if is_selection else None, everything["steps"], unit="steps")),
        key=Keys.STEPS,
        view="steps",
        alt=f"Share of problems by number of solution steps. {caption}",
        height="290px",
    )
    st.caption(caption)


def _clear(state: State) -> None:
    state.selected = ()
