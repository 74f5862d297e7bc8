"""Checks of a run's problems: rows that were left out, repeats, gold answers that nothing can judge, rewards on real rows."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from training.config import StageConfig
from training.data.duplicates import repeats, same_words
from training.data.problem import Problem
from training.errors import RewardError, shown
from training.preflight.model_files import CHARACTERS_A_TOKEN, text_lengths
from training.preflight.subject import Finding, Subject
from training.rewards import BUILT_IN, REWARDS, Reward
from training.rewards.forms import AnswerForm, form_named
from training.rewards.rows import reward_row
from training.rewards.solutions import written_solution
from training.text import agree, count, percent, words_listed

MANY_REPEATS = 0.01
"""Share of the train problems from which on repeats are worth a word."""

_TRIED_ROWS = 4
_TRIED_S = 10.0
_COUNTED_SOLUTIONS = 200

_SCORED_GOLDS = 5_000
"""So many different gold answers are put to the functions: a second's work."""

_REASONING = "48 + 24 = 72"

_SHORTEST = {
    "tags": "<reasoning></reasoning><answer>{answer}</answer>",
    "boxed": "\\boxed{{{answer}}}",
    "hashes": "#### {answer}",
}
"""Form of answer -> the least that keeps to it."""


def well_formed(form: AnswerForm, answer: str, reasoning: str = _REASONING) -> str:
    """A completion that gives an answer as the form asks; the answer alone for a form of one's own."""
    return answer if form.write is None else form.write(reasoning, answer)


def check_rows(subject: Subject[StageConfig]) -> Iterator[Finding]:
    """Rows and files of the source that are not used."""
    if subject.left_out:
        yield Finding(
            "warning",
            "source",
            subject.left_out,
            "Look at how the source is read (`python -m analysis problems --source ...`); correct the rows or the mapping.",
        )


def check_repeats(subject: Subject[StageConfig]) -> Iterator[Finding]:
    """Problems that stand in the train split more than once."""
    again = len(repeats(subject.train))
    if again > MANY_REPEATS * len(subject.train):
        yield Finding(
            "warning",
            "source",
            f"{again:,} of {len(subject.train):,} train problems ({percent(again / len(subject.train))}) "
            f"{agree(again, 'repeats', 'repeat')} another word for word, so {len(subject.train) - again:,} are different.",
            "Save a subset without them (Insights, duplicates) and train on that.",
        )
    trained_on = {same_words(problem.question) for problem in subject.train} if subject.config.evaluation_problems else set()
    known = sum(same_words(problem.question) in trained_on for problem in subject.test)
    if known:
        yield Finding(
            "warning",
            "evaluation_problems",
            f"{known:,} of {len(subject.test):,} test problems {agree(known, 'stands', 'stand')} in the train split word for "
            "word: what is measured is memory too.",
            "Save a subset without them (Insights, leakage) and train on that.",
        )


def check_golds(subject: Subject[StageConfig]) -> Iterator[Finding]:
    """Gold answers against the functions that are to judge them."""
    config = subject.config
    judges = {*config.reward_weights, config.verifier}
    other = sum(problem.gold_kind not in ("number", "none") for problem in subject.train)
    if other and "value_correctness" in judges:
        yield Finding(
            "warning",
            "verifier" if config.verifier == "value_correctness" else "rewards",
            f"{other:,} of {len(subject.train):,} train problems have a gold answer that is no number: value_correctness "
            "cannot judge it.",
            "Judge by math, which reads fractions, sets and expressions.",
        )
    elif other and "math" not in judges:
        yield Finding(
            "note",
            "verifier",
            f"{other:,} of {len(subject.train):,} train problems have a gold answer that is no number; "
            f"{config.verifier} compares texts.",
            "Set verifier=math to have equal expressions count, however they are written.",
        )
    without = sum(problem.gold_kind == "none" for problem in subject.train)
    needing = [name for name in judges if REWARDS[name].needs_gold and name in BUILT_IN]
    if without and needing:
        yield Finding(
            "error",
            "verifier",
            f"{without:,} of {len(subject.train):,} train problems have no gold answer, and {', '.join(sorted(needing))} "
            f"{agree(len(needing), 'needs', 'need')} one.",
            "Judge and reward by a function of your own that decides without (GRPO_ATLAS_REWARDS).",
        )


def check_earning(subject: Subject) -> Iterator[Finding]:
    """What a right answer in the form asked for can never earn, problem by problem."""
    config, total = subject.config, len(subject.train)
    form = form_named(config.answer_form)
    golds = Counter(problem.gold for problem in subject.train if problem.gold_kind != "none")
    scored = list(golds)[:_SCORED_GOLDS]
    if form.write is None or not scored:
        return
    answers = [well_formed(form, gold) for gold in scored]
    for about, names in (("rewards", list(config.reward_weights)), ("verifier", [config.verifier])):
        unearned = {}
        for name in filter(_is_plain, names):
            values = REWARDS[name].score_all(answers, scored, form=form)
            missed = [gold for gold, value in zip(scored, values, strict=True) if not value or value < 0]
            if missed:
                unearned[name] = sum(golds[gold] for gold in missed), missed[0]
        if unearned:
            told = [
                f"{name} on {count(number, 'train problem')} (gold {shown(gold)})" for name, (number, gold) in unearned.items()
            ]
            everywhere = any(number == total for number, _ in unearned.values())
            yield Finding(
                "warning" if everywhere or about == "verifier" else "note",
                about,
                f"A right answer in the form asked for earns nothing from {words_listed(told)}.",
                "Use value_correctness or math instead, or leave these problems out.",
            )


def _is_plain(name: str) -> bool:
    """Whether a function ships with the program and looks at nothing but answer and gold."""
    reward = REWARDS[name]
    told_elsewhere = name == "value_correctness"
    return name in BUILT_IN and type(reward) is Reward and not reward.reads_row and not told_elsewhere


def check_room(subject: Subject) -> Iterator[Finding]:
    """Whether an answer in the form that is asked for fits into a completion, and how many reference solutions do."""
    config, form = subject.config, form_named(subject.config.answer_form)
    solved = [problem for problem in subject.train if problem.steps][:_COUNTED_SOLUTIONS]
    shortest = min((problem.gold for problem in subject.train), key=len, default="0")
    least = _SHORTEST[form.name].format(answer=shortest) if form.name in _SHORTEST else shortest
    texts = [least, *(_solution(form, problem) for problem in solved)]
    counted = text_lengths(subject.model, texts) if subject.model is not None else None
    about = "" if counted else "about "
    empty, *needed = counted or [ceil(len(text) / CHARACTERS_A_TOKEN) for text in texts]
    if config.max_completion_length < empty:
        yield Finding(
            "error" if counted else "warning",
            "max_completion_length",
            f"max_completion_length = {config.max_completion_length:,} cannot hold an answer in the form that is asked for, "
            f"which takes {about}{empty:,} tokens without a word of reasoning.",
            f"Set it to {about}{max(needed, default=4 * empty):,} or more.",
        )
        return
    longer = sum(length > config.max_completion_length for length in needed)
    if longer * 10 > len(needed):
        yield Finding(
            "warning" if longer == len(needed) else "note",
            "max_completion_length",
            f"{percent(longer / len(needed))} of the reference solutions have {about}more than the "
            f"{config.max_completion_length:,} tokens of max_completion_length.",
            f"The longest has {about}{max(needed):,}; what is cut off is seldom right.",
        )


def _solution(form: AnswerForm, problem: Problem) -> str:
    """A reference solution as the form asks for it."""
    return problem.gold if form.write is None else written_solution(problem, form)


def check_own_rewards(subject: Subject[StageConfig]) -> Iterator[Finding]:
    """A person's own functions, each tried on some of the run's problems: what fails here would end the run.

    One that may take longer in a run than anybody waits for here is tried for as long as that; then there is no verdict.
    """
    config, form = subject.config, form_named(subject.config.answer_form)
    problems = subject.train[:_TRIED_ROWS]
    for name in dict.fromkeys((*config.reward_weights, config.verifier)):
        if name in BUILT_IN or name not in REWARDS or not problems:
            continue
        completions = [text for p in problems for text in (well_formed(form, p.gold), p.answer, "I do not know.")]
        asked = [problem for problem in problems for _ in range(3)]
        rows = [reward_row(problem, config.prompting.messages(problem.question)) for problem in asked]
        began = time.monotonic()
        try:
            in_haste(REWARDS[name]).score_all(completions, [problem.gold for problem in asked], rows, form)
        except RewardError as error:
            if REWARDS[name].timeout_s > _TRIED_S <= time.monotonic() - began:
                may = f"A run gives it {REWARDS[name].timeout_s:,g} s; see that it does not need them often."
                yield Finding("warning", "rewards", error.problem, may)
            else:
                yield Finding("error", "rewards", error.problem, error.remedy, certain=True)


def in_haste(reward: Reward) -> Reward:
    """The function with no more time for a completion than anybody waits for before a launch."""
    return replace(reward, timeout_s=min(reward.timeout_s, _TRIED_S))
