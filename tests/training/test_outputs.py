"""What the command line says of evaluations."""

import dataclasses

from training.command_line.outputs import (
    comparison_facts,
    comparison_lines,
    evaluation_facts,
    evaluation_lines,
    evaluation_size,
)
from training.rewards import score_completion
from training.store.evaluations import Evaluation, EvaluationItem


def evaluation(label: str, answers: dict[str, list[str]]) -> Evaluation:
    """Gold is 5 everywhere."""
    items = tuple(
        EvaluationItem(problem, text, score_completion(text, "5"), 7)
        for problem, given in answers.items()
        for text in (f"<answer>{answer}</answer>" for answer in given)
    )
    return Evaluation(label, 0, "test", 0.0, items)


BEFORE = evaluation("before", {"test-0": ["5"], "test-1": ["$5"], "test-2": ["6"]})
AFTER = evaluation("after", {"test-0": ["5"], "test-1": ["5"], "test-2": ["5"]})


def test_facts_have_the_articles_figures_with_intervals_and_tokens() -> None:
    facts = evaluation_facts(BEFORE)
    assert (round(facts["hard"], 3), round(facts["soft"], 3), facts["tokens"]) == (0.333, 0.667, 21)
    assert facts["intervals"]["hard"][0] < facts["hard"] < facts["intervals"]["hard"][1]
    assert "sampled" not in facts
    assert "by_steps" not in facts


def test_completions_that_mark_no_answer_are_counted_apart_from_wrong_ones() -> None:
    items = (*BEFORE.items, EvaluationItem("test-3", "It is 5.", score_completion("It is 5.", "5"), 7))
    unmarked = Evaluation("before", 0, "test", 0.0, items)
    assert evaluation_facts(unmarked)["without_answer"] == 1
    assert sum("marks no answer" in line for line in evaluation_lines(unmarked)) == 1
    assert not any("no answer" in line for line in evaluation_lines(BEFORE))


def test_an_answer_in_another_form_than_the_one_asked_for_is_none() -> None:
    assert evaluation_facts(dataclasses.replace(BEFORE, answer_form="boxed"))["without_answer"] == 3


def test_several_samples_count_once_a_problem() -> None:
    several = evaluation("test", {"test-0": ["5", "5", "5", "5"], "test-1": ["6", "5"]})
    facts = evaluation_facts(several, {"test-0": 2, "test-1": 3})
    assert facts["hard"] == 0.75, "the mean of 1 and a half, not 5 of 6"
    assert facts["sampled"]["pass@1"][0] == 0.75
    assert [row["steps"] for row in facts["by_steps"]] == [2, 3]
    text = "\n".join(evaluation_lines(several, {"test-0": 2, "test-1": 3}))
    for words in ("Hard correctness", "pass@4", "majority@2", "By number of steps", "3 steps"):
        assert words in text


def test_a_run_is_compared_problem_by_problem_once_it_has_both() -> None:
    assert comparison_facts([BEFORE]) == {}
    assert list(comparison_lines([BEFORE])) == []
    facts = comparison_facts([BEFORE, AFTER])
    assert facts["hard"]["gained"] == ("test-1", "test-2")
    assert facts["soft"]["gained"] == ("test-2",)
    lines = list(comparison_lines([BEFORE, AFTER]))
    assert lines[0] == "Before against after, problem by problem"
    assert "    Gained: test-1, test-2" in lines


def test_problems_are_counted_and_not_their_completions() -> None:
    assert evaluation_size(BEFORE) == "3 test problems"
    assert evaluation_size(evaluation("test", {"test-0": ["5", "6"]})) == "1 test problem, 2 completions"
