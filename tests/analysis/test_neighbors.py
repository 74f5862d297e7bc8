"""Neighbours are exact, whatever the block size, and defined for every N from 1."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis import neighbors
from analysis.embed import unit_rows
from analysis.neighbors import nearest_neighbors


def random_rows(count: int, width: int = 8) -> NDArray[np.float32]:
    return unit_rows(np.random.default_rng(0).normal(size=(count, width)).astype(np.float32))


@pytest.mark.parametrize("block_bytes", [1, 4000, neighbors.BLOCK_BYTES])
def test_neighbors_equal_a_full_sort_for_any_block_size(block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "BLOCK_BYTES", block_bytes)
    rows = random_rows(150)
    found = nearest_neighbors(rows, 15)
    similarities = rows @ rows.T
    np.fill_diagonal(similarities, -np.inf)
    expected = np.argsort(-similarities, axis=1)[:, :15]
    assert np.array_equal(found.indices, expected)
    assert found.indices.dtype == np.int32
    assert found.similarities.dtype == np.float32
    assert np.allclose(found.similarities, np.take_along_axis(similarities, expected, axis=1), atol=1e-6)


@pytest.mark.parametrize(("total", "k"), [(1, 0), (2, 1), (15, 14), (16, 15), (17, 15)])
def test_few_rows_have_all_others_as_neighbors(total: int, k: int) -> None:
    found = nearest_neighbors(random_rows(total), 15)
    assert found.indices.shape == found.similarities.shape == (total, k)
    assert all(row not in found.indices[row] for row in range(total))


def test_identical_rows_are_each_others_neighbors_but_never_their_own() -> None:
    found = nearest_neighbors(np.tile(random_rows(1), (40, 1)), 15)
    assert all(row not in found.indices[row] and len(set(found.indices[row])) == 15 for row in range(40))
    assert found.similarities.min() == pytest.approx(1.0)
    assert found.similarities.max() <= 1.0


def test_progress_counts_rows_up_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "BLOCK_BYTES", 4 * 100 * 40)
    done: list[int] = []
    nearest_neighbors(random_rows(100), 5, done.append)
    assert done == [40, 80, 100]
