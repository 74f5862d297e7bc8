"""A job done in this process: its turn on the accelerator, its spec, its kind's work, its end on record."""

import time
from contextlib import nullcontext

from training.alerts.telling import tell_end
from training.backends import local
from training.errors import StoreError
from training.home import Home
from training.jobs.job_process import JobProcess, StopRequested, job_process
from training.jobs.kinds import type_of
from training.rewards.own import register_own_rewards
from training.store import Store
from training.store.following import leave_of

_POLL_S = 0.5


def run_job(store: Store, home: Home, job_id: str) -> JobProcess:
    """Be the process of a queued job, to its end; that it was asked to stop is no error, and stands in the store.

    Raises:
        UnknownJobError: there is no such job.
        StoreError: it does not wait for a process: it has one, or it has ended.
        AtlasError: what made it fail, after it was recorded.
    """
    try:
        with job_process(store, job_id) as process:
            _do(store, home, process)
    finally:
        tell_end(store, home, job_id)
    return process


def _do(store: Store, home: Home, process: JobProcess) -> None:
    """The job's turn and its kind's work."""
    _wait_for_leave(process)
    found = type_of(process.job.kind)
    turn = local.accelerator(home, store, process.job, process.check_stop) if found.takes_accelerator else nullcontext()
    with turn:
        process.check_stop()
        if found.scores:
            register_own_rewards(home.rewards)
        found.run(process, home, found.parse(process.job.spec))


def _wait_for_leave(process: JobProcess) -> None:
    """Return once the job that this one follows, if any, has finished.

    Raises:
        StopRequested: that was stopped, or this one is asked to stop.
        StoreError: that failed, is lost or gone.
    """
    while (leave := process.patiently(lambda: leave_of(process.store, process.job))).waits:
        process.check_stop()
        time.sleep(_POLL_S)
    if leave.end == "stopped":
        process.reason = leave.reason
        raise StopRequested
    if leave.end is not None:
        raise StoreError(leave.reason, leave.remedy)
