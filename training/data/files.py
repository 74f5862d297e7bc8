"""Which files of a folder are a data set: its splits by the files' names, and what is left out and why."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.rows import SUFFIXES, kind_of
from training.errors import SourceError
from training.paths import is_folder, reason

TRAIN = ("train", "training")
TEST = ("test", "validation", "valid", "val", "dev", "eval")
"""What splits are called; of the test splits the first that is there is measured on."""

_PLACES = ("main", "data", "default")
"""Where the Hub keeps a data set's files, if not in the folder itself."""
_NOT_DATA = frozenset(
    {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json", "package.json"}
)

_SHARD = re.compile(r"[-_.](?:part[-_.]?)?\d+(?:-of-\d+)?(?:-[0-9a-f]{8,})?$")
_SHOWN = 6


@dataclass(frozen=True)
class SplitFile:
    """A file and the split that its name says, `None` where it says none."""

    path: Path
    split: str | None


@dataclass(frozen=True)
class Chosen:
    """The files that are read, and what a person should know about the others."""

    files: tuple[SplitFile, ...]
    left_out: tuple[str, ...] = ()
    """Names of files that were passed over, each with the reason."""


@dataclass(frozen=True)
class SplitNames:
    """What a source calls its splits, where it is not as everybody does."""

    train: str = ""
    test: str = ""

    @property
    def tests(self) -> Sequence[str]:
        return (self.test.casefold(),) if self.test else TEST

    def split(self, word: object) -> str | None:
        """`train`, or the name of a test split, that a word is; `None` for any other."""
        name = str(word).casefold()
        if name == self.train.casefold() if self.train else name in TRAIN:
            return "train"
        return name if name in self.tests else None


def chosen_files(path: Path, names: SplitNames) -> Chosen:
    """The files of a data set, train before test, given one of them or a folder in any of the Hub's forms.

    Raises:
        SourceError: it cannot be looked into, has no such files, or it is not clear which of them are meant.
    """
    if not path.is_dir():
        return Chosen((SplitFile(path, names.split(_words(path)[-1])),))
    here = [folder for folder in (path, *(path / name for name in _PLACES)) if is_folder(folder)]
    inside = [folder for parent in (path, path / "data") if is_folder(parent) for folder in _folders(parent)]
    for folder in here:
        if any((files := _split_files(folder, names)).values()):
            return _by_split(folder, files, names)
    with_splits = [folder for folder in inside if any(_split_files(folder, names).values())]
    if len(with_splits) == 1:
        return _by_split(with_splits[0], _split_files(with_splits[0], names), names)
    if with_splits:
        called = ", ".join(folder.name for folder in with_splits[:_SHOWN])
        raise SourceError(f"{path} holds several data sets: {called}.", f"Name one of them, such as {with_splits[0]}.")
    for folder in here:
        if there := _data_files(folder):
            if len(there) > 1:
                raise _unclear(folder, there)
            return Chosen((SplitFile(there[0], None),))
    raise SourceError(
        f"{path} has no train or test file.",
        f"Put train.jsonl and test.jsonl into it, or files that end in {', '.join(SUFFIXES)}; or name a file.",
    )


def candidates(path: Path) -> list[Path]:
    """Every file that `chosen_files` may look at, given a folder; a file alone."""
    if not is_folder(path):
        return [path]
    folders = [path, *_folders(path), *(_folders(path / "data") if is_folder(path / "data") else ())]
    return [file for folder in folders for file in _data_files(folder)]


def _split_files(folder: Path, names: SplitNames) -> Mapping[Path, str | None]:
    """The data files of a folder, and of folders in it that are called as splits -> their split."""
    found = {file: names.split(_words(file)[-1]) for file in _data_files(folder)}
    inner = {file: split for inside in _folders(folder) if (split := names.split(inside.name)) for file in _data_files(inside)}
    return found | inner


def _by_split(folder: Path, files: Mapping[Path, str | None], names: SplitNames) -> Chosen:
    """Train and one test split, each in one kind of file and under one name."""
    splits = [split for split in ("train", *names.tests) if split in files.values()]
    test = next((split for split in splits if split != "train"), None)
    chosen: list[SplitFile] = []
    left_out = [f"{file.name}: its name is that of no split" for file, split in files.items() if split is None]
    for split in splits:
        of_split = [file for file, named in files.items() if named == split]
        if split not in ("train", test):
            left_out += [f"{file.name}: {test} is what is measured on" for file in of_split]
            continue
        kept = _one_version(folder, of_split)
        chosen += [SplitFile(file, split) for file in kept]
        left_out += [f"{file.name}: {kept[0].name} is the same split" for file in of_split if file not in kept]
    return Chosen(tuple(chosen), tuple(left_out))


def _one_version(folder: Path, files: Sequence[Path]) -> list[Path]:
    """The files of one split without further versions of it: with nothing before the split's name, of the first kind."""
    versions: dict[str, list[Path]] = {}
    for file in files:
        versions.setdefault("-".join(_words(file)[:-1]), []).append(file)
    if "" not in versions and len(versions) > 1:
        raise _unclear(folder, files)
    same = versions.get("") or next(iter(versions.values()))
    kinds = list(SUFFIXES)
    first = min((kind_of(file) or "" for file in same), key=kinds.index)
    return [file for file in same if kind_of(file) == first]


def _unclear(folder: Path, files: Sequence[Path]) -> SourceError:
    called = ", ".join(file.name for file in files[:_SHOWN])
    more = f" and {len(files) - _SHOWN:,} more" if len(files) > _SHOWN else ""
    return SourceError(
        f"{folder} does not say which of its files are train and test: {called}{more}.",
        "Name one of the files, or call them train and test.",
    )


def _words(file: Path) -> list[str]:
    """The words of a file's name without its ending and the number of its shard."""
    stem = file.name.casefold()
    for ending in (".gz", ".zst", *SUFFIXES):
        stem = stem.removesuffix(ending)
    return [word for word in re.split(r"[-_. ]", _SHARD.sub("", stem)) if word] or [stem]


def _data_files(folder: Path) -> list[Path]:
    return [path for path in _listed(folder) if kind_of(path) and path.name not in _NOT_DATA and not is_folder(path)]


def _folders(folder: Path) -> list[Path]:
    return [path for path in _listed(folder) if is_folder(path)]


def _listed(folder: Path) -> Iterator[Path]:
    """What a folder holds and does not hide, by name."""
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise SourceError(f"{folder} cannot be read ({reason(error)}).", "Check its permissions.") from error
    return (path for path in inside if not path.name.startswith("."))
