"""Locks on files, by the operating system: they hold between processes, and go with the one that has them, killed or not."""

import fcntl
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileLock:
    """A lock on a file, which is made if it is not there. What is forked from its process does not hold it."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            OSError: the file cannot be opened to be written.
        """
        self._file = path.open("a")
        _open.add(self)

    def try_hold(self) -> bool:
        """Whether the lock is held now; it stays so until `release`."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock, and hold it meanwhile."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Give it back at once, though a child that was forked just now may not have closed its copy yet."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give it back for good."""
        self._file.close()


_open: "weakref.WeakSet[FileLock]" = weakref.WeakSet()


def _close_all() -> None:
    for lock in list(_open):
        lock.close()


os.register_at_fork(after_in_child=_close_all)  # else what is forked and outlives its process keeps the locks
