"""What a run says of each problem, as columns of the map."""

import pytest

from analysis.outcomes import job_outcomes, outcome
from tests.fakes import record_evaluation
from training.groups import Rollout
from training.store import Store
from training.store.evaluations import EvaluationItem

pytestmark = pytest.mark.both_databases


def rollouts(step: int, problem_id: str, right: list[float]) -> list[Rollout]:
    return [
        Rollout(step, 0, position, problem_id, "", {"correctness": score}, 2 * score, 0.0, 1, "stop")
        for position, score in enumerate(right)
    ]


def test_outcomes_are_means_over_a_problems_groups(store: Store) -> None:
    run = store.create_job("train", "demo", {})[0].id
    met = ((1, "train-1", [1, 0]), (2, "train-1", [1, 1]), (3, "train-2", [0, 0]))
    store.record(run, rollouts=[rollout for step, problem, scores in met for rollout in rollouts(step, problem, scores)])
    items = [EvaluationItem("test-1", "", {"correctness": 1.0}, 1), EvaluationItem("test-2", "", {"correctness": 0.0}, 1)]
    record_evaluation(store, run, "before", 0, "test", items)
    found = job_outcomes(store, run)
    assert list(found.columns) == ["pass_rate", "mean_reward", "reward_variance", "times_seen", "right_before"]
    assert found.loc["train-1"].tolist()[:4] == pytest.approx([0.75, 1.5, 0.5, 2])
    assert found.loc["train-2"].tolist()[:4] == pytest.approx([0, 0, 0, 1])
    assert found["right_before"].dropna().to_dict() == {"test-1": 1.0, "test-2": 0.0}
    assert [outcome(column).title for column in found.columns][-1] == "Right in evaluation before"


def test_a_job_that_recorded_nothing_has_no_outcomes(store: Store) -> None:
    run = store.create_job("train", "demo", {})[0].id
    assert job_outcomes(store, run).empty
    assert list(job_outcomes(store, run).columns) == []
