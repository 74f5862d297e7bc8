"""Completions of several groups as cards, each with the ways to its group and to its tokens."""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.components.run.token_view import open_tokens
from dashboard.components.shared.completions import card_html, cards_html
from dashboard.components.shared.panes import CARDS, panes
from dashboard.keys import Keys
from dashboard.state import State
from training.config import RunConfig
from training.data.problem import Problem
from training.groups import Rollout
from training.rewards.forms import form_named

_IN_A_ROW = 3


def render_cards(rollouts: Sequence[Rollout], config: RunConfig, problems: Mapping[str, Problem], state: State) -> None:
    """The cards, in this order."""
    span = max([1.0, *(abs(rollout.advantage) for rollout in rollouts)])
    for start in range(0, len(rollouts), _IN_A_ROW):
        some = rollouts[start : start + _IN_A_ROW]
        for column, rollout in zip(panes(f"found {start}", _IN_A_ROW, kind=CARDS), some, strict=False):
            with column:
                _render_card(rollout, config, problems.get(rollout.problem_id), span, state)


def _render_card(rollout: Rollout, config: RunConfig, problem: Problem | None, span: float, state: State) -> None:
    gold = problem.gold if problem else None
    title = f"Step {rollout.step:,}, group {rollout.group_index + 1}, completion {rollout.position + 1}, {rollout.problem_id}"
    form = form_named(config.answer_form)
    st.html(cards_html([card_html(rollout, gold, config.reward_weights, span, title=title, form=form)]))

    place_of_it = rollout.step, rollout.group_index, rollout.position

    def open_its_tokens() -> None:
        open_place(state, *place_of_it)
        open_tokens(state, rollout.position + 1)

    place = " ".join(map(str, place_of_it))
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Open its group",
            key=f"{Keys.GROUP} {place}",
            on_click=open_place,
            args=(state, *place_of_it),
            type="tertiary",
            icon=":material/arrow_forward:",
        )
        st.button(
            "By token",
            key=f"{Keys.TOKENS} {place}",
            on_click=open_its_tokens,
            type="tertiary",
            icon=":material/format_color_text:",
        )


def open_place(state: State, step: int, group_index: int | None, position: int | None) -> None:
    """Show a place in the ledger, counted from 0: a step; or a group, or a completion in it, with nothing above them."""
    state.completions.browse, state.completions.step = "groups", step
    state.completions.group = 1 if group_index is None else group_index + 1
    state.completions.completion = 0 if position is None else position + 1
    state.completions.bin, state.tokens.shown = None, False
    if group_index is not None:
        state.completions.glance = False
