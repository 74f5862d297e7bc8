"""Figures are pure: a frame goes in, and what matters can be read from the figure."""

import base64
import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboard import figures, theme


def problems(splits: str, steps: list[int]) -> pd.DataFrame:
    """A row a letter: r for train, e for test."""
    return pd.DataFrame({"split": ["train" if letter == "r" else "test" for letter in splits], "steps": steps})


def test_equal_figures_have_equal_revisions() -> None:
    first, second, other = (figures.spec(go.Figure(go.Scatter(x=[1, 2], y=y))) for y in ([1, 2], [1, 2], [2, 1]))
    assert first.revision == second.revision != other.revision
    assert json.loads(first.json)["data"]


def test_any_text_can_go_to_the_browser() -> None:
    for written in ("\u2028 \u00e9", "<script>", "half a pair \ud800"):
        assert json.loads(figures.spec_of([written]).json) == [written]


def panel(steps: list[int], alt: str = "rewards now 2") -> figures.Panel:
    x = np.array(steps, np.int32)
    return figures.Panel("reward", alt, {"data": [{"x": x, "y": x.astype(np.float32) / 3}], "layout": {"title": "r"}})


def test_panels_go_to_the_browser_in_binary_and_tell_what_has_changed() -> None:
    first, same, longer = json.loads(figures.panels_json([panel([1, 2]), panel([1, 2], "in other words"), panel([1, 2, 3])]))
    assert first["revision"] == same["revision"] != longer["revision"]
    assert (first["key"], first["alt"], first["figure"]["layout"]) == ("reward", "rewards now 2", {"title": "r"})
    (trace,) = go.Figure(longer["figure"]).to_dict()["data"]
    assert [trace[axis]["dtype"] for axis in "xy"] == ["i4", "f4"]
    assert np.frombuffer(base64.b64decode(trace["x"]["bdata"]), np.int32).tolist() == [1, 2, 3]


@pytest.mark.parametrize("value", [np.zeros(2), np.zeros((2, 2), np.float32)[0, 0], object(), float("inf")])
def test_what_a_browser_would_misread_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        figures.panels_json([figures.Panel("k", "", {"data": [], "layout": {"a": value}})])


def test_counts_are_shares_of_their_own_group_by_split() -> None:
    everything = problems("rrre", [2, 3, 3, 9])
    figure = figures.counts_figure(everything[:2], everything, "steps", unit="steps")
    assert {trace.name: list(trace.y) for trace in figure.data} == {
        "train, selection": [0.5, 0.5, 0],
        "test, selection": [0, 0, 0],
        "train, all": [0.25, 0.5, 0],
        "test, all": [0, 0, 0.25],
    }
    assert {tuple(trace.x) for trace in figure.data} == {("2", "3", "8+")}


def test_all_is_told_from_the_selection_by_hatching_and_not_by_shades_that_a_legend_lacks() -> None:
    everything = problems("rrre", [2, 3, 3, 9])
    looks = {
        trace.name: trace.marker.pattern.shape
        for trace in figures.counts_figure(everything[:2], everything, "steps", unit="steps").data
    }
    assert looks == {"train, selection": None, "test, selection": None, "train, all": "/", "test, all": "/"}
    alone = figures.counts_figure(None, everything, "steps", unit="steps")
    assert {trace.marker.pattern.shape for trace in alone.data} == {None}


def test_a_bar_tells_its_category_and_stands_out_while_it_filters() -> None:
    figure = figures.counts_figure(None, problems("rre", [2, 3, 9]), "steps", unit="steps", outlined=["8+"])
    for trace in figure.data:
        assert list(trace.customdata) == ["2", "3", "8+"]
        assert [width > 0 for width in trace.marker.line.width] == [False, False, True]


def test_without_a_selection_only_all_is_shown() -> None:
    figure = figures.counts_figure(None, problems("rr", [2, 3]), "steps", unit="steps")
    assert [trace.name for trace in figure.data] == ["train, all"]


def test_an_empty_selection_has_no_bars_but_no_error_either() -> None:
    everything = problems("re", [2, 3])
    figure = figures.counts_figure(everything[:0], everything, "steps", unit="steps")
    assert sum(sum(trace.y) for trace in figure.data if "selection" in trace.name) == 0


def test_step_counts_are_in_order_and_rare_high_ones_merged() -> None:
    counts = figures.counts_as_categories(pd.Series([11, 2, 8, 10]))
    assert list(counts.cat.categories) == ["2", "8+"]
    assert counts.tolist() == ["8+", "2", "8+", "8+"]


def test_magnitudes_stand_out_from_both_backgrounds() -> None:
    assert theme.magnitudes(7, dark=False)[0] != theme.magnitudes(7, dark=True)[0]
    assert len(theme.magnitudes(1, dark=True)) == 1
