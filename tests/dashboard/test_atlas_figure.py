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
    return [trace.name for trace in figure.data if trace.showlegend]


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


@pytest.mark.parametrize("colour", ["split", "steps", "cluster", "operations"])
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
    assert legend(figure) == ["unclustered", "years, old, age", "&lt;b&gt;money&lt;/b&gt;", "cluster 2", "cluster 3"]
    assert figure.data[0].marker.color == theme.QUIET
    assert theme.QUIET not in [trace.marker.color for trace in figure.data[1:]]


def test_clusters_side_by_side_differ_in_colour() -> None:
    places = np.array([[x, y] for x in range(10) for y in range(6) for _ in range(2)], np.float32)
    frame = pd.DataFrame({"cluster": np.repeat(np.arange(60), 2)})
    figure = atlas_figure.map_figure(frame, places, COLOURINGS["cluster"], dark=False, view="a")
    colours = {(float(trace.x[0]), float(trace.y[0])): trace.marker.color for trace in figure.data}
    neighbors = [((x, y), (x + 1, y)) for x, y in colours] + [((x, y), (x, y + 1)) for x, y in colours]
    assert all(colours[one] != colours[other] for one, other in neighbors if other in colours)


def test_sixty_clusters_have_a_legend_that_scrolls_beside_the_map() -> None:
    frame = pd.DataFrame({"cluster": np.arange(60)})
    figure = atlas_figure.map_figure(frame, positions(60), COLOURINGS["cluster"], dark=False, view="a")
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
    labels = [((0.1, 0.2), "years, old, age"), ((1.0, 2.0), "money")]
    content = json.loads(atlas_figure.overlay(places, labels=labels, density=True).json)
    assert content["labels"] == [[[0.1, 0.2], "years, old, age"], [[1.0, 2.0], "money"]]
    assert len(content["contours"]["paths"]) == 5
    assert json.loads(atlas_figure.overlay(places).json) == {"labels": [], "contours": None}
    assert json.loads(atlas_figure.overlay(positions(500, 3), density=True).json)["contours"] is None
