"""The reward bench: paste a completion, take a reference solution or a misleading one, and see what every reward gives it."""

import html
from collections.abc import Mapping

import streamlit as st

from dashboard import data, theme
from dashboard.components.shared.errors import boundary, fragment, shielded
from dashboard.components.shared.panes import panes
from dashboard.fields import TEXT_CHARACTERS
from dashboard.keys import Keys
from dashboard.memory import Bench
from dashboard.state import State
from dashboard.text import plain
from training.errors import AtlasError, RewardError
from training.rewards import REWARDS, Reward
from training.rewards.adversarial import CASES
from training.rewards.forms import TAGS, AnswerForm, form_named
from training.rewards.solutions import written_solution
from training.text import shorten, significant

_CASES = {case.name: case for case in CASES if len(case.completion) <= Bench.completion.longest}
_REFERENCE = "a reference solution"

_STYLE = (
    f"<style>.bench {{ --full: {theme.TOPICS[0]}; --part: {theme.TOPICS[3]}; --quiet: {theme.QUIET}; }}</style>"
    + """<style>
.bench .row { display: grid; grid-template-columns: 8.5rem 1fr minmax(4.5rem, auto); gap: .6rem; align-items: center;
  font-size: .85rem; padding: .18rem 0; }
.bench .row > span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.bench .track { height: .5rem; background: rgba(138,148,158,.22); border-radius: 2px; }
.bench .bar { height: 100%; background: var(--part); border-radius: 2px; }
.bench .bar.full { background: var(--full); }
.bench .read { grid-template-columns: 8.5rem 1fr; font-weight: 600; overflow-wrap: anywhere; }
.bench .read > span:last-child { text-align: left; }
.bench .untrained { opacity: .6; }
.bench .total { font-weight: 600; border-top: 1px solid rgba(138,148,158,.35); margin-top: .3rem; padding-top: .4rem; }
</style>"""
)


def render_bench(weights: Mapping[str, float], answer_form: str) -> None:
    """The bench, folded; only itself is made again when its text changes.

    Args:
        weights: the form's, for the total.
        answer_form: its too: how the answer is marked.
    """
    with st.expander("Reward bench: what would a completion earn", key="group bench"):
        fragment(_render_bench)(dict(weights), answer_form)


def _render_bench(weights: Mapping[str, float], answer_form: str) -> None:
    state = State()
    if not state.bench.completion and not state.bench.gold:
        _fill(state, next(iter(_CASES)))
    text, scores = panes("bench", 2, gap="medium")
    with text:
        _render_example(state)
        st.text_area(
            "Completion", height=210, help="What the model would write, tags included.", **Bench.completion.bind_text()
        )
        st.text_input("Gold answer", help="What the problem's answer has after ####.", **Bench.gold.bind_text())
    with scores:
        with boundary():
            form = form_named(answer_form)
            st.html(_STYLE + bench_html(state.bench.completion, state.bench.gold.strip(), weights, form))
        example = _CASES.get(st.session_state[Keys.BENCH_EXAMPLE])
        if example and (example.completion, example.gold) == (state.bench.completion, state.bench.gold):
            st.caption(plain(example.why))


def bench_html(completion: str, gold: str, weights: Mapping[str, float], form: AnswerForm = TAGS) -> str:
    """The answer that is read and every registered reward as HTML: a bar of its maximum, its value, its part of the total.

    Args:
        weights: of the functions trained on; others are shown, quieter.
        form: how the answer is marked.
    """
    answer = shorten(form.answer(completion), 60) or "empty" if form.has_block(completion) else "none is marked"
    rows = [f'<div class="row read"><span>Answer read</span><span>{html.escape(answer)}</span></div>']
    total = highest = 0.0
    for reward in REWARDS.values():
        weight = weights.get(reward.name, 0.0)
        value, problem = _score(reward, completion, gold, form)
        total += weight * (value or 0.0)
        highest += max(0.0, weight * reward.maximum)
        rows.append(_row(reward, weight, value, problem))
    of_highest = f"{significant(total)} of {significant(highest)}"
    rows.append(f'<div class="row total"><span>Total</span><span></span><span>{of_highest}</span></div>')
    return f'<div class="bench">{"".join(rows)}</div>'


def _score(reward: Reward, completion: str, gold: str, form: AnswerForm) -> tuple[float | None, str]:
    try:
        value = reward.score(completion, gold, form)
    except RewardError as error:
        return None, error.problem
    return value, "" if value is not None else "cannot be computed here"


def _row(reward: Reward, weight: float, value: float | None, problem: str) -> str:
    share = min(1.0, max(0.0, (value or 0.0) / reward.maximum))
    words = problem if value is None else f"{significant(value)} of {reward.maximum:g}"
    if value is not None and weight not in (0.0, 1.0):
        words += f", × {weight:g} = {significant(weight * value)}"
    trained = "" if weight else " untrained"
    bar = f'<div class="track"><div class="bar{" full" if share == 1 else ""}" style="width:{share:.1%}"></div></div>'
    title = html.escape(reward.title) + ("" if weight else ", weight 0")
    return f'<div class="row{trained}"><span>{title}</span>{bar}<span>{html.escape(words)}</span></div>'


def _render_example(state: State) -> None:
    example, problem = st.columns(2)
    chosen = example.selectbox(
        "Start from",
        [*_CASES, _REFERENCE],
        help="Completions made to mislead a reward, or the reference solution of a problem in the form that is asked for.",
        key=Keys.BENCH_EXAMPLE,
        on_change=_take_example,
    )
    if chosen == _REFERENCE:
        with problem:
            st.text_input(
                "Problem",
                key=Keys.BENCH_PROBLEM,
                max_chars=TEXT_CHARACTERS,
                placeholder="train-0",
                on_change=_take_example,
            )
            if st.session_state.get(Keys.BENCH_PROBLEM) and _reference(state) is None:
                st.caption("There is no such problem in the source shown in the sidebar.")


@shielded
def _take_example() -> None:
    _fill(State(), str(st.session_state[Keys.BENCH_EXAMPLE]))


def _fill(state: State, example: str) -> None:
    filled = _reference(state) if example == _REFERENCE else (_CASES[example].completion, _CASES[example].gold)
    if filled is not None:
        state.bench.completion, state.bench.gold = filled


def _reference(state: State) -> tuple[str, str] | None:
    """(completion, gold) of a problem of the source shown, written as the system prompt asks for it."""
    wanted = str(st.session_state.get(Keys.BENCH_PROBLEM) or state.selection.problem or "train-0").strip()
    try:
        problem = data.problems_by_id(state.source).get(wanted)
    except AtlasError:
        return None
    if problem is None:
        return None
    return written_solution(problem, TAGS), problem.gold
