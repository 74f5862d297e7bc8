"""Intervals agree with published values."""

import numpy as np
import pytest
from scipy import stats

from training.intervals import (
    bootstrap_interval,
    clustered_share,
    difference_interval,
    mean_interval,
    paired_interval,
    propagated,
    share_interval,
    shares_difference,
    wilson_interval,
)


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


def test_a_mean_of_few_or_equal_shares_is_never_certain() -> None:
    assert share_interval(np.array([1.0])) == wilson_interval(1.0, 1)
    assert share_interval(np.full(50, 0.5)) == wilson_interval(0.5, 50)
    assert share_interval(np.array([0.25, 0.5, 1.0])) == wilson_interval(7 / 12, 3)
    varied = np.array([0.0, 0.5, 1.0] * 10)
    assert share_interval(varied) == bootstrap_interval(varied)


def test_an_interval_of_paired_differences_agrees_with_bonett_and_price() -> None:
    # Their formula by hand for 20 gains and 5 losses of 100: p12 = 21/102, p21 = 6/102.
    changes = np.repeat([1.0, -1.0, 0.0], [20, 5, 75])
    half = 1.959964 * np.sqrt((27 / 102 - (15 / 102) ** 2) / 102)
    assert paired_interval(changes) == pytest.approx((15 / 102 - half, 15 / 102 + half), abs=1e-6)


@pytest.mark.parametrize("changes", [[0.0], [1.0], [-1.0], [0.0] * 30])
def test_pairs_that_all_changed_alike_are_not_certain(changes: list[float]) -> None:
    low, high = paired_interval(np.array(changes))
    assert -1 <= low <= changes[0] <= high <= 1
    assert high - low > 0.1


@pytest.mark.parametrize("runs", [2, 3, 4, 5, 9, 40])
def test_intervals_of_means_are_students(runs: int) -> None:
    values = np.random.default_rng(runs).normal(size=runs)
    expected = stats.t.interval(0.95, runs - 1, values.mean(), stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected, rel=2e-3, abs=2e-3)
    assert mean_interval(values[:1]) is None


def test_a_difference_of_means_has_welchs_interval() -> None:
    generator = np.random.default_rng(1)
    before, after = generator.normal(size=12), generator.normal(2, 3, size=20)
    low, high = stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.95)
    assert difference_interval(before, after) == pytest.approx((low, high), rel=5e-3)
    assert difference_interval(np.ones(3), np.full(3, 1.5)) == (0.5, 0.5)
    assert difference_interval(np.ones(1), np.ones(9)) is None


def test_a_difference_of_shares_agrees_with_the_published_value() -> None:
    """Newcombe 1998, table II: 56/70 against 48/80, method 10: 0.0524 to 0.3339."""
    shares = [(x / n, *wilson_interval(x / n, n)) for x, n in ((48, 80), (56, 70))]
    assert shares_difference(*shares) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_a_clustered_share_of_single_things_is_wilsons() -> None:
    hits = np.repeat([1.0, 0.0], [30, 70])
    assert clustered_share(hits, np.ones(100)) == (0.3, *wilson_interval(0.3, 100))


def test_things_that_are_alike_in_their_cluster_count_as_one_and_never_as_more_than_they_are() -> None:
    alike = clustered_share(np.repeat([8.0, 0.0], 50), np.full(100, 8.0))
    assert alike[1:] == pytest.approx(wilson_interval(0.5, 100), abs=0.01)
    for hits in (np.zeros(20), np.full(20, 8.0), np.full(20, 4.0)):
        assert clustered_share(hits, np.full(20, 8.0))[1:] == wilson_interval(float(hits[0]) / 8, 20)
    spread = clustered_share(np.array([4.0, 4.0, 4.0, 5.0] * 10), np.full(40, 8.0))
    assert spread.high - spread.low >= np.ptp(wilson_interval(spread.value, 320))
    assert clustered_share(np.array([3.0]), np.array([8.0]))[1:] == wilson_interval(3 / 8, 1)


@pytest.mark.parametrize("mean", [0.1, 0.3])
def test_a_clustered_interval_holds_the_share_that_it_was_drawn_from(mean: float) -> None:
    generator = np.random.default_rng(42)
    held = plain = 0
    for _ in range(1000):
        sizes = generator.integers(1, 16, 120)
        hits = generator.binomial(sizes, generator.beta(mean * 2, (1 - mean) * 2, 120))
        _, low, high = clustered_share(hits.astype(float), sizes.astype(float))
        held += low <= mean <= high
        low, high = wilson_interval(hits.sum() / sizes.sum(), sizes.sum())
        plain += low <= mean <= high
    assert 930 <= held <= 985
    assert plain < 800


def test_a_propagated_difference_is_newcombes_and_a_certain_part_adds_nothing() -> None:
    before, after = (0.8, *wilson_interval(0.8, 70)), (0.6, *wilson_interval(0.6, 80))
    difference = propagated(lambda first, second: second - first, before, after)
    assert difference[1:] == shares_difference(before, after)
    assert propagated(lambda share, size: share * size, (0.8, 0.7, 0.9), (0.5, 0.5, 0.5)) == pytest.approx((0.4, 0.35, 0.45))


def test_the_interval_of_a_product_holds_the_product_that_it_was_drawn_from() -> None:
    generator = np.random.default_rng(42)
    held = 0
    for _ in range(1000):
        shares = [generator.binomial(n, p) / n for n, p in ((30, 0.7), (400, 0.1))]
        parts = [(share, *wilson_interval(share, n)) for share, n in zip(shares, (30, 400), strict=True)]
        _, low, high = propagated(lambda p, q: p * q, *parts)
        held += low <= 0.07 <= high
    assert 930 <= held <= 985
