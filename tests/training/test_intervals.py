"""Intervals agree with published values."""

import numpy as np
import pytest

from training.intervals import bootstrap_interval, wilson_interval


@pytest.mark.parametrize(
    ("share", "count", "low", "high"), [(0.5, 100, 0.4038, 0.5962), (0.0, 10, 0.0, 0.2775), (1.0, 10, 0.7225, 1.0)]
)
def test_wilson_intervals_agree_with_published_values(share: float, count: int, low: float, high: float) -> None:
    assert wilson_interval(share, count) == pytest.approx((low, high), abs=1e-4)


def test_a_share_lies_in_its_own_interval_however_it_is_rounded() -> None:
    for count in range(1, 300):
        low, high = wilson_interval(1.0, count)
        assert low < 1.0 == high
        assert wilson_interval(0.0, count)[0] == 0.0


def test_a_bootstrap_interval_is_seeded_and_a_point_where_nothing_varies() -> None:
    values = np.array([0.0, 1.0] * 50)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values) == pytest.approx((0.4, 0.6), abs=0.02)
    assert bootstrap_interval(np.full(9, 0.25)) == (0.25, 0.25)
