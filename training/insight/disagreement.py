"""Completions on which two judges differ: how many they are, and which. Only reads.

Where both judges' values are on record the database counts. A judge that was not asked then is asked now, about a random sample
of the completions. What people say of those that differ, and what follows from it for either judge, is `judge_errors`' part.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import add
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from training.errors import SourceError
from training.insight.judges import Part, completions_of, recorded_judges, verdict_of
from training.intervals import Estimate, clustered_share
from training.rewards import REWARDS, title_of, verifier_named
from training.rewards.forms import AnswerForm, form_of
from training.store import Store
from training.store.answer_marks import AnswerKey, Judges, answer_digest

SAMPLED = 10_000
"""Completions that a judge who is not on record is asked about: a second for those that compare texts."""
SAMPLED_SLOWLY = 1_000
"""Of them where it is math-verify, which takes milliseconds for each."""
_BATCH = 250

Told = Callable[[int, int], None]
"""Told how many of how many completions have been judged."""


class Tally(NamedTuple):
    """What two judges said of the completions of one problem in one step."""

    problem_id: str
    step: int
    both_right: int
    first_only: int
    """Right by the first judge, wrong by the second."""
    second_only: int
    both_wrong: int
    unjudged: int
    """Not scored by one of them, or by neither; these count for nothing else."""

    @property
    def judged(self) -> int:
        return self.both_right + self.first_only + self.second_only + self.both_wrong

    @property
    def differing(self) -> int:
        return self.first_only + self.second_only


@dataclass(frozen=True)
class Differing:
    """An answer on which the judges differ."""

    problem_id: str
    digest: str
    """Of its text, see `answer_marks.answer_digest`."""
    first_says_right: bool
    """Whether the first judge finds it right, and the second one wrong; else it is the other way round."""
    times: int
    """How many completions answer the problem in these words."""
    seq: int
    """The sequence number of the first of them."""

    @property
    def key(self) -> AnswerKey:
        return self.problem_id, self.digest


@dataclass(frozen=True)
class Disagreement:
    """Two judges over a part's completions."""

    part: Part
    judges: Judges
    tallies: tuple[Tally, ...]
    """One for each problem in each step, in training order."""
    differing: tuple[Differing, ...]
    """In a random order that stays the same whatever comes to it: those marked from its beginning are a random sample."""
    completions: int
    """Of the part; more than the tallies count where only a sample was judged."""
    recomputed: tuple[str, ...] = ()
    """The judges that were asked now, as they are not on record."""

    @cached_property
    def by_problem(self) -> tuple[Tally, ...]:
        """The tallies of each problem put together, whatever the step."""
        found: dict[str, list[int]] = {}
        for problem_id, _, *numbers in self.tallies:
            found[problem_id] = [*map(add, found.get(problem_id, [0] * 5), numbers)]
        return tuple(Tally(problem_id, 0, *numbers) for problem_id, numbers in found.items())


@dataclass(frozen=True)
class Share:
    """How many completions are of some kind, with the 95% interval of their share over problems."""

    number: int
    of: int
    """Among so many."""
    estimate: Estimate | None
    """`None` where there are none."""


def disagreement_of(
    store: Store,
    part: Part,
    judges: Judges,
    golds: Mapping[str, str],
    *,
    sampled: int | None = None,
    told: Told = lambda done, total: None,
) -> Disagreement:
    """Hold two judges against each other.

    Args:
        golds: problem id -> gold answer, for judges that are not on record.
        sampled: about how many completions such a judge is asked; without it as many as take seconds.

    Raises:
        SourceError: one of them is not on record, and there is no gold answer to ask it about.
        StoreError: there is no such job.
    """
    recorded = recorded_judges(store, part)
    asked = tuple(judge for judge in judges if judge not in recorded)
    if not asked:
        tallies, differing = _counted(store, part, judges), _differing(_recorded_differing(store, part, judges))
        return Disagreement(part, judges, tallies, differing, sum(tally.judged + tally.unjudged for tally in tallies))
    if not golds and any(REWARDS[judge].needs_gold for judge in asked):
        raise SourceError(
            f"{' and '.join(map(title_of, asked))} cannot be computed: the problems of {part.job_id} cannot be read any more.",
            "Put its source back, or choose judges that are on record.",
        )
    total, places = _sample(store, part, sampled or (SAMPLED_SLOWLY if "math" in asked else SAMPLED))
    judged = list(_judged_anew(store, part, judges, asked, golds, places, told))
    return Disagreement(part, judges, _tallied(judged), _differing(row for row in judged if row.differs), total, asked)


def share_of(
    tallies: Iterable[Tally],
    number: Callable[[Tally], int] = lambda tally: tally.differing,
    of: Callable[[Tally], int] = lambda tally: tally.judged,
) -> Share:
    """How many completions are of a kind, those that differ unless another is asked for, with the interval over problems:
    completions of one problem are not independent.

    Args:
        tallies: of the completions in question.
        number: how many of a tally are of the kind.
        of: among how many; unless others are asked for, all that both judged.
    """
    hits, sizes = defaultdict[str, int](int), defaultdict[str, int](int)
    for tally in tallies:
        if size := of(tally):
            hits[tally.problem_id] += number(tally)
            sizes[tally.problem_id] += size
    if not sizes:
        return Share(0, 0, None)
    counted, among = np.array([hits[problem] for problem in sizes], float), np.array([*sizes.values()], float)
    return Share(int(counted.sum()), int(among.sum()), clustered_share(counted, among))


def reading_of(found: Disagreement) -> str:
    """How often the judges differ, in a sentence or two."""
    first, second = map(title_of, found.judges)
    share = share_of(found.by_problem)
    if share.estimate is None:
        return f"{first} and {second.lower()} judged no completion both."
    value, low, high = share.estimate
    sample = f", a random sample of {found.completions:,}" if found.recomputed and share.of < found.completions else ""
    return (
        f"{first} and {second.lower()} differ on {share.number:,} of {share.of:,} completions{sample}: "
        f"{value:.1%} ({low:.1%} to {high:.1%})."
    )


_Count = tuple[int, str, int | None, int | None, int]
"""Step, problem id, whether it is right by the first and by the second judge, and so many completions."""


class _Judged(NamedTuple):
    """A completion that both judges were asked about."""

    seq: int
    problem_id: str
    step: int
    completion: str
    first: bool | None
    second: bool | None

    @property
    def differs(self) -> bool:
        return None not in (self.first, self.second) and self.first != self.second


def _judgements(part: Part, judges: Judges) -> sa.Subquery:
    completions = completions_of(part)
    said = (
        verdict_of(judge, completions.c.rewards).label(label) for judge, label in zip(judges, ("first", "second"), strict=True)
    )
    columns = (completions.c.seq, completions.c.problem_id, completions.c.step, completions.c.completion)
    return sa.select(*columns, *said).subquery()


def _counted(store: Store, part: Part, judges: Judges) -> tuple[Tally, ...]:
    judged = _judgements(part, judges)
    kinds = (judged.c.step, judged.c.problem_id, judged.c.first, judged.c.second)
    query = sa.select(*kinds, sa.func.count()).group_by(*kinds).order_by(judged.c.step, judged.c.problem_id)
    with store.reading() as connection:
        return _tallies(tuple(row) for row in connection.execute(query))


def _tallied(judged: Iterable[_Judged]) -> tuple[Tally, ...]:
    ordered = sorted(judged, key=lambda row: (row.step, row.problem_id))
    return _tallies((row.step, row.problem_id, row.first, row.second, 1) for row in ordered)


def _tallies(counts: Iterable[_Count]) -> tuple[Tally, ...]:
    cells = {(1, 1): 0, (1, 0): 1, (0, 1): 2, (0, 0): 3}
    found: dict[tuple[int, str], list[int]] = {}
    for step, problem_id, first, second, number in counts:
        cell = 4 if first is None or second is None else cells[first, second]
        found.setdefault((step, problem_id), [0] * 5)[cell] += number
    return tuple(Tally(problem_id, step, *row) for (step, problem_id), row in found.items())


def _recorded_differing(store: Store, part: Part, judges: Judges) -> Iterator[_Judged]:
    judged = _judgements(part, judges)
    query = sa.select(judged).where(judged.c.first != judged.c.second).order_by(judged.c.seq)
    with store.reading() as connection:
        for row in connection.execute(query.execution_options(yield_per=_BATCH)):
            yield _Judged(row.seq, row.problem_id, row.step, row.completion, bool(row.first), bool(row.second))


def _differing(rows: Iterable[_Judged]) -> tuple[Differing, ...]:
    """The answers among completions that differ, each once, in the order of their digests."""
    times, first_of = defaultdict[AnswerKey, int](int), dict[AnswerKey, tuple[bool, int]]()
    for row in rows:
        key = (row.problem_id, answer_digest(row.problem_id, row.completion))
        times[key] += 1
        first_of.setdefault(key, (bool(row.first), row.seq))
    found = [Differing(*key, first_of[key][0], number, first_of[key][1]) for key, number in times.items()]
    return tuple(sorted(found, key=lambda answer: answer.digest))


def _sample(store: Store, part: Part, size: int) -> tuple[int, NDArray[np.int64]]:
    """How many completions there are, and the places of some in their order, drawn by lot.

    By numbers that hang on their sequence numbers alone, so that a run that goes on keeps most of its sample.
    """
    completions = completions_of(part)
    with store.reading() as connection:
        places = np.fromiter(connection.scalars(sa.select(completions.c.seq)), np.int64)
    return len(places), np.sort(places[np.argsort(_scrambled(places), kind="stable")[:size]])


def _scrambled(numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """(N,) each number's own one, as good as random: SplitMix64 (Steele, Lea and Flood 2014)."""
    mixed = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _judged_anew(
    store: Store,
    part: Part,
    judges: Judges,
    asked: Sequence[str],
    golds: Mapping[str, str],
    places: NDArray[np.int64],
    told: Told,
) -> Iterator[_Judged]:
    """The completions of these sequence numbers with what both judges say, those asked now where they are not on record."""
    form = form_of(store.job(part.job_id).spec)
    for start in range(0, len(places), _BATCH):
        some = places[start : start + _BATCH].tolist()
        completions = completions_of(part, some)
        with store.reading() as connection:
            rows = connection.execute(sa.select(completions).order_by(completions.c.seq)).all()
        said = [_said(judge, rows, golds, form) if judge in asked else _on_record(judge, rows) for judge in judges]
        for row, first, second in zip(rows, *said, strict=True):
            yield _Judged(row.seq, row.problem_id, row.step, row.completion, first, second)
        told(start + len(some), len(places))


def _on_record(judge: str, rows: Sequence[sa.Row]) -> list[bool | None]:
    return [verifier_named(judge).is_right(row.rewards) for row in rows]


def _said(judge: str, rows: Sequence[sa.Row], golds: Mapping[str, str], form: AnswerForm) -> list[bool | None]:
    """`None` of completions whose problem is not known, unless the judge looks at nothing else."""
    reward, verifier = REWARDS[judge], verifier_named(judge)
    known = [row for row in rows if row.problem_id in golds or not reward.needs_gold]
    texts, gold = [row.completion for row in known], [golds.get(row.problem_id, "") for row in known]
    values = reward.score_all(texts, gold, form=form)
    found = {row.seq: verifier.is_right({judge: value}) for row, value in zip(known, values, strict=True)}
    return [found.get(row.seq) for row in rows]
