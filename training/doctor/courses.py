"""Values by step, and what can be said of them robustly: levels by the run's own first steps, changes, onsets, spikes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WINDOW_SHARE = 4
"""A window is a quarter of the run: "now" is its last quarter, long enough to average over problems hard and easy."""

MIN_WINDOW = 5

MOST_WINDOW = 40
"""Of a long run: beyond that an average gets no surer, and what began of late would be diluted."""

STANDARD_ERRORS = 2.5
"""A mean has changed when it moved by more than this many standard errors of the difference between two windows' steps."""

CONDENSED = 1_000
"""Points that a long course is condensed to."""

_ONSET_SHARE = 1 / 3
"""Of the way from the level before to the level now, at which something has begun: past the noise of both."""

_MAD_TO_DEVIATION = 1.4826
"""Median absolute deviation -> standard deviation of a normal distribution (Rousseeuw and Croux 1993)."""

_NEAR = 25
"""Steps around one that its spike is held against."""


@dataclass(frozen=True)
class Course:
    """A value by step."""

    steps: NDArray[np.int64]
    """(N,) ascending."""
    values: Floats
    """(N,) finite."""

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def window(self) -> int:
        """Steps in a window."""
        return max(MIN_WINDOW, min(MOST_WINDOW, len(self) // WINDOW_SHARE))

    @cached_property
    def early(self) -> "Course":
        """The first window."""
        return self.part(0, self.window)

    @cached_property
    def recent(self) -> "Course":
        """The last window."""
        return self.part(max(0, len(self) - self.window), len(self))

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @property
    def median(self) -> float:
        return float(np.median(self.values))

    @property
    def error(self) -> float:
        """The standard error of the mean, by the spread between steps."""
        return float(self.values.std(ddof=1)) / math.sqrt(len(self)) if len(self) > 1 else math.inf

    @property
    def baseline(self) -> float:
        """Where the run began: the median of its first steps, 5 of a short run and up to 20."""
        return float(np.median(self.values[: max(MIN_WINDOW, min(20, len(self) // 20))]))

    def part(self, start: int, end: int) -> "Course":
        return Course(self.steps[start:end], self.values[start:end])

    def up_to(self, step: int) -> "Course":
        """The steps up to one."""
        return self.part(0, int(np.searchsorted(self.steps, step, side="right")))

    def condensed(self) -> "Course":
        """At most `CONDENSED` points: the medians of equal stretches, each at its last step."""
        stretch = -(-len(self) // CONDENSED)
        if stretch <= 1:
            return self
        whole = len(self) // stretch * stretch
        steps = self.steps[len(self) - whole :].reshape(-1, stretch)[:, -1]
        return Course(steps, np.median(self.values[len(self) - whole :].reshape(-1, stretch), axis=1))


EMPTY = Course(np.empty(0, np.int64), np.empty(0))


@dataclass(frozen=True)
class Change:
    """Two windows' means, and whether the difference is more than the spread between steps explains."""

    before: float
    after: float
    error: float
    """Standard error of the difference."""

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def rises(self) -> bool:
        return self.difference > STANDARD_ERRORS * self.error

    @property
    def falls(self) -> bool:
        return -self.difference > STANDARD_ERRORS * self.error

    @property
    def most(self) -> float:
        """The upper end of the difference's 95% interval."""
        return self.difference + 1.96 * self.error


NO_CHANGE = Change(0.0, 0.0, math.inf)


def change(before: Course, after: Course) -> Change:
    """From one window to another; nothing where one has fewer than two steps."""
    if min(len(before), len(after)) < 2:
        return NO_CHANGE
    return Change(before.mean, after.mean, math.hypot(before.error, after.error))


def onset(course: Course, before: float, after: float) -> int:
    """The step from which on a course stays past a third of the way from one level to another.

    By the running median of a twenty-fifth of the course, three steps at least: a single step neither begins nor ends it.
    """
    mark = before + (after - before) * _ONSET_SHARE
    smooth = running_median(course.values, max(3, len(course) // 25))
    outside = smooth > mark if after > before else smooth < mark
    return int(course.steps[_begin_of_end(outside)])


def onset_beyond(course: Course, limit: float, *, above: bool = True) -> int:
    """The step from which on the running median of a course stays beyond a limit; the last step where it does not."""
    smooth = running_median(course.values, max(3, len(course) // 25))
    return int(course.steps[_begin_of_end(smooth >= limit if above else smooth <= limit)])


def _begin_of_end(holds: NDArray[np.bool_]) -> int:
    """Where the last stretch begins in which something holds; the last place where it does not hold there."""
    fails = np.flatnonzero(~holds)
    return 0 if not len(fails) else min(int(fails[-1]) + 1, len(holds) - 1)


def running_median(values: Floats, width: int) -> Floats:
    """(N,) the median of the `width` values around each, of fewer at the ends."""
    half = width // 2
    padded = np.pad(values, half, mode="edge")
    medians: Floats = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)
    return medians


def spikes(values: Floats, times: float) -> NDArray[np.int64]:
    """Where positive values are more than so many times the median of those around them; zeros take no part."""
    positive = np.flatnonzero(values > 0)
    if len(positive) < MIN_WINDOW:
        return np.empty(0, np.int64)
    around = running_median(values[positive], _NEAR)
    found: NDArray[np.int64] = positive[values[positive] > times * around]
    return found


def outliers(values: Floats, deviations: float, least: float) -> NDArray[np.int64]:
    """Where values are further from their median than so many robust standard deviations, and than `least`."""
    off = np.abs(values - np.median(values))
    spread = _MAD_TO_DEVIATION * float(np.median(off))
    return np.flatnonzero(off > max(least, deviations * spread))


def stays(values: Floats, holds: Callable[[Floats], NDArray[np.bool_]], share: float = 0.8) -> bool:
    """Whether something holds of nearly all of some values, so that one of them decides nothing."""
    return bool(holds(values).mean() >= share)
