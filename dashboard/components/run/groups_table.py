"""Groups of completions as a table, the latest first; a row leads to its completions."""

import pandas as pd
import streamlit as st

from dashboard.components.run.health import show_evidence
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.state import State
from training.doctor.finding import Evidence
from training.text import count

_HEIGHT = 210
_SHOWN = 1_000
"""Rows; more are told, and the completions themselves can be searched."""


def render_groups(groups: pd.DataFrame, key: str, state: State, *, with_problem: bool = False) -> None:
    """The table.

    Args:
        groups: rows of `analysis.outcomes.group_frame`, in training order.
        key: of the widget; another for other rows, as rows are chosen by their place.
        with_problem: whether they are of several problems.
    """
    if groups.empty:
        st.caption("No group of these steps is about it.")
        return
    shown = groups.iloc[::-1].head(_SHOWN).reset_index(drop=True)
    chosen = render_table(
        shown.assign(taught=~shown["flat"]),
        key=f"{key} {len(groups)}",
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        height=fitted_height(len(shown), _HEIGHT),
        column_order=[*(["problem"] if with_problem else []), "step", "pass_rate", "mean_reward", "taught"],
        column_config={
            "problem": st.column_config.TextColumn(width="small"),
            "step": st.column_config.NumberColumn(width="small", format="localized"),
            "pass_rate": st.column_config.NumberColumn("right", width="small", format="percent"),
            "mean_reward": st.column_config.NumberColumn("reward", width="small", format="%.3g"),
            "taught": st.column_config.CheckboxColumn(
                "signal", width="small", help="Whether its completions earned differently."
            ),
        },
        alt="Groups of completions, the latest first",
    )
    rows = chosen["selection"]["rows"]
    if rows and rows[0] < len(shown):
        group = shown.iloc[rows[0]]
        show_evidence(Evidence(int(group["step"]), int(group["group"]), None, ""), state)
    more = f", the latest {_SHOWN:,} of them here" if len(groups) > _SHOWN else ""
    st.caption(f"{count(len(groups), 'group')} in these steps{more}. Choose a row to read its completions.")
