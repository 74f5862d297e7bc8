"""Copies a run's checkpoints to where artefacts go, in a thread of its own, and deletes those beyond the number kept.

The training process hands a checkpoint over and goes on. Its record names the folder until the copy is complete and the URL
from then on. A copy that cannot be made is tried again, then told and left: the folder is still there, and the next
checkpoint is tried anew. Needs no torch.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType

from training.artefacts import Artefacts, is_copy_of, is_url, remove
from training.errors import AtlasError, StoreAwayError, shown
from training.names import lies_within
from training.store import Checkpoint, Store
from training.store.patience import patiently

RETRIES_S = (5.0, 30.0)
"""Pauses before a copy is tried again."""

_LOOK_S = 1.0
"""How often it is looked whether the record of a checkpoint has reached a store that was away."""


class Uploads:
    """One run's uploads; a context manager that has tried everything when it ends.

    For one thread that hands over.
    """

    def __init__(
        self,
        artefacts: Artefacts,
        store: Store,
        job_id: str,
        checkpoints_kept: int,
        tell: Callable[[str], None] = lambda line: print(line, flush=True),
        retries_s: tuple[float, ...] = RETRIES_S,
    ) -> None:
        self._artefacts = artefacts
        self._store = store
        self._job_id = job_id
        self._kept = checkpoints_kept
        self._tell = tell
        self._retries_s = retries_s
        self._changed = threading.Condition()
        self._waiting: dict[int, Path] = {}
        self._copying: int | None = None
        self._failed: tuple[int, Path] | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="uploads")
        self.problem = ""
        """Why the newest checkpoint that was tried is not uploaded, in words; empty when all is well."""

    def add(self, step: int, folder: Path) -> None:
        """Hand over a checkpoint that is on record; of several that wait the newest goes first."""
        with self._changed:
            self._waiting[step] = folder
            self._changed.notify_all()
        try:
            self._delete_old_folders(folder.parent)
        except StoreAwayError:
            return  # the next checkpoint has it done

    def finish(self) -> str:
        """Wait until every checkpoint was tried, the last that failed once more; return `problem`.

        To be called once the recorder has ended: a checkpoint whose record is not in the store then does not count.
        """
        self._close()
        if self._failed is not None:
            with self._told():
                self._copy(*self._failed)
        return self.problem

    def __enter__(self) -> "Uploads":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        with self._told():
            self._delete_unrecorded()
            while (found := self._next()) is not None:
                self._copy(*found)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What nobody expected is told and ends the uploads, not the run: its folders are whole."""
        try:
            yield
        except Exception as error:
            self.problem = f"checkpoints are not uploaded any more ({error})"
            self._tell(self.problem)

    def _next(self) -> tuple[int, Path] | None:
        with self._changed:
            self._copying = None
            self._changed.wait_for(lambda: self._waiting or self._closed.is_set())
            if not self._waiting:
                return None
            self._copying = max(self._waiting)
            return self._copying, self._waiting.pop(self._copying)

    def _copy(self, step: int, folder: Path) -> None:
        if not folder.is_dir():  # it waited until it was one too many
            return
        url = self._upload(step, folder)
        if url is None:
            return
        if not self._is_on_record(step):
            self.problem = f"the checkpoint of step {step:,} is uploaded, and not on record: the run store stayed away"
            self._tell(f"{self.problem}; the copy is {url}")
            return
        patiently(lambda: self._store.add_checkpoint(self._job_id, step, url), self._closed.is_set)
        self._tell(f"the checkpoint of step {step:,} is uploaded to {url}")
        for checkpoint in self._too_many():
            if is_url(checkpoint.path):
                patiently(partial(self._store.forget_checkpoint, self._job_id, checkpoint.step), self._closed.is_set)
                delete_files(checkpoint, self._job_id, folder.parent)
                shutil.rmtree(folder.with_name(f"checkpoint-{checkpoint.step}"), ignore_errors=True)

    def _upload(self, step: int, folder: Path) -> str | None:
        """The copy's URL, or None where it could not be made and that has been told."""
        for pause_s in (*self._retries_s, None):
            try:
                url = self._artefacts.upload(self._job_id, folder)
            except AtlasError as error:
                self.problem = f"the checkpoint of step {step:,} is not uploaded: {error.problem}"
                self._tell(f"{self.problem} {error.remedy}")
            else:
                self.problem, self._failed = "", None
                return url
            with self._changed:
                self._failed = step, folder
                if pause_s is None or self._changed.wait_for(lambda: self._waiting or self._closed.is_set(), pause_s):
                    return None
        return None

    def _is_on_record(self, step: int) -> bool:
        """Whether the run's own record of the checkpoint is in the store; waits for it until the end.

        The recorder delivers in order, so all that the run did up to this checkpoint is then in the store too.
        """
        while True:
            is_last_look = self._closed.is_set()
            if any(checkpoint.step == step for checkpoint in self._checkpoints()):
                return True
            if is_last_look:
                return False
            self._closed.wait(_LOOK_S)

    def _checkpoints(self) -> list[Checkpoint]:
        return patiently(lambda: self._store.checkpoints(self._job_id), self._closed.is_set)

    def _too_many(self) -> list[Checkpoint]:
        """The checkpoints beyond the number kept; the newest that is uploaded stays until a newer one is."""
        known = self._checkpoints()
        uploaded = [checkpoint.step for checkpoint in known if is_url(checkpoint.path)]
        return [checkpoint for checkpoint in known[: -self._kept] if checkpoint.step not in uploaded[-1:]]

    def _delete_old_folders(self, folder: Path) -> None:
        """Delete what lies on this disk of the checkpoints beyond the number kept, but for the one that is being copied."""
        for checkpoint in self._store.checkpoints(self._job_id)[: -self._kept]:
            if checkpoint.step == self._copying:
                continue
            if not is_url(checkpoint.path):
                self._store.forget_checkpoint(self._job_id, checkpoint.step)
            shutil.rmtree(folder / f"checkpoint-{checkpoint.step}", ignore_errors=True)

    def _delete_unrecorded(self) -> None:
        """Delete the copies that no checkpoint names: cut short, or of steps that were forgotten."""
        known = {checkpoint.path for checkpoint in self._checkpoints()}
        try:
            for url in self._artefacts.copies(self._job_id):
                if url not in known and "/checkpoint-" in url:
                    remove(url)
        except AtlasError as error:
            self._tell(f"{error.problem} {error.remedy}")


@contextmanager
def uploading(store: Store, job_id: str, checkpoints_kept: int) -> Iterator[Uploads | None]:
    """A run's uploads where `GRPO_ATLAS_ARTEFACTS` says where to, else `None`.

    Raises:
        ArtefactError: what it says cannot be used.
    """
    artefacts = Artefacts.from_environment()
    if artefacts is None:
        yield None
        return
    with Uploads(artefacts, store, job_id, checkpoints_kept) as uploads:
        yield uploads


def delete_files(checkpoint: Checkpoint, job_id: str, folder: Path) -> None:
    """Delete what the path of a run's checkpoint names. What is not the run's own, or cannot be deleted, is told and left.

    Args:
        folder: the run's; other folders of this disk are not its own, whatever the record says.
    """
    path = checkpoint.path
    if not (is_copy_of(path, job_id) if is_url(path) else lies_within(path, folder)):
        print(f"{shown(path)} is on record as a checkpoint of {job_id} and lies outside of its folder: it stays.", flush=True)
        return
    if not is_url(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        remove(path)
    except AtlasError as error:
        print(f"{error.problem} {error.remedy}", flush=True)
