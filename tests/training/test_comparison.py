"""What a run gained and lost, figures over several samples, and figures by steps, against known values."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product
from math import isclose

import numpy as np
import pytest
from scipy.stats import binomtest

from training.evaluation.comparison import (
    Sample,
    SampledScore,
    SamplesError,
    compare_evaluations,
    compare_run,
    majority_at_k,
    mcnemar_p_value,
    paired_differences,
    pass_at_k,
    scores_by_steps,
)
from training.intervals import paired_interval, wilson_interval
from training.rewards import verifier_named
from training.store.evaluations import Evaluation, EvaluationItem

VALUE = verifier_named("value_correctness")
Figure = Callable[[dict[str, list[Sample]], int], SampledScore]


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


def test_pass_at_k_is_the_share_of_all_choices_of_k_with_a_right_one() -> None:
    rights = [(True, False, False, True, False), (False,) * 5, (True,) * 5, (False, False, True), (True, False, False, False)]
    samples = {f"test-{index}": [("", right) for right in drawn] for index, drawn in enumerate(rights)}
    for k in (1, 2, 3):
        shares = [np.mean([any(choice) for choice in combinations(drawn, k)]) for drawn in rights]
        assert pass_at_k(samples, k).value == pytest.approx(np.mean(shares), abs=1e-12)


def test_pass_at_k_of_known_counts() -> None:
    one_of_four: list[Sample] = [("7", True), ("8", False), ("9", False), ("1", False)]
    assert [pass_at_k({"a": one_of_four}, k).value for k in (1, 2, 4)] == [0.25, 0.5, 1.0]
    many = {"a": [("", index < 3) for index in range(200)]}
    assert pass_at_k(many, 100).value == pytest.approx(1 - (100 * 99 * 98) / (200 * 199 * 198))


def test_majority_counts_answers_and_not_whether_they_are_right() -> None:
    scattered_wrong: list[Sample] = [("1", False), ("7", True), ("2", False), ("7", True), ("3", False)]
    assert majority_at_k({"a": scattered_wrong}, 5).value == 1.0
    united_wrong: list[Sample] = [("7", True), ("8", False), ("8", False)]
    assert majority_at_k({"a": united_wrong}, 3).value == 0.0


def test_a_tie_goes_to_the_answer_that_occurs_first() -> None:
    tied: list[Sample] = [("8", False), ("7", True), ("7", True), ("8", False)]
    assert majority_at_k({"a": tied}, 4).value == 0.0
    assert majority_at_k({"a": tied[1:] + tied[:1]}, 4).value == 1.0


def test_majority_takes_the_first_k_samples() -> None:
    drawn: list[Sample] = [("7", True), ("8", False), ("8", False)]
    assert [majority_at_k({"a": drawn}, k).value for k in (1, 2, 3)] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("figure", [pass_at_k, majority_at_k])
def test_problems_with_too_few_samples_are_left_out_and_named(figure: Figure) -> None:
    score = figure({"a": [("7", True)] * 3, "b": [("8", False)]}, 2)
    assert (score.value, score.problems, score.left_out) == (1.0, 1, ("b",))


@pytest.mark.parametrize("figure", [pass_at_k, majority_at_k])
@pytest.mark.parametrize(
    ("samples", "k", "message"),
    [
        ({"a": [("7", True)]}, 0, "k = 0 is not a number of samples"),
        ({"a": [("7", True)]}, 2, "No problem has k = 2 samples; the most is 1"),
        ({}, 1, "No problem has k = 1 samples; the most is 0"),
    ],
)
def test_impossible_figures_are_refused_with_the_remedy(
    figure: Figure, samples: dict[str, list[Sample]], k: int, message: str
) -> None:
    with pytest.raises(SamplesError, match=message) as refused:
        figure(samples, k)
    assert refused.value.remedy


def test_bootstrap_intervals_repeat_for_a_seed_and_match_the_normal_ones_on_many_problems() -> None:
    draws = random.Random(1)
    samples: dict[str, list[Sample]] = {f"test-{n}": [("", draws.random() < 0.4) for _ in range(4)] for n in range(2000)}
    score = pass_at_k(samples, 1)
    assert score == pass_at_k(samples, 1)
    assert (score.low, score.high) != (pass_at_k(samples, 1, seed=7).low, pass_at_k(samples, 1, seed=7).high)
    error = np.std([np.mean([right for _, right in drawn]) for drawn in samples.values()]) / 2000**0.5
    assert score.low == pytest.approx(score.value - 1.96 * error, abs=0.15 * error)
    assert score.high == pytest.approx(score.value + 1.96 * error, abs=0.15 * error)


def test_the_interval_of_one_common_value_is_as_wide_as_its_problems_are_few() -> None:
    score = majority_at_k({"a": [("7", True)], "b": [("9", True)]}, 1)
    assert (score.value, (score.low, score.high)) == (1.0, wilson_interval(1.0, 2))


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
