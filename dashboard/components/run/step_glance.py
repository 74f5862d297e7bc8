"""A step at a glance: what its completions earned, their lengths, its groups by spread; a bar shows who is behind it."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from dashboard import data, run_data, step_figures
from dashboard.components.run.completion_cards import render_cards
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.errors import shielded
from dashboard.components.shared.panes import CARDS, panes
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.step_figures import ADVANTAGE, TOKENS, Bin, parse_bin
from dashboard.text import plain
from training.config import RunConfig
from training.data.problem import Problem
from training.insight.rollout_pages import PAGE
from training.store import Job
from training.store.ledger import placed_rollouts
from training.text import count

_IN_A_ROW = 4
_HISTOGRAM, _CHART = "150px", "230px"
_TABLE_HEIGHT = 230


def render_glance(run: Job, step: int, frame: pd.DataFrame, state: State) -> None:
    """The charts of a step, and its groups."""
    columns = step_figures.reward_columns(frame)
    for start in range(0, len(columns), _IN_A_ROW):
        some = columns[start : start + _IN_A_ROW]
        for place, column in zip(panes(f"earned {start}", _IN_A_ROW, kind=CARDS), some, strict=False):
            with place:
                _render_histogram(run, step, frame, column, _HISTOGRAM, state)
    lengths, advantages, groups = panes("step", 3)
    with lengths:
        _render_histogram(run, step, frame, TOKENS, _CHART, state)
    with advantages:
        _render_scatter(run, step, frame, state)
    with groups:
        _render_groups(frame, step, state)


def _render_histogram(run: Job, step: int, frame: pd.DataFrame, column: str, height: str, state: State) -> None:
    def choose(clicked: str) -> None:
        asked = parse_bin(str(clicked))
        state.completions.bin = None if asked == state.completions.bin else asked
        state.completions.bin_page, state.tokens.shown = 0, False

    alt = step_figures.lengths_in_words(frame) if column == TOKENS else step_figures.in_words(frame, column)
    spec = run_data.step_histogram(run.id, step, column, state.completions.bin)
    render_chart(spec, key=f"{Keys.STEP_CHART} {column}", alt=alt, height=height, on_clicked=shielded(choose))


def _render_scatter(run: Job, step: int, frame: pd.DataFrame, state: State) -> None:
    def choose(clicked: str) -> None:
        group, position = (int(part) for part in str(clicked).split(","))
        state.completions.group, state.completions.completion = group + 1, position + 1
        state.completions.bin = None

    render_chart(
        run_data.step_scatter(run.id, step),
        key=f"{Keys.STEP_CHART} {ADVANTAGE}",
        alt=f"Advantage against length. {step_figures.lengths_in_words(frame)}",
        height=_CHART,
        on_clicked=shielded(choose),
    )


def _render_groups(frame: pd.DataFrame, step: int, state: State) -> None:
    table = step_figures.groups_table(frame)
    key = f"{Keys.STEP_GROUPS} {step} {len(frame)}"  # rows are chosen by their places

    def choose() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows and rows[0] < len(table):
            state.completions.group, state.completions.completion = int(table["group"][rows[0]]), 0
            state.completions.bin = None

    number = st.column_config.NumberColumn
    render_table(
        table,
        key=key,
        on_select=choose,
        selection_mode="single-row",
        hide_index=True,
        height=fitted_height(len(table), _TABLE_HEIGHT),
        column_config={
            "group": number(width="small"),
            "problem": st.column_config.TextColumn(width="small"),
            "right": number("right", format="percent", width="small"),
            "mean": number("mean total", format="%.3g", width="small"),
            "spread": number("spread", format="%.3g", width="small", help="Of the totals, from the lowest to the highest."),
            "tokens": number("mean length", format="%.0f", width="small"),
            "signal": st.column_config.CheckboxColumn("signal", width="small", help="Whether the step learnt from it."),
        },
        alt="The groups of the step, the widest spread first; a row chosen opens its completions",
    )


def render_bin(
    run: Job, config: RunConfig, step: int, frame: pd.DataFrame, chosen: Bin, problems: Mapping[str, Problem], state: State
) -> None:
    """The completions of a bar, page by page."""
    rows = step_figures.within(frame, chosen)
    pages = max(1, -(-len(rows) // PAGE))
    page = min(state.completions.bin_page, pages - 1)

    def clear() -> None:
        state.completions.bin = None

    def turn(to: int) -> None:
        state.completions.bin_page = to

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(plain(f"{count(len(rows), 'completion')} of step {step:,}: {chosen.words}"), width="content")
        st.button("All groups", icon=":material/close:", on_click=clear)
        if pages > 1:
            st.button("Back", key="bin back", disabled=not page, on_click=turn, args=(page - 1,))
            st.button("Next", key="bin next", disabled=page == pages - 1, on_click=turn, args=(page + 1,))
            st.caption(f"page {page + 1:,} of {pages:,}", width="content")
    places = step_figures.places_of(rows.iloc[page * PAGE : (page + 1) * PAGE])
    render_cards(placed_rollouts(data.store(), run.id, step, places), config, problems, state)
