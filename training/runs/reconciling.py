"""What the store says of runs, brought in line with what this machine and the clusters know.

A run tells the store itself how it is, by heartbeats and by its end. Here is added what it cannot tell: that its job was
killed before or while it ran, that it waited longer than Ray allows, that a head was restarted and forgot it. The heartbeat
has the last word: a run whose heart beats is never ended here, whatever its cluster says.

The command line reconciles before it lists or shows runs; the dashboard does now and then, in a thread of its own. Several
may do it at once: every change is made only if the run is still as it was seen.
"""

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from training.backends import Backend, OnCluster
from training.backends.cluster import START_TIMEOUT, Submission
from training.backends.local import end_overdue
from training.backends.registry import backend_named
from training.backoff import Backoff
from training.errors import AtlasError, UnreachableError
from training.home import Home
from training.runs.launch import start_again
from training.store import LOCAL, Job, Status, Store, schema
from training.store.following import leave_of
from training.store.records import ACTIVE

MISSING_FOR_S = 60.0
"""A queued run that its head does not know, and that was queued longer ago, is submitted again."""

EVERY_S = 10.0
"""How often a process that stays reconciles."""

_FIRST_RETRY_S = 10.0
_LAST_RETRY_S = 300.0
_REASON_LINES = 4
_REASON_CHARACTERS = 600


class Waits:
    """When each backend is asked next: at once, and ever later while it does not answer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._backoffs: defaultdict[str, Backoff] = defaultdict(lambda: Backoff(_FIRST_RETRY_S, _LAST_RETRY_S, clock))

    def __getitem__(self, name: str) -> Backoff:
        return self._backoffs[name]


class Reconciler:
    """Reconciles now and then, for a process that must not wait for it."""

    def __init__(self, store: Store, home: Home) -> None:
        self._store, self._home = store, home
        self._waits = Waits()
        self._at_work = threading.Lock()
        self._next_at = 0.0

    def wake(self) -> None:
        """Begin in a thread of its own if it is time, and nothing is under way."""
        if time.monotonic() >= self._next_at and self._at_work.acquire(blocking=False):
            self._next_at = time.monotonic() + EVERY_S
            threading.Thread(target=self._work, daemon=True, name="reconciling").start()

    def _work(self) -> None:
        try:
            reconcile(self._store, self._home, self._waits)
        except Exception as error:  # the frame of a thread; the next one tries again
            print(f"runs could not be compared with their clusters: {type(error).__name__}: {error}", file=sys.stderr)
        finally:
            self._at_work.release()


@dataclass(frozen=True)
class Verdict:
    """What follows for a run; nothing by default."""

    end: Status | None = None
    reason: str = ""
    submit: bool = False
    anew: bool = False
    """Whether the submission counts as another attempt, because Ray has used up the present one's id."""
    force: bool = False
    """Whether Ray is to end the job."""


def reconcile(store: Store, home: Home, waits: Waits | None = None) -> None:
    """End what ought to have stopped on this machine; look at every run that is, or may be, on a cluster, if there is one.

    Args:
        waits: remembers, between calls, which clusters do not answer.
    """
    end_overdue(store, home)
    waits = waits or Waits()
    elsewhere = (schema.jobs.c.backend != LOCAL) & schema.jobs.c.status.in_((*ACTIVE, "lost"))
    open_jobs = [job for job in store.jobs_where(elsewhere) if job.active or job.status == "lost"]
    for name in dict.fromkeys(job.backend for job in open_jobs):
        runner = _backend(name, home)
        if runner is None or runner.cluster is None or not waits[name].is_due:
            continue
        jobs = [job for job in open_jobs if job.backend == name]
        try:
            for job in reversed(jobs):
                _reconcile_job(store, home, runner, runner.cluster, job)
            waits[name].succeed()
        except AtlasError as error:
            waits[name].fail()
            _note_unreachable(store, runner, jobs, error)


def judge(job: Job, seen: Submission | None, now: float, title: str, force_after_s: float | None) -> Verdict:
    """What follows from how the store and the cluster see a run.

    Args:
        seen: its job, `None` where the head knows none.
        now: the store's time, Unix seconds.
        force_after_s: seconds until a run that was asked to stop may be ended by force; `None` for one that was not asked.
    """
    never_came_up = job.status == "queued" and not job.worker
    if seen is None:
        if never_came_up:
            return Verdict(submit=now - job.heartbeat_at > MISSING_FOR_S)
        return Verdict("failed", _gone(job, title)) if job.status == "lost" else Verdict()
    if not seen.is_over:
        return Verdict(force=force_after_s is not None and force_after_s <= 0 and seen.status == "RUNNING")
    if not (never_came_up or job.status == "lost"):
        return Verdict()  # it beats, or did seconds ago: it may still say itself how it ended
    if never_came_up and seen.error == START_TIMEOUT:
        return Verdict(submit=True, anew=True)
    if seen.status == "STOPPED":
        return Verdict("stopped", f"ended by force through {title}")
    if seen.status == "SUCCEEDED":
        return Verdict("failed", f"Its process on {title} ended, and its own word on how did not reach the store.")
    return Verdict("failed", f"Its job on {title} failed: {_first_line(seen.message)}")


def _reconcile_job(store: Store, home: Home, runner: Backend, cluster: OnCluster, job: Job) -> None:
    if job.follows and job.started_at is None and not job.worker:
        leave = leave_of(store, job)
        if leave.end is not None:
            store.conclude(job, leave.end, f"{leave.reason} {leave.remedy}".rstrip())
        if not leave.is_given:
            return
    seen = cluster.submission(job)
    asked_at = _asked_to_stop_at(store, job)
    left_s = None if asked_at is None else asked_at + cluster.stop_grace_s - store.now()
    verdict = judge(job, seen, store.now(), runner.title, left_s)
    if verdict.end is not None:
        log = cluster.without_secrets(_log_end(runner, job)) if verdict.end == "failed" else ""
        store.conclude(job, verdict.end, f"{verdict.reason.rstrip('.')}. Its log ends: {log}" if log else verdict.reason)
    elif verdict.submit:
        again = store.queue_anew(job) if verdict.anew else job
        if again is not None:
            _start_again(store, home, again)
    elif verdict.force:
        runner.stop(job)
    elif job.unreachable_since is not None:
        store.note_unreachable(job, None, "")


def _start_again(store: Store, home: Home, job: Job) -> None:
    try:
        start_again(store, home, job)
    except UnreachableError:
        raise
    except AtlasError as error:
        print(f"{job.id} could not be submitted again: {error}", file=sys.stderr)  # the run says so too


def _backend(name: str, home: Home) -> Backend | None:
    try:
        return backend_named(name, home)
    except AtlasError:
        return None  # it was taken out of the configuration; its runs' heartbeats tell what can be told


def _note_unreachable(store: Store, runner: Backend, jobs: list[Job], error: AtlasError) -> None:
    """Tell it where a run has no process that could say something else; the first time stays."""
    now = store.now()
    since = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    for job in jobs:
        if job.status == "queued" and not job.worker and job.unreachable_since is None:
            store.note_unreachable(job, now, f"{runner.title} is unreachable since {since}: {error.problem}")


def _asked_to_stop_at(store: Store, job: Job) -> float | None:
    table = schema.requests
    waiting = (table.c.job_id == job.id) & (table.c.kind == "stop") & table.c.handled_at.is_(None)
    with store.reading() as connection:
        asked_at: float | None = connection.scalar(sa.select(sa.func.min(table.c.created_at)).where(waiting))
    return asked_at


def _gone(job: Job, title: str) -> str:
    return f"{title} no longer knows the run: its head was restarted, and the run's process ({job.worker}) ended with it."


def _log_end(runner: Backend, job: Job) -> str:
    try:
        lines = [line.strip() for line in runner.logs(job).splitlines() if line.strip()]
    except AtlasError:
        return ""
    return " / ".join(lines[-_REASON_LINES:])[-_REASON_CHARACTERS:]


def _first_line(message: str) -> str:
    """Ray puts the log behind its own words."""
    return message.strip().partition("\n")[0].partition(", last available logs")[0][:_REASON_CHARACTERS]
