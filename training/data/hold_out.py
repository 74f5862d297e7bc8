"""Holding out problems of a data set that has no test split: seeded, and what is the same stays together."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from training.data.duplicates import KEYS, same_words
from training.data.problem import Problem
from training.data.sources import HoldOut
from training.errors import SourceError, shown


def held_out(problems: Sequence[Problem], rule: HoldOut) -> Iterable[Problem]:
    """The problems, those that are held out as test problems; their ids stay, so that they name the row of the source.

    Whole groups are held out until there are as many as asked for; where the last group is larger than what is missing,
    there are more. Which group goes depends on the seed and on its own words alone.

    Raises:
        SourceError: there is a test split already, nothing would be left to train on, or no problem has the column that says
            what stays together.
    """
    if any(problem.split == "test" for problem in problems):
        raise SourceError("The source has a test split, so none is held out.", "Leave hold_out away, or name the train file.")
    groups: dict[str, list[int]] = {}
    for row, key in enumerate(_keys(problems, rule.together)):
        groups.setdefault(key, []).append(row)
    wanted = round(rule.size * len(problems)) if rule.size < 1 else int(rule.size)
    chosen: set[int] = set()
    for key in sorted(groups, key=lambda key: hashlib.sha256(f"{rule.seed} {key}".encode()).digest()):
        if len(chosen) >= wanted:
            break
        chosen.update(groups[key])
    if len(chosen) == len(problems) or not chosen:
        raise SourceError(
            f"hold_out = {rule.size:g} of {len(problems):,} problems leaves no problem to train or to measure on.",
            "Change it; problems that are the same stay together.",
        )
    return (replace(problem, split="test") if row in chosen else problem for row, problem in enumerate(problems))


def _keys(problems: Sequence[Problem], together: str) -> Iterable[str]:
    """What each problem shares with those that it stays together with; one whose column is empty stays with its own words."""
    if together in KEYS:
        return (KEYS[together](problem.question) for problem in problems)
    if not any(together in problem.columns for problem in problems):
        there = sorted({name for problem in problems for name in problem.columns})
        raise SourceError(
            f"No problem has the column {shown(together)}, by which problems are to stay together.",
            f"Name one of {', '.join((*KEYS, *there))}.",
        )
    return (str(problem.columns.get(together, same_words(problem.question))) for problem in problems)
