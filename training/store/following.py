"""A job that follows another one, as a run's second stage does: it begins once that has finished, and ends where it did not."""

from collections.abc import Iterable
from dataclasses import dataclass

from training.errors import UnknownJobError
from training.store import LOCAL, Job, Status, Store
from training.store.schema import jobs

_BECAME = {"failed": "failed", "lost": "was lost"}
"""Status of a job from which none can begin -> what happened to it."""


@dataclass(frozen=True)
class Leave:
    """Whether a job may begin, as far as the one that it follows tells; by default it may."""

    waits: bool = False
    end: Status | None = None
    """How it ends instead, as it never will."""
    reason: str = ""
    remedy: str = ""

    @property
    def is_given(self) -> bool:
        return not self.waits and self.end is None


def leave_of(store: Store, job: Job) -> Leave:
    """Whether a job may begin; one that began once has all that it needs of the other."""
    if not job.follows or job.started_at is not None:
        return Leave()
    try:
        first = store.job(job.follows)
    except UnknownJobError:
        gone = f"{job.follows}, whose last checkpoint it was to begin with, was deleted."
        return Leave(end="failed", reason=gone, remedy="Launch both again.")
    if first.status == "finished":
        return Leave()
    if first.active or (first.status == "lost" and first.backend != LOCAL):  # a cluster may yet tell what became of it
        return Leave(waits=True)
    if first.status == "stopped":
        return Leave(end="stopped", reason=f"stopped with {first.id}, whose last checkpoint it was to begin with")
    told = f" ({first.reason.rstrip('.')})" if first.reason else ""
    return Leave(
        end="failed",
        reason=f"{first.id}, whose last checkpoint it was to begin with, {_BECAME[first.status]}{told}.",
        remedy=f"Resume {first.id}, then this run.",
    )


def next_stages(store: Store, job_id: str) -> list[Job]:
    """The jobs that follow one, whatever became of them, oldest first."""
    return store.jobs_where(jobs.c.follows == job_id)[::-1]


def waiting_for(store: Store, job_id: str) -> list[Job]:
    """The active jobs that wait to begin from what a job leaves."""
    return [job for job in next_stages(store, job_id) if job.active and job.started_at is None]


def first_stages(store: Store, runs: Iterable[Job]) -> dict[str, Job]:
    """Id of a run -> the run that it follows, where it follows one that is still there."""
    followed = {run.id: run.follows for run in runs if run.follows}
    known = store.jobs_named(followed.values())
    return {run_id: known[first] for run_id, first in followed.items() if first in known}
