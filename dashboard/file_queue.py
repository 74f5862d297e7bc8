"""Files made for a download one at a time: an export of a large map keeps a processor busy for seconds."""

import threading
from collections.abc import Callable
from typing import TypeVar

from training.errors import AtlasError

Content = TypeVar("Content")


class FileBusyError(AtlasError):
    """Others wait for files that are being made."""


class FileQueue:
    """Of all sessions together; safe for threads.

    Args:
        waiting: how many requests may wait while a file is made. Streamlit makes files in a handful of threads, of which
            one has to stay free for whoever else needs one.
    """

    def __init__(self, waiting: int = 3) -> None:
        self._turn = threading.Lock()
        self._room = threading.BoundedSemaphore(waiting + 1)

    def making(self, make: Callable[[], Content]) -> Callable[[], Content]:
        """What makes the same file when its turn has come.

        It raises `FileBusyError` where too many wait already.
        """

        def made() -> Content:
            if not self._room.acquire(blocking=False):
                raise FileBusyError("Too many files are being made.", "Try again in a moment.")
            try:
                with self._turn:
                    return make()
            finally:
                self._room.release()

        return made
