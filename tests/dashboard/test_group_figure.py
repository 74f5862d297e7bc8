"""The course of groups of runs: means over runs of any length, in bands that are their intervals."""

import numpy as np
import pytest

from dashboard.group_figure import POINTS, group_figure, mean_course
from training.intervals import mean_interval


def test_runs_of_any_length_are_averaged_at_the_same_share_of_their_steps() -> None:
    mean, low, high = mean_course([[0.0, 1.0], [0.0, 0.5, 1.0, 1.5, 2.0], [3.0]])
    assert mean[[0, POINTS // 2, -1]] == pytest.approx([1.0, 1.5, 2.0])
    assert (low[0], high[0]) == mean_interval(np.array([0.0, 0.0, 3.0]))


def test_a_single_run_has_no_band_and_the_line_of_itself() -> None:
    mean, low, high = mean_course([[1.0, 3.0]])
    assert mean.tolist() == low.tolist() == high.tolist()
    assert mean[-1] == 3.0


def test_each_group_has_a_line_and_a_band_of_one_colour() -> None:
    figure = group_figure({"1e-05": [[1.0, 2.0], [1.0, 3.0]], "0.0001": [[2.0, 2.0]]})
    band, line, *others = figure.data
    assert [trace.name for trace in (line, others[1])] == ["1e-05", "0.0001"]
    assert band.fillcolor == line.line.color != others[1].line.color
    assert "1e-05, 2 runs" in line.hovertemplate
