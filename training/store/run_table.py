"""What lists of runs show, and are sorted and grouped by, besides the runs' own rows: what they came to, for many at once."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from training.groups import RightShare
from training.intervals import mean_interval
from training.store import Store
from training.store.schema import evaluations, jobs, run_marks, scalars, sessions
from training.text import with_interval

FINAL_STEPS = 5
"""Steps that a final reward is the mean of: one step's mean is noise."""

_NOT_SETTINGS = ("seed", "preset", "content_hash")
"""What runs of one experiment may differ in: chance, and what the launch wrote down."""

Setting = str
"""The name of one, or `rewards.<function>` for its weight."""


@dataclass(frozen=True)
class Standing:
    """What a run came to."""

    before: RightShare | None = None
    """The evaluation before training, by the run's verifier."""
    after: RightShare | None = None
    """The latest evaluation since."""
    reward: float | None = None
    """Mean total reward of the last `FINAL_STEPS` steps."""

    @property
    def change(self) -> float | None:
        return None if self.before is None or self.after is None else self.after.value - self.before.value


@dataclass(frozen=True)
class Order:
    """How a list of runs is sorted; runs without a value come last, equal ones newest first."""

    by: str = "launched"
    """A key of `KEYS`, or a setting."""
    descending: bool = True


@dataclass(frozen=True)
class Mean:
    """A mean over runs, with its 95% interval."""

    value: float
    interval: tuple[float, float] | None
    """`None` of a single run."""
    runs: int

    @property
    def words(self) -> str:
        """`0.612 (0.512 to 0.702)`; of a single run, or of runs that all came to the same, without an interval."""
        low, high = self.interval or (self.value, self.value)
        return f"{self.value:.3f}" if low == high else with_interval(self.value, low, high)


@dataclass(frozen=True)
class RunGroup:
    """Runs that have one value of a setting."""

    value: Any
    """`None` where their configuration has no such setting."""
    run_ids: tuple[str, ...]
    seeds: int
    """Different ones among them."""
    differ_in: tuple[str, ...]
    """Other settings, besides the seed, that are not the same in all of them."""
    means: Mapping[str, Mean]
    """Of `MEANS`, as far as runs have them."""


def standings(store: Store, job_ids: Iterable[str]) -> dict[str, Standing]:
    """Run id -> what it came to."""
    ids = list(job_ids)
    found: dict[str, dict[str, Any]] = {job_id: {} for job_id in ids}
    complete = evaluations.c.job_id.in_(ids) & evaluations.c.right.is_not(None)
    rewards = sa.select(jobs.c.id, _final_reward()).where(jobs.c.id.in_(ids))
    with store.reading() as connection:
        for row in connection.execute(sa.select(evaluations).where(complete).order_by(evaluations.c.step, evaluations.c.seq)):
            which = "after" if row.step else "before"
            found[row.job_id][which] = RightShare(row.right, row.right_low, row.right_high, row.problems)
        for job_id, reward in connection.execute(rewards):
            found[job_id]["reward"] = reward
    return {job_id: Standing(**values) for job_id, values in found.items()}


def setting_of(spec: Mapping[str, Any], name: Setting) -> Any:
    """What a run's configuration has under a name, `None` for nothing."""
    table, _, inner = name.partition(".")
    value = spec.get(table)
    return value if not inner else value.get(inner) if isinstance(value, Mapping) else None


def ordered(store: Store, where: sa.ColumnElement[bool], order: Order) -> list[int]:
    """Numbers of the jobs whose rows are as said, in order.

    What is asked for is read from the database, and sorted here: settings are numbers in one run and texts in another, and
    databases do not agree on the order of letters.
    """
    value = KEYS[order.by]() if order.by in KEYS else _setting(order.by)
    query = sa.select(jobs.c.seq, value).where(where).order_by(jobs.c.seq.desc())
    with store.reading() as connection:
        rows = connection.execute(query).all()
    with_value = [(seq, _sort_key(found)) for seq, found in rows if found is not None]
    with_value.sort(key=lambda row: row[1], reverse=order.descending)
    return [seq for seq, _ in with_value] + [seq for seq, found in rows if found is None]


def grouped(store: Store, where: sa.ColumnElement[bool], setting: Setting, most: int) -> list[RunGroup]:
    """The newest `most` jobs whose rows are as said, by their value of a setting, in its order."""
    columns = [KEYS[name]() for name in MEANS]
    query = sa.select(jobs.c.id, jobs.c.spec, *columns).where(where).order_by(jobs.c.seq.desc()).limit(most)
    groups: dict[str, list[Any]] = {}
    values: dict[str, Any] = {}
    with store.reading() as connection:
        for job_id, spec, *figures in connection.execute(query):
            known = spec if isinstance(spec, dict) else {}
            value = setting_of(known, setting)
            values[repr(value)] = value
            groups.setdefault(repr(value), []).append((job_id, known, figures))
    found = [_group(values[key], members, setting) for key, members in groups.items()]
    return sorted(found, key=lambda group: (group.value is None, _sort_key("" if group.value is None else group.value)))


def _group(value: Any, members: Sequence[tuple[str, Mapping[str, Any], Sequence[float | None]]], setting: Setting) -> RunGroup:
    specs = [spec for _, spec, _ in members]
    names = {name for spec in specs for name in spec} - {*_NOT_SETTINGS, setting.partition(".")[0]}
    differ_in = sorted(name for name in names if any(spec.get(name) != specs[0].get(name) for spec in specs))
    means = {name: _mean([figures[place] for _, _, figures in members]) for place, name in enumerate(MEANS)}
    return RunGroup(
        value,
        tuple(job_id for job_id, _, _ in members),
        len({repr(spec.get("seed")) for spec in specs}),
        tuple(differ_in),
        {name: mean for name, mean in means.items() if mean is not None},
    )


def _mean(values: Sequence[float | None]) -> Mean | None:
    known = np.array([value for value in values if value is not None], np.float64)
    return Mean(float(known.mean()), mean_interval(known), len(known)) if len(known) else None


def _sort_key(value: Any) -> tuple[int, Any]:
    """Numbers by size, then texts as people count: demo-2 before demo-10."""
    if isinstance(value, int | float):
        return 0, value
    parts = re.split(r"([0-9]{1,18})", str(value).casefold())
    return 1, [int(part) if place % 2 else part for place, part in enumerate(parts)]


def _final_reward() -> sa.ScalarSelect[Any]:
    of_run = (scalars.c.job_id == jobs.c.id) & (scalars.c.name == "reward") & scalars.c.value.is_not(None)
    last = sa.select(scalars.c.value).where(of_run).order_by(scalars.c.step.desc()).limit(FINAL_STEPS).correlate(jobs)
    return sa.select(sa.func.avg(last.subquery().c.value)).scalar_subquery()


def _share(*, since: bool) -> sa.ScalarSelect[Any]:
    of_run = (evaluations.c.job_id == jobs.c.id) & evaluations.c.right.is_not(None)
    which = evaluations.c.step > 0 if since else evaluations.c.step == 0
    latest = (evaluations.c.step.desc(), evaluations.c.seq.desc())
    return sa.select(evaluations.c.right).where(of_run, which).order_by(*latest).limit(1).correlate(jobs).scalar_subquery()


def _name() -> sa.ColumnElement[Any]:
    kept = sa.select(run_marks.c.name).where(run_marks.c.job_id == jobs.c.id, run_marks.c.name != "").scalar_subquery()
    return sa.func.coalesce(kept, jobs.c.id)


def _mark(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    return sa.select(column).where(run_marks.c.job_id == jobs.c.id).scalar_subquery()


def _worked() -> sa.ColumnElement[Any]:
    ended = sa.func.coalesce(sessions.c.ended_at, jobs.c.heartbeat_at)
    total = sa.func.sum(ended - sessions.c.started_at)
    return sa.select(total).where(sessions.c.job_id == jobs.c.id).correlate(jobs).scalar_subquery()


def _setting(name: Setting) -> sa.ColumnElement[Any]:
    """Its value as JSON holds it. None where the spec holds a null character: Postgres takes nothing out of such JSON."""
    table, _, inner = name.partition(".")
    value = jobs.c.spec[(table, inner)] if inner else jobs.c.spec[table]
    has_null = sa.cast(jobs.c.spec, sa.Text).contains("\\u0000", autoescape=True)
    return sa.type_coerce(sa.case((has_null, sa.null()), else_=value), sa.JSON)


KEYS: dict[str, Callable[[], sa.ColumnElement[Any]]] = {
    "launched": lambda: jobs.c.seq,
    "run": _name,
    "id": lambda: jobs.c.id,
    "status": lambda: jobs.c.status,
    "progress": lambda: sa.case((jobs.c.total > 0, jobs.c.done / jobs.c.total)),
    "steps": lambda: jobs.c.done,
    "before": lambda: _share(since=False),
    "after": lambda: _share(since=True),
    "change": lambda: _share(since=True) - _share(since=False),
    "final reward": _final_reward,
    "took": _worked,
    "backend": lambda: jobs.c.backend,
    "tags": lambda: _mark(run_marks.c.tags),
    "note": lambda: _mark(run_marks.c.note),
}
"""What runs can be sorted by besides their settings."""

MEANS = ("before", "after", "change", "final reward")
"""Of `KEYS`, those of which groups of runs have a mean."""
