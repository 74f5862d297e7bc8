"""Something that takes seconds to read, read in a thread of its own, so that a page can say how far it is."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Found = TypeVar("Found")
Told = Callable[[int, int], None]
"""Told how much of how much is done."""


class Reading(Generic[Found]):
    """What is read once, for all sessions that ask. Safe for threads."""

    def __init__(self, read: Callable[[Told], Found]) -> None:
        """Nothing is read before somebody waits for it.

        Args:
            read: knows no session, and is read again after it has raised.
        """
        self._read = read
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._found: list[Found] = []
        self._error: Exception | None = None
        self.done, self.total = 0, 0
        """How far it is; 0 of 0 where nobody knows."""

    def wait(self, timeout_s: float) -> Found | None:
        """What was found, `None` if it is still being read then.

        Raises:
            Exception: what reading raised, once; after that it is read anew.
        """
        with self._lock:
            if self._thread is None and not self._found:
                self._thread = threading.Thread(target=self._work, daemon=True, name="reading")
                self._thread.start()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        with self._lock:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
        return self._found[0] if self._found else None

    def _work(self) -> None:
        try:
            found, error = [self._read(self._tell)], None
        except Exception as raised:  # the frame of a thread: whoever waits is told
            found, error = [], raised
        with self._lock:
            self._found, self._error, self._thread = found, error, None

    def _tell(self, done: int, total: int) -> None:
        self.done, self.total = done, total
