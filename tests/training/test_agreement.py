"""Problems whose completions agree on another answer than the gold: which are found, and from what."""

import pytest

from training.groups import Rollout, Verifier
from training.insight.agreement import Agreed, Answered, agreement_of, find_agreement
from training.rewards import score_completion
from training.rewards.forms import FORMS, TAGS
from training.store import Store
from training.store.evaluations import EvaluationItem, add_items, complete_evaluation, open_evaluation


def answered(problem_id: str, gold: str, *answers: str) -> list[Answered]:
    """Completions with these answers in tags; an empty one marks none."""
    texts = [f"<answer>{answer}</answer>" if answer else "I do not know." for answer in answers]
    return [(problem_id, text, score_completion(text, gold)) for text in texts]


@pytest.mark.parametrize(
    ("gold", "answers", "found"),
    [
        ("5", ["6", "6", "6", "6"], Agreed("train-0", "6", 4, 4)),
        ("5", ["6", "6", "6", "7"], Agreed("train-0", "6", 3, 4)),
        ("5", ["1200", "1,200", "1,200", "$1200"], Agreed("train-0", "1,200", 4, 4)),
        ("5", ["6", "6", "7", "8"], None),
        ("5", ["5", "5", "5", "6"], None),
        ("5", ["6", "6", "6"], None),
        ("5", ["6", "6", "", ""], None),
        ("5", ["", "", "", ""], None),
        ("1200", ["1,200", "1,200", "1,200", "1200"], None),
        ("54", ["The answer is 54.", "The answer is 54.", "The answer is 54.", "$54"], None),
    ],
)
def test_a_problem_is_found_where_enough_completions_give_one_answer_that_is_wrong(
    gold: str, answers: list[str], found: Agreed | None
) -> None:
    agreement = find_agreement(answered("train-0", gold, *answers), Verifier(), TAGS)
    assert agreement.against_gold == ((found,) if found else ())
    assert agreement.problems == (len(answers) >= 4)


def test_the_surest_come_first() -> None:
    rows = [
        *answered("train-0", "5", *"6667"),
        *answered("train-1", "5", *"7777"),
        *answered("train-2", "5", *"88888888"),
        *answered("train-3", "5", *"5555"),
    ]
    agreement = find_agreement(rows, Verifier(), TAGS)
    assert [agreed.problem_id for agreed in agreement.against_gold] == ["train-2", "train-1", "train-0"]
    assert agreement.problems == 4
    assert "3 have 75% or more" in agreement.reading


def test_answers_are_read_in_the_form_asked_for_and_what_was_not_judged_is_left_out() -> None:
    boxed: list[Answered] = [("train-0", r"So \boxed{\sqrt{2}}.", {"math": 0.0})] * 4
    assert find_agreement(boxed, Verifier("math"), FORMS["boxed"]).against_gold == (Agreed("train-0", r"\sqrt{2}", 4, 4),)
    unjudged: list[Answered] = [("train-0", r"\boxed{1}", {"math": None})] * 4
    assert find_agreement(unjudged, Verifier("math"), FORMS["boxed"]).problems == 0


def test_a_runs_completions_of_all_steps_and_evaluations_count_together(store: Store) -> None:
    job_id = store.create_job("train", "demo", {"source": "demo"})[0].id
    for step in (1, 2):
        store.record(
            job_id,
            rollouts=[
                Rollout(step, 0, place, "train-0", text, dict(rewards), 0.0, 0.0, 5, "stop")
                for place, (_, text, rewards) in enumerate(answered("train-0", "5", "6", "6"))
            ],
        )
    evaluation = open_evaluation(store, job_id, "before", 0, "test")
    add_items(store, evaluation, [EvaluationItem(*item, 5) for item in map(_as_item, answered("test-0", "1", *"2222"))])
    assert [found.problem_id for found in agreement_of(store, job_id).against_gold] == ["train-0"]
    complete_evaluation(store, evaluation)
    assert [found.problem_id for found in agreement_of(store, job_id).against_gold] == ["train-0", "test-0"]


def _as_item(row: Answered) -> tuple[str, str, dict[str, float | None]]:
    problem_id, text, rewards = row
    return problem_id, text, dict(rewards)
