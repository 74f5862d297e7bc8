"""When a run was at work: every start opens a session, which its end, or the last heartbeat before a resume, closes.

By them a run's time is told without the pauses between stopping and resuming.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from training.store import Store
from training.store.scalar_series import Series
from training.store.schema import rollouts, scalars, sessions


@dataclass(frozen=True)
class Session:
    """One stretch of work, Unix seconds."""

    started_at: float
    ended_at: float | None
    """`None` while it lasts, or where the run's process is gone and nobody has resumed it."""


@dataclass(frozen=True)
class Reach:
    """How far a run's record goes."""

    began: tuple[float, ...]
    """When its sessions began, oldest first, Unix seconds."""
    step: int
    """The newest with rollouts, 0 without."""
    scalar: int
    """The sequence number of the newest scalar, 0 without."""

    def covers(self, other: "Reach") -> bool:
        """Whether nothing is missing that was there when the record went as far as `other`."""
        return set(other.began) <= set(self.began) and self.step >= other.step and self.scalar >= other.scalar


def reach_of(store: Store, job_id: str) -> Reach:
    """How far a run's record goes now."""
    of_run = sa.select(sessions.c.started_at).where(sessions.c.job_id == job_id).order_by(sessions.c.seq)
    step = sa.select(sa.func.max(rollouts.c.step)).where(rollouts.c.job_id == job_id).scalar_subquery()
    scalar = sa.select(sa.func.max(scalars.c.seq)).where(scalars.c.job_id == job_id).scalar_subquery()
    with store.reading() as connection:
        began = tuple(connection.scalars(of_run))
        found = connection.execute(sa.select(step, scalar)).one()
    return Reach(began, found[0] or 0, found[1] or 0)


def sessions_of(store: Store, job_ids: Iterable[str]) -> dict[str, list[Session]]:
    """Run id -> its sessions, oldest first; runs that never started are left out."""
    query = sa.select(sessions).where(sessions.c.job_id.in_(list(job_ids))).order_by(sessions.c.seq)
    found: dict[str, list[Session]] = {}
    with store.reading() as connection:
        for row in connection.execute(query):
            found.setdefault(row.job_id, []).append(Session(row.started_at, row.ended_at))
    return found


def step_times(store: Store, job_id: str) -> Series:
    """When each step was recorded: steps, ascending, and Unix seconds."""
    query = sa.select(scalars.c.step, scalars.c.time).where(scalars.c.job_id == job_id).order_by(scalars.c.step)
    with store.reading() as connection:
        rows = connection.execute(query.where(scalars.c.name == "reward")).all()
        rows = rows or connection.execute(query.where(scalars.c.name == "loss")).all()
    return np.array([row.step for row in rows], np.int64), np.array([row.time for row in rows], np.float64)


def worked_s(worked: Sequence[Session], last_heartbeat: float) -> float:
    """Seconds of all sessions together; one that lasts counts up to the last heartbeat."""
    ends = [last_heartbeat if session.ended_at is None else session.ended_at for session in worked]
    return sum(max(0.0, end - session.started_at) for session, end in zip(worked, ends, strict=True))


def elapsed_s(times: NDArray[np.float64], worked: Sequence[Session]) -> NDArray[np.float64]:
    """(S,) seconds of work that led to each step, ascending.

    Pauses are left out, and so is what a resumed run did again: a session counts up to the last step that is kept of it. Where
    the clock was set back between two steps, nobody knows how long the second one took, and it counts as none.

    Args:
        times: (S,) when each step was recorded, Unix seconds; ascending as long as no clock is set back.
        worked: the run's sessions, oldest first.
    """
    if not len(times):
        return times
    starts = np.sort([session.started_at for session in worked] or [times[0]])
    place = np.searchsorted(starts, times, side="right") - 1
    began = np.where(place >= 0, starts[place], -np.inf)
    before = np.concatenate([[-np.inf], times[:-1]])
    is_another_session = began != np.concatenate([[-np.inf], began[:-1]])
    # From the step before, or from the session's start where a pause lies between.
    since = np.where(before <= times, np.maximum(before, began), np.where(is_another_session, began, times))
    found: NDArray[np.float64] = np.cumsum(np.where(np.isfinite(since), times - since, 0.0))
    return found
