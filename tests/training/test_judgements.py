"""What judges said in the store: written batch by batch, gone on with, gone with its evaluation."""

import pytest

from tests.fakes import record_evaluation
from training.home import Home
from training.runs.deletion import delete_job
from training.store import Store
from training.store.evaluations import EvaluationItem, evaluation_headings
from training.store.judgements import add_judgements, judges_on_record, read_judgements, unjudged_items

pytestmark = pytest.mark.both_databases

ITEMS = [EvaluationItem(f"test-{number}", f"text {number}", {"correctness": 1.0}, 3) for number in range(3)]


@pytest.fixture
def key(store: Store) -> int:
    """Of a complete evaluation of three completions."""
    job, _ = store.create_job("evaluate", "evaluate", {"source": "demo"})
    record_evaluation(store, job.id, "test", 0, "test", ITEMS)
    store.end(job.id, "finished", "done")
    return evaluation_headings(store)[0].key


def judge_all(store: Store, key: int, judge: str = "demo", weights: str = "1") -> None:
    found = unjudged_items(store, key, judge, weights)
    add_judgements(store, judge, weights, {one.item: [0.5, place / 4] for place, one in enumerate(found)})


def test_scores_are_read_in_the_order_of_the_completions(store: Store, key: int) -> None:
    judge_all(store, key)
    assert read_judgements(store, key, "demo") == [[0.5, 0.0], [0.5, 0.25], [0.5, 0.5]]
    assert read_judgements(store, key, "other") == [[], [], []]


def test_a_judge_is_on_record_once_it_scored_all(store: Store, key: int) -> None:
    first, *others = unjudged_items(store, key, "demo", "1")
    assert (first.problem_id, first.completion) == ("test-0", "text 0")
    add_judgements(store, "demo", "1", {first.item: [0.5]})
    assert judges_on_record(store, [key]) == {key: []}
    assert unjudged_items(store, key, "demo", "1") == others
    add_judgements(store, "demo", "1", {one.item: [] for one in others})
    assert judges_on_record(store, [key]) == {key: ["demo"]}
    assert unjudged_items(store, key, "demo", "1") == []


def test_said_again_the_latest_counts(store: Store, key: int) -> None:
    judge_all(store, key)
    first = unjudged_items(store, key, "other", "1")[0]
    add_judgements(store, "demo", "1", {first.item: [0.9]})
    assert read_judgements(store, key, "demo")[0] == [0.9]


def test_a_judge_with_other_weights_begins_anew_and_no_other_judge_does(store: Store, key: int) -> None:
    judge_all(store, key)
    judge_all(store, key, "other")
    assert len(unjudged_items(store, key, "demo", "2")) == 3
    assert judges_on_record(store, [key]) == {key: ["other"]}


def test_what_was_said_goes_with_the_evaluation(store: Store, home: Home, key: int) -> None:
    judge_all(store, key)
    waiting = unjudged_items(store, key, "late", "1")
    delete_job(store, home, "evaluate-1")
    assert judges_on_record(store, [key]) == {key: []}
    add_judgements(store, "late", "1", {waiting[0].item: [0.5]})
    assert read_judgements(store, key, "late") == []
