"""Which problems were gained and lost between two evaluations, and both completions of one side by side."""

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components.map.place_on_map import open_on_map
from dashboard.components.shared.completions import cards_html, completion_card, reward_rows
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import render_table
from dashboard.evaluation_catalogue import Measured
from dashboard.evaluation_figures import CHANGES, changes_frame
from dashboard.keys import Keys
from dashboard.memory import Evaluated
from dashboard.state import State
from dashboard.text import plain
from training.data.problem import Problem
from training.evaluation.comparison import CORRECTNESS, correctness_measures
from training.rewards import title_of
from training.store.evaluations import Evaluation
from training.text import count

_TABLE_HEIGHT = 318
_CARDS_AT_MOST = 4
"""Completions of one problem that are shown of each evaluation."""

Titled = tuple[str, Evaluation]


def render_changes(state: State, base: Measured, before: Titled, after: Titled) -> None:
    """The problems by what became of them; choosing one shows its completions.

    Args:
        base: names the problems' source.
        before: title and evaluation, as `after`.
    """
    problems = data.problems_by_id(base.source, base.content_hash)
    measures = correctness_measures(after[1].verifier)
    if state.evaluated.measure not in measures:
        state.evaluated.measure = next(iter(measures))
    measure_column, kind_column = st.columns([1, 3], vertical_alignment="bottom")
    with measure_column:
        measure = st.segmented_control(
            "Correctness",
            list(measures),
            format_func=lambda key: key.capitalize() if key in CORRECTNESS else title_of(key),
            required=True,
            **Evaluated.measure.bind(),
        )
    frame = changes_frame(before[1], after[1], measures[str(measure)], problems)
    sizes = frame["change"].value_counts()
    kinds = [kind for kind in CHANGES if kind in sizes or kind in ("gained", "lost")]
    if state.evaluated.change not in kinds:
        state.evaluated.change = "gained"
    with kind_column:
        kind = st.segmented_control(
            "Problems",
            kinds,
            format_func=lambda key: f"{CHANGES[key]}: {int(sizes.get(key, 0)):,}",
            required=True,
            **Evaluated.change.bind(),
        )
    shown = frame[frame["change"] == kind].reset_index(drop=True)
    if shown.empty:
        st.caption(plain(f"No problem was {kind} by {title_of(measures[str(measure)].name).lower()}."))
        return
    table, cards = panes("changes", [2, 3], gap="medium")
    with table:
        _render_table(state, shown, several=bool(((frame["right before"] % 1) + (frame["right after"] % 1)).any()))
    with cards:
        chosen = state.evaluated.answered if state.evaluated.answered in set(shown["problem"]) else str(shown["problem"][0])
        _render_problem(chosen, problems.get(chosen), base, before, after)


def _render_table(state: State, shown: pd.DataFrame, *, several: bool) -> None:
    def choose() -> None:
        picked = st.session_state[Keys.CHANGES]["selection"]["rows"]
        if picked:
            state.evaluated.answered = str(shown["problem"][picked[0]])

    columns = ["problem", "steps", "gold", "answer before", "answer after"]
    columns += ["right before", "right after"] if several else []
    render_table(
        shown,
        key=Keys.CHANGES,
        on_select=choose,
        selection_mode="single-row",
        hide_index=True,
        height=_TABLE_HEIGHT,
        column_order=[*columns, "question"],
        column_config={name: st.column_config.NumberColumn(format="percent") for name in ("right before", "right after")},
        alt="Problems with their answers before and after",
    )
    st.caption(f"{count(len(shown), 'problem')}. Choose a row to read its completions.")


def _render_problem(problem_id: str, problem: Problem | None, base: Measured, before: Titled, after: Titled) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        facts = f" · {count(len(problem.steps), 'step')} · gold {plain(problem.gold)}" if problem else ""
        st.markdown(f"**{plain(problem_id)}**{facts}", width="content")
        if st.button("On the map", key=Keys.TO_MAP, type="tertiary", icon=":material/scatter_plot:"):
            open_on_map(base.source, problem_id, State())
    if problem is None:
        st.caption("The source does not have this problem any more.")
    else:
        st.text(problem.question)
    gold = problem.gold if problem else None
    cards: list[str] = []
    for title, evaluation in (before, after):
        answered = [item for item in evaluation.items if item.problem_id == problem_id]
        of = f", completions 1 to {_CARDS_AT_MOST} of {len(answered):,}" if len(answered) > _CARDS_AT_MOST else ""
        cards += [
            completion_card(
                item.completion,
                gold,
                reward_rows(item.rewards, item.rewards),
                item.tokens,
                title=f"{title}{of}",
                form=evaluation.form,
            )
            for item in answered[:_CARDS_AT_MOST]
        ]
    st.html(cards_html(cards))
