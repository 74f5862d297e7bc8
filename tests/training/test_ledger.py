"""What became of each problem, by run, group and evaluation."""

import pytest

from tests.fakes import record_evaluation
from training.groups import Rollout
from training.store import Store
from training.store.evaluations import EvaluationItem
from training.store.ledger import evaluated_pass_rates, group_outcomes, problem_history

pytestmark = pytest.mark.both_databases


def rollouts(step: int, problem_id: str, right: list[float | None]) -> list[Rollout]:
    """A group whose total reward is 2 where right, 1 where wrong, none where not scorable."""
    return [
        Rollout(
            step,
            0,
            position,
            problem_id,
            "text",
            {"correctness": score},
            None if score is None else 1.0 + score,
            0.0,
            5,
            "stop",
        )
        for position, score in enumerate(right)
    ]


@pytest.fixture
def run(store: Store) -> str:
    job_id = store.create_job("train", "demo", {"source": "demo"})[0].id
    store.record(job_id, rollouts=rollouts(1, "train-3", [1.0, 0.0, 0.0, 0.0]))
    store.record(job_id, rollouts=rollouts(2, "train-4", [1.0, 1.0]))
    store.record(job_id, rollouts=rollouts(3, "train-3", [1.0, 1.0, None, 1.0]))
    return job_id


def test_groups_have_pass_rate_reward_and_variance(store: Store, run: str) -> None:
    first, second, third = group_outcomes(store, run)
    assert (first.problem_id, first.step, first.completions) == ("train-3", 1, 4)
    assert (first.pass_rate, first.mean_reward) == (0.25, 1.25)
    assert first.reward_variance == pytest.approx(0.1875)
    assert (second.pass_rate, second.reward_variance) == (1.0, 0.0)
    assert (third.pass_rate, third.mean_reward) == (1.0, 2.0), "what cannot be scored counts neither way"


def test_a_problem_has_its_history_over_runs(store: Store, run: str) -> None:
    later = store.create_job("train", "demo", {"source": "demo", "seed": 2})[0].id
    record_evaluation(store, later, "before", 0, "test", [EvaluationItem("train-3", "text", {"correctness": 0.0}, 4)])
    record_evaluation(store, later, "after", 9, "test", [EvaluationItem("train-3", "text", {"correctness": 1.0}, 4)])
    elsewhere = store.create_job("train", "demo", {"source": "/data/other"})[0].id
    store.record(elsewhere, rollouts=rollouts(1, "train-3", [1.0]))
    newest, oldest = problem_history(store, "demo", "train-3")
    assert (newest.job_id, newest.groups, newest.evaluated) == (later, 0, {"before": 0.0, "after": 1.0})
    assert (oldest.job_id, oldest.groups, oldest.completions) == (run, 2, 8)
    assert oldest.pass_rate == pytest.approx(4 / 7)
    assert problem_history(store, "demo", "train-99") == []


def test_a_run_without_hard_correctness_has_no_pass_rate(store: Store) -> None:
    job_id = store.create_job("train", "demo", {"source": "demo"})[0].id
    store.record(job_id, rollouts=[Rollout(1, 0, 0, "train-1", "text", {"integer": 0.5}, 0.5, 0.0, 5, "stop")])
    assert group_outcomes(store, job_id)[0].pass_rate is None


def test_evaluations_say_who_was_right(store: Store, run: str) -> None:
    items = [EvaluationItem("test-1", "", {"correctness": 1.0}, 1), EvaluationItem("test-2", "", {"correctness": None}, 1)]
    record_evaluation(store, run, "before", 0, "test", items)
    assert evaluated_pass_rates(store, run) == {"before": {"test-1": 1.0}}


def test_several_answers_to_a_problem_count_by_the_share_that_is_right(store: Store, run: str) -> None:
    items = [EvaluationItem("test-1", "", {"correctness": score}, 1) for score in (1.0, 0.0, None, 0.5)]
    record_evaluation(store, run, "sampled", 0, "test", items)
    assert evaluated_pass_rates(store, run) == {"sampled": {"test-1": pytest.approx(1 / 3)}}
    assert problem_history(store, "demo", "test-1")[0].evaluated == {"sampled": pytest.approx(1 / 3)}


def test_groups_are_counted_at_any_step(store: Store, run: str) -> None:
    store.record(run, rollouts=rollouts(1_000_000, "train-3", [1.0]))
    assert problem_history(store, "demo", "train-3")[0].groups == 3
