"""What a run takes out of a run store that was deleted or replaced while the run had it open: all it has on record there.

On most systems a file whose name is gone can be read for as long as it is open. What is read goes to the run's own disk, so
that a store which comes in its place, an older copy say, gets what it lacks when the run is resumed.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from training.groups import Rollout
from training.jobs.train.outbox import Entry
from training.store import Progress, Store
from training.store.schema import rollouts, scalars

_AT_ONCE = 1000
"""Rows that are read at a time."""


def recorded_entries(store: Store, job_id: str) -> Iterator[Entry]:
    """All that a run has on record, in the order of its steps, as it would hand it over again."""
    with store.reading() as connection:
        for step, rows in groupby(_rows(connection, rollouts, job_id, rollouts.c.step), attrgetter("step")):
            yield Entry(step, 0.0, rollouts=[_rollout(row) for row in rows])
        for (step, time), rows in groupby(_rows(connection, scalars, job_id), attrgetter("step", "time")):
            yield Entry(step, time, scalars={row.name: row.value for row in rows})
    for checkpoint in store.checkpoints(job_id):
        yield Entry(checkpoint.step, checkpoint.created_at, checkpoint=checkpoint)
    job = store.job(job_id)
    yield Entry(int(job.done), job.heartbeat_at, progress=Progress(job.done, job.total, job.message, job.phase))


def _rows(connection: sa.Connection, table: sa.Table, job_id: str, *order: sa.ColumnElement[Any]) -> Iterator[Any]:
    query = sa.select(table).where(table.c.job_id == job_id).order_by(*order, table.c.seq)
    return iter(connection.execution_options(yield_per=_AT_ONCE).execute(query))


def _rollout(row: Any) -> Rollout:
    return Rollout(**{name: getattr(row, name) for name in Rollout.__dataclass_fields__})
