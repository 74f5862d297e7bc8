"""How far a layout can be trusted: which true neighbours it keeps, and how far two sets of neighbours agree.

All by neighbours: no layout keeps distances. What the numbers mean for a data set is for `analysis.findings`.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.neighbors import Neighbors

HONESTY_NEIGHBORS = 15


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
