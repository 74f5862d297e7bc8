"""The findings' figures show the findings' numbers."""

import numpy as np
import plotly.graph_objects as go
import pytest

from analysis.findings import Correlation, Topic, Topics
from dashboard import finding_figures


def test_the_difficulty_figure_has_a_mean_for_each_step_count() -> None:
    figure = finding_figures.difficulty_figure(np.array([2, 2, 3]), np.array([2.0, 4.0, 5.0]))
    assert list(figure.data[1].y) == [3.0, 5.0]


def test_the_leakage_figure_marks_its_threshold() -> None:
    figure = finding_figures.leakage_figure(np.array([0.4, 0.9]), 0.85)
    assert [shape.x0 for shape in figure.layout.shapes] == [0.85]


def test_the_mixing_figure_shows_share_and_base_rate() -> None:
    figure = finding_figures.mixing_figure(0.14, (0.13, 0.16), 0.15)
    assert [list(trace.x) for trace in figure.data] == [[0.13, 0.16], [0.15], [0.14]]


def topics(sizes: list[int], isolations: list[float]) -> Topics:
    found = [
        Topic(number, f"words {number}", size, 0.15, 3.0, "train-0", isolation)
        for number, (size, isolation) in enumerate(zip(sizes, isolations, strict=True))
    ]
    return Topics(tuple(found), 0.3, "the map", {"the map": 0.4})


def test_the_topics_figure_names_the_largest_and_the_most_isolated() -> None:
    found = topics([900, 800, 700, 600, 500, 400, 300, 200, 100, 5, 5, 5], [0.5, 0.5, 0.5, 0.97, *[0.4] * 8])
    (trace,) = finding_figures.topics_figure(found, {n: f"title {n}" for n in range(12)}).data
    assert [text for text in trace.text if text] == [f"title {n}" for n in range(4)]
    assert list(trace.x) == [topic.size for topic in found.topics]


def test_the_correlations_figure_shows_each_interval() -> None:
    (trace,) = finding_figures.correlations_figure(
        [Correlation("length", 0.4, (0.3, 0.5), 100), Correlation("pass rate", -0.2, (-0.4, 0.0), 100)]
    ).data
    assert list(trace.y) == ["pass rate", "length"]
    assert list(trace.error_x.array) == pytest.approx([0.2, 0.1])
    assert list(trace.error_x.arrayminus) == pytest.approx([0.2, 0.1])


def test_the_failures_figure_counts_every_kind() -> None:
    (trace,) = finding_figures.failures_figure({"wrong equation": 0, "reward": 5}).data
    assert dict(zip(trace.y, trace.x, strict=True)) == {"wrong equation": 0, "reward": 5}


def test_the_kept_figure_marks_what_chance_keeps() -> None:
    figure: go.Figure = finding_figures.kept_figure(np.array([0.1, 0.2], np.float32), 0.02)
    assert figure.layout.shapes[0].x0 == 0.02
    assert list(figure.data[0].x) == pytest.approx([0.1, 0.2])
