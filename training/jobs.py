"""A job seen from inside its process: heartbeat, progress, stop requests, and how it ends.

`job_process` is the outermost frame of every job, so whatever goes wrong becomes the reason in the store; the traceback
goes to the log.
"""

import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from training.backends.local import worker_name
from training.errors import AtlasError, StoreError
from training.store import HEARTBEAT_S, Job, Status, Store, root_cause


class StopRequested(Exception):
    """The job was asked to stop and has nothing more to save."""


class JobProcess:
    """What a job's code may tell and ask while it runs."""

    def __init__(self, store: Store, job: Job) -> None:
        self.store = store
        self.job = job
        self.reason = ""
        """Why the job ended, if it has something to say."""
        self.signalled = False
        """Whether a SIGTERM asked the job to stop."""

    def begin(self) -> None:
        """The job's turn has come; until then it counts as queued."""
        self.store.start(self.job.id)

    def progress(self, done: float, total: float, message: str) -> None:
        """Record how far the job is."""
        self.store.progress(self.job.id, done, total, message)

    def stop_requested(self) -> bool:
        """Whether the store, or a SIGTERM, asks the job to stop."""
        return self.signalled or self.store.stop_requested(self.job.id)

    def check_stop(self) -> None:
        """Raise `StopRequested` if the job was asked to stop."""
        if self.stop_requested():
            raise StopRequested

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.signalled = True


@contextmanager
def job_process(store: Store, job_id: str) -> Iterator[JobProcess]:
    """Run the body as the job: beat until it ends, then record how it ended.

    Raises:
        StoreError: the job does not wait for a process: it has one, or it has ended.
        AtlasError: what made the job fail, after it was recorded, for the terminal to print.
    """
    job = store.job(job_id)
    if job.status not in ("queued", "lost"):
        raise StoreError(f"{job_id} is {job.status} and waits for no process.", "Resume a stopped or failed run instead.")
    process = JobProcess(store, job)
    previous = signal.signal(signal.SIGTERM, process.on_signal)
    ended = threading.Event()
    store.beat(job_id, worker=worker_name())
    heart = threading.Thread(target=_beat, args=(store, job_id, ended), daemon=True, name="heartbeat")
    heart.start()
    try:
        yield process
        _end(store, job_id, "finished", process.reason or "done")
    except StopRequested:
        _end(store, job_id, "stopped", process.reason or "stopped on request")
    except KeyboardInterrupt:
        _end(store, job_id, "stopped", "interrupted at the terminal")
        raise
    except AtlasError as error:
        _end(store, job_id, "failed", str(error))
        raise
    except Exception as error:
        traceback.print_exc()
        _end(store, job_id, "failed", f"{type(error).__name__}: {error}")
        raise AtlasError(f"{job_id} failed: {type(error).__name__}: {error}.", "Its log has the details.") from error
    finally:
        ended.set()
        heart.join()
        signal.signal(signal.SIGTERM, previous)


def _beat(store: Store, job_id: str, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT_S):
        try:
            store.beat(job_id)
        except SQLAlchemyError as error:
            # The next beat may get through; a heart that stops for good would make a living job count as lost.
            print(f"a heartbeat of {job_id} did not reach the run store: {root_cause(error)}", file=sys.stderr)


def _end(store: Store, job_id: str, status: Status, reason: str) -> None:
    try:
        store.end(job_id, status, reason)
    except SQLAlchemyError as error:
        raise StoreError(
            f"{job_id} {status} ({reason}), and the run store could not take that ({root_cause(error)}).",
            "Check that the database is there, writable and has room; the run shows as lost until it is resumed.",
        ) from error
