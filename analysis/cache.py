"""Computed arrays on disk, found again by what they were computed from.

A key is the SHA-256 of a stage and everything that determines its result, so a changed input can never be served a stale
array. One entry is one uncompressed `.npz`, whose checksums reveal a damaged file; damaged counts as missing. What the
stages are and what goes into their keys is for `analysis.atlas`.
"""

import errno
import hashlib
import json
import os
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import HomeError
from training.files import replace_file
from training.home import DEMO_ATLAS, Home

Arrays = Mapping[str, NDArray[Any]]


def cache_key(stage: str, **inputs: str | int | float) -> str:
    """`<stage>-<SHA-256 of the stage and its inputs>`; a result computed from another goes in by that one's key."""
    canonical = json.dumps([stage, inputs], sort_keys=True)
    return f"{stage}-{hashlib.sha256(canonical.encode()).hexdigest()}"


@dataclass(frozen=True)
class Cache:
    """A folder of entries that may be written, backed by one that ships with the project and is only read.

    Several processes may use one folder: an entry appears whole or not at all, and writing it twice is harmless.
    """

    root: Path
    shipped: Path | None = None
    stopgap: Path | None = None
    """A folder of this user alone, for what the other one does not take; it need not outlive the machine's next start."""

    @classmethod
    def from_home(cls, home: Home) -> "Cache":
        """The cache in a home, with the demo's ready-made map behind it, and room elsewhere where its disk is full."""
        of_home = hashlib.sha256(str(home.root).encode()).hexdigest()[:16]
        stopgap = Path(tempfile.gettempdir()) / f"grpo-atlas-{os.getuid()}" / of_home
        return cls(root=home.cache / "atlas", shipped=DEMO_ATLAS, stopgap=stopgap)

    def read(self, key: str) -> Arrays | None:
        """The arrays stored under a key; `None` when there are none or they cannot be read whole."""
        for folder in self._folders():
            arrays = _load(_entry(folder, key))
            if arrays is not None:
                return arrays
        return None

    def has(self, key: str) -> bool:
        """Whether there is an entry, read or damaged."""
        return any(_entry(folder, key).is_file() for folder in self._folders())

    def stopgap_notice(self, keys: Iterable[str]) -> str:
        """What to know where an entry of these is only kept for a while, in words; empty where none is."""
        places = [next((folder for folder in self._folders() if _entry(folder, key).is_file()), None) for key in keys]
        if self.stopgap is None or self.stopgap not in places:
            return ""
        return f"The cache {self.root} took no more: what was built is in {self.stopgap} until the machine starts anew."

    def write(self, key: str, arrays: Arrays) -> None:
        """Store arrays under a key, replacing what is there; in the stopgap folder where the other takes nothing.

        Raises:
            HomeError: neither can be written; nothing partial is left behind.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            _write(self.root, key, arrays)
        except OSError as error:
            if self.stopgap is not None:
                with suppress(OSError):
                    _make_private(self.stopgap)
                    _write(self.stopgap, key, arrays)
                    return
            raise HomeError(
                f"The cache {self.root} cannot be written ({error.strerror or error}).",
                "Free some space, or set GRPO_ATLAS_HOME to a folder that you may write to.",
            ) from error

    def _folders(self) -> Iterator[Path]:
        yield self.root
        if self.stopgap is not None and _is_private(self.stopgap):
            yield self.stopgap
        if self.shipped is not None:
            yield self.shipped


def _write(folder: Path, key: str, arrays: Arrays) -> None:
    replace_file(_entry(folder, key), lambda file: np.savez(file, allow_pickle=False, **dict(arrays)))


def _make_private(folder: Path) -> None:
    """Raise `OSError` unless the folder is, or can be made, this user's alone: others may write beside it."""
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if not _is_private(folder):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def _is_private(folder: Path) -> bool:
    for place in (folder.parent, folder):
        try:
            status = place.lstat()
        except OSError:
            return False
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
            return False
    return True


def _entry(folder: Path, key: str) -> Path:
    return folder / f"{key}.npz"


def _load(file: Path) -> Arrays | None:
    try:
        with np.load(file, allow_pickle=False) as entry:
            return {name: entry[name] for name in entry.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
