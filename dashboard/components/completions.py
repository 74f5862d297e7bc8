"""A group of completions side by side: what the model wrote, what was read from it, and what it was worth."""

import html
import re
from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import theme
from dashboard.text import count, plain
from training.problems import Problem
from training.rewards import REWARDS, extract_answer
from training.store import Rollout

_TAG = re.compile(r"(&lt;/?(?:reasoning|answer)&gt;)")

_STYLE = (
    f"""<style>
.rollouts {{ --quiet: {theme.QUIET}; --below: {theme.BELOW_ZERO}; --above: {theme.ABOVE_ZERO}; }}
</style>"""
    + """<style>
.rollouts { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .8rem; }
.rollout { border: 1px solid rgba(138,148,158,.35); border-radius: 6px; padding: .6rem .7rem;
  display: flex; flex-direction: column; }
.rollout pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .78rem; line-height: 1.35;
  margin: .5rem 0 0; max-height: 15rem; overflow-y: auto; background: none; padding: 0; flex-grow: 1; }
.rollout .tag { color: var(--quiet); font-weight: 700; }
.rollout .head { display: flex; justify-content: space-between; gap: .6rem; margin-bottom: .3rem; align-items: baseline; }
.rollout .answer { font-weight: 600; overflow-wrap: anywhere; }
.rollout .note { font-size: .78rem; opacity: .75; white-space: nowrap; }
.rollout .row { display: grid; grid-template-columns: 8.2rem 1fr 2.8rem; align-items: center; gap: .4rem; font-size: .76rem; }
.rollout .row span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.rollout .track { height: .42rem; background: rgba(138,148,158,.22); border-radius: 2px; position: relative; }
.rollout .bar { height: 100%; background: var(--quiet); border-radius: 2px; position: absolute; }
.rollout .advantage { margin-top: .25rem; padding-top: .25rem; border-top: 1px solid rgba(138,148,158,.25); }
.rollout .up { background: var(--above); } .rollout .down { background: var(--below); }
</style>"""
)


def render_group(rollouts: Sequence[Rollout], problem: Problem | None, weights: Mapping[str, float]) -> None:
    """The question once, then a card for each completion.

    Args:
        rollouts: one group.
        problem: the group's problem, `None` when the source no longer has it.
        weights: of the reward functions the run trains on.
    """
    if problem is None:
        st.caption(f"Problem {plain(rollouts[0].problem_id)} is not in the source any more.")
    else:
        st.text(problem.question)
        st.caption(f"{plain(problem.id)} · {count(len(problem.steps), 'step')} · gold **{plain(problem.gold)}**")
    gold = problem.gold if problem else None
    span = max(1.0, *(abs(rollout.advantage) for rollout in rollouts))
    cards = "".join(card_html(rollout, gold, weights, span) for rollout in rollouts)
    st.html(f'{_STYLE}<div class="rollouts">{cards}</div>')


def card_html(rollout: Rollout, gold: str | None, weights: Mapping[str, float], span: float) -> str:
    """One completion as HTML, everything from data or model escaped.

    Args:
        span: the largest absolute advantage in the group, the full width of a bar.
    """
    answer = extract_answer(rollout.completion)
    shown = answer if len(answer) <= 60 else answer[:59] + "…"
    verdict = "" if gold is None else "equals gold" if answer == gold else f"gold {gold}"
    cut = ", cut off" if rollout.finish_reason == "length" else ""
    rows = "".join(_reward_row(name, rollout.rewards.get(name)) for name in weights)
    total = "not scorable" if rollout.total is None else f"{rollout.total:.3g}"
    body = _TAG.sub(r'<span class="tag">\1</span>', html.escape(rollout.completion))
    return (
        f'<div class="rollout"><div class="head"><span class="answer">{html.escape(shown) or "no answer"}</span>'
        f'<span class="note">{html.escape(verdict)}</span></div>{rows}'
        f'<div class="row"><span>Total</span><span></span><span>{total}</span></div>'
        f'<div class="row advantage"><span>Advantage</span>{_signed_bar(rollout.advantage, span)}'
        f"<span>{rollout.advantage:+.2f}</span></div>"
        f'<pre>{body}</pre><div class="note">{count(rollout.tokens, "token")}{cut}</div></div>'
    )


def _reward_row(name: str, value: float | None) -> str:
    reward = REWARDS[name]
    share = 0.0 if value is None else min(1.0, max(0.0, value / reward.maximum))
    bar = f'<div class="track"><div class="bar" style="left:0;width:{share:.1%}"></div></div>'
    return f'<div class="row"><span>{reward.title}</span>{bar}<span>{"none" if value is None else f"{value:.3g}"}</span></div>'


def _signed_bar(value: float, span: float) -> str:
    width = min(0.5, abs(value) / span / 2)
    left, kind = (0.5, "up") if value >= 0 else (0.5 - width, "down")
    return f'<div class="track"><div class="bar {kind}" style="left:{left:.1%};width:{width:.1%}"></div></div>'
