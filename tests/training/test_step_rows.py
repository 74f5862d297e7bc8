"""One step of the ledger: its completions without their texts, some with them, and the steps beside it."""

import pytest

from training.groups import Rollout
from training.store import Store
from training.store.ledger import group_rollouts, placed_rollouts, step_reach, step_rows, steps_beside

pytestmark = pytest.mark.both_databases


@pytest.fixture
def run_id(store: Store) -> str:
    """A run with rollouts of steps 2, 3 and 7: two groups of two."""
    job, _ = store.create_job("train", "tiny", {"verifier": "correctness"})
    for step in (2, 3, 7):
        store.record(job.id, rollouts=[rollout(step, group, position) for group in range(2) for position in range(2)])
    return job.id


def rollout(step: int, group: int, position: int) -> Rollout:
    rewards = {"correctness": float(position), "integer": None}
    return Rollout(step, group, position, f"train-{group}", f"{step} {group} {position}", rewards, 1.0, 0.5, 9, "stop")


def test_a_step_is_read_without_its_texts(store: Store, run_id: str) -> None:
    rows = step_rows(store, run_id, 3)
    assert [(row.group_index, row.position) for row in rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert rows[1].rewards == {"correctness": 1.0, "integer": None}
    assert step_rows(store, run_id, 4) == []


def test_texts_are_read_of_those_that_are_shown(store: Store, run_id: str) -> None:
    assert [found.completion for found in group_rollouts(store, run_id, 7, 1)] == ["7 1 0", "7 1 1"]
    found = placed_rollouts(store, run_id, 3, [(1, 1), (0, 0), (9, 9)])
    assert [rollout.completion for rollout in found] == ["3 1 1", "3 0 0"]
    assert placed_rollouts(store, run_id, 3, []) == []


def test_the_steps_beside_are_those_that_have_completions(store: Store, run_id: str) -> None:
    assert steps_beside(store, run_id, 3) == (2, 7)
    assert steps_beside(store, run_id, 2) == (None, 3)
    assert steps_beside(store, run_id, 7) == (3, None)


def test_a_step_that_was_recorded_anew_is_told_from_what_it_was(store: Store, run_id: str) -> None:
    before = step_reach(store, run_id, 3)
    assert before[0] == 4
    store.record(run_id, rollouts=[rollout(3, 0, 0)])
    assert step_reach(store, run_id, 3) != before
    assert step_reach(store, run_id, 4) == (0, 0)
