"""Figures of curves from scalars."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from dashboard import curves, theme
from dashboard.axes import Axis, step_axis, tokens_axis
from dashboard.curve_figures import Look, curve_figure, in_words, points_drawn, smoothed
from dashboard.evaluated_points import Point, Points
from dashboard.thinning import POINTS, in_window, thinned
from training.config import RunConfig
from training.presets import load_preset
from training.store.scalar_series import Series


@pytest.fixture
def config() -> RunConfig:
    return load_preset("demo", ["max_steps=20"])


def series(values: list[float]) -> Series:
    return np.arange(1, len(values) + 1), np.array(values)


def drawn(
    known: dict[str, Series],
    shown: curves.Curve,
    max_steps: int = 20,
    axis: Axis | None = None,
    points: Points | None = None,
    **look: Any,
) -> go.Figure:
    """The figure as plotly knows it; it refuses what a figure cannot have."""
    figure = curve_figure(known, shown, axis or step_axis(), Look("v", max_steps, **look), points or {})
    return go.Figure(**figure)


def curve(config: RunConfig, key: str, *names: str) -> curves.Curve:
    return next(found for found in curves.run_curves(config, names) if found.key == key)


def test_a_curve_spans_the_whole_run_with_its_maximum_and_band(config: RunConfig) -> None:
    known = {"reward": series([1.0, 2.0, 3.0]), "reward_std": series([0.5, 0.5, 0.5])}
    figure = drawn(known, curve(config, "reward"), max_steps=20)
    band, line = figure.data
    assert list(line.x) == [1, 2, 3]
    assert list(line.y) == [1.0, 2.0, 3.0]
    assert list(band.y) == [1.5, 2.5, 3.5, 2.5, 1.5, 0.5]
    assert tuple(figure.layout.xaxis.range) == (0, 20)
    assert figure.layout.shapes[0].y0 == config.maximum_reward
    assert figure.layout.uirevision == "v None step"


def test_format_and_skill_are_shares_of_their_maximum_on_one_axis(config: RunConfig) -> None:
    known = {curves.reward_scalar("strict_format"): series([0.25, 0.5]), "reward": series([1.0, 2.0])}
    figure = drawn(known, curve(config, "against"), max_steps=20)
    total, strict_format, *correctness = figure.data
    assert list(total.y) == [0.25, 0.5]
    assert list(strict_format.y) == [0.5, 1.0]
    assert [len(trace.x) for trace in correctness] == [0, 0]
    assert all(word in figure.layout.annotations[0].text for word in ("reward", "format", "hard", "soft"))


def test_a_curve_without_values_is_an_empty_figure(config: RunConfig) -> None:
    figure = drawn({}, curve(config, "reward"), max_steps=20)
    assert [len(trace.x) for trace in figure.data] == [0, 0]


def test_an_infinite_gradient_leaves_the_others_in_view(config: RunConfig) -> None:
    figure = drawn({"grad_norm": series([1.0, np.inf, 2.0])}, curve(config, "grad_norm", "grad_norm"), max_steps=20)
    assert figure.layout.yaxis.range == (0.0, 2.1)


def test_a_curve_says_in_words_where_its_lines_stand(config: RunConfig) -> None:
    known = {name: series([1.0, 2.0]) for name in curve(config, "against").names}
    assert in_words({"reward": series([1.0, 2.5])}, curves.Curve("reward", "Total reward", "reward"), {}) == (
        "Total reward by step, now 2.5"
    )
    assert "reward now 0.5, format now 4" in in_words(known, curve(config, "against"), {})


def test_smoothing_is_the_moving_average_of_tensorboard() -> None:
    values, weight = [1.0, 5.0, 2.0], 0.6
    expected, last = [], 0.0
    for count, value in enumerate(values, start=1):
        last = weight * last + (1 - weight) * value
        expected.append(last / (1 - weight**count))
    assert smoothed(np.array(values), weight) == pytest.approx(expected)
    assert smoothed(np.array(values), 0.0).tolist() == values


def test_a_smoothed_curve_has_the_values_as_logged_behind_it(config: RunConfig) -> None:
    known = {"frac_reward_zero_std": series([0.0, 1.0, 0.0])}
    behind, line = drawn(known, curve(config, "zero_variance"), max_steps=20, weight=0.9).data
    assert list(behind.y) == [0.0, 1.0, 0.0]
    assert behind.opacity < line.opacity
    assert max(line.y) < 1.0


def test_a_long_curve_is_thinned_with_its_peak_and_is_exact_when_zoomed(config: RunConfig) -> None:
    values = np.sin(np.arange(20_000) / 900)
    values[12_345] = 9.0
    known = {"frac_reward_zero_std": (np.arange(1, 20_001), values)}
    whole = drawn(known, curve(config, "zero_variance"), max_steps=20_000).data[0]
    assert len(whole.x) == POINTS
    assert max(whole.y) == 9.0
    assert points_drawn(known["frac_reward_zero_std"], None) == (POINTS, 20_000)
    window = (12_300.0, 12_400.0)
    figure = drawn(known, curve(config, "zero_variance"), max_steps=20_000, window=window)
    assert list(figure.data[0].x) == list(range(12_299, 12_402))
    assert tuple(figure.layout.xaxis.range) == window
    assert points_drawn(known["frac_reward_zero_std"], window) == (103, 103)


def test_thinning_keeps_short_curves_and_the_ends_of_long_ones() -> None:
    steps = np.arange(5_000)
    assert thinned(steps[:10], steps[:10] * 1.0).tolist() == list(range(10))
    kept = thinned(steps, np.cos(steps / 50.0), most=100)
    assert (kept[0], kept[-1]) == (0, 4_999)
    assert (np.diff(kept) > 0).all()
    assert len(kept) <= 100


def test_a_window_beyond_the_run_has_its_last_step_at_most() -> None:
    assert np.arange(10)[in_window(np.arange(10), (50.0, 60.0))].tolist() == [9]
    assert in_window(np.empty(0, np.int64), (1.0, 2.0)) == slice(0, 1)


EVALUATED: Points = {"reward": (Point(0, "test", 1.0, 0.5, 1.75), Point(20, "test", 3.0, 2.5, 3.25))}


def test_evaluations_stand_in_the_curve_of_their_measure_with_their_intervals(config: RunConfig) -> None:
    figure = drawn({"reward": series([1.0, 2.0])}, curve(config, "reward"), points=EVALUATED)
    *_, line, marks = figure.data
    assert (line.mode, marks.mode, marks.marker.symbol) == ("lines+markers", "markers", "diamond")
    assert list(marks.x) == [0, 20]
    assert list(marks.y) == [1.0, 3.0]
    assert list(marks.error_y.array) == [0.75, 0.25]
    assert list(marks.error_y.arrayminus) == [0.5, 0.5]
    assert set(marks.marker.color) == {theme.TEST}
    assert figure.layout.yaxis.range[1] > 3.25
    said = in_words({"reward": series([1.0])}, curve(config, "reward"), EVALUATED)
    assert "evaluated at step 20 3.000 (2.500 to 3.250)" in said


def test_evaluations_outside_the_window_are_left_out(config: RunConfig) -> None:
    figure = drawn({"reward": series([1.0] * 20)}, curve(config, "reward"), points=EVALUATED, window=(5.0, 15.0))
    assert "evaluated" not in {trace.meta["kind"] for trace in figure.data}


def test_a_curve_over_tokens_lies_where_its_tokens_are_and_ends_with_them(config: RunConfig) -> None:
    axis = tokens_axis((np.arange(1, 4), np.array([100.0, 250.0, 300.0])))
    figure = drawn({"reward": series([1.0, 2.0, 3.0])}, curve(config, "reward"), axis=axis, points=EVALUATED, has_marks=True)
    _, line, marks = figure.data
    assert list(line.x) == [100, 250, 300]
    assert list(marks.x) == [0, 300]
    assert figure.layout.xaxis.title.text == "tokens"
    assert figure.layout.xaxis.range == pytest.approx((-4.5, 304.5))
    part = drawn({"reward": series([1.0, 2.0, 3.0])}, curve(config, "reward"), axis=axis, window=(1.0, 2.0))
    assert part.layout.xaxis.range == (100, 250)


def test_parts_of_a_step_are_areas_on_each_other_at_the_same_steps(config: RunConfig) -> None:
    times = curve(config, "time", "time/generate", "time/learn")
    generated: Series = (np.array([1, 3]), np.array([4.0, 2.0]))
    known = {"time/generate": generated, "time/learn": series([1.0, 1.5, 1.0])}

    figure = drawn(known, times)

    generate, learn = figure.data
    assert [list(area.x) for area in figure.data] == [[1, 2, 3]] * 2
    assert [list(generate.y), list(learn.y)] == [[4.0, 0.0, 2.0], [1.0, 1.5, 1.0]]
    assert generate.stackgroup == learn.stackgroup
    assert figure.layout.yaxis.range[1] >= 5.0


def test_long_parts_are_thinned_at_the_steps_of_the_whole(config: RunConfig) -> None:
    times = curve(config, "time", "time/generate", "time/learn")
    generated, learnt = np.ones(9000), np.ones(9000)
    generated[4321] = 50.0
    figure = drawn({"time/generate": series(list(generated)), "time/learn": series(list(learnt))}, times, max_steps=9000)

    generate, learn = figure.data
    assert list(generate.x) == list(learn.x)
    assert len(generate.x) <= POINTS
    assert generate.y.max() == 50.0


def test_several_processes_say_how_long_each_waits(config: RunConfig) -> None:
    names = ("time/wait", "time/1/wait", "time/10/wait", "time/2/wait", "time/1/generate")

    waits = curve(config, "waits", *names)

    assert waits.names == ("time/wait", "time/1/wait", "time/2/wait", "time/10/wait")
