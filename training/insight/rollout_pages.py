"""A run's rollouts in pages: filtered, ordered, and each page in bounded time however many there are. Only reads.

Pages go by key, not by number: a page begins behind the last rollout of the one before. One looks at `SCANNED` rollouts at
most, so a rare text is looked for a stretch at a time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from training.groups import Rollout, Verifier
from training.rewards import verifier_named, verifier_of
from training.store import Store
from training.store.schema import rollouts

PAGE = 24
SCANNED = 50_000

Order = Literal["newest", "best", "worst"]
Verdict = Literal["", "right", "wrong", "cut off", "dropped"]
Level = Literal["", "full", "part", "none", "unscored"]
Key = tuple[float, int]
"""What rollouts are ordered by, their step or total, and the sequence number."""


@dataclass(frozen=True)
class Asked:
    """Which rollouts are wanted."""

    text: str = ""
    """Part of the completion, upper and lower case alike."""
    verdict: Verdict = ""
    """By the run's verifier, by what ended the completion, or whether the step did not learn from it."""
    reward: str = ""
    """The reward function that `level` is about."""
    level: Level = ""
    """All, some or none of the function's maximum, or not computed."""
    order: Order = "newest"
    """The latest step first, or by total; rollouts without a total come by step only."""


@dataclass(frozen=True)
class Page:
    """Some of the rollouts asked for."""

    rollouts: tuple[Rollout, ...]
    following: Key | None
    """Where the next page begins, `None` when nothing follows."""
    cut_short: bool
    """Whether it is not full only because `SCANNED` rollouts were looked at."""


def rollout_page(
    store: Store, job_id: str, asked: Asked, after: Key | None = None, *, size: int = PAGE, scanned: int = SCANNED
) -> Page:
    """The next rollouts behind a key, from the beginning where there is none."""
    column, falling = _ordering(asked.order)
    key = sa.tuple_(column, rollouts.c.seq)
    here = [rollouts.c.job_id == job_id, column.is_not(None)]
    if after is not None:
        here.append(_behind(key, column, after, falling))
    verifier = verifier_of(store.job(job_id).spec)
    order = [part.desc() if falling else part.asc() for part in (column, rollouts.c.seq)]
    with store.reading() as connection:
        farthest = sa.select(column, rollouts.c.seq).where(*here).order_by(*order).offset(scanned).limit(1)
        last = connection.execute(farthest).first()
        if last is not None:
            bound = sa.tuple_(sa.literal(last[0]), sa.literal(last[1]))
            here.append(key > bound if falling else key < bound)
        query = sa.select(rollouts).where(*here, *_conditions(asked, verifier)).order_by(*order).limit(size)
        rows = connection.execute(query).mappings().all()
    if len(rows) == size:
        return Page(_parsed(rows), (rows[-1][column.name], rows[-1]["seq"]), cut_short=False)
    # The rollout at the bound was not looked at: the next page begins with it.
    following = None if last is None else (last[0], last[1] + 1 if falling else last[1] - 1)
    return Page(_parsed(rows), following, cut_short=last is not None)


def step_with_rollouts(store: Store, job_id: str, step: int) -> int | None:
    """The last step up to this one that has rollouts, else the first that has; `None` when there is none."""
    query = sa.select(sa.func.max(rollouts.c.step)).where(rollouts.c.job_id == job_id, rollouts.c.step <= step)
    with store.reading() as connection:
        found: int | None = connection.scalar(query)
        if found is None:
            found = connection.scalar(sa.select(sa.func.min(rollouts.c.step)).where(rollouts.c.job_id == job_id))
    return found


def _ordering(order: Order) -> tuple[sa.Column[Any], bool]:
    """What is ordered by, and whether from high to low."""
    return (rollouts.c.step, True) if order == "newest" else (rollouts.c.total, order == "best")


def _behind(key: Any, column: sa.Column[Any], after: Key, falling: bool) -> sa.ColumnElement[bool]:
    """The first comparison says the same of the column alone, by which an index is entered."""
    place = sa.tuple_(sa.literal(after[0]), sa.literal(after[1]))
    return sa.and_(column <= after[0], key < place) if falling else sa.and_(column >= after[0], key > place)


def _conditions(asked: Asked, verifier: Verifier) -> Iterator[sa.ColumnElement[bool]]:
    if asked.text:
        yield rollouts.c.completion.icontains(asked.text, autoescape=True)
    if asked.verdict == "cut off":
        yield rollouts.c.finish_reason == "length"
    elif asked.verdict == "dropped":
        yield rollouts.c.dropped != ""
    elif asked.verdict:
        value = rollouts.c.rewards[verifier.name].as_float()
        yield value >= verifier.threshold if asked.verdict == "right" else value < verifier.threshold
    if asked.reward and asked.level:
        value = rollouts.c.rewards[asked.reward].as_float()
        full = verifier_named(asked.reward).maximum
        yield {
            "full": value >= full,
            "part": sa.and_(value > 0, value < full),
            "none": value <= 0,
            "unscored": value.is_(None),
        }[asked.level]


def _parsed(rows: Iterable[sa.RowMapping]) -> tuple[Rollout, ...]:
    fields = tuple(Rollout.__dataclass_fields__)
    return tuple(Rollout(**{name: row[name] for name in fields}) for row in rows)
