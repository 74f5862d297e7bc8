"""Readers are cached by what their arguments are, and by how far what they read reaches."""

from collections.abc import Iterator
from itertools import count

import pytest
import streamlit as st

from dashboard.caching import HASH_FUNCS, cached
from training.data.problem import Problem, ProblemSet


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def problems(*questions: str) -> ProblemSet:
    rows = (Problem(f"train-{row}", "train", question, "#### 1", (), (), "1") for row, question in enumerate(questions))
    return ProblemSet("mine", "mine", tuple(rows))


def test_problem_sets_of_equal_content_are_one() -> None:
    calls = count()

    @cached(4)
    def read(problems: ProblemSet) -> int:
        return next(calls)

    assert read(problems("a")) == read(problems("a")) == 0
    assert read(problems("b")) == 1


def test_what_is_behind_an_underscore_tells_no_calls_apart() -> None:
    calls = count()

    @cached(4, by=lambda key, _: 1)
    def read(key: str, _frame: object) -> int:
        return next(calls)

    assert read("a", [1]) == read("a", [2]) == 0


def test_what_reaches_further_is_read_anew() -> None:
    reach, calls = 1, count()

    @cached(4, by=lambda run_id: reach)
    def read(run_id: str) -> int:
        return next(calls)

    assert read("a") == read("a") == 0
    reach = 2
    assert read("a") == 1


def test_readers_of_the_same_shape_share_nothing() -> None:
    @cached(4, by=str)
    def first(run_id: str) -> str:
        return f"first {run_id}"

    @cached(4, by=str)
    def second(run_id: str) -> str:
        return f"second {run_id}"

    assert (first("a"), second("a")) == ("first a", "second a")


def test_no_more_is_kept_than_was_said() -> None:
    calls = count()

    @cached(2, by=len)
    def read(key: str) -> int:
        return next(calls)

    assert [read(key) for key in ("a", "b", "c", "a")] == [0, 1, 2, 3]


def test_what_its_question_raises_is_not_kept() -> None:
    answers = iter([ValueError("away"), 1])

    def ask(key: str) -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @cached(by=ask)
    def read(key: str) -> str:
        return key

    with pytest.raises(ValueError, match="away"):
        read("a")
    assert read("a") == "a"


def test_identities_are_of_types_that_nothing_derives_from() -> None:
    """Streamlit would not find what derives from them."""
    derived = [found for kind in HASH_FUNCS if not isinstance(kind, str) for found in kind.__subclasses__()]
    assert [found for found in derived if not found.__module__.startswith("tests.")] == []
