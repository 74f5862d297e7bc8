"""The table of reward functions: what each pays for, its weight, and how much it can add to the total."""

import streamlit as st

from dashboard.components.launch.mark import marked, set_value
from dashboard.components.shared.panes import ROWS, panes
from dashboard.launch_changes import REWARDS_TABLE, Base
from dashboard.state import State
from dashboard.text import plain
from training.rewards import REWARDS, Reward, highest_total, title_of
from training.settings import SETTINGS
from training.text import significant

_WIDTHS = (4.5, 2.2, 1.2, 1.4)
VERIFIER = "verifier"


def render_rewards(base: Base, state: State) -> None:
    """One row a function, one's own included; edits go into `state.launch.changes`. Where none is trained on, who judges."""
    if not base.has_rewards:
        _render_verifier(base, state)
        return
    st.caption("A completion's reward is the weighted sum of these functions; one with weight 0 is not trained on.")
    for column, title in zip(panes("rewards", _WIDTHS, kind=ROWS), ("Function", "Weight", "Max.", "Adds up to"), strict=True):
        column.caption(title)
    with st.container(gap="xsmall"):
        for reward in REWARDS.values():
            _render_row(base, state, reward)
    total, verifier = st.columns(2, vertical_alignment="center")
    highest = highest_total(base.values(state.launch.changes)["rewards"])
    total.markdown(f"The highest total is **{significant(highest or 0.0)}**.")
    with verifier:
        _render_verifier(base, state)


def _render_verifier(base: Base, state: State) -> None:
    """By which function an answer counts as right, whether or not it has a weight."""
    key = f"setting {VERIFIER}"
    st.session_state[key] = chosen = str(state.launch.changes.get(VERIFIER, base.value(VERIFIER)))
    st.selectbox(
        marked(base, state, VERIFIER, SETTINGS[VERIFIER].title),
        dict.fromkeys([*REWARDS, chosen]),
        format_func=lambda name: plain(title_of(name)),
        help=SETTINGS[VERIFIER].description,
        key=key,
        on_change=set_value,
        args=(base, VERIFIER, key),
    )


def _render_row(base: Base, state: State, reward: Reward) -> None:
    setting = f"{REWARDS_TABLE}{reward.name}"
    key = f"weight {reward.name}"
    weight = float(state.launch.changes.get(setting, base.value(setting)))
    st.session_state[key] = weight
    name, field, maximum, adds = panes(reward.name, _WIDTHS, kind=ROWS, vertical_alignment="center")
    title = marked(base, state, setting, f"**{plain(reward.title)}**" if weight else plain(reward.title))
    name.markdown(f"{title}  \n:small[:gray[{plain(reward.description.removeprefix(f'{reward.title}: '))}]]")
    field.number_input(
        f"Weight of {plain(reward.title)}",
        step=0.25,
        format="%g",
        help=plain(reward.description),
        key=key,
        on_change=set_value,
        args=(base, setting, key),
        label_visibility="collapsed",
    )
    maximum.text(f"{reward.maximum:g}")
    adds.text(significant(weight * reward.maximum) if weight else "–")
