"""The layout is finite for every N, repeatable, and real UMAP separates what is separate."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.embed import unit_rows
from analysis.layout import UMAP_MINIMUM, lay_out
from analysis.neighbors import nearest_neighbors


def laid_out(embeddings: NDArray[np.float32], seed: int = 42) -> NDArray[np.float32]:
    return lay_out(embeddings, nearest_neighbors(embeddings, 15), min_dist=0.1, seed=seed)


def two_groups(count: int) -> NDArray[np.float32]:
    """(2 * count, 16), the first half near one axis and the second near another."""
    rows = np.random.default_rng(0).normal(scale=0.1, size=(2 * count, 16)).astype(np.float32)
    rows[:count, 0] += 1
    rows[count:, 1] += 1
    return unit_rows(rows)


@pytest.mark.parametrize("total", [1, 2, 3, UMAP_MINIMUM - 1, UMAP_MINIMUM, 15, 16, 17, 40])
def test_every_size_gets_a_finite_layout(total: int) -> None:
    points = laid_out(two_groups(20)[:total])
    assert points.shape == (total, 2)
    assert points.dtype == np.float32
    assert np.isfinite(points).all()


@pytest.mark.parametrize("distinct", [1, 2, 12])
def test_repeated_rows_get_a_finite_layout(distinct: int) -> None:
    points = laid_out(np.repeat(two_groups(6)[:distinct], 20, axis=0))
    assert points.shape == (20 * distinct, 2)
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


def test_umap_uses_our_neighbors_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # A deprecation inside scikit-learn, numba or scipy is not ours.
        for category in (DeprecationWarning, FutureWarning, PendingDeprecationWarning):
            warnings.simplefilter("ignore", category)
        laid_out(two_groups(30))
