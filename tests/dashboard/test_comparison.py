"""Figures and tables of compared runs, from values."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboard.axes import Axis, completions_axis, step_axis
from dashboard.comparison_figures import Panel, RunCurve, comparison_panels, legend
from dashboard.comparison_tables import (
    Scores,
    both_met,
    common_outcomes,
    differing_settings,
    evaluation_rows,
    final_and_best,
    reading_of,
    shown_evaluations,
)
from dashboard.curve_figures import Look
from dashboard.curves import Curve
from dashboard.evaluated_points import Point
from dashboard.run_colours import run_colour
from dashboard.thinning import POINTS
from training.evaluation.evaluate import Score

REWARD = Curve("reward", "Total reward", "reward", maximum=4.0)
LENGTH = Curve("length", "Completion length, tokens", "completions/mean_length", maximum=4000.0)


LOOK = Look("v", 3)


def run_curve(values: list[float], axis: Axis | None = None, points: Sequence[Point] = ()) -> RunCurve:
    return RunCurve((np.arange(1, len(values) + 1), np.array(values, float)), axis or step_axis(), points)


def drawn(panels: list[Panel], run_ids: list[str], look: Look = LOOK) -> list[go.Figure]:
    """The figures as plotly knows them; it refuses what a figure cannot have."""
    return [go.Figure(**panel.figure) for panel in comparison_panels(panels, run_ids, look)]


def test_every_run_is_in_every_panel_in_its_own_line_as_in_the_legend() -> None:
    runs = {"a-1": run_curve([1.0, 2.0, 3.0]), "b-1": run_curve([2.0, 2.0])}
    reward, length = drawn([Panel(REWARD, runs), Panel(LENGTH, runs)], ["a-1", "b-1"])
    shown = [(entry.name, entry.colour, entry.dash) for entry in legend(["a-1", "b-1"])]
    for figure in (reward, length):
        assert [(trace.legendgroup, trace.line.color, trace.line.dash) for trace in figure.data] == shown
    assert list(reward.data[0].x) == [1, 2, 3]
    assert [reward.layout.title.text, length.layout.title.text] == ["Total reward", "Completion length, tokens"]
    assert [shape.y0 for shape in reward.layout.shapes] == [4.0]
    assert not length.layout.shapes  # its maximum is far above its values


def test_a_run_has_its_own_colour_and_many_runs_several_kinds_of_line() -> None:
    entries = legend([f"demo-{number}" for number in range(12)])
    assert [entry.colour for entry in entries] == [run_colour(entry.name) for entry in entries]
    assert [entry.dash for entry in entries] == ["solid"] * 6 + ["dash"] * 6


def test_a_run_keeps_its_line_where_another_has_no_values() -> None:
    (figure,) = drawn([Panel(REWARD, {"b-1": run_curve([1.0])})], ["a-1", "b-1"])
    second = legend(["a-1", "b-1"])[1]
    assert (figure.data[0].line.color, figure.data[0].line.dash) == (second.colour, second.dash)


def test_smoothing_is_corrected_for_its_start_and_the_values_stay_faintly_behind() -> None:
    (figure,) = drawn([Panel(REWARD, {"a-1": run_curve([4.0, 0.0])})], ["a-1"], replace(LOOK, weight=0.5))
    raw, line = figure.data
    assert list(raw.y) == [4.0, 0.0]
    assert raw.opacity < 0.5
    assert list(line.y) == pytest.approx([4.0, 4.0 / 3])


def test_each_run_lies_on_its_own_axis_and_the_figure_reaches_to_the_longest() -> None:
    runs = {"a-1": run_curve([1.0, 2.0], completions_axis(8)), "b-1": run_curve([1.0, 2.0], completions_axis(100))}
    (figure,) = drawn([Panel(REWARD, runs)], ["a-1", "b-1"])
    assert [list(trace.x) for trace in figure.data] == [[8, 16], [100, 200]]
    assert figure.layout.xaxis.range == (0, 200)
    assert figure.layout.xaxis.title.text == "completions"


def test_evaluations_have_the_colour_of_their_run() -> None:
    runs = {"b-1": run_curve([1.0], points=[Point(1, "test", 1.0, 0.5, 1.5)])}
    line, marks = drawn([Panel(REWARD, runs)], ["a-1", "b-1"])[0].data
    assert marks.marker.symbol == "diamond"
    assert set(marks.marker.color) == {line.line.color}
    assert marks.legendgroup == "b-1"


def test_a_long_run_is_thinned_and_keeps_its_peak() -> None:
    values = np.zeros(100_000)
    values[54_321] = 9.0
    (figure,) = drawn([Panel(REWARD, {"a-1": run_curve(values.tolist())})], ["a-1"])
    assert len(figure.data[0].x) == POINTS
    assert max(figure.data[0].y) == 9.0


def test_only_settings_that_differ_are_listed_rewards_one_by_one() -> None:
    table = differing_settings(
        {
            "a-1": {"model": "demo", "learning_rate": 5e-05, "rewards": {"correctness": 1.0, "integer": 1.0}},
            "b-1": {"model": "demo", "learning_rate": 0.0002, "rewards": {"correctness": 2.0, "integer": 1.0}, "wandb": True},
        }
    )
    assert table.to_dict("list") == {
        "setting": ["learning_rate", "rewards.correctness", "wandb"],
        "a-1": ["5e-05", "1.0", ""],
        "b-1": ["0.0002", "2.0", "yes"],
    }
    assert differing_settings({"a-1": {"seed": 1}, "b-1": {"seed": 1}}).empty


def test_final_and_best_values_are_means_of_five_steps() -> None:
    table = final_and_best([Panel(REWARD, {"a-1": run_curve([0, 0, 5, 5, 5, 5, 5, 0, 0]), "b-1": run_curve([1.0, 3.0])})])
    assert table.iloc[0].tolist() == ["Total reward", "a-1", 3.0, 5.0, 7, 3.0, 5]
    assert table.iloc[1].tolist() == ["Total reward", "b-1", 2.0, 2.0, 2, 2.0, 2]


def test_evaluations_stand_in_rows_with_their_intervals() -> None:
    score = Score("Hard correctness", 0.52, 0.424, 0.615, 1.0)
    rows = evaluation_rows({"a-1": [Scores("before", 0, 100, {"hard": score})], "b-1": []})
    assert rows.iloc[0].to_dict() == {
        "run": "a-1",
        "evaluation": "before",
        "step": 0,
        "problems": 100,
        "Hard correctness": 0.52,
        "Hard correctness, low": 0.424,
        "Hard correctness, high": 0.615,
    }
    assert shown_evaluations(rows)["Hard correctness"].tolist() == ["0.520 (0.424 to 0.615)"]
    assert evaluation_rows({"a-1": []}).empty


def test_problems_that_two_runs_met_are_paired_and_the_difference_has_an_interval() -> None:
    first = pd.DataFrame({"pass_rate": [0.0, 0.5, 1.0, None]}, index=["a", "b", "c", "d"])
    last = pd.DataFrame({"pass_rate": [1.0, 0.5, 0.75, 1.0]}, index=["a", "b", "c", "e"])
    met = both_met(first, last)
    assert met["change"].to_dict() == {"a": 1.0, "c": -0.25, "b": 0.0}
    said = reading_of(met, "demo-1", "import-1")
    assert "3 problems were met by both" in said
    assert "+25.0%" in said
    assert "may be chance" in said
    assert both_met(first.drop(columns="pass_rate"), last).empty


def test_runs_are_compared_by_what_both_have_an_evaluation_first() -> None:
    first = pd.DataFrame({"pass_rate": [0.0], "right_before": [1.0], "right_after": [0.0]}, index=["a"])
    last = pd.DataFrame({"pass_rate": [1.0], "right_before": [1.0], "right_after": [1.0], "right_late": [1.0]}, index=["a"])
    assert common_outcomes(first, last) == ["right_after", "right_before", "pass_rate"]
    assert both_met(first, last, "right_after")["change"].to_dict() == {"a": 1.0}
    assert common_outcomes(first.drop(columns=["right_before", "right_after"]), last) == ["pass_rate"]


def test_a_difference_that_all_problems_share_is_no_chance() -> None:
    rates = [place / 50 for place in range(40)]
    first, last = (pd.DataFrame({"pass_rate": [rate + more for rate in rates]}) for more in (0.0, 0.2))
    assert "may be chance" not in reading_of(both_met(first, last), "a", "b")
