"""How far a layout can be trusted: which true neighbours it keeps, and how far two sets of neighbours agree.

All by neighbours: no layout keeps distances.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analysis.finding import FEW, TOO_FEW, Finding
from analysis.neighbors import Neighbors

HONESTY_NEIGHBORS = 15


@dataclass(frozen=True)
class Agreement:
    """How far another embedding model has the same neighbours."""

    model: str
    overlap: float
    """The mean share of neighbours in common, in the spaces of the embeddings."""


@dataclass(frozen=True)
class Honesty(Finding):
    """How far the map shows what lies near what."""

    question: ClassVar[str] = "Is the map honest?"
    method: ClassVar[str] = (
        "Each problem's 15 nearest in the space of the embeddings against its 15 nearest points on the map, and against those "
        "of another map or another model; the mean share in common."
    )

    kept: float
    """The mean share of each problem's true neighbours among its nearest points on the map."""
    chance: float
    """What a map at random would keep."""
    stability: float | None
    """The mean share of nearest points that maps made with different seeds have in common; None with fewer than two."""
    agreement: Agreement | None
    problems: int

    @property
    def answer(self) -> str:
        answers = (
            (0.1, "No: nearness on it says little."),
            (0.5, "In its regions; for a single problem trust the list of its neighbours."),
            (np.inf, "Yes: what lies near on it mostly is near."),
        )
        return TOO_FEW if self.problems < FEW else next(words for limit, words in answers if self.kept < limit)

    @property
    def numbers(self) -> str:
        parts = [
            f"Of each problem's nearest neighbours the map keeps {self.kept:.0%} as nearest points (chance {self.chance:.1%})"
        ]
        if self.stability is not None:
            parts.append(f"maps with different seeds have {self.stability:.0%} of nearest points in common")
        if self.agreement is not None:
            parts.append(f"{self.agreement.model} agrees on {self.agreement.overlap:.0%} of the true neighbours")
        return f"{'; '.join(parts)}."


def kept_neighbors(points: NDArray[np.float32], neighbors: Neighbors) -> NDArray[np.float32]:
    """(N,) the share of each problem's 15 true neighbours that are among its 15 nearest points; NaN for a single problem.

    Args:
        points: (N, d) the layout.
        neighbors: exact, in the space of the embeddings; all are taken where there are fewer than 15.
    """
    true = neighbors.first(HONESTY_NEIGHBORS).indices
    return shared_neighbors(true, nearest_points(points, true.shape[1]))


def nearest_points(points: NDArray[np.float32], count: int = HONESTY_NEIGHBORS) -> NDArray[np.int32]:
    """(N, K) rows of the K nearest other points, nearest first, in the plain distance; K is N - 1 where N is not larger."""
    from scipy.spatial import cKDTree

    total = len(points)
    k = min(count, total - 1)
    if k <= 0:
        return np.empty((total, 0), np.int32)
    _, found = cKDTree(points).query(points, k + 1)
    itself = found == np.arange(total)[:, None]
    # Among more than K points in one place a point may miss itself; then the last one found goes in its stead.
    itself[~itself.any(axis=1), -1] = True
    return np.asarray(found[~itself].reshape(total, k), np.int32)


def neighbor_overlap(one: NDArray[np.int32], other: NDArray[np.int32]) -> float:
    """The mean share of neighbours that two (N, K) arrays have in common; NaN where K is 0."""
    shares = shared_neighbors(one, other)
    return float(shares.mean()) if one.size else float("nan")


def shared_neighbors(one: NDArray[np.int32], other: NDArray[np.int32]) -> NDArray[np.float32]:
    """(N,) the share of each row of `one` that occurs in the same row of `other`, in any order; NaN where K is 0."""
    if one.shape[1] == 0:
        return np.full(len(one), np.nan, np.float32)
    shared = np.zeros(len(one), np.int64)
    for column in other.T:
        shared += (one == column[:, None]).any(axis=1)
    return np.asarray(shared / one.shape[1], np.float32)


def measure_honesty(
    kept: NDArray[np.float32],
    indices: NDArray[np.int32],
    layouts: Sequence[NDArray[np.float32]] = (),
    other: tuple[str, NDArray[np.int32]] | None = None,
) -> Honesty | None:
    """How honest the map is; None for a single problem.

    Args:
        kept: (N,) as `kept_neighbors` gives for the map.
        indices: (N, K).
        layouts: maps of the same problems, (N, 2) each, that differ by their seed; the map itself among them.
        other: another embedding model's name and its neighbours, (N, K).
    """
    total, k = indices.shape
    if k == 0:
        return None
    nearest = [nearest_points(points, k) for points in layouts]
    overlaps = [neighbor_overlap(one, another) for one, another in combinations(nearest, 2)]
    return Honesty(
        kept=float(kept.mean()),
        chance=k / (total - 1),
        stability=float(np.mean(overlaps)) if overlaps else None,
        agreement=Agreement(other[0], neighbor_overlap(indices, other[1])) if other else None,
        problems=total,
    )
