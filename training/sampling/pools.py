"""Difficulty pools: each problem by its recent pass rate, and how sure that is.

A problem's completions are counted as right and as judged by the run's verifier; each further group of it halves the weight of
those before, for the policy changes. From these counts the pass rate has the posterior of Jeffreys' prior, Beta(right + 1/2,
wrong + 1/2), and a problem is mastered or too hard while the posterior says so rather than not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from training.groups import Group, Verifier

Pool = Literal["not_met", "too_hard", "learning", "mastered"]
POOLS: tuple[Pool, ...] = get_args(Pool)

_KEPT = 0.5
"""What a group leaves of the weight of those before it."""
_SURE = 0.5
"""The probability from which on the posterior says so."""
_ANGLES = (np.arange(1024) + 0.5) / 1024 * np.pi / 2


@dataclass(frozen=True)
class Limits:
    """Where the pools end, as pass rates."""

    too_hard: float = 0.1
    """At most so much is too hard."""
    mastered: float = 0.9
    """At least so much is mastered."""


@dataclass(frozen=True)
class Outcome:
    """What became of one group of a problem."""

    problem_id: str
    right: float
    """Completions that are right, of those judged."""
    judged: float


def outcome_of(group: Group, verifier: Verifier) -> Outcome:
    """A group by the run's verifier."""
    judged = [right for rollout in group.rollouts if (right := verifier.is_right(rollout.rewards)) is not None]
    return Outcome(group.problem_id, sum(judged), len(judged))


class Standing:
    """How the policy stands with each of N problems, in the order of their ids.

    Args:
        known: what is known before, an outcome by id; of other problems nothing is.
    """

    def __init__(self, ids: Sequence[str], limits: Limits, known: Iterable[Outcome] = ()) -> None:
        self.rows = {problem_id: row for row, problem_id in enumerate(ids)}
        self.right: NDArray[np.float64] = np.zeros(len(self.rows))
        self.judged: NDArray[np.float64] = np.zeros(len(self.rows))
        self.pools: NDArray[np.int8] = np.zeros(len(self.rows), np.int8)
        """(N,) places in `POOLS`."""
        self._limits = limits
        self.learn(known)

    def learn(self, outcomes: Iterable[Outcome]) -> None:
        """Take in what became of groups; one that was not judged, or is of no problem here, says nothing."""
        changed = []
        for outcome in outcomes:
            row = self.rows.get(outcome.problem_id)
            if row is not None and outcome.judged:
                self.right[row] = gone_on(self.right[row], outcome.right)
                self.judged[row] = gone_on(self.judged[row], outcome.judged)
                changed.append(row)
        self._sort(np.unique(np.array(changed, np.int64)))

    def sizes(self) -> dict[Pool, int]:
        """How many problems each pool has."""
        counts = np.bincount(self.pools, minlength=len(POOLS))
        return {pool: int(count) for pool, count in zip(POOLS, counts, strict=True)}

    def restore(self, counts: Mapping[str, tuple[float, float]]) -> None:
        """Take up the counts (right, judged) that were saved of some problems."""
        rows = np.array([self.rows[problem_id] for problem_id in counts], np.int64)
        self.right[rows], self.judged[rows] = np.array([*counts.values()]).reshape(-1, 2).T
        self._sort(rows)

    def _sort(self, rows: NDArray[np.int64]) -> None:
        """Put these problems into their pools."""
        self.pools[rows] = pools_of(self.right[rows], self.judged[rows], self._limits)


def gone_on(before: float, now: float) -> float:
    """A count of right or of judged completions after one more group."""
    return _KEPT * before + now


def pools_of(right: NDArray[np.float64], judged: NDArray[np.float64], limits: Limits) -> NDArray[np.int8]:
    """(M,) places in `POOLS` from (M,) counts of right and of judged completions."""
    counts, place = np.unique(np.column_stack([right, judged - right]), axis=0, return_inverse=True)
    is_too_hard = _at_most(counts, limits.too_hard) >= _SURE
    is_mastered = 1 - _at_most(counts, limits.mastered) >= _SURE
    told = np.select([is_too_hard, is_mastered], [POOLS.index("too_hard"), POOLS.index("mastered")], POOLS.index("learning"))
    return np.where(judged > 0, told[place], POOLS.index("not_met")).astype(np.int8)


def _at_most(counts: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """(M,) the probability that a pass rate is at most so high, from (M, 2) counts of right and wrong completions.

    Jeffreys' prior is even over the angle whose squared sine is the rate, so the posterior there is sin^2r cos^2w, which a sum
    over even angles integrates.
    """
    log_likelihood = 2 * counts @ np.log([np.sin(_ANGLES), np.cos(_ANGLES)])
    weight = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    share: NDArray[np.float64] = weight[:, np.sin(_ANGLES) ** 2 <= rate].sum(axis=1) / weight.sum(axis=1)
    return share
