"""Rollouts and groups, the completions of one problem in one step, with all that is true of one.

Which answer is right, of what kind a group is, whether it teaches anything, and the advantages that GRPO gives: whoever asks
one of these asks here. Needs neither torch nor a store.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from training.intervals import share_interval

Method = Literal["grpo", "rloo"]
Scale = Literal["group", "batch", "none"]
Aggregation = Literal["sum_then_normalize", "normalize_then_sum"]

Kind = Literal["mixed", "right", "wrong", "unjudged"]
"""Some completions right, all, none; not known where no completion was scored by the verifier."""
KINDS: tuple[Kind, ...] = get_args(Kind)

Change = Literal["gained", "lost", "right", "wrong", "mixed"]
"""What became of a problem between two evaluations; "mixed" where several completions are as often right as before."""

Dropped = Literal["", "flat", "surplus"]
"""A group without variance that was replaced, or one beyond what a step learns from."""

_EPSILON = 1e-4
"""What TRL adds to the standard deviation before it divides."""

PRECISION = 1e-6
"""Relative. Rewards are float32 in TRL and in the ledger, which carries seven digits: totals closer than this are equal."""


@dataclass(frozen=True)
class Rollout:
    """One completion with its rewards."""

    step: int
    """The training step that learns from it, counted from 1."""
    group_index: int
    """Which group of the step, from 0."""
    position: int
    """Which completion of the group, from 0."""
    problem_id: str
    completion: str
    rewards: dict[str, float | None]
    """By reward function, unweighted; `None` where one could not be computed."""
    total: float | None
    """The weighted sum."""
    advantage: float
    tokens: int
    finish_reason: str
    """"stop" when the model ended its turn, "length" when it was cut off."""
    dropped: Dropped = ""
    """Why the step did not learn from its group; empty where it did."""


@dataclass(frozen=True)
class Verifier:
    """The reward function by which an answer counts as right."""

    name: str = "correctness"
    maximum: float = 1.0
    """What the function gives a right answer; anything less is not right."""

    @property
    def threshold(self) -> float:
        """The lowest value that is the maximum, up to float32."""
        return self.maximum * (1 - PRECISION)

    def is_right(self, rewards: Mapping[str, float | None]) -> bool | None:
        """Whether a completion with these rewards is right; `None` where the verifier did not score it."""
        value = rewards.get(self.name)
        return None if value is None else value >= self.threshold

    def pass_rate(self, completions: Iterable[Mapping[str, float | None]]) -> float | None:
        """The share that is right of those that the verifier scored; `None` where it scored none."""
        judged = [right for rewards in completions if (right := self.is_right(rewards)) is not None]
        return sum(judged) / len(judged) if judged else None


@dataclass(frozen=True)
class RightShare:
    """How much of some problems is right: the mean of their pass rates, with its 95% interval."""

    value: float
    low: float
    high: float
    problems: int
    """Those that were judged."""


def right_share(completions: Iterable[tuple[str, Mapping[str, float | None]]], verifier: Verifier) -> RightShare | None:
    """What a verifier says of completions of several problems; `None` where it judged none.

    Args:
        completions: problem id and rewards of each.
    """
    judged: dict[str, list[bool]] = {}
    for problem_id, rewards in completions:
        if (right := verifier.is_right(rewards)) is not None:
            judged.setdefault(problem_id, []).append(right)
    if not judged:
        return None
    rates = np.array([sum(found) / len(found) for found in judged.values()])
    return RightShare(float(rates.mean()), *share_interval(rates), len(rates))


@dataclass(frozen=True)
class Group:
    """The completions of one problem in one step."""

    step: int
    index: int
    """Which group of the step, from 0."""
    rollouts: tuple[Rollout, ...]

    @property
    def problem_id(self) -> str:
        return self.rollouts[0].problem_id

    @property
    def tokens(self) -> int:
        """Of all its completions."""
        return sum(rollout.tokens for rollout in self.rollouts)

    @cached_property
    def totals(self) -> tuple[float | None, ...]:
        return tuple(rollout.total for rollout in self.rollouts)

    @property
    def is_flat(self) -> bool:
        """Whether all completions earned the same, so that nothing is learnt from them."""
        return is_flat(self.totals)

    def pass_rate(self, verifier: Verifier) -> float | None:
        """The share of its completions that is right; `None` where none was judged."""
        return verifier.pass_rate(rollout.rewards for rollout in self.rollouts)

    def kind(self, verifier: Verifier) -> Kind:
        return kind_of(self.pass_rate(verifier))


def kind_of(pass_rate: float | None) -> Kind:
    """The kind of a group with this share of right completions."""
    if pass_rate is None:
        return "unjudged"
    return "right" if pass_rate >= 1 else "wrong" if pass_rate <= 0 else "mixed"


def change_of(before: float, after: float) -> Change:
    """What became of a problem of which this share of completions was right, and then that."""
    if before != after:
        return "gained" if after > before else "lost"
    return "right" if after >= 1 else "wrong" if after <= 0 else "mixed"


def groups_of(rollouts: Iterable[Rollout]) -> list[Group]:
    """The rollouts by group, in the order in which the groups begin."""
    found: dict[tuple[int, int], list[Rollout]] = {}
    for rollout in rollouts:
        found.setdefault((rollout.step, rollout.group_index), []).append(rollout)
    return [Group(step, index, tuple(members)) for (step, index), members in found.items()]


def weighted_total(rewards: Mapping[str, float | None], weights: Mapping[str, float]) -> float | None:
    """The weighted sum of what could be computed; `None` when nothing could. Functions without a weight stay out."""
    scored = [weight * value for name, weight in weights.items() if weight and (value := rewards.get(name)) is not None]
    return math.fsum(scored) if scored else None


def is_flat(totals: Sequence[float | None]) -> bool:
    """Whether a group's totals are all equal (up to float32), so that it teaches nothing; `None`s take no part."""
    scored = _scored(totals)
    return len(scored) < 2 or max(scored) - min(scored) <= PRECISION * max(map(abs, scored))


@dataclass(frozen=True)
class Credit:
    """How a run makes advantages of rewards: the settings that decide it, under TRL's names."""

    method: Method = "grpo"
    scale_rewards: Scale = "group"
    multi_objective_aggregation: Aggregation = "sum_then_normalize"
    normalize_advantages: bool = False
    """Of RLOO alone."""

    @property
    def is_of_step(self) -> bool:
        """Whether a completion's advantage hangs on all of its step, not on its group alone."""
        if self.method == "rloo":
            return self.normalize_advantages
        return self.multi_objective_aggregation == "normalize_then_sum" or self.scale_rewards == "batch"


def advantages(rollouts: Sequence[Rollout], weights: Mapping[str, float], credit: Credit = Credit()) -> list[float]:
    """The advantage of each rollout, in the order given; whole groups must be there, and whole steps where credit is of them.

    The formulas are TRL 1.14.2's (`_generate_and_score_completions` of GRPOTrainer and RLOOTrainer).
    A completion without any reward takes no part in its group and gets 0, as do all of a group with fewer than two others.
    Unlike TRL, whose float32 leaves a remainder of up to 0.02 there, a group without variance gets exactly 0. RLOO also takes
    the KL penalty off each reward, which is not on record: with `beta` above 0 these are its advantages without it.
    """
    groups = _rows_by(rollouts, lambda rollout: (rollout.step, rollout.group_index))
    steps = _rows_by(rollouts, lambda rollout: rollout.step)
    totals = [weighted_total(rollout.rewards, weights) for rollout in rollouts]
    if credit.method == "rloo":
        found = _less_the_others(totals, groups)
        found = _normalised(found, steps) if credit.normalize_advantages else found
    elif credit.multi_objective_aggregation == "normalize_then_sum":
        found = _normalised(_sums_of_normalised(rollouts, weights, groups), steps)
    elif credit.scale_rewards == "none":
        found = _centred(totals, groups)
    else:
        found = _scaled(_centred(totals, groups), totals, steps if credit.scale_rewards == "batch" else groups)
    return [value or 0.0 for value in found]


Values = Sequence[float | None]
"""One for each rollout, `None` where there is none."""
Parts = Sequence[Sequence[int]]
"""Rows of rollouts that belong together."""


def _sums_of_normalised(rollouts: Sequence[Rollout], weights: Mapping[str, float], groups: Parts) -> list[float | None]:
    """The weighted sum of each function's values, normalised within their groups: GDPO (arXiv 2601.05242)."""
    trained = {name: weight for name, weight in weights.items() if weight}
    normalised = {name: _normalised([rollout.rewards.get(name) for rollout in rollouts], groups) for name in trained}
    return [
        None
        if weighted_total(rollout.rewards, trained) is None
        else math.fsum(weight * (normalised[name][row] or 0.0) for name, weight in trained.items())
        for row, rollout in enumerate(rollouts)
    ]


def _less_the_others(totals: Values, groups: Parts) -> list[float | None]:
    """Each total less the mean of its group's others: RLOO (arXiv 2402.14740)."""
    found = _centred(totals, groups)
    for rows in groups:
        scored = sum(found[row] is not None for row in rows)
        for row in rows:
            if (value := found[row]) is not None:
                found[row] = value * scored / (scored - 1)
    return found


def _normalised(values: Values, parts: Parts) -> list[float | None]:
    return _scaled(_centred(values, parts), values, parts)


def _centred(values: Values, parts: Parts) -> list[float | None]:
    """Values less the mean of their part: exactly 0 where it is flat, `None` for all of it where fewer than two are there."""
    found: list[float | None] = [None] * len(values)
    for rows in parts:
        part = [values[row] for row in rows]
        scored = _scored(part)
        if len(scored) < 2:
            continue
        mean = _mean(scored)
        for row, value in zip(rows, part, strict=True):
            found[row] = None if value is None else 0.0 if is_flat(part) else value - mean
    return found


def _scaled(centred: Values, values: Values, parts: Parts) -> list[float | None]:
    """What is centred, over the deviation of its part's values."""
    found = list(centred)
    for rows in parts:
        divisor = _EPSILON + _std([values[row] for row in rows])
        for row in rows:
            value = centred[row]
            found[row] = None if value is None else value / divisor
    return found


def _rows_by(rollouts: Sequence[Rollout], key: Callable[[Rollout], Any]) -> list[list[int]]:
    found: dict[Any, list[int]] = {}
    for row, rollout in enumerate(rollouts):
        found.setdefault(key(rollout), []).append(row)
    return list(found.values())


def _scored(totals: Sequence[float | None]) -> list[float]:
    return [total for total in totals if total is not None]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _std(totals: Sequence[float | None]) -> float:
    """Of a sample, as TRL's `nanstd`: divided by one less than the number. 0 of fewer than two values."""
    scored = _scored(totals)
    if len(scored) < 2:
        return 0.0
    mean = _mean(scored)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in scored) / (len(scored) - 1))
