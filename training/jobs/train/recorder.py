"""The ledger's writer: takes what a training step leaves behind, writes it in a thread of its own, in the order given.

The training process hands over and goes on; what has gathered since the last write is one transaction, so a step is in the
store as soon as the store can take it, and a slow store gets several steps at once. While the store is away, steps go to the
run's own disk (`outbox`) and the run goes on; what waits there is delivered first when the store is back. Writes are
keyed by step, so that writing the same steps again changes nothing.

A store that fails otherwise (its disk is full, it was deleted, or replaced by one that does not know what was written to it)
ends the run, at its next step with a checkpoint, and the run's disk keeps what the store has not got.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import TracebackType

from training.errors import StoreAwayError, StoreError, StoreFailedError, StoreLostError
from training.groups import Rollout
from training.jobs.train.outbox import LIMIT_BYTES, Entry, Outbox, write
from training.jobs.train.rescue import recorded_entries
from training.store import Checkpoint, Progress, Store
from training.store.database import root_cause
from training.store.patience import LAST_TRIES_S, PATIENCE_S, backoff
from training.store.sessions import reach_of

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

    For one thread that hands over. Once the store has failed, `stop_requested` is true, and the end raises `StoreError`; if
    this disk fails too, every method does, and what was handed over and not yet written is nowhere.
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
            StoreFailedError: the store is away already, or fails.
        """
        self._store = store
        self._job_id = job_id
        self._capacity_steps = capacity_steps
        self._reach = reach_of(store, job_id)
        self._session = self._reach.began[-1] if self._reach.began else None
        self._outbox = Outbox(folder, self._session, limit_bytes)
        self._backoff = backoff()
        self._give_up = give_up
        self._changed = threading.Condition()
        self._unwritten: deque[Entry] = deque()
        self._closed = False
        self._held: Store | None = None
        self._broken: StoreError | None = None
        self._failure: Exception | None = None
        self._stop_requested = False
        self._writer = threading.Thread(target=self._run, daemon=True, name="recorder")

    @property
    def stop_requested(self) -> bool:
        """Whether the run was asked to stop, or its store failed, as of the last look: after each write, and every second
        between.
        """
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
        with suppress(StoreFailedError):  # a run that cannot hold it can still write to it
            self._held = self._store.hold()
        self._writer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._writer.join()
        if self._held is not None:
            self._held.close()
        if error is None:
            self._check()
            self._check_delivered()
        elif not isinstance(error, StoreError) and (failure := self._failure or self._broken) is not None:
            error.add_note(f"The last steps are not on record either: {root_cause(failure)}")

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
            reasons = [root_cause(error).rstrip(".") for error in (self._broken, self._failure) if error is not None]
            raise StoreError(
                f"The run store took no more of {self._job_id} ({'; '.join(reasons)}).",
                "Check that the database is there, writable and has room, then resume the run.",
            ) from self._failure

    def _check_delivered(self) -> None:
        if self._broken is not None:
            waits = "" if self._outbox.is_empty else f" What it has not got waits in {self._outbox.path}."
            raise type(self._broken)(
                f"The run store took no more of {self._job_id} ({self._broken.problem.rstrip('.')}).{waits}",
                f"{self._broken.remedy} Then resume the run.",
            ) from self._broken
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
        """Write entries, and what waits before them; to this disk while the store is away, and once it has failed."""
        try:
            if self._broken is None and self._backoff.is_due:
                self._check_known()
                if not self._outbox.is_empty:
                    self._outbox.deliver(self._store, self._job_id)
                write(self._store, self._job_id, entries)
                entries = ()
                self._reach = reach_of(self._store, self._job_id)
                self._stop_requested = self._store.stop_requested(self._job_id)
                if away_s := self._backoff.succeed():
                    print(f"the run store is back after {away_s:,.0f} s, nothing is lost", file=sys.stderr, flush=True)
        except StoreAwayError as error:
            if self._backoff.fail():
                print(f"{error.problem} Steps wait in {self._outbox.path}.", file=sys.stderr, flush=True)
        except StoreFailedError as error:
            print(f"{error.problem} The run stops at its next step.", file=sys.stderr, flush=True)
            if isinstance(error, StoreLostError):
                self._rescue()
            self._broken, self._stop_requested = error, True
        if entries:
            self._outbox.append(entries)

    def _check_known(self) -> None:
        """See that the store knows all that was written to it, and that the run is nobody else's by now."""
        found = reach_of(self._store, self._job_id)
        if self._session in found.began[:-1]:  # first, as that process has forgotten what came after its checkpoint
            raise StoreError(
                f"{self._job_id} was resumed elsewhere while the run store was away from here.",
                f"What waits in {self._outbox.path} is not delivered.",
            )
        if not found.covers(self._reach):
            raise StoreLostError(
                f"The run store does not know all that {self._job_id} wrote to it: it was replaced by another or an older one.",
                "Put the right one, or a copy of it that knows the run, back in its place.",
            )

    def _rescue(self) -> None:
        """Keep what was written to a store that was taken away, where it can still be read and there is room for it."""
        waiting = self._outbox.size_bytes
        try:
            if self._held is None or not reach_of(self._held, self._job_id).covers(self._reach):
                return
            for entries in _in_batches(recorded_entries(self._held, self._job_id)):
                self._outbox.append(entries)
        except StoreError as error:
            self._outbox.cut(waiting)
            print(f"what it had of the run is not kept here: {error.problem}", file=sys.stderr, flush=True)

    def _wait_for_delivery(self) -> None:
        began = time.monotonic()

        def is_over() -> bool:
            return time.monotonic() - began > (LAST_TRIES_S if self._give_up() else PATIENCE_S)

        while not self._outbox.is_empty and self._broken is None and not is_over():
            self._backoff.wait(is_over)
            self._keep(())


def _in_batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Of as many entries as steps may wait in memory."""
    remaining = iter(entries)
    while batch := list(islice(remaining, CAPACITY_STEPS)):
        yield batch
