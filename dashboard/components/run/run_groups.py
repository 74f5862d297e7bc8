"""The runs of the list grouped by a setting: a row and a line each, means over runs with their intervals."""

import pandas as pd
import streamlit as st

from dashboard import data, figures
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.group_figure import group_figure
from dashboard.keys import Keys
from dashboard.run_rows import setting_text
from dashboard.state import State
from training.store.job_search import matching_runs
from training.store.overview import reward_sparklines
from training.store.run_table import MEANS, Mean, RunGroup, grouped
from training.text import count

_MOST = 1_000
"""Runs that are grouped, the newest of those listed."""
_DRAWN_GROUPS = 8
_DRAWN_RUNS = 200
_MOST_PX = 300


def render_groups(state: State) -> None:
    """The groups of all runs that the list has, on whatever page."""
    setting, store = state.run_list.by, data.store()
    where = matching_runs(store, state.run_list.value)
    groups = grouped(store, where, setting, _MOST)
    if not groups:
        return
    found = sum(len(group.run_ids) for group in groups)
    newest = f" The newest {_MOST:,} runs are grouped." if store.count_where(where) > found else ""
    st.markdown(f"**By `{setting}`**: {count(len(groups), 'value')} in {count(found, 'run')}.{newest}")
    table = group_table(groups, setting)
    render_table(
        table,
        key=f"{Keys.RUN_TABLE} groups",
        hide_index=True,
        height=fitted_height(len(table), _MOST_PX),
        alt=f"{count(len(groups), 'group')} of runs by {setting}",
    )
    _render_courses(groups)
    st.caption(
        "Means over runs, with 95% intervals by Student's t: of two or three runs they are wide. "
        "Runs differ in their seed unless the table says more."
    )


def group_table(groups: list[RunGroup], setting: str) -> pd.DataFrame:
    """One row a group."""
    return pd.DataFrame(
        [
            {setting: _named(group), "runs": len(group.run_ids), "seeds": group.seeds}
            | {name: _mean_text(group.means.get(name)) for name in MEANS}
            | {"differ also in": ", ".join(group.differ_in), "which": ", ".join(group.run_ids)}
            for group in groups
        ]
    )


def _render_courses(groups: list[RunGroup]) -> None:
    """The course of the reward, of as many groups and runs as can be seen."""
    shown = groups[:_DRAWN_GROUPS]
    a_group = _DRAWN_RUNS // len(shown)
    ids = {_named(group): group.run_ids[:a_group] for group in shown}
    courses = reward_sparklines(data.store(), [run_id for members in ids.values() for run_id in members])
    drawn = {name: [courses[run_id] for run_id in members if run_id in courses] for name, members in ids.items()}
    drawn = {name: runs for name, runs in drawn.items() if runs}
    if not drawn:
        return
    last = ", ".join(f"{name} ends at {sum(run[-1] for run in runs) / len(runs):.3f}" for name, runs in drawn.items())
    alt = f"Total reward over the steps, mean of each group: {last}"
    render_chart(figures.spec(group_figure(drawn)), key=f"{Keys.RUN_TABLE} courses", alt=alt)
    if len(shown) < len(groups) or any(len(group.run_ids) > a_group for group in shown):
        st.caption(f"Drawn: {count(len(shown), 'group')}, the newest {count(a_group, 'run')} of each at most.")


def _named(group: RunGroup) -> str:
    return "not set" if group.value is None else setting_text(group.value) or "empty"


def _mean_text(mean: Mean | None) -> str:
    """`0.612 (0.512 to 0.702)`, of one run without an interval."""
    if mean is None:
        return ""
    return mean.words if mean.interval else f"{mean.words} (1 run)"
