"""What a run of supervised fine-tuning shows where others show completions: what it learns from, what its evaluations say."""

from collections.abc import Sequence

import streamlit as st

from dashboard import data, run_data
from dashboard.addresses import EVALUATIONS
from dashboard.components.run.training_map import render_training_map
from dashboard.components.shared.completions import render_question
from dashboard.components.shared.going import Page, go_to
from dashboard.components.shared.panes import panes
from dashboard.keys import Keys
from dashboard.state import State
from training.config import SftConfig
from training.data.problem import Problem
from training.rewards.forms import form_named
from training.rewards.solutions import has_solution, written_solution
from training.store import Job

_NO_COMPLETIONS = "This run learns from reference solutions, so its training generates no completions"
_OFFERED = 100
"""Solutions that can be looked at: the first ones."""


def render_solutions(run: Job, config: SftConfig, state: State) -> None:
    """In place of completions: that there are none, and a solution as it is taught."""
    st.caption(f"{_NO_COMPLETIONS}; what the model answered in its evaluations stands on Evaluate.")
    if run_data.evaluations_of(run.id) and st.button(
        "Open its evaluations", key="open evaluations", icon=":material/fact_check:"
    ):
        go_to(Page.EVALUATE, EVALUATIONS)
    problems = data.problems_by_id(config.source, config.content_hash).values()
    solved = [problem for problem in problems if problem.split == "train" and has_solution(problem)]
    if not solved:
        st.caption("Its problems cannot be read any more, so none of the solutions can be shown.")
        return
    _render_solution(solved[:_OFFERED], config)


def _render_solution(solved: Sequence[Problem], config: SftConfig) -> None:
    by_id = {problem.id: problem for problem in solved}
    chosen = st.selectbox("Solution of", list(by_id), key=Keys.SOLUTION, width=220, help="The first train problems.")
    problem = by_id[chosen]
    question, solution = panes("solution", 2, gap="medium")
    with question:
        render_question(problem.id, problem)
    with solution:
        st.code(written_solution(problem, form_named(config.answer_form)), language=None, wrap_lines=True)
        st.caption("As it is taught; the end of the turn follows, and the loss is of these tokens alone.")


def render_evaluated_map(run: Job, config: SftConfig, state: State) -> None:
    """The test problems on the map once two evaluations tell of them."""
    if sum(evaluation.split == "test" for evaluation in run_data.evaluations_of(run.id)) < 2:
        st.caption(
            f"{_NO_COMPLETIONS} that could colour a map; the test problems gained and lost appear here after the second "
            "evaluation."
        )
        return
    render_training_map(run, config, state)


def render_no_signals(run: Job, config: SftConfig, state: State) -> None:
    """In place of health signals."""
    st.caption(f"{_NO_COMPLETIONS} to check for signals. Watch the loss, and hold its evaluations against each other.")
