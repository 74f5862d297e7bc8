"""The problems of a sampled evaluation by what became of them, and one's completions with their steps' scores on the lines."""

from collections.abc import Mapping

import streamlit as st

from dashboard import data, scaling_figures
from dashboard.components.shared.completions import cards_html, completion_card, render_question, reward_rows
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import render_table
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import plain
from training.data.problem import Problem
from training.evaluation.recorded import Sampled, scores_of
from training.evaluation.scaling import Samples
from training.store.judgements import Scores
from training.text import count

_TABLE_HEIGHT = 360
_CARDS_AT_MOST = 8


def render_problems(
    state: State, title: str, sampled: Sampled, samples: Samples, problems: Mapping[str, Problem], scorer: str
) -> None:
    """The table of problems; choosing one shows its completions, the highest scored first."""
    st.subheader("Problem by problem", anchor=False)
    frame = scaling_figures.problems_frame(samples, problems)
    table, cards = panes("scaled problems", [2, 3], gap="medium")

    def choose() -> None:
        if picked := st.session_state[Keys.SCALED_PROBLEMS]["selection"]["rows"]:
            state.scaled.problem = str(frame["problem"][picked[0]])

    with table:
        render_table(
            frame,
            key=Keys.SCALED_PROBLEMS,
            on_select=choose,
            selection_mode="single-row",
            hide_index=True,
            height=_TABLE_HEIGHT,
            column_config={"right": st.column_config.NumberColumn(format="percent")},
            alt="Problems, and whether each way to choose gives a right answer",
        )
        st.caption(plain(f"{title}: {count(len(frame), 'problem')}, with all completions. Choose a row to read them."))
    with cards:
        chosen = state.scaled.problem if state.scaled.problem in samples else str(frame["problem"][0])
        render_question(chosen, problems.get(chosen))
        _render_cards(sampled, chosen, problems.get(chosen), scorer)


def _render_cards(sampled: Sampled, problem_id: str, problem: Problem | None, scorer: str) -> None:
    said: list[Scores] = scores_of(data.store(), sampled, scorer) if scorer else [[] for _ in sampled.evaluation.items]
    pairs = [pair for pair in zip(sampled.evaluation.items, said, strict=True) if pair[0].problem_id == problem_id]
    ranked = sorted(pairs, key=lambda pair: pair[1][-1:], reverse=True)
    name = sampled.evaluation.verifier.name
    cards = [
        completion_card(
            item.completion,
            problem.gold if problem else None,
            reward_rows(item.rewards, [name]),
            item.tokens,
            title=f"score {scores[-1]:.3g}" if scores else "no score",
            step_scores=scores if len(scores) > 1 else (),
            form=sampled.evaluation.form,
        )
        for item, scores in ranked[:_CARDS_AT_MOST]
    ]
    st.html(cards_html(cards))
    if len(ranked) > _CARDS_AT_MOST:
        st.caption(f"The {_CARDS_AT_MOST} highest scored of {len(ranked):,} completions.")
