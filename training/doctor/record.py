"""What the signals read of a run: its rollouts in columns, its scalars as courses, its evaluations; all of it plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.doctor.courses import EMPTY, Course, Floats
from training.groups import PRECISION, Kind, Verifier
from training.rewards.forms import AnswerForm

Rows = NDArray[np.int64]
"""Numbers of rows of the ledger."""


@dataclass(frozen=True)
class Ledger:
    """The rollouts that a run learnt from, a row each, by step, group and position; of a long run those of some steps."""

    step: NDArray[np.int64]
    """(R,)"""
    group: NDArray[np.int64]
    """(R,) which of its step, from 0."""
    position: NDArray[np.int64]
    """(R,) which of its group, from 0."""
    total: Floats
    """(R,) NaN where nothing could be scored."""
    rewards: Mapping[str, Floats]
    """By function, unweighted; (R,) NaN where it could not be computed."""
    tokens: Floats
    """(R,)"""
    cut: NDArray[np.bool_]
    """(R,) whether it ran into the length limit."""
    texts: Mapping[int, str]
    """Row -> completion, of the steps whose completions are read."""

    def __len__(self) -> int:
        return len(self.step)

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """(S,) ascending."""
        return np.unique(self.step)

    @cached_property
    def _at(self) -> NDArray[np.int64]:
        """(R,) the place of each row's step in `steps`."""
        return np.searchsorted(self.steps, self.step)

    def by_step(self, values: Floats) -> Course:
        """The mean of (R,) values in each step; NaN takes no part, and steps of nothing else are left out."""
        known = np.isfinite(values)
        counts = np.bincount(self._at[known], minlength=len(self.steps))
        sums = np.bincount(self._at[known], values[known], minlength=len(self.steps))
        has_any = counts > 0
        return Course(self.steps[has_any], sums[has_any] / counts[has_any])

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(G,) the row at which each group begins."""
        begins = np.ones(len(self), bool)
        begins[1:] = (np.diff(self.step) != 0) | (np.diff(self.group) != 0)
        return np.flatnonzero(begins)

    @cached_property
    def group_of(self) -> NDArray[np.int64]:
        """(R,) which of all groups each row is of, counted from 0."""
        found = np.zeros(len(self), np.int64)
        found[self.starts[1:]] = 1
        return np.cumsum(found)

    def since(self, step: int) -> Rows:
        """The rows from a step on."""
        return np.arange(np.searchsorted(self.step, step), len(self))


@dataclass(frozen=True)
class Groups:
    """The groups of a ledger, (G,) each."""

    step: NDArray[np.int64]
    flat: NDArray[np.bool_]
    """Whether all totals are equal, as `training.groups.is_flat` says it of one."""
    kind: NDArray[np.object_]
    """As `training.groups.kind_of` says it."""

    def by_step(self, holds: NDArray[np.bool_]) -> Course:
        """The share of the groups of each step of which something holds."""
        steps, at = np.unique(self.step, return_inverse=True)
        return Course(steps, np.bincount(at, holds) / np.bincount(at))


@dataclass(frozen=True)
class Evaluated:
    """A complete evaluation on problems that are not trained on."""

    label: str
    step: int
    rates: Mapping[str, float]
    """Problem -> the share of its answers that is right by the run's verifier."""


@dataclass(frozen=True)
class Record:
    """All that the signals read of one run."""

    ledger: Ledger
    verifier: Verifier
    form: AnswerForm
    """In which the answers are asked for."""
    spec: Mapping[str, Any]
    """The run's settings as they are on record; of another trainer's run few are known."""
    scalars: Mapping[str, Course] = field(default_factory=dict)
    """What the run logged, every step of it; values that are no number are left out."""
    no_numbers: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Scalar -> the first steps at which it was logged as no number."""
    evaluations: Sequence[Evaluated] = ()
    """Oldest first."""
    highest: float | None = None
    """The most that a completion can earn, where that is known."""

    def logged(self, name: str) -> Course:
        """What the run logged under a name, condensed where it is long."""
        return self.scalars.get(name, EMPTY).condensed()

    @cached_property
    def total(self) -> Course:
        """The mean total of each step."""
        return self.ledger.by_step(self.ledger.total)

    @cached_property
    def right(self) -> Floats:
        """(R,) 1 where the verifier finds a completion right, 0 where not, NaN where it did not score it."""
        values = self.ledger.rewards.get(self.verifier.name)
        if values is None:
            return np.full(len(self.ledger), np.nan)
        return np.where(np.isnan(values), np.nan, values >= self.verifier.threshold)

    @cached_property
    def skill(self) -> Course:
        """The share of right completions in each step."""
        return self.ledger.by_step(self.right)

    @cached_property
    def tokens(self) -> Course:
        """The mean length of each step's completions."""
        return self.ledger.by_step(self.ledger.tokens)

    @cached_property
    def window(self) -> Course:
        """The last window of the ledger's steps, by their mean lengths: "now"."""
        return self.tokens.recent

    @cached_property
    def since(self) -> int:
        """The first step of the last window."""
        return int(self.window.steps[0])

    @cached_property
    def groups(self) -> Groups:
        """The ledger's groups."""
        ledger = self.ledger
        low = np.fmin.reduceat(ledger.total, ledger.starts)
        high = np.fmax.reduceat(ledger.total, ledger.starts)
        scored = np.add.reduceat(np.isfinite(ledger.total).astype(int), ledger.starts)
        # NaN compares as False: a group without any total has fewer than two.
        flat = (scored < 2) | (high - low <= PRECISION * np.fmax(np.abs(low), np.abs(high)))
        return Groups(ledger.step[ledger.starts], flat, self._kinds())

    def _kinds(self) -> NDArray[np.object_]:
        judged = np.add.reduceat(np.isfinite(self.right).astype(int), self.ledger.starts)
        right = np.add.reduceat(np.nan_to_num(self.right), self.ledger.starts)
        kinds: list[Kind] = ["unjudged", "right", "wrong", "mixed"]
        which = np.where(judged == 0, 0, np.where(right >= judged, 1, np.where(right <= 0, 2, 3)))
        found: NDArray[np.object_] = np.array(kinds, object)[which]
        return found
