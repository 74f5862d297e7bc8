"""What a setting does: pairs, the crossed variance, and the correction for several comparisons."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from training.studies.effects import Effect, Measured, crossed_mean, effects_of, holm


def run(seed: int, rates: list[float], **settings: object) -> Measured:
    return settings, seed, {f"p{place}": rate for place, rate in enumerate(rates)}


def test_holms_correction_is_that_of_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_pairs_are_alike_in_all_else() -> None:
    arms = [{"a": 1, "b": x} for x in "xy"] + [{"a": 2, "b": x} for x in "xy"]
    runs = [
        run(1, [0, 0], a=1, b="x"),
        run(1, [1, 0], a=2, b="x"),
        run(1, [1, 1], a=1, b="y"),
        run(1, [1, 1], a=2, b="y"),
        run(2, [0, 0], a=1, b="x"),
        run(2, [1, 0], a=2, b="x"),
        run(3, [1, 1], a=2, b="x"),  # without its pair it says nothing
    ]
    of_a, of_b = effects_of(arms, runs)
    assert (of_a.setting, of_a.value, of_a.against) == ("a", 2, 1)
    assert (of_a.pairs, of_a.seeds, of_a.problems) == (3, 2, 2)
    # seed 1: (1/2 + 0)/2 on p0, 0 on p1; seed 2: 1 on p0, 0 on p1
    assert of_a.difference == pytest.approx((0.5 + 0 + 1 + 0) / 4)
    assert (of_b.setting, of_b.pairs, of_b.seeds) == ("b", 2, 1)
    assert of_b.interval is None
    assert of_b.is_more_than_chance is None


def test_with_problems_alike_the_interval_is_students_over_seeds() -> None:
    by_seed = np.array([0.1, 0.2, 0.15, 0.05])
    mean, interval, p_value = crossed_mean(np.repeat(by_seed[:, None], 50, axis=1))
    known = ttest_1samp(by_seed, 0)
    assert mean == pytest.approx(by_seed.mean())
    assert interval == pytest.approx(tuple(known.confidence_interval(0.95)))
    assert p_value == pytest.approx(known.pvalue)


def test_with_seeds_alike_the_interval_is_students_over_problems() -> None:
    by_problem = np.random.default_rng(1).normal(0.1, 0.5, 40)
    _, interval, p_value = crossed_mean(np.repeat(by_problem[None, :], 3, axis=0))
    known = ttest_1samp(by_problem, 0)
    assert interval == pytest.approx(tuple(known.confidence_interval(0.95)))
    assert p_value == pytest.approx(known.pvalue)


@pytest.mark.parametrize(("seeds", "of_seeds", "least"), [(2, 0.05, 0.88), (3, 0.0, 0.93), (3, 0.05, 0.91), (5, 0.02, 0.93)])
def test_intervals_hold_the_truth_as_often_as_they_say(seeds: int, of_seeds: float, least: float) -> None:
    """Seeds and problems drawn anew each time, with no difference in truth: 95% of the intervals hold 0, or nearly."""
    rng, held, trials = np.random.default_rng(7), 0, 400
    for _ in range(trials):
        noise = rng.normal(0, of_seeds, (seeds, 1)) + rng.normal(0, 0.15, (1, 100)) + rng.normal(0, 0.4, (seeds, 100))
        _, interval, _ = crossed_mean(noise)
        assert interval is not None
        held += interval[0] <= 0 <= interval[1]
    assert held / trials >= least


def test_a_difference_that_is_none_is_not_more_than_chance() -> None:
    arms = [{"a": 1}, {"a": 2}]
    runs = [run(seed, [0.5, 1.0, 0.0], a=value) for seed in (1, 2, 3) for value in (1, 2)]
    [found] = effects_of(arms, runs)
    assert (found.difference, found.is_more_than_chance, found.corrected) == (0.0, False, 1.0)


def test_every_further_value_is_held_against_the_first_and_all_are_corrected_for() -> None:
    rng = np.random.default_rng(3)
    arms = [{"rank": rank} for rank in (2, 8, 32)]
    runs = [
        run(seed, [float(rng.random() < 0.5 + 0.3 * (rank == 32)) for _ in range(30)], rank=rank)
        for seed in range(4)
        for rank in (2, 8, 32)
    ]
    of_8, of_32 = effects_of(arms, runs)
    assert [(found.value, found.against, found.comparisons) for found in (of_8, of_32)] == [(8, 2, 2), (32, 2, 2)]
    assert of_32.is_more_than_chance
    assert not of_8.is_more_than_chance
    assert "More than chance" in of_32.reading
    assert of_8.reading.startswith("Not more than chance")


def four_arms(seed: int, together: float) -> tuple[Effect, ...]:
    """Two settings of two values, three seeds, sixty problems; both second values together give so much more."""
    rng = np.random.default_rng(seed)
    arms = [{"rank": rank, "rate": rate} for rank in (2, 8) for rate in ("low", "high")]
    easy = rng.normal(0.5, 0.2, 60)
    runs = []
    for number in range(3):
        of_seed = rng.normal(0, 0.02)
        for arm in arms:
            shift = of_seed + together * (arm == arms[-1]) + rng.normal(0, 0.02)
            runs.append(run(number, list((rng.random(60) < easy + shift).astype(float)), **arm))
    return effects_of(arms, runs)


def test_an_effect_that_depends_on_another_setting_is_said_to() -> None:
    of_rank, of_rate = four_arms(1, 0.45)
    for found, other in ((of_rank, "rate"), (of_rate, "rank")):
        assert found.is_uneven
        lowest, highest = found.parts
        assert set(lowest.settings) == set(highest.settings) == {other}
        assert lowest.difference < 0.2 < highest.difference
        assert found.difference == pytest.approx((lowest.difference + highest.difference) / 2)
        assert f"to {highest.difference:+.3f} with {other}" in found.reading
        assert found.reading.endswith("The mean hides that.")


def test_effects_that_add_up_are_rarely_said_to_depend_on_each_other() -> None:
    said = sum(any(found.is_uneven for found in four_arms(seed, 0.0)) for seed in range(200))
    assert said / 200 < 0.1


def test_a_setting_alone_depends_on_nothing() -> None:
    arms = [{"a": 1}, {"a": 2}]
    [found] = effects_of(arms, [run(seed, [0.0, 1.0], a=value) for seed in (1, 2) for value in (1, 2)])
    assert (found.uneven, found.is_uneven, len(found.parts)) == (None, False, 1)
