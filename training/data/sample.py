"""Which problems of a split are measured when not all are: a seeded sample, the same in every run and before and after."""

import hashlib
from collections.abc import Sequence

from training.data.problem import Problem

SAMPLE_SEED = 0
"""One for all runs, so that what they measure can be compared problem by problem."""


def sample(problems: Sequence[Problem], number: int) -> tuple[Problem, ...]:
    """`number` of the problems, in their order; a smaller sample is a part of a larger one."""
    if number >= len(problems):
        return tuple(problems)
    drawn = sorted(problems, key=lambda problem: hashlib.sha256(f"{SAMPLE_SEED} {problem.id}".encode()).digest())
    kept = {problem.id for problem in drawn[:number]}
    return tuple(problem for problem in problems if problem.id in kept)


def stated(problems: Sequence[Problem], number: int, split: str) -> str:
    """How many are measured and how they were chosen, in words."""
    if number >= len(problems):
        return f"all {len(problems):,} {split} problems"
    return f"{number:,} of {len(problems):,} {split} problems, drawn with seed {SAMPLE_SEED}"
