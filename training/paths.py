"""Paths that people write, and files that others wrote: what may be wrong with either is found here, where they enter.

Opening one never waits: pipes, sockets and devices are no files to read settings or problems from.
"""

import io
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any, BinaryIO

from training.errors import AtlasError, shown
from training.names import COMPONENT_BYTES

_PATH_BYTES = 4095
"""The longest path that Linux takes."""

_REASON_CHARACTERS = 200

MOST_BYTES = 256 * 1024
"""Of a file of settings; longer ones are something else."""

_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}""", re.ASCII)
"""tomllib takes minutes for a key of some 10,000 parts, in 40 KB; nothing of ours has more than two."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def parse_path(text: str, error: type[AtlasError], *, follow: bool = False) -> Path:
    """An absolute path as a person wrote it, `~` expanded; with `follow`, links followed.

    What is returned can be asked for without an exception, but it need not be there.

    Raises:
        AtlasError: of the kind given. It is no path: a user that there is not, a loop of links, a name that is too long.
    """
    try:
        path = Path(text).expanduser().absolute()
        path = path.resolve() if follow else path
        written = str(path).encode()  # not as the system would: others could not be written to a store or shown
        if b"\0" in written:
            raise ValueError("it holds a null character")
        if len(written) > _PATH_BYTES or any(len(part) > COMPONENT_BYTES for part in written.split(b"/")):
            raise ValueError("it is too long")
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return path
    except (OSError, RuntimeError, ValueError) as found:  # ValueError: a null character, half a character
        raise error(f"{shown(text)} cannot be used as a path ({reason(found)}).", "Check how it is written.") from found
    return path


def open_file(path: Path) -> BinaryIO:
    """Open a file to read; never waits for somebody at the other end of a pipe.

    Raises:
        OSError: it cannot be opened, or is a folder, a pipe, a socket or a device.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OSError(f"it is {_KINDS.get(stat.S_IFMT(mode), 'no file')}, not a file")
    return io.BufferedReader(io.FileIO(descriptor))


def read_text(path: Path, limit_bytes: int) -> str:
    """A whole file of text.

    Raises:
        OSError: as `open_file`, or it is larger than `limit_bytes`.
        UnicodeDecodeError: it is not UTF-8.
    """
    with open_file(path) as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise OSError(f"it is larger than {limit_bytes:,} bytes")
    return content.decode("utf-8")


def read_toml(path: Path) -> dict[str, Any]:
    """A file of settings.

    Raises:
        OSError: as `read_text`.
        ValueError: it is not TOML in UTF-8, or it is nested so deeply or holds such long numbers or keys that nobody means it.
    """
    text = read_text(path, MOST_BYTES)
    if found := _LONG_KEY.search(text):
        raise ValueError(f"{shown(found[0])} is no key")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        raise ValueError("a number in it has too many digits") from error


def reason(error: Exception) -> str:
    """Why something could not be read, on one line, without what the message that it stands in says already."""
    words = str(getattr(error, "strerror", None) or error).strip()
    return " ".join((words or type(error).__name__).split())[:_REASON_CHARACTERS].rstrip(". ")


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; one that may not be looked at counts as none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
