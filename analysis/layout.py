"""Where each problem stands on the map: UMAP over the exact neighbours, or PCA where there are too few problems for it."""

import warnings

import numpy as np
from numpy.typing import NDArray

from analysis.neighbors import Neighbors

UMAP_MINIMUM = 10
"""With fewer different embeddings than this the layout is PCA's: UMAP's graph would join everything with everything."""


def lay_out(embeddings: NDArray[np.float32], neighbors: Neighbors, *, min_dist: float, seed: int) -> NDArray[np.float32]:
    """(N, 2) float32, finite; equal inputs give an equal layout on one machine.

    Args:
        embeddings: (N, D) float32, rows of unit length.
        neighbors: their exact neighbours, all of which UMAP uses.
        min_dist: UMAP's least distance between points.
        seed: UMAP's random state.
    """
    if len(np.unique(embeddings, axis=0)) < UMAP_MINIMUM:
        return _principal_plane(embeddings)
    return _umap(embeddings, neighbors, min_dist, seed)


def _umap(embeddings: NDArray[np.float32], neighbors: Neighbors, min_dist: float, seed: int) -> NDArray[np.float32]:
    """UMAP with its neighbour search replaced by ours, which saves compiling pynndescent (about half a minute)."""
    import umap

    with warnings.catch_warnings():
        # Two settings that are meant so: no search index means no `transform`, a seed means one thread.
        warnings.filterwarnings("ignore", message="precomputed_knn", category=UserWarning)
        warnings.filterwarnings("ignore", message="n_jobs value", category=UserWarning)
        reducer = umap.UMAP(
            # UMAP counts the point itself among its neighbours, and wants fewer of them than points.
            n_neighbors=min(neighbors.indices.shape[1] + 1, len(embeddings) - 1),
            min_dist=min_dist,
            metric="cosine",
            random_state=seed,
            precomputed_knn=_with_self(neighbors),
        )
        points = np.asarray(reducer.fit_transform(embeddings), np.float32)
    return points if np.isfinite(points).all() else _principal_plane(embeddings)


def _with_self(neighbors: Neighbors) -> tuple[NDArray[np.int32], NDArray[np.float32], None]:
    """UMAP's form: (N, K + 1) rows and cosine distances, each row starting with itself at 0, and no search index."""
    itself = np.arange(len(neighbors.indices), dtype=np.int32)[:, None]
    indices = np.hstack([itself, neighbors.indices])
    distances = np.hstack([np.zeros(itself.shape, np.float32), np.maximum(0.0, 1.0 - neighbors.similarities)])
    return indices, distances.astype(np.float32), None


def _principal_plane(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """The two directions of most variance, zero where there are fewer."""
    centred = (embeddings - embeddings.mean(axis=0)).astype(np.float64)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(embeddings), 2), np.float32)
    kept = min(2, len(singular))
    points[:, :kept] = left[:, :kept] * singular[:kept]
    return points
