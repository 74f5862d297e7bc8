"""The map's figure: every problem once, at its place, in the colour of what it is."""

import json
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from numpy.typing import NDArray

from dashboard import atlas_figure, figures, theme
from dashboard.colourings import COLOURINGS, ByNumber, Colouring, available, by_cluster, offered_for

OUTCOME = ByNumber("Pass rate", "pass_rate", "of completions", scale="share")
EVERY_COLOURING: dict[str, Colouring] = {**COLOURINGS, "pass_rate": OUTCOME}


def atlas_like_frame(rows: int = 60) -> pd.DataFrame:
    row = np.arange(rows)
    return pd.DataFrame(
        {
            "id": [f"train-{number}" if number % 4 else f"test-{number}" for number in row],
            "split": np.where(row % 4, "train", "test"),
            "steps": 1 + row % 11,
            "equations": row % 4,
            "cluster": row % 5 - 1,
            "length": 20 + row,
            "magnitude": 10.0 ** (row % 7) - 1,
            "operations": np.array(["none", "+", "+ ×", "+ − × ÷"])[row % 4],
            "nearest_test": np.where(row % 3, 0.5 + row / 1000, np.nan),
            "kept": row / rows,
            "pass_rate": np.where(row % 2, row / rows, np.nan),
            "question": "How many apples are left?",
        }
    )


def positions(rows: int = 60, dimensions: int = 2) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(rows, dimensions)).astype(np.float32)


def draw(colouring: Colouring, rows: int = 60, dimensions: int = 2, *, dark: bool = False) -> go.Figure:
    return atlas_figure.map_figure(atlas_like_frame(rows), positions(rows, dimensions), colouring, dark=dark, view="a")


def legend(figure: go.Figure) -> list[str]:
    return [trace.name for trace in sorted(figure.data, key=lambda trace: trace.legendrank or 0) if trace.showlegend]


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("colour", EVERY_COLOURING)
def test_every_colouring_shows_each_problem_once_at_its_place(colour: str, dimensions: int) -> None:
    places = positions(60, dimensions)
    figure = draw(EVERY_COLOURING[colour], dimensions=dimensions)
    rows = np.concatenate([trace.customdata for trace in figure.data])
    assert sorted(rows) == list(range(60))
    for axis, place in zip("xyz", places.T, strict=False):
        np.testing.assert_array_equal(np.concatenate([trace[axis] for trace in figure.data]), place[rows])


@pytest.mark.parametrize("colour", EVERY_COLOURING)
def test_every_colouring_takes_a_single_problem(colour: str) -> None:
    assert sum(len(trace.customdata) for trace in draw(EVERY_COLOURING[colour], rows=1).data) == 1


def test_columns_of_the_data_can_be_coloured_by() -> None:
    row = np.arange(60)
    frame = atlas_like_frame().drop(columns="pass_rate")
    frame = frame.assign(
        level=[f"Level {number}" if number else "" for number in row % 11], topic=[f"{'abc'[number % 3]}" for number in row]
    )
    frame = frame.assign(rate=row / 60, name=[f"n{number}" for number in row], one="same", constant=1)
    offered = offered_for(frame)
    assert [key for key in offered if key not in COLOURINGS] == ["column:level", "column:topic", "column:rate"]
    assert isinstance(offered["column:rate"], ByNumber)
    levels = atlas_figure.map_figure(frame, positions(), offered["column:level"], dark=False, view="a")
    assert legend(levels) == [*(f"Level {number}" for number in range(1, 11)), "unknown"]
    topics = atlas_figure.map_figure(frame, positions(), offered["column:topic"], dark=False, view="a")
    assert {trace.name: trace.marker.color for trace in topics.data} == dict(zip("abc", theme.TOPICS, strict=False))
    for figure in (levels, topics):
        assert sorted(np.concatenate([trace.customdata for trace in figure.data])) == list(range(60))


def test_only_colourings_whose_column_is_there_and_known_are_offered() -> None:
    frame = atlas_like_frame().drop(columns="cluster").assign(kept=np.nan)
    assert list(available(frame, COLOURINGS)) == [key for key in COLOURINGS if key not in ("cluster", "kept")]


def test_splits_have_their_fixed_colours() -> None:
    figure = draw(COLOURINGS["split"], dark=True)
    assert {trace.name: trace.marker.color for trace in figure.data} == {"train": theme.TRAIN, "test": theme.TEST}


def test_no_category_covers_the_others() -> None:
    assert [trace.name for trace in draw(COLOURINGS["split"]).data][:4] == ["train", "test", "train", "test"]


def test_rare_categories_lie_on_top_and_keep_their_place_in_the_legend() -> None:
    frame = atlas_like_frame().assign(steps=[2] * 5 + [3] * 50 + [4] * 3 + [9] * 2)
    figure = atlas_figure.map_figure(frame, positions(), COLOURINGS["steps"], dark=False, view="a")
    assert [trace.name for trace in figure.data][-4:] == ["3", "2", "4", "8+"]
    ranks = {trace.name: trace.legendrank for trace in figure.data}
    assert sorted(ranks, key=ranks.__getitem__) == ["2", "3", "4", "8+"]


def test_a_click_on_the_legend_isolates() -> None:
    assert draw(COLOURINGS["split"]).layout.legend.itemclick == "toggleothers"


@pytest.mark.parametrize("colour", ["split", "steps", "operations"])
def test_the_legend_hides_a_category_as_a_whole(colour: str) -> None:
    figure = draw(COLOURINGS[colour])
    assert len(set(legend(figure))) == len(legend(figure))
    for trace in figure.data:
        assert trace.legendgroup == trace.name
        assert trace.name in legend(figure)


def test_what_the_legend_hides_in_one_colouring_is_not_hidden_in_another() -> None:
    uids = [trace["uid"] for key in COLOURINGS for trace in json.loads(figures.spec(draw(COLOURINGS[key])).json)["data"]]
    assert len(set(uids)) == len(uids)
    assert all(uid.isalnum() for uid in uids)  # plotly.js puts them into CSS selectors


def test_operations_are_ordered_by_how_many_there_are() -> None:
    assert legend(draw(COLOURINGS["operations"])) == ["none", "+", "+ ×", "+ − × ÷"]


def test_clusters_have_their_titles_and_the_rest_is_grey() -> None:
    figure = draw(by_cluster({0: "years, old, age", 1: "<b>money</b>"}))
    assert not legend(figure)  # their names stand on the map
    (trace,) = figure.data
    assert trace.meta["names"] == ["unclustered", "years, old, age", "<b>money</b>", "cluster 2", "cluster 3"]
    clusters = atlas_like_frame()["cluster"].to_numpy()[trace.customdata]
    np.testing.assert_array_equal(np.asarray(trace.meta["groups"]), clusters + 1)
    colours = [colour for _, colour in trace.marker.colorscale]
    greys = np.array([colours[int(number)] == theme.QUIET for number in trace.marker.color])
    np.testing.assert_array_equal(greys, clusters < 0)


def test_clusters_side_by_side_differ_in_colour() -> None:
    places = np.array([[x, y] for x in range(10) for y in range(6) for _ in range(2)], np.float32)
    frame = pd.DataFrame({"cluster": np.repeat(np.arange(60), 2)})
    (trace,) = atlas_figure.map_figure(frame, places, COLOURINGS["cluster"], dark=False, view="a").data
    colours = {(float(x), float(y)): float(colour) for x, y, colour in zip(trace.x, trace.y, trace.marker.color, strict=True)}
    neighbors = [((x, y), (x + 1, y)) for x, y in colours] + [((x, y), (x, y + 1)) for x, y in colours]
    assert all(colours[one] != colours[other] for one, other in neighbors if other in colours)


def test_many_categories_have_a_legend_that_scrolls_beside_the_map() -> None:
    frame = atlas_like_frame().assign(topic=[f"topic {chr(65 + row % 20)}" for row in range(60)])
    figure = atlas_figure.map_figure(frame, positions(60), offered_for(frame)["column:topic"], dark=False, view="a")
    assert figure.layout.legend.orientation == "v"
    assert figure.layout.legend.maxheight
    assert figure.layout.margin.r > 200


def test_unknown_numbers_are_quiet_and_named() -> None:
    unknown, known = draw(OUTCOME).data
    assert (unknown.name, unknown.showlegend, unknown.marker.color) == ("unknown", True, theme.QUIET)
    assert len(unknown.customdata) == len(known.customdata) == 30
    assert np.isfinite(known.marker.color).all()


def test_a_scale_keeps_its_colours_for_the_bulk() -> None:
    frame = atlas_like_frame(1000).assign(length=[*range(999), 1_000_000])
    figure = atlas_figure.map_figure(frame, positions(1000), COLOURINGS["length"], dark=False, view="a")
    assert figure.layout.coloraxis.cmax < 1001


def test_a_scale_of_one_value_is_drawn() -> None:
    frame = atlas_like_frame().assign(length=7)
    axis = atlas_figure.map_figure(frame, positions(), COLOURINGS["length"], dark=False, view="a").layout.coloraxis
    assert axis.cmin < 7 < axis.cmax


def test_a_log_scale_takes_zero_and_is_labelled_with_the_numbers() -> None:
    figure = draw(COLOURINGS["magnitude"])
    assert min(figure.data[0].marker.color) == 0
    assert list(figure.layout.coloraxis.colorbar.ticktext)[:4] == ["1", "10", "100", "1,000"]
    assert figure.layout.coloraxis.colorbar.tickvals[1] == pytest.approx(np.log10(11))


@pytest.mark.parametrize("points", [1, 300, 9000, 100_000, 1_000_000])
def test_what_is_not_selected_fades_but_stays_visible(points: int) -> None:
    opacity = atlas_figure.point_opacity(points)
    assert 0.04 < opacity / 8 < opacity <= 0.9
    assert 2 < atlas_figure.point_size(points) <= 10
    for trace in draw(COLOURINGS["split"]).data:
        assert 0 < trace.unselected.marker.opacity < trace.marker.opacity < trace.selected.marker.opacity


def test_a_layout_has_no_axes_and_equal_scales() -> None:
    flat, deep = draw(COLOURINGS["split"]).layout, draw(COLOURINGS["split"], dimensions=3).layout
    assert (flat.xaxis.visible, flat.yaxis.visible, flat.yaxis.scaleanchor) == (False, False, "x")
    assert {deep.scene.xaxis.visible, deep.scene.yaxis.visible, deep.scene.zaxis.visible} == {False}
    assert deep.scene.aspectmode == "data"


def test_no_text_of_a_problem_is_in_the_figure() -> None:
    marked = atlas_like_frame().assign(question='<img src=x onerror="alert(1)">', id="<script>")
    for colouring in EVERY_COLOURING.values():
        figure = atlas_figure.map_figure(marked, positions(), colouring, dark=False, view="a")
        assert "onerror" not in figures.spec(figure).json
        assert "<script>" not in figures.spec(figure).json


def test_texts_are_short_and_on_one_line() -> None:
    content: dict[str, Any] = json.loads(atlas_figure.texts(["a", "b"], ["word\n\t " * 400, "x" * 1_000_000]).json)
    assert content["ids"] == ["a", "b"]
    assert all(len(text) <= 110 and "\n" not in text for text in content["texts"])


@pytest.mark.parametrize(("rows", "limit"), [(9000, 250_000), (100_000, 2_500_000)])
def test_a_point_takes_few_bytes(rows: int, limit: int) -> None:
    for colour in ("split", "length"):
        assert len(figures.spec(draw(COLOURINGS[colour], rows=rows)).json) < limit


def test_the_overlay_holds_labels_in_order_and_contours_on_request() -> None:
    places = positions(500)
    labels = [atlas_figure.Label((0.1, 0.2), "years, old, age", 3, "#009E73"), atlas_figure.Label((1.0, 2.0), "money", 0)]
    content = json.loads(atlas_figure.overlay(places, labels=labels, pairs=[(1, 2)], density=True).json)
    assert [(label["text"], label["place"], label["cluster"]) for label in content["labels"]] == [
        ("years, old, age", [0.1, 0.2], 3),
        ("money", [1.0, 2.0], 0),
    ]
    assert content["pairs"] == [[1, 2]]
    assert len(content["contours"]["paths"]) == 5
    deep = json.loads(atlas_figure.overlay(positions(500, 3), pairs=[(1, 2)], density=True).json)
    assert deep["contours"] is None
    assert deep["pairs"] == []
