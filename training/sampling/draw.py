"""The draw of a step's problems: from the pools by their shares, or from all alike; seeded, and its state can be saved.

Drawn alike, every problem comes once before any comes again. Within a pool those that were not drawn for longest come first, so
that what is mastered or too hard is looked at again in turn.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.groups import Group, Verifier
from training.sampling.pools import POOLS, Limits, Outcome, Pool, Standing, outcome_of


@dataclass(frozen=True)
class Rules:
    """How problems are drawn."""

    shares: Mapping[Pool, float] = field(default_factory=dict)
    """Of a step's problems, relative to each other; those of an empty pool go to the others. Empty: all problems alike."""
    limits: Limits = field(default_factory=Limits)
    warmup_steps: int = 0
    """So many steps draw all problems alike, while the pools fill."""


class ProblemDraw:
    """Draws problems for one run. Every process of it has one, and all draw alike, as they learn the same.

    Args:
        ids: of the problems, in the order of the run's data.
        known: what is known of some of them before the run.
    """

    def __init__(self, ids: Sequence[str], rules: Rules, verifier: Verifier, seed: int, known: Iterable[Outcome] = ()) -> None:
        self.standing = Standing(ids, rules.limits, known)
        self._ids = list(ids)
        self._rules = rules
        self._verifier = verifier
        self._random = np.random.default_rng(seed)
        self._times: NDArray[np.int64] = np.zeros(len(self._ids), np.int64)
        self._last: NDArray[np.int64] = np.zeros(len(self._ids), np.int64)

    def draw(self, count: int, step: int, without: Collection[int] = ()) -> list[int]:
        """The rows of up to so many further problems for a step, fewer where no more are left.

        Args:
            step: counted from 1.
            without: rows that the step has already.
        """
        free = np.ones(len(self._ids), bool)
        free[list(without)] = False
        by_pool = self._rules.shares and step > self._rules.warmup_steps
        drawn = self._by_shares(count, free) if by_pool else self._first(np.flatnonzero(free), self._times, count)
        self._times[drawn] += 1
        self._last[drawn] = step
        return [int(row) for row in self._random.permutation(drawn)]

    def learn(self, groups: Iterable[Group]) -> None:
        """Take in what became of a step's problems."""
        self.standing.learn(outcome_of(group, self._verifier) for group in groups)

    def pool_of(self, row: int) -> Pool:
        """The pool that a problem is in now."""
        return POOLS[int(self.standing.pools[row])]

    def state(self) -> dict[str, Any]:
        """All that the next draws depend on, for JSON."""
        told = np.flatnonzero((self._times > 0) | (self.standing.judged > 0)).tolist()
        columns = (self.standing.right, self.standing.judged, self._times, self._last)
        return {
            "random": self._random.bit_generator.state,
            "problems": {self._ids[row]: [column[row].item() for column in columns] for row in told},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; what is known before the run is in it.

        Raises:
            KeyError: the state has a problem that this draw has not.
        """
        self._random.bit_generator.state = state["random"]
        problems: Mapping[str, list[float]] = state["problems"]
        self.standing.restore({problem_id: (right, judged) for problem_id, (right, judged, _, _) in problems.items()})
        for problem_id, (_, _, times, last) in problems.items():
            row = self.standing.rows[problem_id]
            self._times[row], self._last[row] = times, last

    def _by_shares(self, count: int, free: NDArray[np.bool_]) -> NDArray[np.int64]:
        drawn: list[NDArray[np.int64]] = []
        while count > 0 and free.any():
            left = [np.flatnonzero(free & (self.standing.pools == pool)) for pool in range(len(POOLS))]
            shares = np.array(
                [self._rules.shares.get(pool, 0.0) if len(rows) else 0.0 for pool, rows in zip(POOLS, left, strict=True)]
            )
            if not shares.any():  # only pools without a share are left
                shares = np.array([float(len(rows)) for rows in left])
            picked = [
                self._first(rows, self._last, wanted)
                for rows, wanted in zip(left, self._apportioned(count, shares / shares.sum()), strict=True)
            ]
            drawn += picked
            count -= sum(map(len, picked))
            free[np.concatenate(picked)] = False
        return np.concatenate(drawn) if drawn else np.array([], np.int64)

    def _apportioned(self, count: int, shares: NDArray[np.float64]) -> list[int]:
        """Whole numbers that add up to `count`, each on average its share of it, and less than one away from it."""
        ends = np.floor(np.append(np.cumsum(shares)[:-1], 1.0) * count + self._random.random()).astype(int)
        ends[-1] = count
        return [int(size) for size in np.diff(ends, prepend=0)]

    def _first(self, rows: NDArray[np.int64], key: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """Of these rows those with the lowest keys; chance decides between equal ones."""
        order: NDArray[np.int64] = np.lexsort((self._random.random(len(rows)), key[rows]))
        return rows[order[:count]]
