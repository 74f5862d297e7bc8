"""Contours go around where the points are."""

import re

import numpy as np
import pytest

from dashboard.contours import density_contours, segments


def test_the_line_of_a_cone_is_a_circle() -> None:
    row, column = np.mgrid[0:41, 0:41]
    pieces = segments(20 - np.hypot(row - 20, column - 20), 10.0)
    np.testing.assert_allclose(np.hypot(*(pieces - 20).reshape(-1, 2).T), 10.0, atol=0.05)


def test_lines_are_closed() -> None:
    pieces = segments(
        np.random.default_rng(0).normal(size=(12, 12)) - 9 * (np.pad(np.zeros((10, 10)), 1, constant_values=1)), 0
    )
    _, uses = np.unique(pieces.reshape(-1, 2).round(9), axis=0, return_counts=True)
    assert set(uses) == {2}


def test_higher_contours_are_narrower() -> None:
    points = np.random.default_rng(0).normal(size=(5000, 2)).astype(np.float32)
    found = density_contours(points)
    assert found is not None
    widths = []
    for path in found.paths:
        across = np.array(re.findall(r"[ML](-?\d+) ", path), int) * found.unit + found.origin[0]
        widths.append(np.ptp(across))
    assert widths == sorted(widths, reverse=True)
    # 90% of a standard normal in the plane lie within 2.15 of its centre
    assert widths[0] / 2 == pytest.approx(2.15, abs=0.3)


def test_a_point_of_its_own_does_not_stop_the_lines() -> None:
    points = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    points[0] = 1e6
    assert density_contours(points) is not None


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.zeros((1, 2)), np.ones((50, 2))])
def test_points_without_extent_have_no_contours(points: np.ndarray) -> None:
    assert density_contours(points.astype(np.float32)) is None


def test_points_on_a_line_have_contours() -> None:
    points = np.column_stack([np.arange(100), np.zeros(100)]).astype(np.float32)
    assert density_contours(points) is not None
