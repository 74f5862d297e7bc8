"""The findings' figures show the findings' numbers."""

import numpy as np
import plotly.graph_objects as go
import pytest

from analysis.findings import Correlation, Topic, Topics
from dashboard import finding_figures


def test_the_difficulty_figure_has_a_mean_for_each_step_count() -> None:
    figure = finding_figures.difficulty_figure(np.array([2, 2, 3]), np.array([2.0, 4.0, 5.0]))
    assert list(figure.data[1].y) == [3.0, 5.0]


def test_step_counts_of_few_problems_are_drawn_as_rings() -> None:
    steps = np.array([2] * 12 + [3])
    assert list(finding_figures.difficulty_figure(steps, steps * 1.0).data[1].marker.symbol) == ["circle", "circle-open"]


def test_the_leakage_figure_marks_its_threshold() -> None:
    figure = finding_figures.leakage_figure(np.array([0.4, 0.9]), 0.85)
    assert [shape.x0 for shape in figure.layout.shapes] == [0.85]
    assert not finding_figures.leakage_figure(np.array([0.4, 0.9]), 0.0).layout.shapes


def test_the_mixing_figure_shows_share_and_base_rate() -> None:
    figure = finding_figures.mixing_figure(0.14, (0.13, 0.16), 0.15)
    assert [list(trace.x) for trace in figure.data] == [[0.13, 0.16], [0.15], [0.14]]


def topics(sizes: list[int], isolations: list[float]) -> Topics:
    found = [
        Topic(number, f"words {number}", size, 0.15, 3.0, "train-0", isolation)
        for number, (size, isolation) in enumerate(zip(sizes, isolations, strict=True))
    ]
    return Topics(tuple(found), 0.3, "the map", {"the map": 0.4}, problems=sum(sizes))


def test_the_topics_figure_names_the_island_and_of_crowded_topics_the_largest() -> None:
    found = topics([900, 800, 400, 400, 400, 400, 5], [0.5, 0.5, 0.97, 0.5, 0.5, 0.5, 0.4])
    titles = {n: f"title {n}, of several words" for n in range(7)}
    (trace,) = finding_figures.topics_figure(found, titles).data
    named = [number for number, text in enumerate(trace.text) if text]
    assert {0, 2, 6} <= set(named)
    assert len(named) < 7
    assert [row[0] for row in trace.customdata] == list(titles.values())
    assert list(trace.x) == [topic.size for topic in found.topics]


def test_names_without_room_are_left_out_and_none_leaves_the_chart() -> None:
    name = "a name of many letters"
    assert finding_figures.place_names({1: (0.0, 0.5), 2: (1.0, 0.5)}, {1: name, 2: name}) == {
        1: "middle right",
        2: "middle left",
    }
    crowded = finding_figures.place_names(dict.fromkeys(range(9), (0.5, 0.5)), dict.fromkeys(range(9), name))
    assert list(crowded) == [0]
    assert finding_figures.place_names({1: (0.5, 0.5)}, {1: "long " * 80}) == {}


def test_the_correlations_figure_shows_each_interval() -> None:
    (trace,) = finding_figures.correlations_figure(
        [Correlation("length", 0.4, (0.3, 0.5), 100), Correlation("pass rate", -0.2, (-0.4, 0.0), 100)]
    ).data
    assert list(trace.y) == ["pass rate", "length"]
    assert list(trace.error_x.array) == pytest.approx([0.2, 0.1])
    assert list(trace.error_x.arrayminus) == pytest.approx([0.2, 0.1])


def test_the_counts_figure_tells_failures_from_notes() -> None:
    failures, notes = finding_figures.counts_figure({"wrong equation": 0, "reward": 5}, {"no equations": 113}).data
    assert (failures.name, dict(zip(failures.y, failures.x, strict=True))) == ("failures", {"wrong equation": 0, "reward": 5})
    assert (notes.name, dict(zip(notes.y, notes.x, strict=True))) == ("notes", {"no equations": 113})
    assert notes.marker.color != failures.marker.color  # an opacity would not show in the legend


def test_the_kept_figure_marks_what_chance_keeps() -> None:
    figure: go.Figure = finding_figures.kept_figure(np.array([0.1, 0.2], np.float32), 0.02)
    assert figure.layout.shapes[0].x0 == 0.02
    assert list(figure.data[0].x) == pytest.approx([0.1, 0.2])
