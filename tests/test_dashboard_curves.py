"""Figures of a run from its scalars."""

import pandas as pd
import pytest

from dashboard import curves
from training.config import RunConfig, load_preset
from training.store import Scalar


@pytest.fixture
def config() -> RunConfig:
    return load_preset("demo", ["max_steps=20"])


def scalars(name: str, values: list[float | None]) -> list[Scalar]:
    return [Scalar(seq, seq, name, value, 0.0) for seq, value in enumerate(values, start=1)]


def test_a_frame_has_a_row_a_step_and_a_column_a_scalar() -> None:
    frame = curves.scalar_frame([*scalars("reward", [1.0, 2.0]), *scalars("kl", [None, 0.5])])
    assert frame.index.tolist() == [1, 2]
    assert frame["reward"].tolist() == [1.0, 2.0]
    assert pd.isna(frame["kl"].iloc[0])


def test_the_total_stands_first_then_every_reward_that_is_trained_on(config: RunConfig) -> None:
    few = config.model_copy(update={"rewards": {"soft_format": 0.5, "correctness": 2.0, "integer": 0.0}})
    shown = curves.run_curves(few)
    assert [curve.key for curve in shown[:3]] == ["reward", "correctness", "soft_format"]
    assert shown[0].maximum == 2.0 * 1.0 + 0.5 * 0.5


def test_a_curve_spans_the_whole_run_with_its_maximum_and_band(config: RunConfig) -> None:
    frame = curves.scalar_frame([*scalars("reward", [1.0, 2.0, 3.0]), *scalars("reward_std", [0.5, 0.5, 0.5])])
    figure = curves.curve_figure(frame, curves.run_curves(config)[0], max_steps=20, view="v")
    band, line = figure.data
    assert list(line.x) == [1, 2, 3]
    assert list(line.y) == [1.0, 2.0, 3.0]
    assert list(band.y) == [1.5, 2.5, 3.5, 2.5, 1.5, 0.5]
    assert tuple(figure.layout.xaxis.range) == (0, 20)
    assert figure.layout.shapes[0].y0 == 4.0
    assert figure.layout.uirevision == "v"


def test_a_curve_without_values_is_an_empty_figure(config: RunConfig) -> None:
    figure = curves.curve_figure(pd.DataFrame(), curves.run_curves(config)[0], max_steps=20, view="v")
    assert [len(trace.x) for trace in figure.data] == [0, 0]


def test_headlines_compare_the_latest_steps_with_the_first(config: RunConfig) -> None:
    frame = curves.scalar_frame(
        [*scalars("reward", [1.0] * 5 + [3.0] * 5), *scalars(curves.reward_scalar("soft_format"), [0.25] * 10)]
    )
    total, soft_format = curves.headlines(frame, config)
    assert (total.value, total.change) == (3.0, 2.0)
    assert (soft_format.title, soft_format.value, soft_format.is_share) == ("Soft format", 0.5, True)


def test_headlines_of_the_first_steps_have_no_change(config: RunConfig) -> None:
    (total,) = curves.headlines(curves.scalar_frame(scalars("reward", [1.0, 2.0])), config)
    assert total.change is None


def test_step_time_is_the_median_so_that_a_first_slow_step_does_not_count() -> None:
    assert curves.step_time_s(curves.scalar_frame(scalars("step_time", [30.0, 1.0, 1.0]))) == 1.0
    assert curves.step_time_s(pd.DataFrame()) is None
