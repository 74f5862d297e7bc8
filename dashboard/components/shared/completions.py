"""A group of completions side by side: what the model wrote, what was read from it, and what it was worth."""

import difflib
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import streamlit as st

from dashboard import theme
from dashboard.text import plain
from training.data.problem import Problem
from training.groups import Dropped, Rollout
from training.judging.steps import solution_steps
from training.rewards import title_of, verifier_named
from training.rewards.forms import TAGS, AnswerForm
from training.text import count, shorten

DROPPED: Mapping[Dropped, str] = {"flat": "all earned the same", "surplus": "the step had enough"}
"""Why a step did not learn from a group that it generated."""

_TAG = re.compile(r"(&lt;/?(?:reasoning|answer)&gt;)")
_WORD = re.compile(r"\s+|</?(?:reasoning|answer)>|\w+(?:[.,]\w+)*|[^\w\s]")
_COMPARED_WORDS = 800
"""Longer completions are not compared word by word: that takes time in proportion to the square."""

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
.rollout.marked { outline: 2px solid currentColor; }
.rollout ins { text-decoration: underline; text-underline-offset: 2px; background: rgba(230,159,0,.22); }
.rollout del { opacity: .55; }
.rollout .tag { color: var(--quiet); font-weight: 700; }
.rollout .head { display: flex; justify-content: space-between; gap: .6rem; margin-bottom: .3rem; align-items: baseline; }
.rollout .answer { font-weight: 600; overflow-wrap: anywhere; }
.rollout .note { font-size: .78rem; opacity: .75; white-space: nowrap; }
.rollout .row { display: grid; grid-template-columns: 8.2rem 1fr 2.8rem; align-items: center; gap: .4rem; font-size: .76rem; }
.rollout .row span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.rollout .track { height: .42rem; background: rgba(138,148,158,.22); border-radius: 2px; position: relative; }
.rollout .bar { height: 100%; background: var(--quiet); border-radius: 2px; position: absolute; }
.rollout .advantage { margin-top: .25rem; padding-top: .25rem; border-top: 1px solid rgba(138,148,158,.25); }
.rollout .step { background: linear-gradient(to right, rgba(86,180,233,.3) var(--share), transparent var(--share)); }
.rollout .step b { font-variant-numeric: tabular-nums; opacity: .8; }
.rollout .up { background: var(--above); } .rollout .down { background: var(--below); }
</style>"""
)


def render_group(
    rollouts: Sequence[Rollout],
    problem: Problem | None,
    weights: Mapping[str, float],
    *,
    titles: Mapping[int, str] = MappingProxyType({}),
    marked: int | None = None,
    best: str | None = None,
    form: AnswerForm = TAGS,
) -> None:
    """A card for each completion; `render_question` says what was asked.

    Args:
        rollouts: of one group.
        problem: the group's problem, `None` when the source no longer has it.
        weights: of the reward functions the run trains on.
        titles: position -> what stands above the card.
        marked: the position of the completion that stands out.
        best: the completion that the others are compared with word by word.
        form: in which the answers were asked for.
    """
    gold = problem.gold if problem else None
    span = max(1.0, *(abs(rollout.advantage) for rollout in rollouts))
    cards = (
        card_html(
            rollout,
            gold,
            weights,
            span,
            title=titles.get(rollout.position, ""),
            marked=rollout.position == marked,
            best=best,
            form=form,
        )
        for rollout in rollouts
    )
    st.html(cards_html(cards))


def group_titles(rollouts: Sequence[Rollout]) -> dict[int, str]:
    """Position -> `Completion 5, word for word completion 3`, of a whole group."""
    first: dict[str, int] = {}
    for rollout in rollouts:
        first.setdefault(rollout.completion, rollout.position)
    return {
        rollout.position: f"Completion {rollout.position + 1}"
        + (f", word for word completion {said + 1}" if (said := first[rollout.completion]) != rollout.position else "")
        for rollout in rollouts
    }


def render_question(problem_id: str, problem: Problem | None) -> None:
    """What was asked; `None` when the source no longer has it."""
    if problem is None:
        st.caption(f"Problem {plain(problem_id)} is not in the source.")
        return
    st.text(problem.question)
    st.caption(f"{plain(problem.id)} · {count(len(problem.steps), 'step')} · gold **{plain(problem.gold)}**")


def card_html(
    rollout: Rollout,
    gold: str | None,
    weights: Mapping[str, float],
    span: float,
    *,
    title: str = "",
    marked: bool = False,
    best: str | None = None,
    form: AnswerForm = TAGS,
) -> str:
    """One completion as HTML, everything from data or model escaped.

    Args:
        span: the largest absolute advantage in the group, the full width of a bar.

    The others are as of `completion_card`.
    """
    total = "not scorable" if rollout.total is None else f"{rollout.total:.3g}"
    rows = (
        reward_rows(rollout.rewards, weights)
        + f'<div class="row"><span>Total</span><span></span><span>{total}</span></div>'
        + (
            f'<div class="row"><span>Not learnt from</span><span></span><span>{DROPPED[rollout.dropped]}</span></div>'
            if rollout.dropped
            else f'<div class="row advantage"><span>Advantage</span>{_signed_bar(rollout.advantage, span)}'
            f"<span>{rollout.advantage:+.2f}</span></div>"
        )
    )
    cut_off = rollout.finish_reason == "length"
    return completion_card(
        rollout.completion, gold, rows, rollout.tokens, cut_off=cut_off, title=title, marked=marked, best=best, form=form
    )


def completion_card(
    completion: str,
    gold: str | None,
    rows: str,
    tokens: int,
    *,
    cut_off: bool = False,
    title: str = "",
    marked: bool = False,
    best: str | None = None,
    step_scores: Sequence[float] = (),
    form: AnswerForm = TAGS,
) -> str:
    """The card of one completion as HTML: the answer read from it against gold, rows of figures, the text.

    Args:
        rows: HTML, as of `reward_rows`.
        title: plain text above the card's content.
        marked: whether the card stands out.
        best: the completion to show the differences to.
        step_scores: a judge's, of each line of reasoning, 0 to 1.
        form: in which the answer was asked for.
    """
    answer = form.answer(completion)
    shown = (shorten(answer, 60) or "empty answer") if form.has_block(completion) else "no answer marked"
    verdict = "" if gold is None else "equals gold" if answer == gold else f"gold {gold}"
    cut = ", cut off" if cut_off else ""
    body = scored_html(completion, step_scores) if best is None else differences_html(completion, best)
    above = f'<div class="note">{html.escape(title)}</div>' if title else ""
    return (
        f'<div class="{"rollout marked" if marked else "rollout"}">{above}'
        f'<div class="head"><span class="answer">{html.escape(shown)}</span>'
        f'<span class="note">{html.escape(verdict)}</span></div>{rows}'
        f'<pre>{body}</pre><div class="note">{count(tokens, "token") if tokens else ""}{cut}</div></div>'
    )


def cards_html(cards: Iterable[str]) -> str:
    """Cards side by side, with their style."""
    return f'{_STYLE}<div class="rollouts">{"".join(cards)}</div>'


def tagged_html(text: str) -> str:
    """Text as HTML with the tags of the format highlighted."""
    return _TAG.sub(r'<span class="tag">\1</span>', html.escape(text))


def scored_html(text: str, step_scores: Sequence[float]) -> str:
    """Text as HTML with the score of each step drawn behind its line and written at its end."""
    steps = iter(zip(solution_steps(text), step_scores, strict=False))
    step = next(steps, None)
    lines = []
    for line in text.split("\n"):
        shown = tagged_html(line)
        if step is not None and step[0].text in line:
            shown = f'<span class="step" style="--share:{step[1]:.1%}">{shown} <b>{step[1]:.2f}</b></span>'
            step = next(steps, None)
        lines.append(shown)
    return "\n".join(lines)


def differences_html(text: str, best: str) -> str:
    """Text as HTML: words that the best completion has not are underlined, words that only it has are struck out."""
    words, others = _WORD.findall(text), _WORD.findall(best)
    if text == best or max(len(words), len(others)) > _COMPARED_WORDS:
        return tagged_html(text)
    parts = []
    for kind, start, end, from_word, to_word in difflib.SequenceMatcher(None, others, words, autojunk=False).get_opcodes():
        gone, new = "".join(others[start:end]), "".join(words[from_word:to_word])
        if kind == "equal":
            parts.append(tagged_html(new))
            continue
        if gone.strip():
            parts.append(f"<del>{tagged_html(gone)}</del>")
        parts.append(f"<ins>{tagged_html(new)}</ins>" if new.strip() else new)
    return "".join(parts)


def reward_rows(rewards: Mapping[str, float | None], names: Iterable[str]) -> str:
    """A bar for each of the rewards named, as HTML."""
    return "".join(_reward_row(name, rewards.get(name)) for name in names)


def _reward_row(name: str, value: float | None) -> str:
    share = 0.0 if value is None else min(1.0, max(0.0, value / verifier_named(name).maximum))
    bar = f'<div class="track"><div class="bar" style="left:0;width:{share:.1%}"></div></div>'
    figure = "none" if value is None else f"{value:.3g}"
    return f'<div class="row"><span>{html.escape(title_of(name))}</span>{bar}<span>{figure}</span></div>'


def _signed_bar(value: float, span: float) -> str:
    width = min(0.5, abs(value) / span / 2)
    left, kind = (0.5, "up") if value >= 0 else (0.5 - width, "down")
    return f'<div class="track"><div class="bar {kind}" style="left:{left:.1%};width:{width:.1%}"></div></div>'
