"""What a checkpoint's files were when it was saved: a list of their sizes and SHA-256, written last and asked before use.

Sizes are compared wherever a checkpoint is chosen, which costs next to nothing; contents by the process that is about to
load it. What was saved by a version without such lists is read as far as its formats can tell. Needs no torch.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from pydantic import BaseModel, TypeAdapter
from safetensors import SafetensorError, safe_open

from training.files import replace_file

NAME = "checksums.json"

NEEDED = ("*.safetensors", "optimizer.pt", "scheduler.pt", "rng_state*.pth", "trainer_state.json")
"""What transformers' Trainer needs to go on exactly where it was: weights, optimiser, schedule, randomness, step."""

FOR_RESUMING_ALONE = ("optimizer.pt", "scheduler.pt", "rng_state*.pth", "trainer_state.json", "held_batch_*.pt", "scaler.pt")
"""Files that whoever only loads the model does without."""

_NOT_LISTED = (NAME, "manifest.json", "*.md")
"""The list itself, what an upload adds, and what people may edit."""

_THREADS = 4

_Test = Callable[[str], bool]


class _Entry(BaseModel):
    """A file as it was saved."""

    size: int
    """Bytes."""
    sha256: str


_Listed = TypeAdapter(dict[str, _Entry])


def write_checksums(folder: Path) -> None:
    """List the files of a folder that is complete.

    Raises:
        OSError: a file cannot be read, or the list not written.
    """
    names = [name for path in sorted(folder.rglob("*")) if path.is_file() and _is_listed(name := _name(folder, path))]
    with ThreadPoolExecutor(_THREADS) as pool:  # hashing leaves Python's lock alone
        hashes = list(pool.map(lambda name: _sha256(folder / name), names))
    files = {name: _Entry(size=(folder / name).stat().st_size, sha256=found) for name, found in zip(names, hashes, strict=True)}
    replace_file(folder / NAME, lambda stream: stream.write(_Listed.dump_json(files, indent=1)))


def find_damage(folder: Path, *, contents: bool = False, without: Iterable[str] = ()) -> str | None:
    """What is wrong with a checkpoint's folder, as `optimizer.pt is missing`; `None` if nothing is.

    Args:
        contents: whether each file is read and compared, too.
        without: patterns of files that are not looked at.
    """
    passed_over = tuple(without)
    return next(_findings(folder, contents, lambda name: any(fnmatch(name, pattern) for pattern in passed_over)), None)


def _findings(folder: Path, contents: bool, is_passed_over: _Test) -> Iterator[str]:
    try:
        listed = _Listed.validate_json((folder / NAME).read_bytes())
    except FileNotFoundError:
        yield from _missing(folder, is_passed_over)
        if contents:
            yield from _unreadable(folder, is_passed_over)
        return
    except (OSError, ValueError):
        yield f"{NAME} cannot be read"
        return
    for name, entry in listed.items():
        if not is_passed_over(name) and (finding := _differs(folder / name, entry, contents)):
            yield f"{name} {finding}"


def _differs(path: Path, entry: _Entry, contents: bool) -> str | None:
    try:
        size = path.stat().st_size
        if size != entry.size:
            return f"has {size:,} bytes, and {entry.size:,} were saved"
        if contents and _sha256(path) != entry.sha256:
            return "holds something else than was saved"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return None


def _missing(folder: Path, is_passed_over: _Test) -> Iterator[str]:
    for pattern in NEEDED:
        if not is_passed_over(pattern) and not any(path.stat().st_size for path in folder.glob(pattern)):
            yield f"{pattern.replace('*', '')} is missing"


def _unreadable(folder: Path, is_passed_over: _Test) -> Iterator[str]:
    """Files that their own format shows to be damaged: torch's are archives with checksums, safetensors know their length."""
    for path in sorted(folder.iterdir()):
        try:
            if is_passed_over(path.name) or not _is_listed(path.name):
                continue
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix in (".pt", ".pth"):
                with zipfile.ZipFile(path) as archive:
                    if archive.testzip() is not None:
                        yield f"{path.name} holds something else than was saved"
            elif path.suffix == ".safetensors":
                with safe_open(path, framework="numpy"):
                    pass
        except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, SafetensorError):
            yield f"{path.name} cannot be read"


def _is_listed(name: str) -> bool:
    return not any(fnmatch(name, pattern) for pattern in _NOT_LISTED)


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
