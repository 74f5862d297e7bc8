"""The local backend: a detached process on this machine, one accelerator job at a time.

A job's process outlives the dashboard that started it. Training and evaluation queue on an operating-system lock in
submission order; the lock goes with its process, so a crash frees it.
"""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from training.backends import BackendState
from training.errors import BackendError, StoreAwayError
from training.home import Home
from training.names import folder_in
from training.preflight.devices import Machine, this_machine
from training.store import LOCAL, Job, JobKind, Store

ACCELERATOR_KINDS: tuple[JobKind, ...] = ("train", "evaluate")

_BEHIND_THE_PAGES = ("nice", "-n", "5")
"""Jobs give way to the dashboard and the browser that watch them."""
_FOR_THE_DASHBOARD_ALONE = "GRPO_ATLAS_TOKEN"
"""A variable that no job gets: whoever writes code that a job loads could read it, and then act on the pages."""
_POLL_S = 0.5


class LocalBackend:
    """See `training.backends.Backend`."""

    title = "This machine"

    def __init__(self, home: Home) -> None:
        self._home = home

    def state(self, store: Store) -> BackendState:
        runs = self._home.runs
        if not (runs.is_dir() and os.access(runs, os.W_OK | os.X_OK)):
            return BackendState("unreachable", reason=f"The folder {runs} cannot be written.")
        active = store.active_jobs(ACCELERATOR_KINDS, LOCAL)
        running = tuple(job.id for job in reversed(active) if job.status != "queued")
        waiting = tuple(job.id for job in reversed(active) if job.status == "queued")
        return BackendState("busy" if active else "free", running, waiting)

    def machine(self) -> Machine:
        return this_machine(self._home.runs)

    def submit(self, job: Job, command: Sequence[str]) -> None:
        folder = job_folder(self._home, job.id)
        # Threads that wait by sleeping: spinning ones take twice as long a step as soon as a browser wants a core too.
        variables = {"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_WAIT_POLICY": "passive"}
        inherited = {name: value for name, value in os.environ.items() if name != _FOR_THE_DASHBOARD_ALONE}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "log.txt").open("ab") as log:
                subprocess.Popen(
                    [*_BEHIND_THE_PAGES, sys.executable, *command],
                    cwd=folder,
                    env=variables | inherited | self._home.environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise BackendError(
                f"{job.id} cannot be started on this machine ({error.strerror or error}).",
                f"Check that {folder} can be written.",
            ) from error

    def status(self, job: Job) -> str:
        host, _, pid = job.worker.rpartition(":")
        if not pid or host != socket.gethostname():
            return "unknown"
        return "alive" if _process(int(pid), job.id) else "gone"

    def logs(self, job: Job, characters: int = 20_000) -> str:
        path = job_folder(self._home, job.id) / "log.txt"
        if not path.exists():
            return ""
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - characters))
            return log.read().decode("utf-8", errors="replace")

    def stop(self, job: Job) -> None:
        process = _process(int(job.worker.rpartition(":")[2] or 0), job.id)
        if process is not None:
            process.send_signal(signal.SIGTERM)


def job_folder(home: Home, job_id: str) -> Path:
    """Where a job's log, checkpoints and other files lie.

    Raises:
        StoreError: its id would lead elsewhere.
    """
    return folder_in(home.runs, job_id)


def worker_name() -> str:
    """`host:pid` of this process, as the store keeps it."""
    return f"{socket.gethostname()}:{os.getpid()}"


@contextmanager
def accelerator(home: Home, store: Store, job: Job | None, check: Callable[[], None]) -> Iterator[None]:
    """Hold this machine's accelerator for a job, waiting until the jobs submitted before it have had their turn.

    A job of another backend has had its turn: its cluster gave it the accelerator and started it.

    Args:
        job: `None` for what is no job; its turn comes when none waits.
        check: called while waiting; raises to give up (a stop request).
    """
    if job is not None and job.backend != LOCAL:
        yield
        return
    with (home.locks / "accelerator.lock").open("a") as lock:
        while not (_is_next(store, job) and _try_lock(lock.fileno())):
            check()
            time.sleep(_POLL_S)
        yield


def _is_next(store: Store, job: Job | None) -> bool:
    try:
        queue = store.queue(LOCAL, ACCELERATOR_KINDS)
    except StoreAwayError:  # whose turn it is cannot be known
        return False
    return not queue or (job is not None and queue[0].seq >= job.seq)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _process(pid: int, job_id: str) -> psutil.Process | None:
    """The job's process, unless it has ended and its number was given to another."""
    try:
        process = psutil.Process(pid)
        return process if job_id in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None
