"""What a problem is, and a set of them with what was rejected of its source."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from training.data.answers import HASHES
from training.data.columns import Columns
from training.data.gold import GoldKind
from training.errors import SourceError

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")

Value = str | int | float | bool | tuple[int | float, ...]
"""What a column holds that travels along."""


@dataclass(frozen=True, slots=True)
class Equation:
    """One calculator annotation, `<<48/2=24>>`."""

    expression: str
    result: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem with its reference solution."""

    id: str
    """`<split>-<row>`, rows counted from 0 within the split as in the source, rejected ones included; or the source's own."""
    split: Split
    question: str
    answer: str
    """The reference solution as written, `####` line included; the gold answer's cell where there is no solution."""
    steps: tuple[str, ...]
    """The solution's steps, see `training.data.steps`."""
    equations: tuple[Equation, ...]
    gold: str
    """The answer that counts, as `training.data.gold` writes it; empty where a reward decides."""
    gold_kind: GoldKind = "number"
    columns: Mapping[str, Value] = field(default_factory=dict, hash=False)
    """Further columns of the row: a level, a topic, a solve rate."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that could not be read."""

    file: str
    line: int
    """Counted from 1; the row number where the file has no lines."""
    reason: str
    """The same for all rows that are rejected for it."""
    split: str = ""
    """Empty where not even that is known."""
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}{f' ({self.detail})' if self.detail else ''}"


@dataclass(frozen=True)
class ProblemSet:
    """All problems of one source, train first, with what was rejected."""

    name: str
    source: str
    """The line that loads the same set again, see `training.data.sources`."""
    problems: tuple[Problem, ...]
    rejected: tuple[Rejection, ...] = ()
    notice: str | None = None
    """What a person should know about how `auto` chose, if anything."""
    sampled_from: "ProblemSet | None" = None
    """The set that this one is a sample of, if it is one."""
    layout: str = "GSM8K"
    """What its form is called."""
    read_as: str = ""
    """One line on how its rows are read."""
    columns: Columns = field(default_factory=Columns)
    """The mapping that they were read with."""
    left_out: tuple[str, ...] = ()
    """Files that were passed over, each with the reason."""

    @property
    def whole(self) -> "ProblemSet":
        """What is trained on, and what subsets are taken from: the set itself, or the one that it is a sample of."""
        return self.sampled_from or self

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of ids, questions and answers; equal content has an equal hash wherever it lies."""
        digest = hashlib.sha256()
        for problem in self.problems:
            own_gold = [problem.gold] if HASHES not in problem.answer else []
            moved = [problem.split] if not problem.id.startswith(problem.split) else []
            digest.update(json.dumps([problem.id, problem.question, problem.answer, *own_gold, *moved]).encode())
        return digest.hexdigest()

    @cached_property
    def columns_hash(self) -> str:
        """Of what travels along, which `content_hash` leaves out: no run hangs on it, but tables and colours do."""
        digest = hashlib.sha256()
        for problem in self.problems:
            if problem.columns:
                digest.update(json.dumps([problem.id, *problem.columns.items()]).encode())
        return digest.hexdigest()

    @cached_property
    def rejections(self) -> Mapping[str, int]:
        """Reason -> how many rows were rejected for it, the most frequent first."""
        return dict(Counter(rejection.reason for rejection in self.rejected).most_common())

    def has_content(self, content_hash: str) -> bool:
        """Whether this is what was hashed so; what was recorded before hashes were kept is taken to be."""
        return content_hash in ("", self.content_hash)

    def require_content(self, content_hash: str) -> None:
        """Refuse to go on with what was begun on other problems.

        Raises:
            SourceError: they are others now.
        """
        if not self.has_content(content_hash):
            raise SourceError(
                f"The problems in {self.source} are others than when this was begun.",
                "Put the files back as they were, or start anew on what is there now.",
            )

    def of_split(self, split: Split) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.split == split)
