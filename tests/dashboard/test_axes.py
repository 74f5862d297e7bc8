"""Where the steps of a run lie on the horizontal axis."""

import numpy as np
import pytest

from dashboard.axes import AXES, axis_named, completions_axis, offered_axes, step_axis, time_axis, tokens_axis
from training.presets import load_preset
from training.stored_config import ImportedConfig

STEPS = np.arange(1, 4)


def test_tokens_add_up_also_where_a_resumed_run_counts_anew() -> None:
    axis = tokens_axis((STEPS, np.array([100.0, 200.0, 50.0])))
    assert axis.at(np.array([0, 1, 2, 3])).tolist() == [0, 100, 200, 250]


def test_a_part_of_an_axis_is_a_part_of_the_run() -> None:
    axis = tokens_axis((STEPS, np.array([100.0, 200.0, 400.0])))
    assert axis.steps_between((100.0, 300.0)) == (1.0, 2.5)
    assert step_axis().steps_between((3.0, 9.5)) == (3.0, 9.5)


@pytest.mark.parametrize(
    ("step_s", "longest_s", "places", "unit"),
    [(60.0, 0.0, [1, 2, 3], "minutes"), (3600.0, 0.0, [1, 2, 3], "hours"), (1800.0, 7200.0, [0.5, 1, 1.5], "hours")],
)
def test_time_is_in_hours_once_one_run_took_two(step_s: float, longest_s: float, places: list[float], unit: str) -> None:
    axis = time_axis((STEPS, STEPS * step_s), longest_s)
    assert axis.at(STEPS).tolist() == places
    assert axis.title == f"training time, {unit}"


def test_completions_are_those_of_the_steps_before() -> None:
    assert completions_axis(32).at(np.array([0, 2])).tolist() == [0, 64]


def test_every_axis_can_be_made() -> None:
    made = [axis_named(key, completions_per_step=8, tokens=(STEPS, STEPS * 1.0), elapsed=(STEPS, STEPS * 1.0)) for key in AXES]
    assert len({axis.title for axis in made}) == len(AXES)


def test_only_axes_that_are_known_of_a_run_are_offered() -> None:
    config = load_preset("demo")
    assert offered_axes(config, ("num_tokens",)) == list(AXES)
    assert "tokens" not in offered_axes(config, ("reward",))
    imported = ImportedConfig(**config.model_dump(), path="log", layout="trl")
    assert offered_axes(imported, ("reward",)) == ["step"]
