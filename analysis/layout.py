"""Where each problem stands on the map: UMAP over the exact neighbours, or principal components where that is not possible.

UMAP's graph is built here from the neighbours at hand, its optimisation is the library's. Building the graph with the
library means compiling it first: 8 s of a fresh process on two cores, for what takes numpy 0.4 s on GSM8K. So cheap a
graph is not worth sharing between layouts either; each call makes its own. What the layouts are for, and where they are
kept, is for `analysis.atlas`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.neighbors import Neighbors

UMAP_MINIMUM = 10
"""With fewer different embeddings than this the layout is PCA's: UMAP's graph would join everything with everything."""
EPOCHS = 200
"""Rounds of optimisation: UMAP's own number for more than 10,000 points, below which it takes 500. On GSM8K in 2-D, 200 keep
18.6% of the 15 true neighbours and 500 keep 19.7%, and two seeds have 30% and 35% of the nearest points in common; 200 take
4.5 s on two cores, 500 take 11 s."""

_BISECTIONS = 64
_TOLERANCE = 1e-5
_LEAST_SCALE = 1e-3
"""The three as in umap-learn's `smooth_knn_dist`."""


def lay_out(
    embeddings: NDArray[np.float32],
    neighbors: Neighbors,
    *,
    dimensions: int = 2,
    min_dist: float,
    seed: int,
    epochs: int = EPOCHS,
) -> NDArray[np.float32]:
    """(N, dimensions) float32, finite; equal inputs give an equal layout on one machine.

    Args:
        embeddings: (N, D) float32, rows of unit length.
        neighbors: their exact neighbours, all of which UMAP uses: pass `neighbors.first(15)` for a map.
        dimensions: of the layout; 2 or 3 to look at, more to cluster in.
        min_dist: UMAP's least distance between points.
        seed: UMAP's random state.
        epochs: rounds of optimisation.
    """
    if not _has_variety(embeddings):
        return principal_components(embeddings, dimensions)
    points = _umap(embeddings, neighbors, dimensions, min_dist, seed, epochs)
    return points if np.isfinite(points).all() else principal_components(embeddings, dimensions)


def principal_components(embeddings: NDArray[np.float32], count: int = 3) -> NDArray[np.float32]:
    """(N, count) float32: positions along the directions of most variance, zero where there are fewer directions.

    By the (D, D) covariance, so that memory and time stay linear in N; signs are fixed by the largest loading.
    """
    centred = embeddings - embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    _, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    directions = vectors[:, ::-1][:, :count]
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.sign(directions[largest, np.arange(directions.shape[1])])
    points = np.zeros((len(embeddings), count), np.float32)
    points[:, : directions.shape[1]] = centred @ directions.astype(np.float32)
    return points


def fuzzy_graph(neighbors: Neighbors) -> Any:
    """UMAP's weighted graph as a symmetric (N, N) scipy.sparse.csr_matrix, equal to umap-learn's `fuzzy_simplicial_set`.

    Source: McInnes, Healy and Melville 2018 (arXiv:1802.03426), algorithms 2 and 3. The weight of a neighbour falls
    exponentially with its distance beyond the nearest one, at a rate that makes the row's weights sum to log2(K + 1).
    """
    from scipy.sparse import csr_matrix

    total, k = neighbors.indices.shape
    distances = np.maximum(0.0, 1.0 - neighbors.similarities.astype(np.float64))
    nearest = np.where(distances > 0, distances, np.inf).min(axis=1, initial=np.inf)
    nearest[np.isinf(nearest)] = 0.0
    beyond = np.maximum(0.0, distances - nearest[:, None])
    scales = _scales(beyond, target=np.log2(k + 1))
    # UMAP counts the problem itself, at distance 0, in the mean that bounds the scale from below.
    means = np.where(nearest > 0, distances.sum(axis=1) / (k + 1), distances.sum() / (total * (k + 1)))
    weights = np.exp(-beyond / np.maximum(scales, _LEAST_SCALE * means)[:, None]).astype(np.float32)
    directed = csr_matrix((weights.ravel(), neighbors.indices.ravel(), np.arange(0, total * k + 1, k)), shape=(total, total))
    both = directed.multiply(directed.T)
    graph = (directed + directed.T - both).tocsr()
    graph.eliminate_zeros()
    return graph


def _scales(beyond: NDArray[np.float64], target: float) -> NDArray[np.float64]:
    """(N,) positive scales at which each row's sum of exp(-beyond / scale) is the target, by bisection."""
    low, high, scale = np.zeros(len(beyond)), np.full(len(beyond), np.inf), np.ones(len(beyond))
    for _ in range(_BISECTIONS):
        surplus = np.exp(-beyond / scale[:, None]).sum(axis=1) - target
        if (np.abs(surplus) < _TOLERANCE).all():
            break
        high = np.where(surplus > 0, scale, high)
        low = np.where(surplus > 0, low, scale)
        scale = np.where(np.isinf(high), scale * 2, (low + np.where(np.isinf(high), 0.0, high)) / 2)
    return scale


def _umap(
    embeddings: NDArray[np.float32], neighbors: Neighbors, dimensions: int, min_dist: float, seed: int, epochs: int
) -> NDArray[np.float32]:
    """(N, dimensions): umap-learn's optimisation of our graph, in one thread, as repeatability asks."""
    from umap import umap_

    random = np.random.RandomState(seed)
    graph = fuzzy_graph(neighbors)
    a, b = umap_.find_ab_params(1.0, min_dist)
    points, _ = umap_.simplicial_set_embedding(
        embeddings,
        graph,
        n_components=dimensions,
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=epochs,
        init=umap_.noisy_scale_coords(_start(embeddings, graph, dimensions, random), random),
        random_state=random,
        metric="cosine",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
    )
    return np.asarray(points, np.float32)


def _start(embeddings: NDArray[np.float32], graph: Any, dimensions: int, random: np.random.RandomState) -> NDArray[np.float32]:
    """(N, dimensions) where the optimisation begins: the graph's spectral layout, as in UMAP, if it hangs together.

    UMAP also has a spectral layout for a graph in pieces; it raises where a piece has fewer points than its eigensolver
    wants vectors, and grows with the square of the number of pieces. Principal components do instead: begun with them, the
    layout of GSM8K keeps 18.7% of the true neighbours, no fewer.
    """
    from scipy.sparse.csgraph import connected_components
    from umap.spectral import spectral_layout

    wanted_vectors = 2 * (dimensions + 1) + 1
    if len(embeddings) < wanted_vectors or connected_components(graph, return_labels=False) > 1:
        return principal_components(embeddings, dimensions)
    return np.asarray(spectral_layout(embeddings, graph, dimensions, random), np.float32)


def _has_variety(embeddings: NDArray[np.float32]) -> bool:
    """Whether there are enough different embeddings for UMAP; looks no further than it must."""
    different: set[bytes] = set()
    for row in embeddings:
        different.add(row.tobytes())
        if len(different) >= UMAP_MINIMUM:
            return True
    return False
