"""Problems that stand in a split more than once: word for word, with other numbers, or nearly; and what is left without them.

How texts are held to be the same is for `training.data.duplicates`; near copies between the splits are for `analysis.leakage`.
Findings that ask what lies near a problem would find its copies, so that some are measured without them (`distinct`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.finding import Finding
from analysis.neighbors import Neighbors, nearest_neighbors
from training.data.duplicates import repeats
from training.data.problem import SPLITS, Problem, Split

RepeatKind = Literal["question", "template", "near"]
NEAR = 0.97
"""The cosine from which two questions count as nearly the same; two of GSM8K's train split do, of its test split none."""
REPEAT_KINDS: dict[RepeatKind, str] = {
    "question": "word for word",
    "template": "but for the numbers",
    "near": f"nearly (cosine of {NEAR} and above)",
}
"""How a problem repeats an earlier one of its split; the first that fits counts."""
EXACT_KINDS: tuple[RepeatKind, ...] = ("question", "template")
"""Those that need no map."""

LEFT_OUT_FROM = 0.01
"""With a larger share of problems that repeat another word for word than this, `distinct` leaves them out."""
MAX_PAIRS = 1000
A_FEW = 0.01
"""Up to this share of problems that repeat another a data set hardly repeats itself."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A problem that repeats an earlier one."""

    problem_id: str
    original_id: str
    split: Split
    kind: RepeatKind


@dataclass(frozen=True)
class Duplicates(Finding):
    """How far the splits repeat themselves."""

    question: ClassVar[str] = "Does a split repeat itself?"
    method: ClassVar[str] = (
        "Each problem is compared with the earlier ones of its split: by the question's words, by these with numbers masked, "
        "and by the cosine of their embeddings. The first that fits counts."
    )

    problems: dict[Split, int]
    counts: dict[RepeatKind, dict[Split, int]]
    """Problems that repeat an earlier one of their split."""
    pairs: tuple[Repeat, ...]
    """The first `MAX_PAIRS`, in the order of the problems."""
    left_out: int = 0
    """How many copies, word for word, mixing and difficulty are measured without."""

    @property
    def answer(self) -> str:
        repeated = sum(sum(counts.values()) for counts in self.counts.values())
        if not repeated:
            return "No."
        return "Hardly." if repeated <= A_FEW * sum(self.problems.values()) else "Yes."

    @property
    def numbers(self) -> str:
        said = [words for split, total in self.problems.items() if (words := self._of_split(split, total))]
        if not said:
            *kinds, last = REPEAT_KINDS.values()
            return f"No problem repeats an earlier one of its split, {', '.join(kinds)}, or {last}."
        left_out = (
            " Whether splits are mixed and position tells difficulty is measured without those word for word; topics and the "
            "map's honesty are of all problems, and the neighbours of a copy are its copies."
        )
        return f"{'; '.join(said)}.{left_out if self.left_out else ''}"

    def _of_split(self, split: Split, total: int) -> str:
        kinds = [f"{counts[split]:,} {REPEAT_KINDS[kind]}" for kind, counts in self.counts.items() if counts[split]]
        together = sum(counts[split] for counts in self.counts.values())
        return f"{together:,} of {total:,} {split} problems repeat an earlier one: {', '.join(kinds)}" if kinds else ""


@dataclass(frozen=True)
class Distinct:
    """Problems of which none repeats another word for word, and their neighbours among themselves."""

    rows: NDArray[np.intp]
    """(M,) of the N problems."""
    indices: NDArray[np.int32]
    """(M, K) places in `rows`."""
    left_out: int


def find_repeats(problems: Sequence[Problem], neighbors: Neighbors | None = None) -> dict[str, Repeat]:
    """Id of each problem that repeats an earlier one -> how, in the order of the problems.

    Args:
        problems: N problems.
        neighbors: in the space of the embeddings; without them none is found to be near.
    """
    originals: dict[RepeatKind, Mapping[str, str]] = {kind: repeats(problems, kind) for kind in EXACT_KINDS}
    if neighbors is not None:
        originals["near"] = _near(problems, neighbors)
    found = {}
    for problem in problems:
        kind = next((kind for kind in originals if problem.id in originals[kind]), None)
        if kind is not None:
            found[problem.id] = Repeat(problem.id, originals[kind][problem.id], problem.split, kind)
    return found


def describe_repeats(problems: Sequence[Problem], found: Mapping[str, Repeat], left_out: int) -> Duplicates | None:
    """What `find_repeats` found, counted; `None` for a single problem.

    Args:
        left_out: as `distinct` says.
    """
    if len(problems) < 2:
        return None
    counts: dict[RepeatKind, dict[Split, int]] = {kind: dict.fromkeys(SPLITS, 0) for kind in REPEAT_KINDS}
    for repeat in found.values():
        counts[repeat.kind][repeat.split] += 1
    totals: dict[Split, int] = {split: sum(problem.split == split for problem in problems) for split in SPLITS}
    return Duplicates(totals, counts, tuple(islice(found.values(), MAX_PAIRS)), left_out)


def distinct(
    problems: Sequence[Problem], found: Mapping[str, Repeat], embeddings: NDArray[np.float32], indices: NDArray[np.int32]
) -> Distinct:
    """The problems without those that repeat another word for word where these are more than `LEFT_OUT_FROM`, else all.

    Args:
        problems: N problems.
        found: as `find_repeats` gives it.
        embeddings: (N, D) float32, rows of unit length.
        indices: (N, K) neighbours of all.
    """
    repeated = {repeat.problem_id for repeat in found.values() if repeat.kind == "question"}
    if len(repeated) <= LEFT_OUT_FROM * len(problems):
        return Distinct(np.arange(len(problems)), indices, 0)
    rows = np.flatnonzero([problem.id not in repeated for problem in problems])
    return Distinct(rows, nearest_neighbors(embeddings[rows], indices.shape[1]).indices, len(repeated))


def without_repeats(problems: Sequence[Problem], found: Mapping[str, Repeat], kinds: Collection[str]) -> tuple[Problem, ...]:
    """The problems without those that repeat an earlier one in one of these ways, order kept."""
    return tuple(problem for problem in problems if problem.id not in found or found[problem.id].kind not in kinds)


def _near(problems: Sequence[Problem], neighbors: Neighbors) -> dict[str, str]:
    """Id -> that of the earliest neighbour in its split that is near and stands before it."""
    is_test = np.array([problem.split == "test" for problem in problems], bool)
    rows = np.arange(len(problems))[:, None]
    indices = neighbors.indices
    is_near = (neighbors.similarities >= NEAR) & (indices < rows) & (is_test[indices] == is_test[:, None])
    first = np.where(is_near, indices, len(problems)).min(axis=1, initial=len(problems))
    return {problems[row].id: problems[int(first[row])].id for row in np.flatnonzero(first < len(problems))}
