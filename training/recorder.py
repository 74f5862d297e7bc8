"""The ledger's writer: takes what a training step leaves behind, writes it in a thread of its own, in the order given.

The training process hands over and goes on; what has gathered since the last write is one transaction, so a step is in the
store as soon as the store can take it, and a slow store gets several steps at once. Writes are keyed by step, so that
writing the same steps again changes nothing.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from training.errors import StoreError
from training.store import Progress, Rollout, Store, root_cause

CAPACITY_STEPS = 64
"""Steps that may wait to be written before a step waits for the store.

A bound on memory: 64 steps of 512 completions with 2,000 characters are 64 MiB. At a second a step it outlasts a store that
does not answer for a minute. What waits is written before a checkpoint counts, so a crash costs no step that a checkpoint has.
"""

_LOOK_S = 1.0
"""How often an idle recorder looks for a stop request."""


@dataclass(frozen=True)
class _Entry:
    step: int
    rollouts: Sequence[Rollout] = ()
    scalars: Mapping[str, float | None] | None = None
    progress: Progress | None = None


class Recorder:
    """Writes one run's rollouts, scalars and progress; a context manager that has written everything when it ends.

    For one thread that hands over. Every method raises `StoreError` once the store has failed, and what was handed over
    and not yet written is then not on record.
    """

    def __init__(self, store: Store, job_id: str, capacity_steps: int = CAPACITY_STEPS) -> None:
        self._store = store
        self._job_id = job_id
        self._capacity_steps = capacity_steps
        self._changed = threading.Condition()
        self._unwritten: deque[_Entry] = deque()
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
        self._add(_Entry(rollouts[0].step, rollouts=rollouts))

    def add_scalars(self, step: int, values: Mapping[str, float | None], progress: Progress) -> None:
        """Hand over a step's scalars, and how far the run is with it; waits like `add_rollouts`."""
        self._add(_Entry(step, scalars=values, progress=progress))

    def flush(self) -> None:
        """Wait until everything handed over is in the store."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or not self._unwritten)
            self._check()

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
        elif self._failure is not None and not isinstance(error, StoreError):
            error.add_note(f"The last steps are not on record either: {root_cause(self._failure)}")

    def _add(self, entry: _Entry) -> None:
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

    def _run(self) -> None:
        try:
            while self._write_next():
                self._stop_requested = self._store.stop_requested(self._job_id)
        except Exception as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _write_next(self) -> bool:
        """Wait a moment for entries and write those there are; False when closed and done."""
        with self._changed:
            self._changed.wait_for(lambda: self._unwritten or self._closed, _LOOK_S)
            entries = tuple(self._unwritten)
            if not entries:
                return not self._closed
        self._store.record(
            self._job_id,
            rollouts=[rollout for entry in entries for rollout in entry.rollouts],
            scalars=[(entry.step, entry.scalars) for entry in entries if entry.scalars is not None],
            progress=next((entry.progress for entry in reversed(entries) if entry.progress is not None), None),
        )
        with self._changed:
            for _ in entries:
                self._unwritten.popleft()
            self._changed.notify_all()
        return True
