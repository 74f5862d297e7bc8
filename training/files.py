"""Writing a file so that nobody ever sees a part of it."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def replace_file(file: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write beside the final name, then rename: a reader sees the whole file, the one before, or none.

    Raises:
        OSError: whatever `write` or the file system raises; the partial file is removed.
    """
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("xb") as stream:
            write(stream)
        partial.replace(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
