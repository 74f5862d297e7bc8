"""Checks of what supervised fine-tuning learns from: the reference solutions, written in the form that is asked for."""

from collections.abc import Iterator

from training.config import SftConfig
from training.data.problem import Problem
from training.errors import RewardError
from training.preflight.data import in_haste
from training.preflight.model_files import text_lengths
from training.preflight.subject import Finding, Subject
from training.rewards import REWARDS, verifier_named
from training.rewards.forms import form_named
from training.rewards.rows import reward_row
from training.rewards.solutions import has_solution, written_solution
from training.text import agree, percent

_LOOKED_AT = 200
"""Solutions whose tokens are counted and whose answers are judged."""

_MANY_WRONG = 0.02
"""Share of solutions that the verifier finds wrong from which on it is worth a word."""


def check_solutions(subject: Subject[SftConfig]) -> Iterator[Finding]:
    """Whether there are solutions, and how many problems have none."""
    without = sum(not has_solution(problem) for problem in subject.train)
    if without and without == len(subject.train):
        yield Finding(
            "error",
            "source",
            f"No train problem of {subject.name} has a reference solution with a gold answer; stage = sft learns from those.",
            "Name the column that holds the solutions (How it is read), choose another source, or set stage=grpo.",
            certain=True,
        )
    elif without:
        yield Finding(
            "warning",
            "source",
            f"{without:,} of {len(subject.train):,} train problems {agree(without, 'has', 'have')} no reference solution with "
            f"a gold answer and {agree(without, 'is', 'are')} left out.",
            "Look at how the source is read (`python -m analysis problems --source ...`).",
        )


def check_room(subject: Subject[SftConfig]) -> Iterator[Finding]:
    """How many solutions are longer than a completion may be."""
    texts = [text for text, _ in _written(subject)]
    lengths = text_lengths(subject.model, texts) if subject.model is not None and texts else None
    if not lengths:
        return
    limit = subject.config.max_completion_length
    needed = [length + 1 for length in lengths]  # the token that ends the turn
    longer = sum(length > limit for length in needed)
    if longer == len(needed):
        yield Finding(
            "error",
            "max_completion_length",
            f"max_completion_length = {limit:,} leaves no solution to learn from: the shortest of {len(needed):,} has "
            f"{min(needed):,} tokens.",
            f"Raise it; the longest has {max(needed):,}.",
        )
    elif longer:
        yield Finding(
            "warning" if longer * 10 > len(needed) else "note",
            "max_completion_length",
            f"{percent(longer / len(needed))} of the reference solutions have more than the {limit:,} tokens of "
            "max_completion_length and are left out.",
            f"The longest of {len(needed):,} has {max(needed):,}.",
        )


def check_answers(subject: Subject[SftConfig]) -> Iterator[Finding]:
    """Whether the run's verifier finds right what it would be taught."""
    config, form = subject.config, form_named(subject.config.answer_form)
    written = _written(subject)
    if not written or config.verifier not in REWARDS:
        return
    rows = [reward_row(problem, config.prompting.messages(problem.question)) for _, problem in written]
    golds = [problem.gold for _, problem in written]
    try:
        values = in_haste(REWARDS[config.verifier]).score_all([text for text, _ in written], golds, rows, form)
    except RewardError:  # told by data.check_own_rewards
        return
    judged = [verifier_named(config.verifier).is_right({config.verifier: value}) for value in values]
    wrong = sum(right is False for right in judged)
    if wrong > _MANY_WRONG * len(judged):
        first = next(problem for (_, problem), right in zip(written, judged, strict=True) if right is False)
        yield Finding(
            "warning",
            "verifier",
            f"{config.verifier} finds {wrong:,} of {len(judged):,} reference solutions wrong, as they would be taught; the "
            f"first is that of {first.id}, with the gold answer {first.gold!r}.",
            "Judge by value_correctness or math, which read numbers and expressions however they are written.",
        )


def _written(subject: Subject[SftConfig]) -> list[tuple[str, Problem]]:
    """The first solutions as they would be taught, each with its problem."""
    form = form_named(subject.config.answer_form)
    solved = [problem for problem in subject.train if has_solution(problem)][:_LOOKED_AT]
    return [(written_solution(problem, form), problem) for problem in solved]
