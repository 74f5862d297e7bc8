"""Figures are pure: a frame goes in, and what matters can be read from the figure."""

import json

import numpy as np
import pandas as pd
import pytest

from dashboard import figures, theme


def atlas_like_frame(rows: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": [f"train-{row}" if row % 4 else f"test-{row}" for row in range(rows)],
            "split": ["train" if row % 4 else "test" for row in range(rows)],
            "steps": [1 + row % 11 for row in range(rows)],
            "equations": [row % 4 for row in range(rows)],
            "gold": "7",
            "question": "How many apples are left?",
            "x": random.normal(size=rows).astype(np.float32),
            "y": random.normal(size=rows).astype(np.float32),
        }
    )


@pytest.mark.parametrize("colour", figures.COLOURINGS)
def test_every_colouring_shows_each_problem_once(colour: str) -> None:
    frame = atlas_like_frame()
    figure = figures.map_figure(frame, colour, dark=False, view="a")
    assert sorted(problem for trace in figure.data for problem in trace.customdata) == sorted(frame["id"])


def test_points_keep_their_own_id_and_place() -> None:
    frame = atlas_like_frame().set_index("id")
    for trace in figures.map_figure(frame.reset_index(), "steps", dark=False, view="a").data:
        np.testing.assert_array_equal(trace.x, frame.loc[list(trace.customdata), "x"])


def test_splits_have_their_fixed_colours() -> None:
    figure = figures.map_figure(atlas_like_frame(), "split", dark=True, view="a")
    assert {trace.name: trace.marker.color for trace in figure.data if trace.showlegend} == {
        "train": theme.TRAIN,
        "test": theme.TEST,
    }


def test_a_data_set_of_one_split_has_one_legend_entry() -> None:
    frame = atlas_like_frame()
    figure = figures.map_figure(frame[frame["split"] == "train"], "split", dark=False, view="a")
    assert [trace.name for trace in figure.data if trace.showlegend] == ["train"]


def test_step_counts_are_in_order_and_rare_high_ones_merged() -> None:
    figure = figures.map_figure(atlas_like_frame(), "steps", dark=False, view="a")
    assert [trace.name for trace in figure.data if trace.showlegend] == ["1", "2", "3", "4", "5", "6", "7", "8+"]


def test_html_in_a_question_is_shown_not_run() -> None:
    frame = atlas_like_frame(20).assign(question='<img src=x onerror="alert(1)"> & <b>bold</b>')
    text = figures.map_figure(frame, "split", dark=False, view="a").data[0].text[0]
    assert "<img" not in text
    assert "<b>" not in text
    assert "&lt;img" in text


def test_hover_texts_are_short() -> None:
    frame = atlas_like_frame(20).assign(question="word " * 400)
    text = figures.map_figure(frame, "split", dark=False, view="a").data[0].text[0]
    assert len(text) <= 120


def test_what_is_not_selected_fades_but_stays_visible() -> None:
    for trace in figures.map_figure(atlas_like_frame(), "split", dark=False, view="a").data:
        assert 0 < trace.unselected.marker.opacity < trace.selected.marker.opacity


def test_a_layout_has_no_axes_and_equal_scales() -> None:
    layout = figures.map_figure(atlas_like_frame(), "split", dark=False, view="a").layout
    assert (layout.xaxis.visible, layout.yaxis.visible, layout.yaxis.scaleanchor) == (False, False, "x")


def test_the_view_is_kept_while_the_data_set_is_the_same() -> None:
    views = [
        figures.map_figure(atlas_like_frame(), colour, dark=False, view="a").layout.uirevision for colour in figures.COLOURINGS
    ]
    assert set(views) == {"a"}


def test_nine_thousand_points_stay_within_two_megabytes() -> None:
    frame = atlas_like_frame(9000).assign(
        question="Natalia sold clips to 48 of her friends in April, and then she sold half. " * 3
    )
    assert len(figures.spec(figures.map_figure(frame, "split", dark=False, view="a")).json) < 2_000_000


def test_equal_figures_have_equal_revisions() -> None:
    first, second = (figures.spec(figures.map_figure(atlas_like_frame(), "split", dark=False, view="a")) for _ in range(2))
    other = figures.spec(figures.map_figure(atlas_like_frame(), "steps", dark=False, view="a"))
    assert first.revision == second.revision != other.revision
    assert json.loads(first.json)["data"]


def test_counts_are_shares_of_their_own_group() -> None:
    figure = figures.counts_figure(pd.Series([2, 2, 3]), pd.Series([2, 3, 3, 9]), unit="steps")
    selection, everything = figure.data
    assert list(selection.x) == ["2", "3", "8+"]
    assert list(selection.y) == pytest.approx([2 / 3, 1 / 3, 0])
    assert list(everything.y) == pytest.approx([0.25, 0.5, 0.25])


def test_without_a_selection_only_all_is_shown() -> None:
    assert [trace.name for trace in figures.counts_figure(None, pd.Series([2, 3]), unit="steps").data] == ["all (2)"]


def test_magnitudes_stand_out_from_both_backgrounds() -> None:
    assert theme.magnitudes(7, dark=False)[0] != theme.magnitudes(7, dark=True)[0]
    assert len(theme.magnitudes(1, dark=True)) == 1


def test_the_difficulty_figure_has_a_mean_for_each_step_count() -> None:
    figure = figures.difficulty_figure(np.array([2, 2, 3]), np.array([2.0, 4.0, 5.0]))
    assert list(figure.data[1].y) == [3.0, 5.0]


def test_the_leakage_figure_marks_its_thresholds() -> None:
    figure = figures.leakage_figure(np.array([0.4, 0.9]), [0.8, 0.85])
    assert [shape.x0 for shape in figure.layout.shapes] == [0.8, 0.85]


def test_the_mixing_figure_shows_share_and_base_rate() -> None:
    figure = figures.mixing_figure(0.14, (0.13, 0.16), 0.15)
    assert [list(trace.x) for trace in figure.data] == [[0.13, 0.16], [0.15], [0.14]]


def test_no_category_covers_the_others() -> None:
    names = [trace.name for trace in figures.map_figure(atlas_like_frame(), "split", dark=False, view="a").data]
    assert names[:4] == ["train", "test", "train", "test"]


def test_the_legend_hides_a_category_as_a_whole() -> None:
    for trace in figures.map_figure(atlas_like_frame(), "split", dark=False, view="a").data:
        assert trace.legendgroup == trace.name
