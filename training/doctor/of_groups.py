"""Signals of groups: flat ones, by what their completions are."""

from collections.abc import Callable
from functools import partial

import numpy as np

from training.doctor.courses import onset, onset_beyond
from training.doctor.finding import MAX_EVIDENCE, Evidence, Finding, Result
from training.doctor.record import Record
from training.doctor.telling import steps_in_words
from training.groups import Kind
from training.text import percent

FLAT_SHARE = 0.5
"""Groups without variance. From here on a step costs twice the completions it learns from."""

PART_SHARE = 0.25
"""Groups of one kind without variance, from which on that kind is what most of them are."""

BLIND_SHARE = 0.1
"""Groups of right and wrong completions that all earned the same: the reward does not see what the verifier sees. A rounding
or a tie explains single ones."""

_WORDS: dict[Kind, str] = {
    "right": "all right",
    "wrong": "all wrong",
    "mixed": "right and wrong alike",
    "unjudged": "right or wrong unknown",
}

_LOOK: dict[Kind, str] = {
    "right": "Look at how easy the problems are",
    "wrong": "Look at how hard the problems are",
    "mixed": "Look at what the reward sees",
}


def _flat(record: Record, kinds: tuple[Kind, ...], least: float, least_flat: float) -> Result:
    """Groups whose completions all earned the same, of some kinds: nothing in them is better than the rest."""
    groups = record.groups
    of_kind = groups.flat & np.isin(groups.kind, kinds)
    course, flat = groups.by_step(of_kind), groups.by_step(groups.flat)
    if len(course) < 2:
        return None
    now, all_flat = course.recent.mean, flat.recent.mean
    if all_flat < least_flat or all_flat - flat.recent.error < 0.8 * least_flat or now < least:
        return None
    recent = groups.step >= record.since
    telling = np.flatnonzero(recent & of_kind)[::-1][:MAX_EVIDENCE]
    early = course.early.mean
    is_old = early >= least
    begins = onset_beyond(course, least / 2) if is_old else onset(course, early, now)
    kind: Kind = kinds[0]
    return Finding(
        f"{_LOOK[kind]}: in {percent(now)} of the groups of {steps_in_words(course.recent)} all completions earned the same "
        "and "
        f"were {_WORDS[kind]}, so that nothing was learnt from them.",
        begins,
        f"{percent(now)} of this kind, limit {percent(least)}; {percent(all_flat)} of all groups flat, limit "
        f"{percent(least_flat)}; {percent(early)} of this kind in {steps_in_words(course.early)}.",
        tuple(_evidence(record, int(group)) for group in telling),
    )


def _evidence(record: Record, group: int) -> Evidence:
    row = int(record.ledger.starts[group])
    step, index = int(record.ledger.step[row]), int(record.ledger.group[row])
    size = int(np.count_nonzero(record.ledger.group_of == group))
    kind: Kind = record.groups.kind[group]
    return Evidence(step, index, None, f"{_WORDS[kind]}, {size} equal rewards")


FindFlat = Callable[[Record], Result]

flat_right: FindFlat = partial(_flat, kinds=("right",), least=PART_SHARE, least_flat=FLAT_SHARE)
flat_wrong: FindFlat = partial(_flat, kinds=("wrong",), least=PART_SHARE, least_flat=FLAT_SHARE)
flat_same: FindFlat = partial(_flat, kinds=("mixed", "unjudged"), least=BLIND_SHARE, least_flat=BLIND_SHARE)
