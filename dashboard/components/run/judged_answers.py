"""The answers on which two judges differ: how often either errs by what was marked, one answer to mark, and the list."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.access import acts, signed_in_as
from dashboard.actions import mark_answer
from dashboard.components.shared.completions import cards_html, completion_card, render_question, reward_rows
from dashboard.components.shared.errors import shielded
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.keys import Keys
from dashboard.memory import Judging
from dashboard.state import State
from dashboard.text import plain
from training.config import StageConfig
from training.data.problem import Problem
from training.insight.disagreement import Differing, Disagreement
from training.insight.disagreement_cases import Case, case_file, read_cases
from training.insight.judge_errors import ErrorRate, Marks, error_rates, error_sentence
from training.intervals import Estimate
from training.rewards import title_of, verifier_named
from training.rewards.forms import AnswerForm, form_named
from training.store import Job
from training.store.answer_marks import AnswerMark, AnswerVerdict, marked_answers
from training.text import count, shorten, with_interval

_PAGE = 25
_ON_THIS_MACHINE = "this machine"
"""Who marks where nobody has to sign in."""
_TALLEST_PX = 420
_ANSWER_CHARACTERS = 60
_INTERVAL_PX = 175
_ASSUMED = (
    "Answers are marked in a random order, the same for everybody, so that those marked from its beginning are a random sample "
    "of those that differ. Where both judges say the same they are taken to be right: nobody looks there, and what both get "
    "wrong is in no rate."
)


def render_answers(run: Job, config: StageConfig, found: Disagreement, state: State) -> None:
    """Everything about single answers."""
    st.subheader("Who is right", anchor=False)
    if not found.differing:
        st.caption("The judges never differ.")
        return
    marks = marked_answers(data.store(), run.id, found.judges)
    problems, form = data.problems_by_id(config.source, config.content_hash), form_named(config.answer_form)
    _render_errors(error_rates(found, marks))
    answers = _render_kinds(found, state)
    if not answers:
        st.caption("No answer is like that.")
        return
    chosen = _chosen(answers, marks, state)
    _render_answer(run, found, answers, chosen, marks, problems, form, state)
    _render_list(found, answers, marks, problems, form, state)
    _render_downloads(run, found, marks, problems, form)


def _render_errors(rates: Sequence[ErrorRate]) -> None:
    """The rates with their intervals, then how they come about."""
    st.caption(_ASSUMED)
    table = pd.DataFrame(
        {
            "judge": [title_of(rate.judge) for rate in rates],
            "error": [f"{rate.kind}s" for rate in rates],
            "rate": [_shown(rate.rate) for rate in rates],
            "of all": [_shown(rate.of_all) for rate in rates],
            "of marked": [_shown(rate.share) for rate in rates],
            "marked": [rate.marked for rate in rates],
            "errors": [rate.errors for rate in rates],
            "unclear": [rate.unclear for rate in rates],
            "answers": [rate.answers for rate in rates],
            "completions": [rate.could_be.number for rate in rates],
        }
    )
    texts = {
        "rate": "False negatives: of the completions that are right, those that the judge calls wrong. False positives: of "
        "those that are wrong, those that it calls right.",
        "of all": "Of all completions: the share of the marked ones times that of the completions that could be such errors.",
        "of marked": "Errors among the completions with a marked answer, with a 95% interval.",
    }
    numbers = {
        "marked": "Answers marked right or wrong.",
        "errors": "Of those marked.",
        "unclear": "Marked so; they count for nothing else.",
        "answers": "What the completions that could be such errors say, each text once.",
        "completions": "Those that could be such errors: the other judge says the opposite.",
    }
    render_table(
        table,
        key=Keys.JUDGE_ERRORS,
        hide_index=True,
        # They get no wider by themselves when the first mark fills them.
        column_config={name: st.column_config.TextColumn(help=told, width=_INTERVAL_PX) for name, told in texts.items()}
        | {name: st.column_config.NumberColumn(help=told, format="localized", width="small") for name, told in numbers.items()},
        alt="How often each judge errs, by what was marked",
    )
    with st.expander("How these are computed"):
        for rate in rates:
            st.markdown(plain(error_sentence(rate)))
        st.caption(
            "A text counts as often as it was written. Of the completions on which the judges agree those that both find right "
            "are right. Intervals are of each share over problems, and of what is made of them by how far each of them alone "
            "moves it, squared and added (Zou and Donner 2008)."
        )


def _shown(estimate: Estimate | None) -> str:
    return "" if estimate is None else with_interval(*estimate, form=".1%")


def _render_kinds(found: Disagreement, state: State) -> list[Differing]:
    """Which answers are looked at."""
    numbers = {
        "": len(found.differing),
        "first": sum(answer.first_says_right for answer in found.differing),
        "second": sum(not answer.first_says_right for answer in found.differing),
    }
    first, second = (title_of(judge).lower() for judge in found.judges)
    titles = {"": "All", "first": f"Right by {first} alone", "second": f"Right by {second} alone"}
    st.segmented_control(
        "Answers that differ",
        list(numbers),
        format_func=lambda kind: f"{titles[kind]}: {numbers[kind]:,}",
        required=True,
        **Judging.kind.bind(),
    )
    wanted = state.judging.kind
    return [answer for answer in found.differing if not wanted or answer.first_says_right == (wanted == "first")]


def _chosen(answers: Sequence[Differing], marks: Marks, state: State) -> int:
    """The place of the answer that is read: the one chosen, else the first that nobody has marked."""
    by_choice = (place for place, answer in enumerate(answers) if answer.digest == state.judging.answer)
    unmarked = (place for place, answer in enumerate(answers) if answer.key not in marks)
    return next(by_choice, next(unmarked, 0))


def _render_answer(
    run: Job,
    found: Disagreement,
    answers: Sequence[Differing],
    place: int,
    marks: Marks,
    problems: Mapping[str, Problem],
    form: AnswerForm,
    state: State,
) -> None:
    """One answer in full, and who of the two is right about it."""
    answer = answers[place]
    cases = read_cases(data.store(), found, [answer], marks, problems, form)
    if not cases:
        st.caption("This answer is not on record any more. Load the page again.")
        return
    question, completion = panes("judged answer", [2, 3], gap="medium")
    with question:
        done = sum(other.key in marks for other in answers)
        st.caption(f"Answer {place + 1:,} of {len(answers):,} in the random order, {done:,} marked")
        render_question(answer.problem_id, problems.get(answer.problem_id))
        _render_marking(run, found, answer, marks.get(answer.key), state)
    with completion:
        st.html(cards_html([_card(found, cases[0], form)]))


def _card(found: Disagreement, case: Case, form: AnswerForm) -> str:
    verdicts = zip(found.judges, (case.first_verdict, case.second_verdict), strict=True)
    values = {judge: verifier_named(judge).maximum * (verdict == "right") for judge, verdict in verdicts}
    title = f"Step {case.step:,}, {case.problem}, written {'once' if case.times == 1 else f'{case.times:,} times'}"
    return completion_card(case.completion, case.gold or None, reward_rows(values, found.judges), 0, title=title, form=form)


def _render_marking(run: Job, found: Disagreement, answer: Differing, mark: AnswerMark | None, state: State) -> None:
    def say(verdict: AnswerVerdict | None) -> None:
        mark_answer(data.store(), run.id, found.judges, answer.key, verdict, signed_in_as() or _ON_THIS_MACHINE)
        state.judging.answer = answer.digest if verdict is None else ""

    said: tuple[AnswerVerdict, AnswerVerdict] = ("right", "wrong") if answer.first_says_right else ("wrong", "right")
    choices: tuple[tuple[str, AnswerVerdict, str], ...] = (
        *(
            (f"{title_of(judge)} is right", verdict, f"The answer is {verdict}.")
            for judge, verdict in zip(found.judges, said, strict=True)
        ),
        ("Unclear", "unclear", "The question or the gold answer does not say which. Counts for neither."),
    )
    with st.container(horizontal=True, gap="small"):
        for label, verdict, means in choices:
            kind: Literal["primary", "secondary"] = "primary" if mark is not None and mark.verdict == verdict else "secondary"
            st.button(label, key=f"mark {verdict}", type=kind, on_click=shielded(partial(say, verdict)), **acts(help=means))
        if mark is not None:
            st.button("Take back", key="mark none", type="tertiary", on_click=shielded(partial(say, None)), **acts())
    if mark is not None:
        at = pd.Timestamp(mark.marked_at, unit="s", tz="UTC")
        st.caption(plain(f"Marked {mark.verdict} by {mark.who}, {at:%Y-%m-%d %H:%M} UTC."))


def _render_list(
    found: Disagreement,
    answers: Sequence[Differing],
    marks: Marks,
    problems: Mapping[str, Problem],
    form: AnswerForm,
    state: State,
) -> None:
    """A page of the answers; choosing one shows it above."""
    pages = -(-len(answers) // _PAGE)
    state.judging.page = min(state.judging.page, pages)
    begin = (state.judging.page - 1) * _PAGE
    cases = read_cases(data.store(), found, answers[begin : begin + _PAGE], marks, problems, form)
    first, second = map(title_of, found.judges)
    table = pd.DataFrame(
        {
            "mark": [case.mark for case in cases],
            "answer": [shorten(case.answer, _ANSWER_CHARACTERS) for case in cases],
            "gold": [case.gold for case in cases],
            first: [case.first_verdict for case in cases],
            second: [case.second_verdict for case in cases],
            "problem": [case.problem for case in cases],
            "step": [case.step for case in cases],
            "times": [case.times for case in cases],
            "marked by": [case.who for case in cases],
        }
    )

    def choose() -> None:
        picked = st.session_state[key]["selection"]["rows"]
        if picked and picked[0] < len(cases):
            state.judging.answer = cases[picked[0]].digest

    key = f"{Keys.ANSWERS} {state.judging.kind} {state.judging.page}"
    render_table(
        table,
        key=key,
        on_select=choose,
        selection_mode="single-row",
        hide_index=True,
        height=fitted_height(len(table), _TALLEST_PX),
        column_config={
            "mark": st.column_config.TextColumn(width="small", help="What people said the answer is."),
            "answer": st.column_config.TextColumn(help="As it is extracted."),
            "gold": st.column_config.TextColumn(width="small"),
            "times": st.column_config.NumberColumn(width="small", format="localized", help="Completions with this text."),
        },
        alt=f"Answers on which {first.lower()} and {second.lower()} differ",
    )
    _render_turning(pages, len(answers), state)


def _render_turning(pages: int, answers: int, state: State) -> None:
    def turn(page: int) -> None:
        state.judging.page = page

    page = state.judging.page
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button("Back", key="answers back", disabled=page <= 1, on_click=turn, args=(page - 1,))
        st.button("Next", key="answers next", disabled=page >= pages, on_click=turn, args=(page + 1,))
        st.caption(f"Page {page:,} of {pages:,}, {count(answers, 'answer')}. Choose a row to read it above.")


def _render_downloads(run: Job, found: Disagreement, marks: Marks, problems: Mapping[str, Problem], form: AnswerForm) -> None:
    rows = data.store()

    def make(suffix: str) -> bytes:
        return b"".join(case_file(rows, found, marks, problems, form, suffix))

    with st.container(horizontal=True, gap="small"):
        for label, suffix, kind in (("Cases, JSON Lines", ".jsonl", "application/jsonl"), ("Cases, CSV", ".csv", "text/csv")):
            st.download_button(
                label,
                data.file_queue().making(partial(make, suffix)),
                file_name=f"{run.id}-cases{suffix}",
                mime=kind,
                key=f"download cases{suffix}",
                on_click="ignore",
                icon=":material/download:",
                help="Every answer that differs: problem, gold, completion, both verdicts, and the mark with who and when.",
            )
