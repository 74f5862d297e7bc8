"""What a list of runs shows of many at once, in one query however many they are."""

from collections.abc import Iterable

import sqlalchemy as sa

from training.store import Store
from training.store.schema import jobs, scalars

POINTS = 40
_STEPS_PER_POINT = 4


def reward_sparklines(store: Store, job_ids: Iterable[str]) -> dict[str, list[float]]:
    """Run id -> the course of its total reward in at most `POINTS` means of equal stretches; runs without one are left out.

    Of a long run every stretch is sampled: a mean is over 4 steps or more, spread evenly, so the cost does not grow with
    the run's length.
    """
    done = sa.cast(jobs.c.done, sa.Integer)
    stride = done // (POINTS * _STEPS_PER_POINT) + 1
    stretch = ((scalars.c.step - 1) * POINTS // (done + 1)).label("stretch")
    query = (
        sa.select(scalars.c.job_id, stretch, sa.func.avg(scalars.c.value).label("mean"))
        .join(jobs, jobs.c.id == scalars.c.job_id)
        .where(
            scalars.c.job_id.in_(list(job_ids)),
            scalars.c.name == "reward",
            scalars.c.value.is_not(None),
            scalars.c.step % stride == 0,
        )
        .group_by(scalars.c.job_id, stretch)
        .order_by(scalars.c.job_id, stretch)
    )
    found: dict[str, list[float]] = {}
    with store.reading() as connection:
        for row in connection.execute(query):
            found.setdefault(row.job_id, []).append(row.mean)
    return found
