"""Problems and where they come from: the demo, GSM8K on the Hub, or a folder or file of the same shape.

Rows are parsed here once, at the edge; everything after works on `Problem`. A bad row is reported and skipped, never
hidden. How problems are embedded, shown or trained on is for others.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

from training.data import hub
from training.data.rows import BadRow, data_files, read_rows
from training.errors import SourceError, shown
from training.home import DEMO_DATA, Home
from training.paths import parse_path

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")

_COLUMNS = ("question", "answer", "split")
"""What is read of a row; whatever else a file holds cannot spoil it."""

_EQUATION = re.compile(r"<<([^<>]*)>>")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Equation:
    """One calculator annotation, `<<48/2=24>>`."""

    expression: str
    result: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem with its reference solution."""

    id: str
    """`<split>-<row>`, rows counted from 0 within the split as in the source, rejected ones included."""
    split: Split
    question: str
    answer: str
    """The reference solution as written, `####` line included."""
    steps: tuple[str, ...]
    """The solution's lines before `####`, blank ones left out."""
    equations: tuple[Equation, ...]
    gold: str
    """The text after the last `####` without commas and `$`."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that could not be read."""

    file: str
    line: int
    """Counted from 1; the row number where the file has no lines."""
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(frozen=True)
class ProblemSet:
    """All problems of one source, train first, with what was rejected."""

    name: str
    source: str
    """What loads the same set again: "demo", "hub" or a path."""
    problems: tuple[Problem, ...]
    rejected: tuple[Rejection, ...] = ()
    notice: str | None = None
    """What a person should know about how `auto` chose, if anything."""
    sampled_from: "ProblemSet | None" = None
    """The set that this one is a sample of, if it is one."""

    @property
    def whole(self) -> "ProblemSet":
        """What is trained on, and what subsets are taken from: the set itself, or the one that it is a sample of."""
        return self.sampled_from or self

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of ids, questions and answers; equal content has an equal hash wherever it lies."""
        digest = hashlib.sha256()
        for problem in self.problems:
            digest.update(json.dumps([problem.id, problem.question, problem.answer]).encode())
        return digest.hexdigest()

    def of_split(self, split: Split) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.split == split)


def parse_problem(row: object, problem_id: str, split: Split) -> Problem:
    """Turn a row with `question` and `answer` into a problem.

    Raises:
        BadRow: a key is missing or not text, there is no `####`, or what follows it is not a number.
    """
    if not isinstance(row, dict):
        raise BadRow("the row is not an object")
    question, answer = (_text(row, key) for key in ("question", "answer"))
    solution, mark, after = answer.rpartition("####")
    if not mark:
        raise BadRow("the answer has no ####")
    gold = after.strip().replace(",", "").replace("$", "")
    if not _NUMBER.fullmatch(gold):
        raise BadRow(f"the gold answer {_shorten(after.strip())!r} is not a number")
    return Problem(
        id=problem_id,
        split=split,
        question=question,
        answer=answer,
        steps=tuple(line.strip() for line in solution.splitlines() if line.strip()),
        equations=tuple(parse_equation(text) for text in _EQUATION.findall(solution)),
        gold=gold,
    )


def parse_equation(text: str) -> Equation:
    """The equation in an annotation, given what stands between `<<` and `>>`."""
    expression, mark, result = text.rpartition("=")
    return Equation(expression.strip(), result.strip()) if mark else Equation(text.strip(), "")


def load_problems(source: str, home: Home | None = None, *, fetch: bool = True) -> ProblemSet:
    """Load "demo", "hub" (GSM8K), "auto", or a folder or file with `train`/`test` as JSONL or Parquet.

    "auto" takes the folder in `GRPO_ATLAS_DATA` if it is set, else the Hub if it answers within seconds, else the demo,
    and says in `notice` when and why it is the demo.

    Args:
        source: what to load.
        home: where the Hub's data is kept; read from the environment when left out.
        fetch: whether the Hub may be asked; without it only what was fetched before is read.

    Raises:
        SourceError: the source is unknown, cannot be read, or holds no usable problem.
    """
    if source == "demo":
        return load_folder(DEMO_DATA, name="Demo", source="demo")
    if source == "hub":
        return _load_hub(home or Home.from_environment(), fetch)
    if source == "auto":
        return _load_auto(home or Home.from_environment(), fetch)
    path = parse_path(source, SourceError, follow=True)
    if not path.exists():
        raise SourceError(
            f"There is no source {shown(source)}.",
            "Use demo, hub, auto, or the path of a folder or file with train/test as JSONL or Parquet.",
        )
    return load_folder(path, name=path.name, source=str(path))


def load_folder(path: Path, *, name: str, source: str) -> ProblemSet:
    """Read a folder holding `train*.jsonl`/`test*.parquet` and the like, or one such file.

    A file whose name starts with neither split takes each row's `split` key, "train" when it has none.

    Raises:
        SourceError: no such file, one that cannot be read, or no usable row.
    """
    files = data_files(path, SPLITS) if path.is_dir() else [path]
    rows = ((file.name, line, row) for file in files for line, row in read_rows(file, _COLUMNS))
    return _collect(rows, name=name, source=source)


def _collect(rows: Iterable[tuple[str, int, object]], *, name: str, source: str) -> ProblemSet:
    """Parse `(file, line, row or BadRow)` into a set; ids count rows within each split."""
    problems: list[Problem] = []
    rejected: list[Rejection] = []
    counts: dict[Split, int] = {"train": 0, "test": 0}
    for file, line, row in rows:
        try:
            split = _split_of(file, row)
            index = counts[split]
            counts[split] += 1
            if isinstance(row, BadRow):
                raise row
            problems.append(parse_problem(row, f"{split}-{index}", split))
        except BadRow as reason:
            rejected.append(Rejection(file, line, str(reason)))
    if not problems:
        first = f" The first reason: {rejected[0]}." if rejected else ""
        raise SourceError(
            f"{source} holds no usable problem ({len(rejected):,} rows rejected).{first}",
            'Each row needs "question" and "answer", the answer ending in "#### <number>".',
        )
    ordered = sorted(problems, key=lambda problem: problem.split != "train")
    return ProblemSet(name=name, source=source, problems=tuple(ordered), rejected=tuple(rejected))


def _split_of(file: str, row: object) -> Split:
    for split in SPLITS:
        if file.startswith(split):
            return split
    named = row.get("split", "train") if isinstance(row, dict) else "train"
    if named not in SPLITS:
        raise BadRow(f"the split {_shorten(str(named))!r} is neither train nor test")
    return cast(Split, named)


def _text(row: dict[object, object], key: str) -> str:
    if key not in row:
        raise BadRow(f"the key {key!r} is missing")
    value = row[key]
    if not isinstance(value, str):
        raise BadRow(f"{key!r} is not text")
    if not value.strip():
        raise BadRow(f"{key!r} is empty")
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # JSON may hold half a character


def _shorten(text: str, width: int = 40) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _load_hub(home: Home, fetch: bool) -> ProblemSet:
    folder = hub.fetch(home.cache) if fetch else hub.snapshot(home.cache)
    if folder is None:
        raise SourceError("GSM8K has not been fetched from the Hub yet.", "Build its map, which fetches it.")
    return load_folder(folder, name="GSM8K", source="hub")


def _load_auto(home: Home, fetch: bool) -> ProblemSet:
    if home.data is not None:
        return load_problems(str(home.data), home)
    try:
        return _load_hub(home, fetch)
    except SourceError as error:
        notice = f"This is the generated demo data set. {error}"
        return replace(load_problems("demo", home), notice=notice)
