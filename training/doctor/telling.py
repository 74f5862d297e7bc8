"""What several signals say alike: rows as evidence, steps and lengths in words, a share of completions above a limit."""

from collections.abc import Callable, Iterable

import numpy as np

from training.doctor.courses import Change, Course, Floats, onset, onset_beyond
from training.doctor.finding import MAX_EVIDENCE, Evidence
from training.doctor.record import Record, Rows
from training.text import percent, significant, span

_ONE_SIDED = 1.645
"""Standard errors that a share has to lie above its limit: 1 in 20 of shares at the limit do."""


def rows_of(record: Record, rows: Iterable[int], shows: Callable[[int], str]) -> tuple[Evidence, ...]:
    """The first of these rows in each group, so that one group does not take all the room."""
    ledger = record.ledger
    firsts: dict[int, int] = {}
    for row in rows:
        firsts.setdefault(int(ledger.group_of[row]), row)
        if len(firsts) == MAX_EVIDENCE:
            break
    return tuple(
        Evidence(int(ledger.step[row]), int(ledger.group[row]), int(ledger.position[row]), shows(row))
        for row in firsts.values()
    )


def steps_of(course: Course, places: Iterable[int], shows: Callable[[float], str]) -> tuple[Evidence, ...]:
    """Steps of a course as evidence, by their places in it."""
    chosen = list(places)[:MAX_EVIDENCE]
    return tuple(Evidence(int(course.steps[at]), None, None, shows(float(course.values[at]))) for at in chosen)


def extremes(course: Course, since: int, *, highest: bool) -> list[int]:
    """The places of a course's highest, or lowest, values from a step on, most extreme first."""
    here = np.flatnonzero(course.steps >= since)
    order = np.argsort(course.values[here], kind="stable")
    return [int(at) for at in here[order[::-1] if highest else order]]


def steps_in_words(course: Course) -> str:
    """`steps 31 to 40`."""
    return f"steps {span(int(course.steps[0]), int(course.steps[-1]), ',')}"


def from_to(found: Change, form: str = ".2f") -> str:
    """`0.31 to 0.12`."""
    return span(found.before, found.after, form)


def standard_errors(found: Change) -> str:
    """`0.19 lower, 4.1 standard errors of 0.046`."""
    way = "higher" if found.difference > 0 else "lower"
    if not found.error:
        return f"{significant(abs(found.difference))} {way}, without any spread"
    times = abs(found.difference) / found.error
    return f"{significant(abs(found.difference))} {way}, {times:.1f} standard errors of {significant(found.error)}"


class ShareAbove:
    """Whether a share of completions lies above a limit now, and since when."""

    def __init__(self, record: Record, holds: Floats, limit: float) -> None:
        """Of (R,) ones, zeros and NaN for rows that take no part."""
        self._record, self._holds, self._limit = record, holds, limit
        self.course = record.ledger.by_step(holds)
        self.recent = self.course.recent

    @property
    def value(self) -> float:
        """Now."""
        return self.recent.mean

    @property
    def is_above(self) -> bool:
        """By more than chance between steps explains."""
        if len(self.course) < 2:
            return False
        return self.value >= self._limit and self.value - _ONE_SIDED * self.recent.error > self._limit * 0.999

    @property
    def onset(self) -> int:
        """Since when it lies there; the first step of a run that began so."""
        early = self.course.early.mean
        if early >= self._limit:
            return onset_beyond(self.course, self._limit / 2)
        return onset(self.course, early, self.value)

    @property
    def rows(self) -> Rows:
        """The rows of now that it holds of, the latest first."""
        rows = self._record.ledger.since(int(self.recent.steps[0]))
        found: Rows = rows[self._holds[rows] == 1][::-1]
        return found

    @property
    def arithmetic(self) -> str:
        """`12.5% of the completions of steps 31 to 40 (standard error 0.4%), limit 10%; 1% in steps 1 to 10`."""
        early = self.course.early
        return (
            f"{percent(self.value)} of {steps_in_words(self.recent)}, standard error {percent(self.recent.error)}, "
            f"against a limit of {percent(self._limit)}; {percent(early.mean)} of {steps_in_words(early)}."
        )
