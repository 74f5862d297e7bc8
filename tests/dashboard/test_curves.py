"""Which curves a run has."""

import numpy as np
import pytest

from dashboard import curves
from training.config import RunConfig
from training.presets import load_preset
from training.store.scalar_series import Series


@pytest.fixture
def config() -> RunConfig:
    return load_preset("demo", ["max_steps=20"])


def series(values: list[float]) -> Series:
    return np.arange(1, len(values) + 1), np.array(values)


def curve(config: RunConfig, key: str, *names: str) -> curves.Curve:
    return next(found for found in curves.run_curves(config, names) if found.key == key)


def test_the_total_stands_first_then_every_reward_that_is_trained_on(config: RunConfig) -> None:
    few = config.model_copy(update={"rewards": {"soft_format": 0.5, "correctness": 2.0, "integer": 0.0}})
    shown = curves.run_curves(few, ())
    assert [found.key for found in shown] == ["reward", "against", "zero_variance", "correctness", "soft_format", "length"]
    assert shown[0].maximum == 2.0 * 1.0 + 0.5 * 0.5


def test_only_what_the_run_logs_of_the_machinery_is_shown(config: RunConfig) -> None:
    assert "kl" not in {found.key for found in curves.run_curves(config, ("entropy", "grad_norm"))}
    assert {"entropy", "grad_norm"} <= {found.key for found in curves.run_curves(config, ("entropy", "grad_norm"))}


def test_a_run_that_generates_with_vllm_shows_how_far_that_is_from_the_model(config: RunConfig) -> None:
    names = [f"sampling/sampling_logp_difference/{part}" for part in ("mean", "max")]
    names += [f"sampling/importance_sampling_ratio/{part}" for part in ("min", "mean", "max")]
    *_, difference, ratio = curves.run_curves(config, ["reward", *names])
    assert (difference.key, ratio.key) == ("vllm_difference", "vllm_ratio")
    assert [*difference.names, *ratio.names] == names
    assert not {"vllm_difference", "vllm_ratio"} & {curve.key for curve in curves.run_curves(config, ["reward"])}


def test_step_time_is_the_median_so_that_a_first_slow_step_does_not_count() -> None:
    assert curves.step_time_s(series([30.0, 1.0, 1.0])) == 1.0
    assert curves.step_time_s(series([])) is None


def test_chosen_curves_stand_in_the_order_chosen_and_unknown_ones_are_left_out(config: RunConfig) -> None:
    known = curves.run_curves(config, ())
    assert [found.key for found in curves.arranged(known, ("length", "gone", "reward", "length"))] == ["length", "reward"]
    assert curves.arranged(known, ("gone",)) == known


def test_a_run_that_chooses_shows_its_pools_what_it_drew_and_what_it_threw_away(config: RunConfig) -> None:
    names = ("pools/not_met", "pools/learning", "pools/mastered", "drawn/not_met", "dynamic_sampling/dropped_tokens")
    assert [line.title for line in curve(config, "pools", *names).lines] == ["Being learnt", "Mastered"]
    assert [line.name for line in curve(config, "drawn", *names).lines] == ["drawn/not_met"]
    assert curve(config, "dropped", *names).name == "dynamic_sampling/dropped_tokens"
    assert not {"pools", "drawn", "dropped"} & {found.key for found in curves.run_curves(config, ())}
