"""Evaluations in the store: written batch by batch, seen only when complete, gone on with after a kill."""

import pytest

from tests.fakes import record_evaluation
from training.errors import StoreError
from training.store import Store
from training.store.evaluations import (
    Evaluation,
    EvaluationItem,
    add_items,
    complete_evaluation,
    complete_evaluations,
    evaluation_headings,
    last_evaluation,
    open_evaluation,
    read_evaluation,
)
from training.store.ledger import evaluated_pass_rates, problem_history

pytestmark = pytest.mark.both_databases

FIRST, SECOND = (EvaluationItem(f"test-{number}", "72", {"correctness": 1.0}, 3) for number in range(2))


@pytest.fixture
def job_id(store: Store) -> str:
    return store.create_job("train", "demo", {"source": "demo"})[0].id


def test_an_unfinished_evaluation_is_seen_by_nobody(store: Store, job_id: str) -> None:
    evaluation = open_evaluation(store, job_id, "before", 0, "test")
    add_items(store, evaluation, [FIRST])
    assert complete_evaluations(store, job_id) == []
    assert last_evaluation(store, job_id) == 0
    assert evaluated_pass_rates(store, job_id) == {}
    assert problem_history(store, "demo", "test-0") == []

    complete_evaluation(store, evaluation)
    assert last_evaluation(store, job_id) == evaluation.key
    assert evaluated_pass_rates(store, job_id) == {"before": {"test-0": 1.0}}
    assert len(problem_history(store, "demo", "test-0")) == 1


def test_a_killed_evaluation_goes_on_where_it_stood(store: Store, job_id: str) -> None:
    add_items(store, open_evaluation(store, job_id, "before", 0, "test"), [FIRST])
    again = open_evaluation(store, job_id, "before", 0, "test")
    assert again.done == (FIRST,)
    add_items(store, again, [SECOND])
    complete_evaluation(store, again)
    (evaluation,) = complete_evaluations(store, job_id)
    assert evaluation == Evaluation("before", 0, "test", evaluation.created_at, (FIRST, SECOND))


def test_an_unfinished_evaluation_of_another_step_is_begun_anew(store: Store, job_id: str) -> None:
    add_items(store, open_evaluation(store, job_id, "after", 8, "test"), [FIRST])
    assert open_evaluation(store, job_id, "after", 9, "test").done == ()


def test_a_complete_evaluation_is_replaced_by_one_of_equal_label(store: Store, job_id: str) -> None:
    record_evaluation(store, job_id, "before", 0, "test", [FIRST])
    record_evaluation(store, job_id, "before", 0, "test", [SECOND])
    (evaluation,) = complete_evaluations(store, job_id)
    assert evaluation.items == (SECOND,)


def test_headings_name_the_complete_evaluations_of_every_job_and_are_read_one_by_one(store: Store, job_id: str) -> None:
    other = store.create_job("evaluate", "evaluate", {})[0].id
    record_evaluation(store, job_id, "before", 0, "test", [FIRST])
    record_evaluation(store, other, "train", 0, "train", [SECOND])
    open_evaluation(store, job_id, "after", 10, "test")
    before, alone = evaluation_headings(store)
    assert (before.job_id, before.label, before.split, alone.job_id) == (job_id, "before", "test", other)
    assert read_evaluation(store, before.key) == complete_evaluations(store, job_id)[0]

    record_evaluation(store, job_id, "before", 0, "test", [SECOND])  # measured anew
    assert before.key not in [heading.key for heading in evaluation_headings(store)]
    with pytest.raises(StoreError, match="not on record any more"):
        read_evaluation(store, before.key)
