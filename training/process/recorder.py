"""The ledger's writer: takes what a training step leaves behind, writes it in a thread of its own, in the order given.

The training process hands over and goes on; what has gathered since the last write is one transaction, so a step is in the
store as soon as the store can take it, and a slow store gets several steps at once. While the store is away, steps go to the
run's own disk (`outbox`) and the run goes on; what waits there is delivered first when the store is back. Writes are
keyed by step, so that writing the same steps again changes nothing.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from training.errors import StoreAwayError, StoreError
from training.process.outbox import LIMIT_BYTES, Entry, Outbox, current_session, write
from training.process.patience import LAST_TRIES_S, PATIENCE_S, Backoff
from training.store import Checkpoint, Progress, Rollout, Store
from training.store.database import root_cause

CAPACITY_STEPS = 64
"""Steps that may wait to be written before a step waits for the store.

A bound on memory: 64 steps of 512 completions with 2,000 characters are 64 MiB. At a second a step it outlasts the half minute
after which a store that does not answer counts as away. What waits is in the store or on this disk before a checkpoint
counts, so a crash costs no step that a checkpoint has.
"""

_LOOK_S = 1.0
"""How often an idle recorder looks for a stop request."""


class Recorder:
    """Writes one run's rollouts, scalars, progress and checkpoints; a context manager that has written all when it ends.

    For one thread that hands over. Every method raises `StoreError` once the store has failed, and what was handed over
    and not yet written is then not on record.
    """

    def __init__(
        self,
        store: Store,
        job_id: str,
        folder: Path,
        *,
        capacity_steps: int = CAPACITY_STEPS,
        limit_bytes: int = LIMIT_BYTES,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Of the run's present session.

        Args:
            folder: where steps wait while the store is away, the run's own.
            limit_bytes: how much may wait there.
            give_up: whether there is no time to wait for a store that is away when the recorder ends.

        Raises:
            StoreAwayError: the store is away already.
        """
        self._store = store
        self._job_id = job_id
        self._capacity_steps = capacity_steps
        self._session = current_session(store, job_id)
        self._outbox = Outbox(folder, self._session, limit_bytes)
        self._backoff = Backoff()
        self._give_up = give_up
        self._changed = threading.Condition()
        self._unwritten: deque[Entry] = deque()
        self._closed = False
        self._failure: Exception | None = None
        self._stop_requested = False
        self._writer = threading.Thread(target=self._run, daemon=True, name="recorder")

    @property
    def stop_requested(self) -> bool:
        """Whether the run was asked to stop, as of the last look: after each write, and every second between."""
        return self._stop_requested

    def add_rollouts(self, rollouts: Sequence[Rollout]) -> None:
        """Hand over all rollouts of one step; waits only while `CAPACITY_STEPS` steps are unwritten."""
        self._add(Entry(rollouts[0].step, self._store.now(), rollouts=rollouts))

    def add_scalars(self, step: int, values: Mapping[str, float | None], progress: Progress) -> None:
        """Hand over a step's scalars, and how far the run is with it; waits like `add_rollouts`."""
        self._add(Entry(step, self._store.now(), scalars=values, progress=progress))

    def add_checkpoint(self, step: int, path: str) -> None:
        """Hand over a checkpoint that is complete: it is on record after everything handed over before it."""
        now = self._store.now()
        self._add(Entry(step, now, checkpoint=Checkpoint(step, path, now)))

    def flush(self) -> bool:
        """Wait until everything handed over is safe; whether it is in the store, and not on this disk only."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or not self._unwritten)
            self._check()
            return self._outbox.is_empty

    def __enter__(self) -> "Recorder":
        self._writer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._writer.join()
        if error is None:
            self._check()
            self._check_delivered()
        elif self._failure is not None and not isinstance(error, StoreError):
            error.add_note(f"The last steps are not on record either: {root_cause(self._failure)}")

    def _add(self, entry: Entry) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or self._has_room(entry.step))
            self._check()
            self._unwritten.append(entry)
            self._changed.notify_all()

    def _has_room(self, step: int) -> bool:
        steps = {entry.step for entry in self._unwritten}
        return step in steps or len(steps) < self._capacity_steps

    def _check(self) -> None:
        if self._failure is not None:
            raise StoreError(
                f"The run store took no more of {self._job_id} ({root_cause(self._failure)}).",
                "Check that the database is there, writable and has room, then resume the run.",
            ) from self._failure

    def _check_delivered(self) -> None:
        if not self._outbox.is_empty and not self._give_up():
            raise StoreAwayError(
                f"The run store has been away for {PATIENCE_S / 60:,.0f} min; the last steps wait in {self._outbox.path}.",
                "Bring it back and resume the run: they are delivered first.",
            )

    def _run(self) -> None:
        try:
            while self._write_next():
                pass
        except Exception as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _write_next(self) -> bool:
        """Wait a moment for entries and write those there are; False when closed and done."""
        with self._changed:
            self._changed.wait_for(lambda: self._unwritten or self._closed, _LOOK_S)
            entries, is_last = tuple(self._unwritten), self._closed
        self._keep(entries)
        with self._changed:
            for _ in entries:
                self._unwritten.popleft()
            self._changed.notify_all()
        if entries or not is_last:
            return True
        self._wait_for_delivery()
        return False

    def _keep(self, entries: Sequence[Entry]) -> None:
        """Write entries, and what waits before them; to this disk while the store is away."""
        try:
            if self._backoff.is_due:
                self._deliver()
                write(self._store, self._job_id, entries)
                entries = ()
                self._stop_requested = self._store.stop_requested(self._job_id)
                if away_s := self._backoff.succeed():
                    print(f"the run store is back after {away_s:,.0f} s, nothing is lost", file=sys.stderr, flush=True)
        except StoreAwayError as error:
            if self._backoff.fail():
                print(f"{error.problem} Steps wait in {self._outbox.path}.", file=sys.stderr, flush=True)
        if entries:
            self._outbox.append(entries)

    def _deliver(self) -> None:
        if self._outbox.is_empty:
            return
        if current_session(self._store, self._job_id) != self._session:
            raise StoreError(
                f"{self._job_id} was resumed elsewhere while the run store was away from here.",
                f"What waits in {self._outbox.path} is not delivered.",
            )
        self._outbox.deliver(self._store, self._job_id)

    def _wait_for_delivery(self) -> None:
        began = time.monotonic()

        def is_over() -> bool:
            return time.monotonic() - began > (LAST_TRIES_S if self._give_up() else PATIENCE_S)

        while not self._outbox.is_empty and not is_over():
            self._backoff.wait(is_over)
            self._keep(())
