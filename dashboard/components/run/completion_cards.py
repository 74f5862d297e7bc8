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

    def open_its_tokens() -> None:
        open_group(rollout, state)
        open_tokens(state, rollout.position + 1)

    place = f"{rollout.step} {rollout.group_index} {rollout.position}"
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Open its group",
            key=f"{Keys.GROUP} {place}",
            on_click=open_group,
            args=(rollout, state),
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


def open_group(rollout: Rollout, state: State) -> None:
    """Show the group of a completion, which stands out there."""
    state.completions.browse, state.completions.step = "groups", rollout.step
    state.completions.group, state.completions.completion = rollout.group_index + 1, rollout.position + 1
    state.completions.bin, state.tokens.shown = None, False
