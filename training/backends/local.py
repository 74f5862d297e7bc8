"""The local backend: a detached process on this machine, one accelerator job at a time.

A job's process outlives the dashboard that started it. Training and evaluation queue on an operating-system lock in
submission order; the lock goes with its process, so a crash frees it. A job that does not end when it is asked to is ended.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress

from training.artefacts import VARIABLE
from training.backends import BackendState
from training.errors import BackendError, StoreAwayError, StoreError, StoreFailedError
from training.home import Home, inherited_environment
from training.locks import FileLock
from training.machines import Machine, this_machine
from training.processes import State, end, identify, state_of
from training.store import LOCAL, Job, Store
from training.workers import Workers

_NICENESS = 5
"""Of jobs: they give way to the dashboard and the browser that watch them."""
_POLL_S = 0.5

FORCE_GRACE_S = 5.0
"""From SIGTERM, which a job takes for a request to stop at its next step, to SIGKILL."""
_OVERDUE_EVERY_S = 5.0
"""How often a job that waits for its turn looks for one that ought to have stopped."""


class LocalBackend:
    """See `training.backends.Backend`."""

    title = "This machine"

    def __init__(self, home: Home) -> None:
        self._home = home

    @property
    def workers(self) -> int:
        return Workers.from_environment().count

    @property
    def artefacts(self) -> str:
        return os.environ.get(VARIABLE, "").strip()

    @property
    def cluster(self) -> None:
        return None

    def state(self, store: Store) -> BackendState:
        runs = self._home.runs
        if not (runs.is_dir() and os.access(runs, os.W_OK | os.X_OK)):
            return BackendState("unreachable", reason=f"The folder {runs} cannot be written.")
        active = store.accelerator_jobs(LOCAL)
        running = tuple(job.id for job in active if job.status != "queued")
        waiting = tuple(job.id for job in active if job.status == "queued")
        return BackendState("busy" if active else "free", running, waiting)

    def machine(self) -> Machine:
        return this_machine(self._home.runs)

    def submit(self, job: Job, command: Sequence[str]) -> str:
        folder = self._home.job_folder(job.id)
        # Threads that wait by sleeping: spinning ones take twice as long a step as soon as a browser wants a core too.
        variables = {"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_WAIT_POLICY": "passive"}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "log.txt").open("ab") as log:
                started = subprocess.Popen(
                    ["nice", "-n", str(max(0, _NICENESS - os.nice(0))), sys.executable, *command],
                    cwd=folder,
                    env=variables | inherited_environment() | self._home.environment(),
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
        return identify(started.pid)

    def status(self, job: Job) -> State:
        return state_of(job.process)

    def logs(self, job: Job, characters: int = 20_000) -> str:
        path = self._home.job_folder(job.id) / "log.txt"
        if not path.exists():
            return ""
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - characters))
            return log.read().decode("utf-8", errors="replace")

    def stop(self, job: Job) -> None:
        if not end(job.process, FORCE_GRACE_S):
            raise BackendError(
                f"The process of {job.id} ({job.worker or 'unknown'}) cannot be ended from here.",
                "Give the command on its own machine, as the user who started it.",
            )


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

    Raises:
        HomeError: the home cannot be written.
    """
    if job is not None and job.backend != LOCAL:
        yield
        return
    with closing(_lock(home)) as lock:
        looked_at = time.monotonic()
        while not (_is_next(store, job) and lock.try_hold()):
            check()
            if time.monotonic() - looked_at >= _OVERDUE_EVERY_S:
                with suppress(StoreAwayError):
                    end_overdue(store, home)
                looked_at = time.monotonic()
            time.sleep(_POLL_S)
        try:
            yield
        finally:
            lock.release()


def _lock(home: Home) -> FileLock:
    try:
        return FileLock(home.locks / "accelerator.lock")
    except OSError:
        home.require_writable()
        raise


def _is_next(store: Store, job: Job | None) -> bool:
    try:
        queue = store.queue(LOCAL)
    except StoreAwayError:  # whose turn it is cannot be known
        return False
    return not queue or (job is not None and queue[0].seq >= job.seq)


def end_overdue(store: Store, home: Home) -> None:
    """End by force what was asked to stop and has not got on since for as long as the home allows; several may do it at once.

    So a run that is stuck within a step ends, whoever looks first: a page, a command, or the next job that waits.
    """
    for asked in store.asked_to_stop(LOCAL):
        job, state = asked.job, state_of(asked.job.process)
        if state == "unknown" or (state == "gone" and not asked.by_force):
            continue
        silent_s = asked.silent_s(store.now())
        if silent_s < 0:
            store.ask_anew(job.id)  # the clock was set back
        if not asked.by_force and silent_s < home.stop_grace_s:
            continue
        try:
            why = "" if asked.by_force else f": asked to stop, it showed no progress for {silent_s:,.0f} s"
            end_by_force(store, home, job.id, f"ended by force{why}")
        except StoreFailedError:
            raise
        except (BackendError, StoreError) as error:  # or it has ended by itself meanwhile
            print(error, file=sys.stderr, flush=True)


def end_by_force(store: Store, home: Home, job_id: str, reason: str = "ended by force") -> None:
    """End a job of this machine with all that it started; it counts as stopped, unless it says itself how it ends.

    Raises:
        StoreError: it has ended already.
        StoreFailedError: its process was ended, and the store takes no word of that, as on a full disk.
        BackendError: its process cannot be ended from here.
    """
    refused: StoreFailedError | None = None
    try:
        store.request_stop(job_id, force=True)
    except StoreFailedError as error:
        refused = error
    LocalBackend(home).stop(store.job(job_id))
    if refused is not None:
        raise refused
    job = store.job(job_id)
    if job.active or job.status == "lost":
        store.conclude(job, "stopped", reason)
