"""The problems of a run whose completions agree on another answer than the gold, each with its newest completions."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from dashboard import data, run_data
from dashboard.components.map.place_on_map import render_place
from dashboard.components.shared.completions import render_group, render_question
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import plain
from training.config import RunConfig
from training.data.problem import Problem
from training.insight.agreement import Agreement
from training.insight.rollout_pages import PAGE
from training.rewards.forms import form_named
from training.store import Job

_TABLE_HEIGHT = 280


def render_against_gold(run: Job, config: RunConfig, problems: Mapping[str, Problem], state: State) -> None:
    """What was found in a sentence, the problems, and the newest completions of the one chosen, the first unless one is."""
    found = run_data.agreement(run)
    st.markdown(plain(found.reading))
    if not found.against_gold:
        return
    st.caption("There the gold may be wrong, or the question unclear; models agree on wrong answers too. Choose a row.")
    picked = _render_table(found, problems)
    chosen = found.against_gold[picked]
    problem = problems.get(chosen.problem_id)
    question, place = st.columns([8, 2], gap="medium")
    with question:
        render_question(chosen.problem_id, problem)
    if problem is not None:
        with place:
            render_place(config.source, problem.id, state)
    groups = run_data.groups_of(run.id)
    newest = groups[groups["problem"] == chosen.problem_id].tail(1)
    if newest.empty:
        st.caption("Its completions are of an evaluation, which the page Evaluate shows.")
        return
    step, group = int(newest["step"].iloc[0]), int(newest["group"].iloc[0])
    st.caption(f"Step {step:,}, group {group + 1}, the newest of this problem")
    rollouts = [rollout for rollout in data.store().rollouts(run.id, step) if rollout.group_index == group]
    render_group(rollouts[:PAGE], problem, config.reward_weights, form=form_named(config.answer_form))


def _render_table(found: Agreement, problems: Mapping[str, Problem]) -> int:
    """The table; returns the row chosen."""
    known = [problems.get(agreed.problem_id) for agreed in found.against_gold]
    table = pd.DataFrame(
        {
            "problem": [agreed.problem_id for agreed in found.against_gold],
            "gold": [problem.gold if problem else "" for problem in known],
            "agreed answer": [agreed.answer for agreed in found.against_gold],
            "agreeing": [agreed.share for agreed in found.against_gold],
            "completions": [agreed.completions for agreed in found.against_gold],
            "question": [problem.question if problem else "" for problem in known],
        }
    )
    choice = render_table(
        table,
        key=Keys.AGAINST_GOLD,
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        height=fitted_height(len(table), _TABLE_HEIGHT),
        column_config={
            "agreeing": st.column_config.NumberColumn(format="percent"),
            "completions": st.column_config.NumberColumn(format="localized"),
        },
        alt="Problems whose completions agree on another answer than the gold",
    )
    rows = choice["selection"]["rows"]
    return rows[0] if rows and rows[0] < len(table) else 0
