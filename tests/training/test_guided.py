"""Search by steps: what becomes of beams, by hand; and both searches with the demo model."""

from collections.abc import Sequence

import pytest

from training.data.problems import load_problems
from training.engines.guided import Beam, GuidedSearch, SearchName, best_of_all, best_of_each
from training.engines.hugging_face import load_model
from training.judging.steps import solution_steps
from training.prompts import Prompting

LONGEST = 160


def beams(*scores: float, done: Sequence[int] = ()) -> list[Beam]:
    return [Beam(text=str(place), score=score, done=place in done) for place, score in enumerate(scores)]


def texts(found: Sequence[Beam]) -> str:
    return "".join(beam.text for beam in found)


def test_beam_search_goes_on_with_the_best_of_all_those_that_are_not_done() -> None:
    going, finished = best_of_all(beams(0.1, 0.9, 0.8, 0.7, done=[1]), 2)
    assert (texts(going), texts(finished)) == ("2323", "1")
    assert best_of_all(beams(0.1, 0.2, done=[0, 1]), 2)[0] == []
    assert texts(best_of_all(beams(0.5, 0.5, 0.5, 0.5), 4)[0]) == "0000", "of equal ones the first"


def test_dvts_goes_on_with_the_best_of_each_tree_and_ends_a_tree_with_all_of_its_last_step() -> None:
    going, finished = best_of_each(beams(0.1, 0.9, 0.8, 0.7, done=[2, 3]), 2)
    assert (texts(going), texts(finished)) == ("11", "23")
    going, finished = best_of_each(beams(0.9, 0.1, done=[1]), 2)
    assert (texts(going), texts(finished)) == ("00", "")


@pytest.fixture(scope="module")
def demo() -> tuple[object, object]:
    return load_model("demo")


@pytest.mark.parametrize("name", ["beam", "dvts"])
def test_a_search_finds_what_its_scores_ask_for_and_counts_all_tokens(demo: tuple[object, object], name: SearchName) -> None:
    """Scores that ask for the reference's lines: of two problems, the best completion has right reasoning."""
    problems = load_problems("demo").of_split("test")[:2]
    reference = {problem.question: [step.partition("<<")[0] for step in problem.steps] for problem in problems}
    seen: list[tuple[str, str]] = []

    def score(asked: Sequence[tuple[str, str]]) -> list[list[float]]:
        seen.extend(asked)
        return [
            [float(ending in step.text) for step, ending in zip(solution_steps(text), reference[of], strict=False)]
            for of, text in asked
        ]

    search = GuidedSearch(*demo, name, number=4, width=2, score=score, steps_of=solution_steps)
    prompts = [Prompting().messages(problem.question) for problem in problems for _ in range(4)]
    found = search(prompts, LONGEST, 1.0)
    assert len(found) == 8
    assert found == search(prompts, LONGEST, 1.0), "the same problems have the same completions"
    for _, text in seen:
        assert text.count("</answer>") <= 1
        assert text.endswith("\n") or "</answer>" in text or len(text) > LONGEST
    written = {text for text, _ in found}
    assert written <= {text for _, text in seen}
    tokens = sum(count for _, count in found[:4])
    longest = max(len(demo[1](text)["input_ids"]) for text, _ in found[:4])
    assert tokens > longest, "discarded steps are counted"


def test_a_search_ends_at_the_longest_length(demo: tuple[object, object]) -> None:
    question = load_problems("demo").of_split("test")[0].question
    search = GuidedSearch(*demo, "beam", number=2, width=2, score=lambda asked: [[1.0] for _ in asked], steps_of=solution_steps)
    found = search([Prompting().messages(question)] * 2, 10, 1.0)
    assert all(len(demo[1](text)["input_ids"]) <= 11 for text, _ in found)
    assert sum(count for _, count in found) == 20
