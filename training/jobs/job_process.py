"""A job seen from inside its process: heartbeat, progress, stop requests, and how it ends.

`job_process` is the outermost frame of every job, so whatever goes wrong becomes the reason in the store; the traceback
goes to the log.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from training.backends.entry import ATTEMPT
from training.backends.local import worker_name
from training.errors import AtlasError, StoreAwayError, StoreError, disk_error
from training.jobs.log import patient_output
from training.processes import identify, state_of
from training.store import HEARTBEAT_S, Job, Phase, Status, Store
from training.store.database import root_cause
from training.store.patience import patiently

T = TypeVar("T")


class StopRequested(Exception):
    """The job was asked to stop and has nothing more to save."""


class JobProcess:
    """What a job's code may tell and ask while it runs, also while the store is away."""

    def __init__(self, store: Store, job: Job) -> None:
        self.store = store
        self.job = job
        self.reason = ""
        """Why the job ended, if it has something to say."""
        self.signalled = False
        """Whether a SIGTERM asked the job to stop."""
        self.broken: StoreError | None = None
        """Why the store takes nothing of the job any more; the job stops as soon as it can."""

    def begin(self) -> None:
        """The job's turn has come; until then it counts as queued."""
        self.patiently(lambda: self.store.start(self.job.id))

    def patiently(self, call: Callable[[], T]) -> T:
        """What a call to the store returns, as soon as it can be reached.

        Raises:
            StopRequested: it is away and a SIGTERM asks the job to stop, or it failed.
            StoreAwayError: it stayed away.
        """
        try:
            return patiently(call, lambda: self.signalled)
        except StoreAwayError as error:
            if self.signalled:
                raise StopRequested from error
            raise
        except StoreError as error:
            self.broken = error
            raise StopRequested from error

    def progress(self, done: float, total: float, message: str, phase: Phase = "") -> None:
        """Record how far the job is; left out while the store is away, as the next one says more."""
        try:
            self.store.progress(self.job.id, done, total, message, phase)
        except StoreAwayError:
            pass
        except StoreError as error:
            self.broken = error

    def stop_requested(self) -> bool:
        """Whether the store, as far as it can be reached, or a SIGTERM asks the job to stop; also where the store failed."""
        try:
            return self.signalled or self.broken is not None or self.store.stop_requested(self.job.id)
        except StoreAwayError:
            return False
        except StoreError as error:
            self.broken = error
            return True

    def check_stop(self) -> None:
        """Raise `StopRequested` if the job was asked to stop."""
        if self.stop_requested():
            raise StopRequested

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.signalled = True


@contextmanager
def job_process(store: Store, job_id: str) -> Iterator[JobProcess]:
    """Run the body as the job: beat until it ends, then record how it ended. What cannot be printed meanwhile is left out.

    Raises:
        StoreError: the job does not wait for a process: it has one, or it has ended.
        AtlasError: what made the job fail, after it was recorded, for the terminal to print.
    """
    with patient_output(), _job_process(store, job_id) as process:
        yield process


@contextmanager
def _job_process(store: Store, job_id: str) -> Iterator[JobProcess]:
    job = patiently(lambda: store.job(job_id))
    _check_waits(job)
    process = JobProcess(store, job)
    previous = signal.signal(signal.SIGTERM, process.on_signal)
    ended = threading.Event()
    patiently(lambda: store.beat(job_id, worker=worker_name(), process=identify(os.getpid())))
    heart = threading.Thread(target=_beat, args=(store, job_id, ended), daemon=True, name="heartbeat")
    heart.start()
    try:
        yield process
        _end(process, "finished", process.reason or "done")
    except StopRequested:
        if process.broken is not None:
            _end(process, "failed", str(process.broken))
            raise process.broken from None
        _end(process, "stopped", process.reason or "stopped on request")
    except KeyboardInterrupt:
        _end(process, "stopped", "interrupted at the terminal")
        raise
    except AtlasError as error:
        _end(process, "failed", str(error))
        raise
    except OSError as error:
        traceback.print_exc()
        found = disk_error(error)
        _end(process, "failed", str(found))
        raise found from error
    except (Exception, SystemExit) as error:  # a library that exits would end the job without a word
        traceback.print_exc()
        _end(process, "failed", f"{type(error).__name__}: {error}")
        raise AtlasError(f"{job_id} failed: {type(error).__name__}: {error}.", "Its log has the details.") from error
    finally:
        ended.set()
        heart.join()
        signal.signal(signal.SIGTERM, previous)


def _check_waits(job: Job) -> None:
    """Raise `StoreError` unless the job waits for this process."""
    if job.status not in ("queued", "lost"):
        raise StoreError(f"{job.id} is {job.status} and waits for no process.", "Resume a stopped or failed run instead.")
    if job.process != identify(os.getpid()) and state_of(job.process) == "alive":
        raise StoreError(f"{job.id} has a process already ({job.process}).", "Nothing needs to be done: wait for its turn.")
    if int(os.environ.get(ATTEMPT, job.attempt)) != job.attempt:
        raise StoreError(
            f"This is attempt {os.environ[ATTEMPT]} of {job.id}, which was queued again since.",
            f"Nothing needs to be done: attempt {job.attempt} has a process of its own.",
        )


def _beat(store: Store, job_id: str, ended: threading.Event) -> None:
    missed_since = None
    while not ended.wait(HEARTBEAT_S):
        try:
            store.beat(job_id)
        except StoreError as error:
            # The next beat may get through; a heart that stops for good would make a living job count as lost.
            if missed_since is None:
                missed_since = time.monotonic()
                print(f"a heartbeat of {job_id} did not reach the run store: {root_cause(error)}", file=sys.stderr, flush=True)
        else:
            if missed_since is not None:
                missed_s, missed_since = time.monotonic() - missed_since, None
                print(f"heartbeats of {job_id} reach the run store again after {missed_s:,.0f} s", file=sys.stderr, flush=True)


def _end(process: JobProcess, status: Status, reason: str) -> None:
    job_id = process.job.id
    try:
        patiently(lambda: process.store.end(job_id, status, reason), lambda: process.signalled)
    except StoreError as error:
        raise StoreError(
            f"{job_id} {status} ({reason}), and the run store could not take that ({root_cause(error)}).",
            "Check that the database is there, writable and has room; the run shows as lost until it is resumed.",
        ) from error
