"""The layout is finite for every N and number of dimensions, repeatable, and real UMAP separates what is separate."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.embed import unit_rows
from analysis.layout import UMAP_MINIMUM, fuzzy_graph, lay_out, principal_components
from analysis.neighbors import Neighbors, nearest_neighbors


def laid_out(embeddings: NDArray[np.float32], seed: int = 42, dimensions: int = 2, epochs: int = 50) -> NDArray[np.float32]:
    neighbors = nearest_neighbors(embeddings, 15)
    return lay_out(embeddings, neighbors, dimensions=dimensions, min_dist=0.1, seed=seed, epochs=epochs)


def two_groups(count: int) -> NDArray[np.float32]:
    """(2 * count, 16), the first half near one axis and the second near another."""
    rows = np.random.default_rng(0).normal(scale=0.1, size=(2 * count, 16)).astype(np.float32)
    rows[:count, 0] += 1
    rows[count:, 1] += 1
    return unit_rows(rows)


@pytest.mark.parametrize("dimensions", [2, 3, 8])
@pytest.mark.parametrize("total", [1, 2, 3, UMAP_MINIMUM - 1, UMAP_MINIMUM, 15, 16, 17, 18, 19, 40])
def test_every_size_gets_a_finite_layout(total: int, dimensions: int) -> None:
    points = laid_out(two_groups(20)[:total], dimensions=dimensions)
    assert points.shape == (total, dimensions)
    assert points.dtype == np.float32
    assert np.isfinite(points).all()


@pytest.mark.parametrize("distinct", [1, 2, 12])
def test_repeated_rows_get_a_finite_layout(distinct: int) -> None:
    points = laid_out(np.repeat(two_groups(6)[:distinct], 20, axis=0))
    assert points.shape == (20 * distinct, 2)
    assert np.isfinite(points).all()


@pytest.mark.parametrize("dimensions", [2, 8])
def test_a_graph_in_many_small_pieces_gets_a_layout(dimensions: int) -> None:
    random = np.random.default_rng(0)
    rows = np.repeat(random.normal(size=(12, 32)), 17, axis=0) + random.normal(scale=1e-3, size=(204, 32))
    points = laid_out(unit_rows(rows.astype(np.float32)), dimensions=dimensions)
    assert points.shape == (204, dimensions)
    assert np.isfinite(points).all()


def test_a_width_of_one_gets_a_layout() -> None:
    assert np.isfinite(laid_out(np.ones((4, 1), np.float32))).all()


def test_umap_keeps_two_groups_apart_and_repeats_itself() -> None:
    rows = two_groups(60)
    points = laid_out(rows)
    middles = points[:60].mean(axis=0), points[60:].mean(axis=0)
    to_own = np.linalg.norm(points[:60] - middles[0], axis=1)
    to_other = np.linalg.norm(points[:60] - middles[1], axis=1)
    assert (to_own < to_other).all()
    assert np.array_equal(points, laid_out(rows))
    assert not np.array_equal(points, laid_out(rows, seed=7))


def test_umap_uses_our_neighbors_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # A deprecation inside scikit-learn, numba or scipy is not ours.
        for category in (DeprecationWarning, FutureWarning, PendingDeprecationWarning):
            warnings.simplefilter("ignore", category)
        laid_out(two_groups(30))


def test_the_graph_is_the_one_that_umap_builds() -> None:
    from umap.umap_ import fuzzy_simplicial_set

    random = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    random[20:40] = random[0]  # more equal rows than neighbours
    random[40:45] = random[1]
    rows = unit_rows(random)
    neighbors = nearest_neighbors(rows, 15)
    itself = np.arange(300, dtype=np.int32)[:, None]
    expected, *_ = fuzzy_simplicial_set(
        rows,
        16,
        np.random.RandomState(0),
        "cosine",
        knn_indices=np.hstack([itself, neighbors.indices]),
        knn_dists=np.hstack([np.zeros((300, 1), np.float32), np.maximum(0, 1 - neighbors.similarities)]),
    )
    found = fuzzy_graph(neighbors)
    assert found.shape == (300, 300)
    assert abs(found - expected).max() < 1e-4


def test_a_graph_of_equal_rows_joins_neighbors_fully() -> None:
    indices = np.array([[1, 2], [0, 2], [0, 1]], np.int32)
    graph = fuzzy_graph(Neighbors(indices, np.ones((3, 2), np.float32)))
    assert np.array_equal(graph.toarray(), 1 - np.eye(3))


def test_principal_components_agree_with_a_singular_value_decomposition() -> None:
    rows = (np.random.default_rng(0).normal(size=(80, 6)) * [5, 4, 3, 2, 1, 0.5]).astype(np.float32)
    left, singular, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    expected = (left * singular)[:, :3]
    points = principal_components(rows, 3)
    assert points.dtype == np.float32
    assert np.allclose(np.abs(points), np.abs(expected), atol=1e-3)


def test_principal_components_beyond_the_width_are_zero() -> None:
    points = principal_components(np.array([[0.0], [1.0], [2.0]], np.float32), 3)
    assert np.allclose(np.abs(points[:, 0]), [1, 0, 1])
    assert not points[:, 1:].any()
    assert not principal_components(np.ones((1, 4), np.float32), 2).any()
