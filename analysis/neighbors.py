"""Exact nearest neighbours by cosine, as a blocked matrix product: no index, no approximation, no N x N array."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 32 * 2**20
"""The most memory one block of similarities may take."""


@dataclass(frozen=True)
class Neighbors:
    """Each problem's neighbours, nearest first, itself left out; K is N - 1 where there are too few problems."""

    indices: NDArray[np.int32]
    """(N, K) rows of the neighbours."""
    similarities: NDArray[np.float32]
    """(N, K) their cosines, falling along each row."""

    def first(self, count: int) -> "Neighbors":
        """The nearest `count` of them, or all where there are fewer."""
        return Neighbors(self.indices[:, :count], self.similarities[:, :count])


def nearest_neighbors(
    embeddings: NDArray[np.float32], count: int, report: Callable[[int], None] = lambda done: None
) -> Neighbors:
    """The `count` nearest other rows of every row.

    Args:
        embeddings: (N, D) float32, rows of unit length.
        count: K; N - 1 are found where N is not larger than K.
        report: called after each block with the number of rows done.
    """
    total = len(embeddings)
    k = max(0, min(count, total - 1))
    indices = np.empty((total, k), np.int32)
    similarities = np.empty((total, k), np.float32)
    step = block_rows(total)
    for start in range(0, total, step):
        stop = min(start + step, total)
        block = embeddings[start:stop] @ embeddings.T
        block[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        indices[start:stop] = _largest(block, k)
        similarities[start:stop] = np.take_along_axis(block, indices[start:stop], axis=1)
        report(stop)
    return Neighbors(indices, np.clip(similarities, -1.0, 1.0))


def nearest_among(
    embeddings: NDArray[np.float32], rows: NDArray[np.integer], among: NDArray[np.integer]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For some rows the nearest of others, itself left out.

    Args:
        embeddings: (N, D) float32, rows of unit length.
        rows: (M,) whose nearest are sought.
        among: (K,) the rows that they are sought among, ascending.

    Returns:
        (M,) int32 rows, -1 where there is no other, and (M,) float32 cosines, NaN there.
    """
    found = np.full(len(rows), -1, np.int32)
    cosines = np.full(len(rows), np.nan, np.float32)
    if not len(among):
        return found, cosines
    candidates = embeddings[among]
    step = block_rows(len(among))
    for start in range(0, len(rows), step):
        asked = rows[start : start + step]
        block = embeddings[asked] @ candidates.T
        places = np.minimum(np.searchsorted(among, asked), len(among) - 1)
        own = np.flatnonzero(among[places] == asked)
        block[own, places[own]] = -np.inf
        best = block.argmax(axis=1)
        values = block[np.arange(len(asked)), best]
        there = np.isfinite(values)
        found[start : start + step] = np.where(there, among[best], -1)
        cosines[start : start + step] = np.where(there, np.clip(values, -1.0, 1.0), np.nan)
    return found, cosines


def block_rows(columns: int) -> int:
    """How many float32 rows of that many columns fit one block; at least one."""
    return max(1, BLOCK_BYTES // (4 * max(1, columns)))


def _largest(block: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """(rows, k) columns of each row's largest values, largest first; equal values in column order."""
    if k == 0:
        return np.empty((len(block), 0), np.intp)
    columns = np.sort(np.argpartition(-block, k - 1, axis=1)[:, :k], axis=1)
    values = np.take_along_axis(block, columns, axis=1)
    return np.take_along_axis(columns, np.argsort(-values, axis=1, kind="stable"), axis=1)
