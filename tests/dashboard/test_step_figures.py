"""A step at a glance, from rows to figures: bins that hold what they say, groups by spread."""

import pytest

from dashboard import step_figures
from dashboard.step_figures import Bin, bins_of, groups_table, histogram, parse_bin, step_frame, within
from training.groups import Verifier
from training.store.ledger import StepRow


def row(group: int, position: int, total: float | None, tokens: int = 10, **more: object) -> StepRow:
    rewards = {"correctness": 1.0 if total and total > 2 else 0.0, "integer": None if total is None else 0.5}
    values = {"problem_id": f"train-{group}", "advantage": 0.5, "dropped": ""} | more
    return StepRow(group, position, rewards=rewards, total=total, tokens=tokens, **values)  # type: ignore[arg-type]


ROWS = [row(0, 0, 3.0, 20), row(0, 1, 0.5, 40), row(1, 0, 1.0), row(1, 1, 1.0), row(2, 0, 2.5), row(2, 1, None)]
FRAME = step_frame(ROWS, Verifier())


def test_every_completion_is_in_one_bin_of_each_column() -> None:
    many = step_frame([row(group, 0, group / 7) for group in range(100)], Verifier())
    for frame in (FRAME, many):
        for column in step_figures.reward_columns(frame):
            bins = bins_of(frame, column)
            assert sum(len(within(frame, found)) for found in bins) == frame[column].notna().sum()
            assert all(len(within(frame, found)) for found in bins)
            assert len(bins) <= 12
            assert [found.low for found in bins] == sorted(found.low for found in bins)


def test_few_values_have_a_bin_each() -> None:
    assert bins_of(FRAME, "total") == [Bin("total", value, value) for value in (0.5, 1.0, 2.5, 3.0)]
    assert bins_of(FRAME, "reward:integer") == [Bin("reward:integer", 0.5, 0.5)]


@pytest.mark.parametrize("found", [Bin("total", 0.1 + 0.2, 1.0), Bin("reward:a,b", -1.0, 1e-9)])
def test_a_bin_is_what_its_text_says(found: Bin) -> None:
    assert parse_bin(str(found)) == found


@pytest.mark.parametrize("text", ["", "total", "total,1", "total,2,1", "total,nan,1", "total,a,b", "total,1,inf"])
def test_what_is_no_bin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_bin(text)


def test_a_bin_of_a_column_that_the_step_has_not_is_empty() -> None:
    assert within(FRAME, Bin("reward:gone", 0, 1)).empty


def test_bars_count_right_and_wrong_and_name_their_bins() -> None:
    figure = histogram(FRAME, "total", Bin("total", 1.0, 1.0))
    right, wrong = figure.data
    assert (right.name, wrong.name) == ("right", "wrong")
    assert [parse_bin(text) for text in right.customdata] == bins_of(FRAME, "total")
    assert list(right.y) == [0, 0, 1, 1]
    assert list(wrong.y) == [1, 2, 0, 0]
    assert [opacity == 1 for opacity in right.marker.opacity] == [False, True, False, False]


def test_lengths_of_right_and_wrong_stand_side_by_side() -> None:
    assert histogram(FRAME, "tokens").layout.barmode == "group"
    assert step_figures.lengths_in_words(FRAME) == "Mean length in tokens: right 15, wrong 18"


def test_a_figure_of_nothing_is_drawn() -> None:
    empty = step_frame([row(0, 0, None), row(0, 1, None)], Verifier())
    assert not bins_of(empty, "total")
    histogram(empty, "total")
    assert step_figures.in_words(empty, "total") == "Total reward: not computed for any completion"


def test_points_lead_to_their_completion_and_dropped_ones_are_left_out() -> None:
    frame = step_frame([*ROWS, row(3, 0, 1.0, dropped="flat")], Verifier())
    points = [place for trace in step_figures.advantage_against_length(frame).data for place in trace.customdata]
    assert sorted(points) == ["0,0", "0,1", "1,0", "1,1", "2,0", "2,1"]


def test_groups_are_sorted_by_the_spread_of_their_totals() -> None:
    table = groups_table(FRAME)
    assert table["group"].tolist() == [1, 2, 3]
    assert table["spread"].tolist() == [2.5, 0.0, 0.0]
    assert table["signal"].tolist() == [True, False, False]
    assert table["right"].tolist() == [0.5, 0.0, 0.5]
    assert table["tokens"].tolist() == [30.0, 10.0, 10.0]


def test_in_words_a_histogram_says_what_was_not_computed() -> None:
    assert step_figures.in_words(FRAME, "total") == "Total reward of 5 completions: mean 1.6, 0.5 to 3, 1 not computed"
