"""Reference solutions written in the form that a model is asked to answer in, as each reward reads them."""

from dataclasses import replace

import pytest

from tests.tiny_runs import few_problems
from training.data.problem import Problem
from training.data.problems import load_problems
from training.errors import ConfigError
from training.rewards import score_completion
from training.rewards.forms import FORMS, form_named
from training.rewards.solutions import has_solution, require_writable, written_solution

GSM8K = Problem(
    id="train-0",
    split="train",
    question="How many clips in all?",
    answer="She sold 48/2 = <<48/2=24>>24 clips.\nTogether 48+24 = <<48+24=72>>1,072.\n#### 1,072",
    steps=("She sold 48/2 = <<48/2=24>>24 clips.", "Together 48+24 = <<48+24=72>>1,072."),
    equations=(),
    gold="1072",
)
MATH = replace(GSM8K, answer="As $x^2=4$, $x=\\boxed{2}$.", steps=("As $x^2=4$, $x=\\boxed{2}$.",), gold="2")


@pytest.mark.parametrize(
    ("form", "ending"),
    [
        ("tags", "\n</reasoning>\n<answer>\n1072\n</answer>\n"),
        ("boxed", "\nThe answer is $\\boxed{1072}$."),
        ("hashes", "\n#### 1072"),
    ],
)
def test_a_solution_is_written_in_each_form_with_the_gold_and_without_annotations(form: str, ending: str) -> None:
    written = written_solution(GSM8K, form_named(form))
    reasoning = "She sold 48/2 = 24 clips.\nTogether 48+24 = 1,072."
    assert written == ("<reasoning>\n" if form == "tags" else "") + reasoning + ending


def test_a_solution_that_gives_the_gold_in_the_form_stands_as_it_is() -> None:
    assert written_solution(MATH, form_named("boxed")) == MATH.answer
    other = replace(MATH, gold="-2")
    assert written_solution(other, form_named("boxed")) == f"{MATH.answer}\nThe answer is $\\boxed{{-2}}$."


@pytest.mark.parametrize("form", FORMS)
def test_every_demo_solution_earns_the_most_in_each_form(form: str) -> None:
    for problem in load_problems("demo").of_split("test"):
        scores = score_completion(written_solution(problem, form_named(form)), problem.gold, form_named(form))
        names = ("correctness", "soft_correctness", "integer", "strict_format", "soft_format", "xml_count")
        assert [scores[name] for name in names] == [1.0, 1.0, 0.5, 0.5, 0.5, 0.5 if form == "tags" else None]


def test_a_form_of_which_only_the_answers_place_is_known_is_refused_with_those_that_can_be_written() -> None:
    with pytest.raises(ConfigError, match="Use tags, boxed, hashes"):
        require_writable(form_named(r"/Answer: (\d+)/"))
    with pytest.raises(ConfigError):
        written_solution(GSM8K, form_named(r"/Answer: (\d+)/"))


def test_a_problem_needs_a_solution_and_a_gold_answer_to_be_learnt_from() -> None:
    [problem, *_] = few_problems().of_split("train")
    assert has_solution(problem)
    assert not has_solution(replace(problem, steps=()))
    assert not has_solution(replace(problem, gold=""))
