"""Filters and selections as data."""

import numpy as np
import pandas as pd
import pytest

from dashboard.filters import Filters, column_and_value, column_value, combine, count_category, mask, toggled

FRAME = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "split": ["train", "train", "test", "test"],
        "steps": [2, 9, 3, 8],
        "cluster": [0, -1, 0, 1],
    }
)


@pytest.mark.parametrize(
    ("filters", "passing"),
    [
        (Filters(), "abcd"),
        (Filters(split="test"), "cd"),
        (Filters(steps=("8+",)), "bd"),
        (Filters(steps=("2", "3")), "ac"),
        (Filters(clusters=(0, -1)), "abc"),
        (Filters(split="train", clusters=(0,)), "a"),
    ],
)
def test_what_passes_is_what_was_asked(filters: Filters, passing: str) -> None:
    assert "".join(FRAME["id"][mask(FRAME, filters, subset=None, found=None)]) == passing
    assert filters.active == (filters != Filters())


def test_a_subset_and_a_search_narrow_further() -> None:
    found = np.array([True, True, False, False])
    assert FRAME["id"][mask(FRAME, Filters(), subset={"b", "c"}, found=found)].tolist() == ["b"]
    assert not mask(FRAME, Filters(), subset=(), found=None).any()


def test_clusters_cannot_be_asked_for_before_they_are_known() -> None:
    assert mask(FRAME.drop(columns="cluster"), Filters(clusters=(0,)), subset=None, found=None).all()


LASSOS = [("New", (2, 3, 9)), ("Add", (1, 2, 3, 9)), ("Remove", (1,)), ("Intersect", (2, 3))]


@pytest.mark.parametrize(("how", "expected"), LASSOS)
def test_a_lasso_is_put_together_with_the_selection(how: str, expected: tuple[int, ...]) -> None:
    assert combine(how, (1, 2, 3), [9, 3, 2]) == expected


def test_filters_say_what_they_ask_for() -> None:
    filters = Filters("test", ("2", "8+"), (0, 7), "mine@2", "how old", "meaning")
    assert filters.described({0: "ages"}) == [
        "split test",
        "steps 2, 8+",
        "cluster ages; 7",
        "subset mine@2",
        "meaning “how old”",
    ]
    where = (column_value("level", "Level 5"), column_value("level", "Level 4"), column_value("type", "Sets, maps"))
    assert Filters(where=where).described({}) == ["level Level 5 or Level 4", "type Sets, maps"]


def test_values_of_one_column_are_alternatives_and_columns_narrow_each_other() -> None:
    frame = FRAME.assign(level=["Level 5", "Level 4", "", "Level 5"], type=["a", "b", "b", "b"])
    where = tuple(column_value("level", f"Level {number}") for number in (4, 5))
    assert mask(frame, Filters(where=where), subset=None, found=None).tolist() == [True, True, False, True]
    both = Filters(where=(*where, column_value("type", "b"), column_value("gone", "x")))
    assert mask(frame, both, subset=None, found=None).tolist() == [False, True, False, True]


@pytest.mark.parametrize(("column", "value"), [("level", "Level 5"), ("a:b, c", "x%2C:y,z"), ("％", "数, 学")])
def test_a_column_and_its_value_are_one_text_without_commas(column: str, value: str) -> None:
    text = column_value(column, value)
    assert "," not in text
    assert column_and_value(text) == (column, value)
    assert column_value("level", "Level 5") == "level:Level 5"


def test_high_counts_are_one_category() -> None:
    assert [count_category(count) for count in (1, 7, 8, 30)] == ["1", "7", "8+", "8+"]


def test_a_value_is_toggled() -> None:
    assert toggled(("2",), "3") == ("2", "3")
    assert toggled(("2", "3"), "2") == ("3",)
