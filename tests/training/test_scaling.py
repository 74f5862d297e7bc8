"""What several completions of a problem come to, against counting all choices and known values."""

import random
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from training.evaluation.scaling import (
    STRATEGIES,
    SUBSETS,
    Sample,
    Samples,
    SamplesError,
    StrategyName,
    gain,
    judge_gains,
    sampled_score,
    sampled_scores,
    samples_of,
    scaling_curves,
    score_weights,
)
from training.intervals import paired_interval, wilson_interval
from training.rewards import verifier_named
from training.store.evaluations import Evaluation, EvaluationItem

RIGHTS = [(True, False, False, True, False), (False,) * 5, (True,) * 5, (False, False, True), (True, False, False, False)]


def drawn(text: str) -> list[Sample]:
    """A sample a letter, the letter its answer, which is right where it is "7"."""
    return [Sample(letter, letter == "7") for letter in text]


def scored(**scores: float | None) -> list[Sample]:
    """Samples whose answers are the names' first letters, right where that is "r", with these scores."""
    return [Sample(name[0], name[0] == "r", score, score or 0.0) for name, score in scores.items()]


def value(samples: list[Sample], strategy: StrategyName, k: int) -> float:
    return sampled_score({"a": samples}, strategy, k).value


def by_hand(samples: list[Sample], strategy: StrategyName, k: int) -> float:
    """The strategy applied to every choice of k samples, one after the other."""
    return float(np.mean([STRATEGIES[strategy].rate(list(choice), k, 0) for choice in combinations(samples, k)]))


def test_pass_at_k_is_the_share_of_all_choices_of_k_with_a_right_one() -> None:
    samples = {f"test-{index}": [Sample("", right) for right in found] for index, found in enumerate(RIGHTS)}
    for k in (1, 2, 3):
        shares = [np.mean([any(choice) for choice in combinations(found, k)]) for found in RIGHTS]
        assert sampled_score(samples, "pass", k).value == pytest.approx(np.mean(shares), abs=1e-12)


def test_pass_at_k_of_known_counts() -> None:
    assert [value(drawn("7891"), "pass", k) for k in (1, 2, 4)] == [0.25, 0.5, 1.0]
    many = [Sample("", index < 3) for index in range(200)]
    assert value(many, "pass", 100) == pytest.approx(1 - (100 * 99 * 98) / (200 * 199 * 198))


def test_majority_counts_answers_and_not_whether_they_are_right() -> None:
    assert value(drawn("17273"), "majority", 5) == 1.0
    assert value(drawn("788"), "majority", 3) == 0.0


def test_a_tie_goes_to_the_answer_that_occurs_first() -> None:
    assert value(drawn("8778"), "majority", 4) == 0.0
    assert value(drawn("7788"), "majority", 4) == 1.0


def test_a_majority_of_k_is_that_of_all_choices_of_k() -> None:
    assert [value(drawn("788"), "majority", k) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 0.0])


def test_best_of_k_is_the_highest_scored_of_all_choices_of_k() -> None:
    samples = scored(r1=0.2, w1=0.9, r2=0.95, w2=0.1, w3=None, r3=0.9)
    for k in range(1, 7):
        assert value(samples, "best", k) == pytest.approx(by_hand(samples, "best", k), abs=1e-12)
    assert value(samples, "best", 6) == 1.0, "of all, the highest scored is right"
    assert value(scored(w=0.5, r=0.5), "best", 2) == 0.0, "of equal ones the first counts"
    assert value(scored(w=None, r=0.0), "best", 2) == 1.0, "what was not scored is chosen last"


def test_a_weighted_majority_adds_the_scores_of_equal_answers() -> None:
    assert value(scored(w1=0.5, w2=0.45, r=0.9), "weighted", 3) == 0.0
    assert value(scored(w1=0.5, w2=0.35, r=0.9), "weighted", 3) == 1.0
    samples = scored(w1=0.5, w2=0.35, r1=0.9, r2=0.1, x=0.3)
    for k in range(1, 6):
        assert value(samples, "weighted", k) == pytest.approx(by_hand(samples, "weighted", k))


def test_many_choices_are_drawn_with_a_seed_and_come_near_to_all() -> None:
    draws = random.Random(3)
    samples = [Sample(draws.choice("7789"), False) for _ in range(14)]
    samples = [replace_right(sample) for sample in samples]
    assert len(list(combinations(samples, 7))) > SUBSETS
    near = value(samples, "majority", 7)
    assert near == value(samples, "majority", 7)
    assert near == pytest.approx(by_hand(samples, "majority", 7), abs=0.08)


def replace_right(sample: Sample) -> Sample:
    return sample._replace(right=sample.answer == "7")


def test_scores_that_are_no_shares_weigh_by_their_logistic_function() -> None:
    assert score_weights([0.2, None, 1.0]) == [0.2, 0.0, 1.0]
    assert score_weights([-800.0, 0.0, 800.0, None]) == pytest.approx([0.0, 0.5, 1.0, 0.0])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_problems_with_too_few_samples_are_left_out_and_named(strategy: StrategyName) -> None:
    score = sampled_score({"a": drawn("777"), "b": drawn("8")}, strategy, 2)
    assert (score.value, score.problems, score.left_out) == (1.0, 1, ("b",))


@pytest.mark.parametrize(
    ("samples", "k", "message"),
    [
        ({"a": drawn("7")}, 0, "k = 0 is not a number of samples"),
        ({"a": drawn("7")}, 2, "No problem has k = 2 samples; the most is 1"),
        ({}, 1, "No problem has k = 1 samples; the most is 0"),
    ],
)
def test_impossible_figures_are_refused_with_the_remedy(samples: Samples, k: int, message: str) -> None:
    with pytest.raises(SamplesError, match=message) as refused:
        sampled_score(samples, "pass", k)
    assert refused.value.remedy


def test_bootstrap_intervals_repeat_for_a_seed_and_match_the_normal_ones_on_many_problems() -> None:
    draws = random.Random(1)
    samples = {f"test-{n}": [Sample("", draws.random() < 0.4) for _ in range(4)] for n in range(2000)}
    score, other = sampled_score(samples, "pass", 1), sampled_score(samples, "pass", 1, seed=7)
    assert score == sampled_score(samples, "pass", 1)
    assert (score.low, score.high) != (other.low, other.high)
    error = np.std([np.mean([sample.right for sample in found]) for found in samples.values()]) / 2000**0.5
    assert score.low == pytest.approx(score.value - 1.96 * error, abs=0.15 * error)
    assert score.high == pytest.approx(score.value + 1.96 * error, abs=0.15 * error)


def test_the_interval_of_one_common_value_is_as_wide_as_its_problems_are_few() -> None:
    score = sampled_score({"a": drawn("7"), "b": drawn("7")}, "majority", 1)
    assert (score.value, (score.low, score.high)) == (1.0, wilson_interval(1.0, 2))


def test_k_samples_cost_k_times_the_mean_of_their_problems_tokens() -> None:
    samples = {"a": [Sample("7", True, tokens=tokens) for tokens in (10, 20)], "b": [Sample("8", False, tokens=30)] * 2}
    assert [sampled_score(samples, "pass", k).tokens for k in (1, 2)] == [(15 + 30) / 2, 15 + 30]


def evaluation(*texts: str, verifier: str = "correctness", search: str = "samples") -> Evaluation:
    """One problem whose gold answer is 7."""
    right = verifier_named(verifier)
    items = [EvaluationItem("a", f"<answer>{text}</answer>", {verifier: float(text in ("7", "14/2"))}, 5) for text in texts]
    return Evaluation("test", 0, "test", 0.0, tuple(items), right, search=search)


def test_curves_are_over_doublings_and_all_samples_without_a_judge_for_two_strategies() -> None:
    titles = [score.title for score in sampled_scores(evaluation("7", "8", "7"))]
    assert titles == ["pass@1", "majority@1", "pass@2", "majority@2", "pass@3", "majority@3"]
    judged = scaling_curves(samples_of(evaluation("7", "8"), [0.1, 0.9]))
    assert [(score.title, score.value) for score in judged[-2:]] == [("best of 2", 0.0), ("weighted majority@2", 0.0)]
    assert sampled_scores(evaluation("7")) == []


def test_a_search_has_figures_for_all_of_its_completions_alone() -> None:
    assert [score.k for score in sampled_scores(evaluation("7", "8", "9", "7", search="beam"))] == [4, 4]


def test_what_a_judge_is_worth_is_held_against_the_majority_problem_by_problem() -> None:
    """Of ten problems the judge finds the right answer of three that the majority misses, and misses one that it finds."""
    samples = {f"missed {n}": scored(r1=0.9, a1=0.1, a2=0.1) for n in range(3)}
    samples |= {"found": scored(r1=0.1, r2=0.1, a1=0.9)}
    samples |= {f"alike {n}": scored(r1=0.5, r2=0.5, r3=0.5) for n in range(6)}
    best, weighted = judge_gains(samples)
    assert (best.title, best.against, best.problems) == ("best of 3", "majority@3", 10)
    assert best.difference == pytest.approx(0.2)
    assert (best.low, best.high) == paired_interval(np.array([1.0] * 3 + [-1.0] + [0.0] * 6))
    assert (
        best.reading
        == f"best of 3 against majority@3 +20.0 points ({100 * best.low:+.1f} to {100 * best.high:+.1f}), no clear difference"
    )
    assert weighted.title == "weighted majority@3"
    many = {f"{name} {n}": drawn for name, drawn in samples.items() if name != "found" for n in range(40)}
    assert "no clear" not in judge_gains(many)[0].reading
    assert judge_gains({"few": scored(r1=0.5, a1=0.9), **samples})[0].problems == 10, "of equally many completions"
    assert judge_gains({"a": drawn("77")}) == [], "without scores there is no choice"


def test_two_ways_are_held_against_each_other_on_the_problems_that_both_have() -> None:
    searched = {"a": scored(r1=0.9, a1=0.1), "b": scored(a1=0.9, r1=0.1), "alone": scored(r1=0.9, r2=0.1)}
    found = gain((searched, "best", 2), ({"a": drawn("787"), "b": drawn("88"), "few": drawn("7")}, "pass", 2))
    assert (found.title, found.against, found.problems) == ("best of 2", "pass@2", 2)
    assert found.difference == pytest.approx((1 - 1 + 0 - 0) / 2)
    with pytest.raises(SamplesError, match="enough completions for both") as refused:
        gain((searched, "best", 2), ({"few": drawn("77")}, "pass", 2))
    assert refused.value.remedy


def test_what_the_verifier_did_not_score_is_no_sample() -> None:
    found = evaluation("7", "8")
    unscored = replace(found.items[0], rewards={"correctness": None})
    assert [sample.right for sample in samples_of(replace(found, items=(unscored, found.items[1])))["a"]] == [False]
