"""From the store to a `Record`: in columns and SQL aggregates, in bounded time however long the run is.

Of a long run some steps are read, evenly apart and the last among them, with `EXAMINED` rollouts in all, and the completions
of fewer; its scalars are read whole, as a spike of one step is no less a spike.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import sqlalchemy as sa

from training.config import RunConfig
from training.doctor import of_learning, of_pace
from training.doctor.courses import Course
from training.doctor.record import Evaluated, Ledger, Record
from training.errors import ConfigError
from training.groups import Verifier
from training.rewards import verifier_of
from training.rewards.forms import form_of
from training.store import Store
from training.store.scalar_series import RunSeries, series_names
from training.store.schema import evaluation_items, evaluations, rollouts, scalars
from training.stored_config import stored_config

EXAMINED = 20_000
"""Rollouts that are read; more take seconds and tell the same."""

TEXTS = 6_000
"""Rollouts whose completions are read."""

_BATCH = 500
_NO_NUMBERS = 50
"""Steps that are named of a scalar that is no number."""

_SCALARS = (
    of_learning.ENTROPY,
    of_learning.KL,
    of_learning.LOSS,
    of_learning.GRADIENT,
    of_learning.RATE,
    of_learning.CLIPPED_TOKENS,
    of_learning.CAPPED_TOKENS,
    of_learning.LOGP_DIFFERENCE,
    of_learning.IMPORTANCE_RATIO,
    of_pace.STEP_TIME,
)


def read_record(store: Store, job_id: str, up_to_step: int | None = None, examined: int = EXAMINED) -> tuple[Record, int]:
    """What the signals read of a run, and how many steps it has.

    Args:
        up_to_step: the last step that counts; `None` for all.
        examined: about how many rollouts are read.

    Raises:
        StoreError: there is no such run.
    """
    spec = store.job(job_id).spec
    verifier = verifier_of(spec)
    sizes = _sizes(store, job_id, up_to_step)
    steps = _evenly([step for step, _ in sizes], sum(size for _, size in sizes), examined)
    ledger = _ledger(store, job_id, steps)
    record = Record(
        ledger,
        verifier,
        form_of(spec),
        spec,
        _courses(store, job_id, up_to_step),
        _no_numbers(store, job_id, up_to_step),
        _evaluations(store, job_id, verifier, up_to_step),
        _highest(spec),
    )
    return record, len(sizes)


def _highest(spec: dict[str, Any]) -> float | None:
    try:
        config = stored_config(spec)
    except ConfigError:  # of another version of the program: its records can be looked at all the same
        return None
    return config.maximum_reward if isinstance(config, RunConfig) else None


def _sizes(store: Store, job_id: str, up_to_step: int | None) -> Sequence[tuple[int, int]]:
    """Each step that has rollouts, and how many."""
    query = sa.select(rollouts.c.step, sa.func.count()).where(rollouts.c.job_id == job_id, _within(rollouts.c.step, up_to_step))
    with store.reading() as connection:
        rows = store.driver_rows(connection, query.group_by(rollouts.c.step).order_by(rollouts.c.step))
        return [(step, size) for step, size in rows]


def _within(column: sa.Column[int], up_to_step: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if up_to_step is None else column <= up_to_step


def _evenly(steps: Sequence[int], rows: int, most: int) -> list[int]:
    """Steps evenly apart, the last among them, that have about `most` of the rows in all."""
    stride = max(1, -(-rows // most))
    return list(steps[::-1][::stride][::-1])


def _ledger(store: Store, job_id: str, steps: list[int]) -> Ledger:
    names = _reward_names(store, job_id)
    table = rollouts.c
    columns = (
        table.step,
        table.group_index,
        table.position,
        table.seq,
        table.total,
        table.tokens,
        sa.case((table.finish_reason == "length", 1), else_=0),
        *(table.rewards[name].as_float() for name in names),
    )
    found = [row for some in _batches(steps) for row in _rows(store, columns, job_id, some)]
    data = np.array(found, float) if found else np.empty((0, len(columns)))
    order = np.lexsort((data[:, 2], data[:, 1], data[:, 0]))
    data = data[order]
    step, group, position, seq = (data[:, place].astype(np.int64) for place in range(4))
    row_of = {int(number): row for row, number in enumerate(seq)}
    read = _evenly(steps, len(data), TEXTS)
    texts = {row_of[number]: text for number, text in _texts(store, job_id, read) if number in row_of}
    return Ledger(
        step,
        group,
        position,
        total=data[:, 4],
        rewards={name: data[:, 7 + place] for place, name in enumerate(names)},
        tokens=data[:, 5],
        cut=data[:, 6] > 0,
        texts=dict(sorted(texts.items())),
    )


def _rows(store: Store, columns: Sequence[Any], job_id: str, steps: Sequence[int]) -> Iterator[Any]:
    """Of the rollouts that a step learnt from."""
    kept = (rollouts.c.job_id == job_id, rollouts.c.step.in_(steps), rollouts.c.dropped == "")
    with store.reading() as connection:
        yield from store.driver_rows(connection, sa.select(*columns).where(*kept))


def _texts(store: Store, job_id: str, steps: list[int]) -> Iterator[tuple[int, str]]:
    """Sequence number and completion; by the store's own types, as texts are kept escaped."""
    table = rollouts.c
    for some in _batches(steps):
        query = sa.select(table.seq, table.completion).where(table.job_id == job_id, table.step.in_(some), table.dropped == "")
        with store.reading() as connection:
            yield from connection.execute(query)


def _batches(steps: list[int]) -> Iterator[list[int]]:
    waiting = iter(steps)
    while some := list(islice(waiting, _BATCH)):
        yield some


def _reward_names(store: Store, job_id: str) -> list[str]:
    """The functions on record, by the first and the last rollout."""
    query = sa.select(rollouts.c.rewards).where(rollouts.c.job_id == job_id).limit(1)
    with store.reading() as connection:
        ends = [connection.scalar(query.order_by(order)) for order in (rollouts.c.step.asc(), rollouts.c.step.desc())]
    return list(dict.fromkeys(name for rewards in ends if isinstance(rewards, dict) for name in rewards))


def _courses(store: Store, job_id: str, up_to_step: int | None) -> dict[str, Course]:
    """The scalars that signals read, as far as the run logs them."""
    series = RunSeries(job_id)
    series.update(store)
    logged = series_names(store, job_id)
    names = [*_SCALARS, *(name for name in logged if name.startswith("gpu/") and name.endswith("/utilisation"))]
    found = {name: Course(*series.get(store, name)) for name in names if name in logged}
    return {name: course if up_to_step is None else course.up_to(up_to_step) for name, course in found.items() if len(course)}


def _no_numbers(store: Store, job_id: str, up_to_step: int | None) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    with store.reading() as connection:
        for name in of_learning.MUST_BE_NUMBERS:
            query = sa.select(scalars.c.step).where(
                scalars.c.job_id == job_id,
                scalars.c.name == name,
                scalars.c.value.is_(None),
                _within(scalars.c.step, up_to_step),
            )
            if steps := list(connection.scalars(query.order_by(scalars.c.step).limit(_NO_NUMBERS))):
                found[name] = steps
    return found


def _evaluations(store: Store, job_id: str, verifier: Verifier, up_to_step: int | None) -> list[Evaluated]:
    value = evaluation_items.c.rewards[verifier.name].as_float()
    is_right = sa.case((value >= verifier.threshold, 1.0), (value.is_not(None), 0.0))
    of = evaluations.c
    query = (
        sa.select(of.seq, of.label, of.step, evaluation_items.c.problem_id, sa.func.avg(is_right))
        .join(evaluation_items, evaluation_items.c.evaluation == of.seq)
        .where(of.job_id == job_id, of.completed_at.is_not(None), of.split != "train", _within(of.step, up_to_step))
        .group_by(of.seq, of.label, of.step, evaluation_items.c.problem_id)
    )
    rates: dict[tuple[int, int, str], dict[str, float]] = {}
    with store.reading() as connection:
        for seq, label, step, problem, rate in connection.execute(query):
            if rate is not None:
                rates.setdefault((step, seq, label), {})[problem] = rate
    return [Evaluated(label, step, found) for (step, _, label), found in sorted(rates.items(), key=lambda entry: entry[0][:2])]
