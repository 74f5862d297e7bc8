"""The reward bench: every shipped case scores as expected, and a score that does not is named."""

import time
from dataclasses import replace

import pytest

from training.rewards import REWARDS
from training.rewards.adversarial import CASES, AdversarialCase, check_cases, print_bench


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_scores_as_expected_and_soon(case: AdversarialCase) -> None:
    started = time.process_time()
    [result] = check_cases([case])
    assert time.process_time() - started < 30, "a pattern that tries every pair of tags takes minutes"
    assert {name: result.scores[name] for name in result.wrong} == {}


def test_every_case_has_a_score_for_every_reward_a_reason_and_a_name_of_its_own() -> None:
    always = [name for name, reward in REWARDS.items() if reward.when == "always"]
    assert all(list(case.expected) == always or not set(case.expected) & set(always) for case in CASES)
    assert all(case.why.endswith(".") for case in CASES)
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_reward_is_given_and_withheld_by_some_case() -> None:
    for name, reward in REWARDS.items():
        scores = {case.expected[name] for case in CASES if name in case.expected}
        if reward.when == "always":
            assert {0.0, reward.maximum} <= scores, name
        else:
            assert min(scores) < 0.2 * reward.maximum or name == "cosine_length", name


def test_the_bench_prints_scores_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_bench(check_cases(CASES[:2]))
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split() == ["hard", "soft", "integer", "strict", "format", "xml", "value"]
    assert "as asked for" in printed
    assert CASES[1].why in printed
    assert printed.endswith("2 of 2 completions score as expected.\n")


def test_a_score_that_is_not_the_expected_one_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    control = CASES[0]
    changed = replace(control, expected={**control.expected, "integer": 0.0, "value_correctness": None})
    results = check_cases([control, changed])
    assert results[1].wrong == ("integer", "value_correctness")
    assert not print_bench(results)
    printed = capsys.readouterr().out
    assert "WRONG: integer is 0.5, expected 0." in printed
    assert "WRONG: value_correctness is 1, expected none." in printed
    assert "1 of 2 completions score as expected." in printed
