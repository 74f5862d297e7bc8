"""Signals of time: steps that take far longer than those around them, and processes that do not work alike."""

import re

import numpy as np

from training.doctor.courses import Course, Floats, change, onset, running_median, spikes
from training.doctor.finding import MAX_EVIDENCE, Evidence, Finding, Result, Unchecked
from training.doctor.record import Record
from training.doctor.telling import steps_in_words, steps_of
from training.text import count, duration, percent

STEP_TIME = "step_time"

SLOW = 3.0
"""Times the median of the steps around: evaluations and checkpoints are not in a step's time."""

LOST_SHARE = 0.1
"""Of the time of all steps, what slow ones took beyond the usual."""

SLOWDOWN = 2.0
"""Times the beginning's seconds a step, and a token."""

UNEVEN = 0.3
"""Share of time at work by which a GPU differs from the median of all, in nine of ten steps."""

_MIN_STEPS = 20
_NEAR = 25
_UTILISATION = re.compile(r"gpu/(.+)/utilisation")


def slow_steps(record: Record) -> Result:
    """Steps several times as long as those around them that cost a tenth of the time, or steps twice as long as at first."""
    course = record.scalars.get(STEP_TIME)
    if course is None or len(course) < _MIN_STEPS:
        return Unchecked(f"fewer than {_MIN_STEPS} steps have their time on record")
    slow = spikes(course.values, SLOW)
    usual = running_median(course.values, _NEAR)
    lost = float((course.values[slow] - usual[slow]).sum()) / max(float(course.values.sum()), 1e-9)
    if len(slow) >= 2 and lost >= LOST_SHARE:
        return _stragglers(course, slow, usual, lost)
    return _slowdown(record, course.condensed())


def _stragglers(course: Course, slow: "np.ndarray", usual: Floats, lost: float) -> Finding:
    order = slow[np.argsort(-course.values[slow], kind="stable")]
    return Finding(
        f"Look at what single steps wait for: {count(len(slow), 'step')} of {len(course):,} took up to "
        f"{duration(float(course.values[order[0]]))}, where {duration(float(np.median(usual)))} is usual; they cost "
        f"{percent(lost)} of the time.",
        int(course.steps[slow[0]]),
        f"More than {SLOW:g} times the median of the steps around, together {percent(lost)} of the time, limit "
        f"{percent(LOST_SHARE)}.",
        steps_of(course, order, lambda value: f"took {duration(value)}"),
    )


def _slowdown(record: Record, course: Course) -> Finding | None:
    times = course.recent.median / max(course.early.median, 1e-9)
    length = change(record.tokens.early, record.tokens.recent)
    by_token = times / max(length.after / max(length.before, 1e-9), 1.0)
    if by_token < SLOWDOWN:
        return None
    return Finding(
        f"Look at what slows the run down: a step takes {duration(course.recent.median)} in {steps_in_words(course.recent)}, "
        f"{times:.1f} times as long as in {steps_in_words(course.early)}.",
        onset(course, course.early.median, course.recent.median),
        f"{by_token:.1f} times as long for a token, limit {SLOWDOWN:g}.",
        steps_of(course, range(len(course) - 1, len(course) - 1 - MAX_EVIDENCE, -1), lambda value: f"took {duration(value)}"),
    )


def slow_process(record: Record) -> Result:
    """One GPU works much more, or less, than the others of the run, which then wait for one another."""
    courses = {found[1]: course for name, course in record.scalars.items() if (found := _UTILISATION.fullmatch(name))}
    shortest = min((len(course) for course in courses.values()), default=0)
    if len(courses) < 2 or shortest < _MIN_STEPS:
        return Unchecked(f"it takes two GPUs and {_MIN_STEPS} steps of what they did")
    table = np.stack([course.values[-shortest:] for course in courses.values()])
    apart = table - np.median(table, axis=0)
    width = next(iter(courses.values())).window
    off = [float(np.quantile(np.abs(row[-width:]), 0.1)) for row in apart]
    worst = int(np.argmax(off))
    if off[worst] < UNEVEN:
        return None
    steps = next(iter(courses.values())).steps[-shortest:]
    course = Course(steps, np.abs(apart[worst]))
    name, way = list(courses)[worst], "more" if apart[worst][-width:].mean() > 0 else "less"
    return Finding(
        f"Look at what GPU {name} does: it is at work {percent(course.recent.median)} {way} of the time than the median of "
        f"{len(courses)}, in {steps_in_words(course.recent)}.",
        onset(course, min(course.baseline, UNEVEN / 2), course.recent.median),
        f"At least {percent(off[worst])} apart in nine of ten steps, limit {percent(UNEVEN)}.",
        tuple(
            Evidence(int(step), None, None, f"GPU {name} at {percent(float(value))}, median {percent(float(middle))}")
            for step, value, middle in zip(
                steps[-1 : -1 - MAX_EVIDENCE : -1],
                table[worst][-1 : -1 - MAX_EVIDENCE : -1],
                np.median(table, axis=0)[-1 : -1 - MAX_EVIDENCE : -1],
                strict=True,
            )
        ),
    )
