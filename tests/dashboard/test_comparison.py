"""Figures and tables of compared runs, from values."""

import numpy as np
import pandas as pd
import pytest

from dashboard.comparison_figures import Panel, RunCurve, comparison_figure, run_line
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
from dashboard.curves import Curve
from dashboard.thinning import POINTS
from training.evaluation.evaluate import Score

REWARD = Curve("reward", "Total reward", "reward", maximum=4.0)
LENGTH = Curve("length", "Completion length, tokens", "completions/mean_length", maximum=4000.0)


def run_curve(values: list[float], step_s: float = 60.0) -> RunCurve:
    steps = np.arange(1, len(values) + 1)
    return RunCurve(steps, np.array(values, float), steps * step_s)


def test_every_run_is_in_every_panel_in_its_own_line_and_once_in_the_legend() -> None:
    runs = {"a-1": run_curve([1.0, 2.0, 3.0]), "b-1": run_curve([2.0, 2.0])}
    panels = [Panel(REWARD, runs), Panel(LENGTH, runs)]
    figure = comparison_figure(panels, ["a-1", "b-1"], axis="step", smoothing=0.0, view="v")
    assert [(trace.name, trace.legendgroup, trace.showlegend) for trace in figure.data] == [
        ("a-1", "a-1", True),
        ("b-1", "b-1", True),
        ("a-1", "a-1", False),
        ("b-1", "b-1", False),
    ]
    assert list(figure.data[0].x) == [1, 2, 3]
    assert figure.data[0].line.color == figure.data[2].line.color != figure.data[1].line.color
    assert [annotation.text for annotation in figure.layout.annotations] == ["Total reward", "Completion length, tokens"]
    assert [shape.y0 for shape in figure.layout.shapes] == [4.0]  # the other maximum is far above its values
    assert figure.layout.xaxis2.matches == "x"


def test_runs_beyond_the_seven_colours_have_another_kind_of_line() -> None:
    lines = [tuple(run_line(place).values()) for place in range(35)]
    assert len(set(lines)) == 35
    assert {dash for _, dash in lines[:7]} == {"solid"}
    assert {dash for _, dash in lines[7:14]} == {"dash"}


def test_a_run_keeps_its_line_where_another_has_no_values() -> None:
    figure = comparison_figure([Panel(REWARD, {"b-1": run_curve([1.0])})], ["a-1", "b-1"], axis="step", smoothing=0, view="v")
    assert figure.data[0].line.color == run_line(1)["color"]


def test_smoothing_is_corrected_for_its_start_and_the_values_stay_faintly_behind() -> None:
    figure = comparison_figure([Panel(REWARD, {"a-1": run_curve([4.0, 0.0])})], ["a-1"], axis="step", smoothing=0.5, view="v")
    raw, drawn = figure.data
    assert list(raw.y) == [4.0, 0.0]
    assert raw.opacity < 0.5
    assert not raw.showlegend
    assert list(drawn.y) == pytest.approx([4.0, 4.0 / 3])


@pytest.mark.parametrize(("step_s", "x", "title"), [(60.0, [1.0, 2.0], "minutes"), (7200.0, [2.0, 4.0], "hours")])
def test_time_is_in_hours_once_there_are_two(step_s: float, x: list[float], title: str) -> None:
    runs = {"a-1": run_curve([1.0, 2.0], step_s)}
    figure = comparison_figure([Panel(REWARD, runs)], ["a-1"], axis="time", smoothing=0.0, view="v")
    assert list(figure.data[0].x) == x
    assert figure.layout.xaxis.title.text == f"training time, {title}"


def test_a_long_run_is_thinned_and_keeps_its_peak() -> None:
    values = np.zeros(100_000)
    values[54_321] = 9.0
    figure = comparison_figure(
        [Panel(REWARD, {"a-1": run_curve(values.tolist())})], ["a-1"], axis="step", smoothing=0.0, view="v"
    )
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
