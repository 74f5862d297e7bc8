"""What a run gained and lost, and figures by steps, against known values."""

from dataclasses import replace
from itertools import product
from math import isclose

import numpy as np
import pytest
from scipy.stats import binomtest

from training.evaluation.comparison import (
    compare_evaluations,
    compare_run,
    mcnemar_p_value,
    paired_differences,
    scores_by_steps,
)
from training.intervals import paired_interval, wilson_interval
from training.rewards import verifier_named
from training.store.evaluations import Evaluation, EvaluationItem

VALUE = verifier_named("value_correctness")


def item(problem_id: str, hard: float | None, soft: float | None = 1.0) -> EvaluationItem:
    return EvaluationItem(problem_id, "text", {"correctness": hard, "soft_correctness": soft}, 5)


def evaluation(*items: EvaluationItem, label: str = "before") -> Evaluation:
    return Evaluation(label, 0, "test", 0.0, items)


def marked(marks: str, label: str = "before") -> Evaluation:
    """Problems test-0, test-1, ... right by hard correctness where the mark is 1."""
    return evaluation(*(item(f"test-{index}", float(mark)) for index, mark in enumerate(marks)), label=label)


@pytest.mark.parametrize(
    ("gained", "lost", "expected"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (3, 3, 1.0),
        (5, 0, 2 / 2**5),
        (0, 6, 2 / 2**6),
        (8, 2, 2 * (1 + 10 + 45) / 2**10),
    ],
)
def test_mcnemar_by_hand(gained: int, lost: int, expected: float) -> None:
    assert mcnemar_p_value(gained, lost) == expected


def test_mcnemar_is_scipys_binomial_test() -> None:
    pairs = [*product(range(25), repeat=2), (203, 4), (700, 620), (4000, 4300)]
    for gained, lost in pairs:
        if gained + lost:
            known = binomtest(gained, gained + lost).pvalue
            assert isclose(mcnemar_p_value(gained, lost), known, rel_tol=1e-9), (gained, lost)


def test_mcnemar_of_a_whole_large_data_set_is_zero_and_not_an_overflow() -> None:
    assert mcnemar_p_value(8792, 0) == 0.0


def test_problems_are_paired_by_id_not_by_place() -> None:
    before = evaluation(item("a", 0.0), item("b", 1.0), item("c", 1.0), item("d", 0.0))
    after = evaluation(item("d", 0.0), item("c", 1.0), item("b", 0.0), item("a", 1.0))
    hard = compare_evaluations(before, after)["hard"]
    assert (hard.gained, hard.lost, hard.right_in_both, hard.wrong_in_both) == (("a",), ("b",), ("c",), ("d",))
    assert (hard.problems, hard.not_compared) == (4, 0)


def test_hard_and_soft_are_compared_each_by_its_reward() -> None:
    before = evaluation(item("a", 0.0, 1.0), item("b", 0.0, 0.0))
    after = evaluation(item("a", 1.0, 1.0), item("b", 0.0, 1.0))
    found = compare_evaluations(before, after)
    assert {key: comparison.gained for key, comparison in found.items()} == {"hard": ("a",), "soft": ("b",)}


def test_what_the_runs_own_verifier_says_is_compared_first_and_by_its_maximum() -> None:
    before, after = (
        replace(evaluation(replace(item("test-0", 0.0), rewards={"value_correctness": value})), verifier=VALUE)
        for value in (0.5, 1.0)
    )
    compared = compare_evaluations(before, after)
    assert list(compared) == ["value_correctness", "hard", "soft"]
    assert compared["value_correctness"].gained == ("test-0",)
    assert (compared["hard"].problems, compared["hard"].unscored) == (0, ("test-0",))


def test_what_cannot_be_compared_is_named_and_counted() -> None:
    before = evaluation(item("a", 0.0), item("gone", 1.0), item("odd", None), item("twice", 1.0), item("twice", 1.0))
    after = evaluation(item("a", 1.0), item("odd", 1.0), item("twice", 1.0), item("new", 1.0))
    hard = compare_evaluations(before, after)["hard"]
    assert (hard.only_before, hard.only_after, hard.unscored) == (("gone",), ("new",), ("odd", "twice"))
    assert (hard.problems, hard.not_compared) == (1, 4)
    assert hard.reading.endswith("; 4 problems could not be compared.")


def test_three_answers_to_one_problem_are_no_pair_even_if_the_first_has_no_score() -> None:
    before = evaluation(item("a", None), item("a", 1.0), item("a", 1.0))
    assert compare_evaluations(before, evaluation(item("a", 1.0)))["hard"].unscored == ("a",)


@pytest.mark.parametrize(
    ("before", "after", "reading"),
    [
        (
            "0000000011",
            "1111111100",
            "Hard correctness rose from 0.200 to 0.800 on 10 problems, 8 gained and 2 lost: possibly chance; if a gain and a "
            "loss were equally likely, a split at least this uneven would have probability 0.11 (exact McNemar test).",
        ),
        (
            "111111",
            "000000",
            "Hard correctness fell from 1.000 to 0.000 on 6 problems, 0 gained and 6 lost: unlikely to be chance; if a gain "
            "and a loss were equally likely, a split at least this uneven would have probability 0.031 (exact McNemar test).",
        ),
        (
            "01",
            "10",
            "Hard correctness stayed at 0.500 on 2 problems, 1 gained and 1 lost: possibly chance; if a gain and a "
            "loss were equally likely, a split at least this uneven would have probability 1 (exact McNemar test).",
        ),
        (
            "0" * 20,
            "1" * 20,
            "Hard correctness rose from 0.000 to 1.000 on 20 problems, 20 gained and 0 lost: unlikely to be chance; if a "
            "gain and a loss were equally likely, a split at least this uneven would have probability below 0.001 (exact "
            "McNemar test).",
        ),
        ("1", "1", "Hard correctness is 1.000 in both evaluations on 1 problem, none gained or lost."),
        ("", "1", "Hard correctness cannot be compared: no problem was scored in both evaluations."),
    ],
)
def test_a_comparison_reads_as_one_sentence(before: str, after: str, reading: str) -> None:
    assert compare_evaluations(marked(before), marked(after))["hard"].reading == reading


def test_a_run_is_compared_once_it_has_both_evaluations() -> None:
    before, middle, after = marked("01"), marked("00", "step-10"), marked("11", "after")
    assert compare_run([before, middle]) == {}
    assert compare_run([before, middle, after]) == compare_evaluations(before, after)


def test_differences_are_paired_by_problem_in_the_units_of_the_measure() -> None:
    before = evaluation(item("a", 0.0), item("b", 1.0), item("c", 0.0), item("alone", 1.0))
    after = evaluation(item("c", 1.0), item("a", 1.0), item("b", 1.0))
    hard = paired_differences(before, after)["hard"]
    assert (hard.value, hard.problems) == (pytest.approx(2 / 3), 3)
    assert (hard.low, hard.high) == pytest.approx(paired_interval(np.array([1.0, 0.0, 1.0])))
    assert paired_differences(before, evaluation()) == {}


def test_figures_by_steps_have_counts_and_wilson_intervals() -> None:
    rights = {"a": 1.0, "b": 0.0, "c": 1.0, "d": 0.0, "e": None}
    measured = evaluation(*(item(problem_id, hard) for problem_id, hard in rights.items()))
    rows = scores_by_steps(measured, {"a": 3, "b": 2, "c": 2, "d": 2, "e": 8})
    assert [(row.steps, row.problems) for row in rows] == [(2, 3), (3, 1), (8, 1)]
    hard = rows[0].scores["hard"]
    assert (hard.value, (hard.low, hard.high)) == (pytest.approx(1 / 3), pytest.approx(wilson_interval(1 / 3, 3)))
    assert rows[0].scores["soft"].value == 1.0
    assert list(rows[2].scores) == ["soft"]


def test_problems_of_unknown_steps_come_last_and_are_counted() -> None:
    rows = scores_by_steps(marked("110"), {"test-1": 4})
    assert [(row.steps, row.problems) for row in rows] == [(4, 1), (None, 2)]
