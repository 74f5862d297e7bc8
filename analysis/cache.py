"""Computed arrays on disk, found again by what they were computed from.

A key is the SHA-256 of a stage and everything that determines its result, so a changed input can never be served a stale
array. One entry is one uncompressed `.npz`, whose checksums reveal a damaged file; damaged counts as missing. What the
stages are and what goes into their keys is for `analysis.atlas`.
"""

import hashlib
import json
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from training.errors import HomeError
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

    @classmethod
    def from_home(cls, home: Home) -> "Cache":
        """The cache in a home, with the demo's ready-made map behind it."""
        return cls(root=home.cache / "atlas", shipped=DEMO_ATLAS)

    def read(self, key: str) -> Arrays | None:
        """The arrays stored under a key; `None` when there are none or they cannot be read whole."""
        for folder in (self.root, self.shipped):
            arrays = _load(_entry(folder, key)) if folder else None
            if arrays is not None:
                return arrays
        return None

    def has(self, key: str) -> bool:
        """Whether there is an entry, read or damaged."""
        return any(folder is not None and _entry(folder, key).is_file() for folder in (self.root, self.shipped))

    def write(self, key: str, arrays: Arrays) -> None:
        """Store arrays under a key, replacing what is there.

        Raises:
            HomeError: the folder cannot be written or the disk is full; nothing partial is left behind.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            replace_file(_entry(self.root, key), lambda file: np.savez(file, allow_pickle=False, **dict(arrays)))
        except OSError as error:
            raise HomeError(
                f"The cache {self.root} cannot be written ({error.strerror or error}).",
                "Free some space, or set GRPO_ATLAS_HOME to a folder that you may write to.",
            ) from error


def _entry(folder: Path, key: str) -> Path:
    return folder / f"{key}.npz"


def _load(file: Path) -> Arrays | None:
    try:
        with np.load(file, allow_pickle=False) as entry:
            return {name: entry[name] for name in entry.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None


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
