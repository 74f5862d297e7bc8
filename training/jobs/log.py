"""A job's output on a disk that may be full: a line that cannot be written is left out, and the job goes on."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast


class _Patient:
    """A stream whose writes fail silently; in all else the stream itself."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def patient_output() -> Iterator[None]:
    """Meanwhile nothing fails because a line cannot be printed."""
    with redirect_stdout(cast(TextIO, _Patient(sys.stdout))), redirect_stderr(cast(TextIO, _Patient(sys.stderr))):
        yield
