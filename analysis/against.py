"""How far the problems of another source stand in this one: is a public test set among what is trained on?

Word for word and but for the numbers by key, over all problems; nearness by the map's own embedding model, as
`analysis.leakage` finds it between the splits of one source.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from analysis.leakage import Leakage, find_leakage
from analysis.repeats import EXACT_KINDS, REPEAT_KINDS, RepeatKind
from training.data.duplicates import KEYS
from training.data.problem import Problem, ProblemSet, Split

MAX_MATCHES = 1000


@dataclass(frozen=True, slots=True)
class Match:
    """A problem of the other source that stands here too."""

    other_id: str
    problem_id: str
    kind: RepeatKind
    """One of `EXACT_KINDS`, the first that fits."""


@dataclass(frozen=True)
class Against:
    """What of another source stands in this one."""

    source: str
    name: str
    others: int
    """Problems of the other source that are looked for: its test split, or all where it has none."""
    problems: int
    """Those that they are looked for among: the train split, or all where there is none."""
    counts: dict[RepeatKind, int]
    """Of the other source's problems, by kind of match."""
    matches: tuple[Match, ...]
    """The first `MAX_MATCHES`, in the other source's order."""
    near: Leakage
    """Its problems as the test problems, ours as the train problems."""

    @property
    def reading(self) -> str:
        found = ", ".join(f"{self.counts[kind]:,} {REPEAT_KINDS[kind]}" for kind in EXACT_KINDS)
        above = " and ".join(f"{count:,} above {threshold}" for threshold, count in self.near.above.items())
        return (
            f"Of {self.others:,} problems of {self.name}, {found} stand among {self.problems:,} here; {above} in cosine to one "
            f"here, the highest is {self.near.highest:.3f}."
        )


def compare(
    problem_set: ProblemSet,
    embeddings: NDArray[np.float32],
    other: ProblemSet,
    other_embeddings: NDArray[np.float32],
) -> Against:
    """Look for another source's problems in this one.

    Args:
        problem_set: N problems.
        embeddings: (N, D) float32, rows of unit length.
        other: M problems.
        other_embeddings: (M, D) float32, of the same model.
    """
    ours, theirs = _rows(problem_set.problems, "train"), _rows(other.problems, "test")
    found = _matches(_side(problem_set.whole.problems, "train"), _side(other.whole.problems, "test"))
    pairs = [replace(problem_set.problems[row], split="train") for row in ours]
    pairs += [replace(other.problems[row], split="test") for row in theirs]
    near = find_leakage(pairs, np.concatenate((embeddings[ours], other_embeddings[theirs])))
    assert near is not None  # a source has at least one problem
    return Against(
        source=other.source,
        name=other.name,
        others=len(_side(other.whole.problems, "test")),
        problems=len(_side(problem_set.whole.problems, "train")),
        counts={kind: sum(match.kind == kind for match in found) for kind in EXACT_KINDS},
        matches=tuple(found[:MAX_MATCHES]),
        near=near,
    )


def against_json(against: Against) -> bytes:
    """As JSON, as `analysis.report` writes the findings."""
    return _JSON.dump_json(against)


_JSON = TypeAdapter(Against)


def _rows(problems: Sequence[Problem], split: Split) -> NDArray[np.intp]:
    """The rows of a split, all where it is empty."""
    rows = np.flatnonzero([problem.split == split for problem in problems])
    return rows if len(rows) else np.arange(len(problems))


def _side(problems: Sequence[Problem], split: Split) -> Sequence[Problem]:
    return [problems[row] for row in _rows(problems, split)]


def _matches(ours: Sequence[Problem], theirs: Sequence[Problem]) -> list[Match]:
    first: dict[RepeatKind, dict[str, str]] = {kind: {} for kind in EXACT_KINDS}
    for problem in ours:
        for kind in EXACT_KINDS:
            first[kind].setdefault(KEYS[kind](problem.question), problem.id)
    found = []
    for problem in theirs:
        for kind in EXACT_KINDS:
            if match := first[kind].get(KEYS[kind](problem.question)):
                found.append(Match(problem.id, match, kind))
                break
    return found
