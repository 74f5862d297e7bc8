"""What evaluations came to, beside the curves of training."""

import numpy as np
import pytest

from dashboard.evaluated_points import points_of
from training.intervals import mean_interval, wilson_interval
from training.presets import load_preset
from training.store.evaluations import Evaluation, EvaluationItem

CONFIG = load_preset("demo").model_copy(update={"rewards": {"correctness": 2.0, "soft_format": 1.0}})


def evaluation(rewards: list[dict[str, float | None]]) -> Evaluation:
    items = tuple(EvaluationItem(f"test-{place}", "", found, 10 * (place + 1)) for place, found in enumerate(rewards))
    return Evaluation("after", 20, "test", 0.0, items)


def test_rewards_total_and_length_have_their_means_with_intervals() -> None:
    found = points_of(
        [evaluation([{"correctness": 1.0, "soft_format": 0.5}, {"correctness": 0.0, "soft_format": 0.5}])], CONFIG
    )
    assert found.keys() == {"rewards/correctness/mean", "rewards/soft_format/mean", "reward", "completions/mean_length"}
    (hard,) = found["rewards/correctness/mean"]
    assert (hard.step, hard.split, hard.value) == (20, "test", 0.5)
    assert (hard.low, hard.high) == wilson_interval(0.5, 2)
    assert found["reward"][0].value == pytest.approx(1.5)
    assert found["completions/mean_length"][0].value == 15
    length = found["completions/mean_length"][0]
    assert (length.low, length.high) == mean_interval(np.array([10.0, 20.0]))


def test_few_problems_that_are_all_right_are_not_certain() -> None:
    (hard,) = points_of([evaluation([{"correctness": 1.0}] * 3)], CONFIG)["rewards/correctness/mean"]
    assert hard.low < 0.5 < hard.high == 1.0


def test_what_could_not_be_computed_is_left_out() -> None:
    found = points_of(
        [evaluation([{"correctness": 1.0, "soft_format": None}, {"correctness": 1.0, "soft_format": 0.5}])], CONFIG
    )
    assert found["rewards/soft_format/mean"][0].value == 0.5
    assert found["reward"][0].value == 2.5
    assert "reward" not in points_of([evaluation([{"correctness": 1.0}])], CONFIG)
    assert points_of([evaluation([])], CONFIG) == {}
