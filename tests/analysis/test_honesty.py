"""Shares of kept and common neighbours on points whose answer is known."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from analysis.finding import TOO_FEW
from analysis.honesty import (
    Agreement,
    Honesty,
    kept_neighbors,
    measure_honesty,
    nearest_points,
    neighbor_overlap,
    shared_neighbors,
)
from analysis.neighbors import Neighbors


def on_a_line(total: int) -> np.ndarray:
    """(total, 2) points at growing distances, so that no two are equally near to a third."""
    return np.stack([np.arange(total) ** 1.01, np.zeros(total)], axis=1).astype(np.float32)


def neighbors_of(indices: np.ndarray) -> Neighbors:
    return Neighbors(indices, np.ones(indices.shape, np.float32))


def test_a_layout_with_the_true_neighbors_keeps_all_of_them() -> None:
    points = on_a_line(60)
    kept = kept_neighbors(points, neighbors_of(nearest_points(points, 50)))
    assert kept.dtype == np.float32
    assert np.array_equal(kept, np.ones(60))


def test_a_layout_at_random_keeps_about_what_chance_would() -> None:
    true = nearest_points(np.random.default_rng(0).normal(size=(1000, 5)).astype(np.float32), 15)
    at_random = np.random.default_rng(1).normal(size=(1000, 2)).astype(np.float32)
    assert kept_neighbors(at_random, neighbors_of(true)).mean() == pytest.approx(15 / 999, abs=0.005)


def test_nearest_points_are_ordered_and_never_the_point_itself() -> None:
    assert nearest_points(on_a_line(5), 2).tolist() == [[1, 2], [0, 2], [1, 3], [2, 4], [3, 2]]
    assert nearest_points(on_a_line(3), 15).shape == (3, 2)
    assert nearest_points(on_a_line(1), 15).shape == (1, 0)


def test_points_in_one_place_have_other_points_as_nearest() -> None:
    nearest = nearest_points(np.zeros((100, 2), np.float32), 15)
    assert nearest.shape == (100, 15)
    assert all(row not in nearest[row] and len(set(nearest[row])) == 15 for row in range(100))


def test_a_single_problem_keeps_nothing_that_could_be_counted() -> None:
    kept = kept_neighbors(on_a_line(1), neighbors_of(np.empty((1, 0), np.int32)))
    assert np.isnan(kept).all()
    assert np.isnan(neighbor_overlap(np.empty((1, 0), np.int32), np.empty((1, 0), np.int32)))


def test_overlap_counts_common_neighbors_in_any_order() -> None:
    one = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.int32)
    other = np.array([[4, 3, 2, 1], [5, 9, 10, 11]], np.int32)
    assert shared_neighbors(one, other).tolist() == [1.0, 0.25]
    assert neighbor_overlap(one, other) == 0.625
    assert neighbor_overlap(one, one) == 1.0


def random_neighbors(total: int = 200) -> np.ndarray:
    """(total, 15) others of each row."""
    random = np.random.default_rng(0)
    return np.array([random.permutation(total - 1)[:15] for _ in range(total)], np.int32)


def test_honesty_tells_what_is_kept_what_is_stable_and_who_agrees() -> None:
    indices = random_neighbors()
    points = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    honesty = measure_honesty(np.full(200, 0.25, np.float32), indices, [points, points.copy()], ("tf-idf", indices[:, ::-1]))
    assert honesty is not None
    assert honesty.kept == 0.25
    assert honesty.chance == pytest.approx(15 / 199)
    assert honesty.stability == 1.0
    assert honesty.agreement == Agreement("tf-idf", 1.0)
    assert "tf-idf agrees on 100%" in honesty.reading
    adapter = TypeAdapter(Honesty)
    assert adapter.validate_json(adapter.dump_json(honesty)) == honesty


def test_honesty_without_other_seeds_and_models_says_so_by_silence() -> None:
    honesty = measure_honesty(np.full(200, 0.7, np.float32), random_neighbors(), [np.zeros((200, 2), np.float32)])
    assert honesty is not None
    assert (honesty.stability, honesty.agreement) == (None, None)
    assert honesty.answer.startswith("Yes")
    assert "seeds" not in honesty.reading
    assert measure_honesty(np.full(1, np.nan, np.float32), np.empty((1, 0), np.int32)) is None


def test_a_map_of_few_problems_is_not_judged() -> None:
    honesty = measure_honesty(np.ones(20, np.float32), random_neighbors(20))
    assert honesty is not None
    assert honesty.answer == TOO_FEW
