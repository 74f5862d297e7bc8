"""What a run's process could not deliver: a file in the run's folder that holds steps, in order, while the store is away.

Lines of JSON behind a first line that names the run's session. What was appended is on the disk, so a killed process
loses none of it: the next one delivers it before it begins. Writing a step again replaces it, so a delivery whose outcome
nobody knows is made again.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.errors import StoreError
from training.groups import Rollout
from training.store import Checkpoint, Progress, Store
from training.store.sessions import reach_of
from training.text import size_text

NAME = "outbox.jsonl"

LIMIT_BYTES = 4 * 2**30
"""Of the file. A step of 512 completions with 2,000 characters takes 1 MiB: hours of a store that is away."""

_BATCH_BYTES = 4 * 2**20
"""Delivered in one transaction, or a single step that is larger."""

_BLOCK = 2**16


@dataclass(frozen=True)
class Entry:
    """One thing that a run hands over."""

    step: int
    time: float
    """When it was handed over, Unix seconds."""
    rollouts: Sequence[Rollout] = ()
    """All of the step's."""
    scalars: Mapping[str, float | None] | None = None
    progress: Progress | None = None
    checkpoint: Checkpoint | None = None


class Outbox:
    """The file of one run, for one thread of one process. It is there only while something waits in it."""

    def __init__(self, folder: Path, session: float | None, limit_bytes: int = LIMIT_BYTES) -> None:
        """Take up the folder's file if there is one.

        Args:
            session: when the present session of the run began, as the store has it.
        """
        self.path = folder / NAME
        self._session = session
        self._limit_bytes = limit_bytes
        self._delivered = 0
        self._size = self._whole_lines()

    @property
    def is_empty(self) -> bool:
        return self._size == 0

    @property
    def size_bytes(self) -> int:
        """Of what is in it."""
        return self._size

    def append(self, entries: Iterable[Entry]) -> None:
        """Keep entries; they are on the disk when this returns.

        Raises:
            StoreError: the file would grow beyond its limit, or cannot be written.
        """
        lines = [json.dumps({"session": self._session})] if self.is_empty else []
        added = "".join(f"{line}\n" for line in [*lines, *(json.dumps(asdict(entry)) for entry in entries)]).encode()
        remedy = "Bring the store back and resume the run: what waits in this file is delivered first."
        if self._size + len(added) > self._limit_bytes:
            raise StoreError(f"{self.path} holds {size_text(self._size)} for the run store, which takes nothing now.", remedy)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("r+b" if self._size else "wb") as file:
                file.seek(self._size)
                file.truncate()
                file.write(added)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written ({error.strerror or error}), and the run store takes nothing now.", remedy
            ) from error
        self._size += len(added)

    def deliver(self, store: Store, job_id: str, up_to_step: int | None = None) -> None:
        """Write what waits to the store, in order, and delete the file; what was written stays so if this is cut short.

        Args:
            up_to_step: later ones are dropped.

        Raises:
            StoreAwayError: the store is away.
        """
        for entries, end in self._waiting():
            write(store, job_id, [entry for entry in entries if up_to_step is None or entry.step <= up_to_step])
            self._delivered = end
        self.clear()

    def cut(self, size_bytes: int) -> None:
        """Forget what was appended since it had this size: the next entries are written over it."""
        self._size = size_bytes

    def clear(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)
        self._delivered = self._size = 0

    def written_in(self) -> float | None:
        """The session that wrote the file."""
        with self.path.open("rb") as file:
            session: float | None = json.loads(file.readline())["session"]
            return session

    def _waiting(self) -> Iterator[tuple[list[Entry], int]]:
        """(entries for one transaction, where the file goes on behind them)."""
        if self.is_empty:
            return
        with self.path.open("rb") as file:
            if self._delivered == 0:
                file.readline()
            else:
                file.seek(self._delivered)
            entries: list[Entry] = []
            begin = file.tell()
            while file.tell() < self._size:
                entries.append(_parsed(json.loads(file.readline())))
                if file.tell() - begin >= _BATCH_BYTES:
                    yield entries, file.tell()
                    entries, begin = [], file.tell()
            if entries:
                yield entries, file.tell()

    def _whole_lines(self) -> int:
        """The file's length up to the last line that was written whole, 0 without one."""
        if not self.path.is_file():
            return 0
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            while end > 0:
                begin = max(0, end - _BLOCK)
                file.seek(begin)
                place = file.read(end - begin).rfind(b"\n")
                if place >= 0:
                    return begin + place + 1
                end = begin
        return 0


def write(store: Store, job_id: str, entries: Sequence[Entry]) -> None:
    """Write entries in one transaction."""
    if not entries:
        return
    store.record(
        job_id,
        rollouts=[rollout for entry in entries for rollout in entry.rollouts],
        scalars=[(entry.step, entry.scalars) for entry in entries if entry.scalars is not None],
        progress=next((entry.progress for entry in reversed(entries) if entry.progress is not None), None),
        checkpoints=[entry.checkpoint for entry in entries if entry.checkpoint is not None],
        times={entry.step: entry.time for entry in entries if entry.scalars is not None},
    )


def deliver_left_behind(store: Store, job_id: str, folder: Path) -> None:
    """Deliver what an earlier process of the run left in its folder.

    Dropped is what came after a checkpoint that somebody chose to resume from since, and all of it if the run went on
    elsewhere meanwhile.

    Raises:
        StoreAwayError: the store is away.
    """
    outbox = Outbox(folder, session=None)
    if outbox.is_empty:
        return
    wrote = outbox.written_in()
    if wrote is not None and _sessions_since(wrote, reach_of(store, job_id).began) > 1:  # the present one is one
        print(f"{outbox.path} is older than what {job_id} did elsewhere since: it is dropped", file=sys.stderr, flush=True)
        outbox.clear()
        return
    outbox.deliver(store, job_id, up_to_step=store.chosen_step(job_id, since=wrote or 0.0))
    print("what the run store had not received from an earlier process is delivered", file=sys.stderr, flush=True)


def _sessions_since(wrote: float, began: Sequence[float]) -> int:
    """How many sessions began after one; a store that was restored from an older copy does not know that one."""
    return len(began) - 1 - began.index(wrote) if wrote in began else sum(start > wrote for start in began)


def _parsed(line: dict[str, Any]) -> Entry:
    return Entry(
        step=line["step"],
        time=line["time"],
        rollouts=tuple(Rollout(**rollout) for rollout in line["rollouts"]),
        scalars=line["scalars"],
        progress=line["progress"] and Progress(**line["progress"]),
        checkpoint=line["checkpoint"] and Checkpoint(**line["checkpoint"]),
    )
