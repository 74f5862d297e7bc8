"""How often a judge errs, from what people said of answers on which two judges differ.

Where both judges say the same they are taken to be right: nobody looks there. So a judge's false negatives are answers that it
alone finds wrong and people find right, its false positives those that it alone finds right and people find wrong.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, get_args

import numpy as np

from training.insight.disagreement import Differing, Disagreement, Share, share_of
from training.intervals import Estimate, clustered_share, propagated
from training.rewards import title_of
from training.store.answer_marks import AnswerKey, AnswerMark, AnswerVerdict
from training.text import agree, count, with_interval

ErrorKind = Literal["false negative", "false positive"]
_KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)
Marks = Mapping[AnswerKey, AnswerMark]

_NEVER: Mapping[ErrorKind, Estimate] = {
    "false negative": Estimate(1.0, 1.0, 1.0),
    "false positive": Estimate(0.0, 0.0, 0.0),
}
"""Of answers that never occurred, what share would be right: as if each of them were an error of this kind."""

_UNKNOWN = Estimate(0.5, 0.0, 1.0)


@dataclass(frozen=True)
class _Marked:
    """What people said of the answers that one judge alone finds right."""

    answers: int
    """All of them, each text once."""
    right: int
    wrong: int
    unclear: int
    """Which count for nothing else."""
    share_right: Estimate | None
    """Of the completions with the answers that were marked right or wrong; `None` where none was."""


@dataclass(frozen=True)
class ErrorRate:
    """How often a judge errs in one way."""

    judge: str
    kind: ErrorKind
    could_be: Share
    """The completions that could be such errors, as the other judge contradicts, among all that both judged."""
    answers: int
    """What they say, each text once."""
    marked: int
    """Of these answers, those marked right or wrong."""
    errors: int
    """Of those, the judge's errors."""
    unclear: int
    share: Estimate | None
    """Errors among the completions with marked answers; `None` where none was marked."""
    of_all: Estimate | None
    """Errors among all completions that both judged."""
    rate: Estimate | None
    """False negatives among all that are right, false positives among all that are wrong; `None` until answers of both kinds
    that occurred have been marked."""


def _marked_of(found: Disagreement, marks: Marks, *, first_says_right: bool) -> _Marked:
    """What was said of the answers on which the judges differ in one of the two ways."""
    answers = [answer for answer in found.differing if answer.first_says_right == first_says_right]
    said = [(answer, marks[answer.key].verdict) for answer in answers if answer.key in marks]
    number = Counter(verdict for _, verdict in said)
    return _Marked(len(answers), number["right"], number["wrong"], number["unclear"], _share_right(said))


def error_rates(found: Disagreement, marks: Marks) -> list[ErrorRate]:
    """False negatives and false positives of the first judge, then those of the second.

    Let a and b be the shares of all completions that only the first and only the second judge finds right, p and q the shares
    of those that are right, and s, of the others, on which they agree, the share that both find right. Then a p + b q +
    (1 - a - b) s of all completions are right, the first judge misses b q and lets a (1 - p) pass, and the second misses a p
    and lets b (1 - q) pass. Intervals are those of the five shares, propagated.
    """
    parts = _Parts(
        only=(share_of(found.by_problem, attrgetter("first_only")), share_of(found.by_problem, attrgetter("second_only"))),
        marked=(_marked_of(found, marks, first_says_right=True), _marked_of(found, marks, first_says_right=False)),
        agreed_right=share_of(found.by_problem, attrgetter("both_right"), lambda tally: tally.both_right + tally.both_wrong),
    )
    return [_error_rate(parts, place, judge, kind) for place, judge in enumerate(found.judges) for kind in _KINDS]


@dataclass(frozen=True)
class _Parts:
    """What the rates are made of; of two, the first is of what the first judge alone finds right."""

    only: tuple[Share, Share]
    marked: tuple[_Marked, _Marked]
    agreed_right: Share


def _error_rate(parts: _Parts, place: int, judge: str, kind: ErrorKind) -> ErrorRate:
    """Of the judge at a place, 0 or 1: its false positives are among what it alone finds right, not so its false negatives."""
    negative = kind == "false negative"
    which = 1 - place if negative else place
    only, own = parts.only[which], parts.marked[which]
    right = [marked.share_right or (None if marked.answers else _NEVER[kind]) for marked in parts.marked]
    return ErrorRate(
        judge=judge,
        kind=kind,
        could_be=only,
        answers=own.answers,
        marked=own.right + own.wrong,
        errors=own.right if negative else own.wrong,
        unclear=own.unclear,
        share=_errors_in(own.share_right, negative=negative),
        of_all=_of_all(only.estimate, _errors_in(right[which], negative=negative)),
        rate=_rate(parts, right, which, negative=negative),
    )


def _rate(parts: _Parts, right: Sequence[Estimate | None], which: int, *, negative: bool) -> Estimate | None:
    (a, b), (p, q) = (share.estimate for share in parts.only), right
    if a is None or b is None or p is None or q is None:
        return None

    def rate(a: float, b: float, s: float, p: float, q: float) -> float:
        all_right = a * p + b * q + (1 - a - b) * s
        of_these, share = (a, b)[which], (p, q)[which]
        errors, among = (of_these * share, all_right) if negative else (of_these * (1 - share), 1 - all_right)
        return errors / among if among > 0 else 0.0

    return _as_share(propagated(rate, a, b, parts.agreed_right.estimate or _UNKNOWN, p, q))


def _of_all(could_be: Estimate | None, share: Estimate | None) -> Estimate | None:
    if could_be is None or share is None:
        return None
    return _as_share(propagated(lambda part, errors: part * errors, could_be, share))


def _errors_in(right: Estimate | None, *, negative: bool) -> Estimate | None:
    if right is None or negative:
        return right
    return Estimate(1 - right.value, 1 - right.high, 1 - right.low)


def _as_share(estimate: Estimate) -> Estimate:
    return Estimate(estimate.value, max(0.0, estimate.low), min(1.0, estimate.high))


def _share_right(said: Sequence[tuple[Differing, AnswerVerdict]]) -> Estimate | None:
    """Of the completions with these answers, by problem; a text counts as often as it was written."""
    hits, sizes = defaultdict[str, int](int), defaultdict[str, int](int)
    for answer, verdict in said:
        if verdict != "unclear":
            hits[answer.problem_id] += answer.times * (verdict == "right")
            sizes[answer.problem_id] += answer.times
    if not sizes:
        return None
    return clustered_share(np.array([hits[problem] for problem in sizes], float), np.array([*sizes.values()], float))


def error_sentence(rate: ErrorRate) -> str:
    """What was counted and multiplied, and what comes of it."""
    says, mark = ("wrong", "right") if rate.kind == "false negative" else ("right", "wrong")
    title, could_be = title_of(rate.judge), rate.could_be
    if not could_be.number or could_be.estimate is None:
        return f"{title} alone calls no completion {says}."
    begin = f"{title} alone calls {count(could_be.number, 'completion')} {says}, {_shown(could_be.estimate)} of all"
    if rate.share is None or rate.of_all is None:
        return f"{begin}; none of their {count(rate.answers, 'answer')} is marked yet."
    are = agree(rate.marked, "is", "are")
    marked = f"Of their {count(rate.answers, 'answer')} {rate.marked:,} {are} marked, {rate.errors:,} as {mark}"
    product = f"{rate.share.value:.1%} of {could_be.estimate.value:.1%} is {_shown(rate.of_all)} of all completions"
    of_these = "" if rate.rate is None else f", and {_shown(rate.rate)} of those that are {mark}"
    return f"{begin}. {marked}: {_shown(rate.share)} of the completions with marked answers. {product}{of_these}."


def _shown(estimate: Estimate) -> str:
    return with_interval(*estimate, form=".1%")
