"""The ledger against what TRL generates, for real on the demo model: every generation batch once, whole, at its step."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.tiny_runs import few_problems, rewarding_length, tiny, trainer_of
from training.groups import Rollout, advantages
from training.home import Home
from training.rewards import REWARDS, Reward


@pytest.fixture(autouse=True)
def length_is_rewarded() -> Iterator[None]:
    with rewarding_length():
        yield


def ledger_of(home: Home, **changes: Any) -> tuple[list[list[Rollout]], Any]:
    """The batches that a run handed over, and its trainer."""
    batches: list[list[Rollout]] = []
    trainer = trainer_of(tiny(**changes), home, batches.append)
    trainer.train()
    return batches, trainer


def test_a_generation_batch_that_serves_two_steps_is_in_the_ledger_once(home: Home) -> None:
    batches, trainer = ledger_of(home, max_steps=4, num_iterations=2)
    assert trainer.state.global_step == 4
    assert [sorted({rollout.step for rollout in batch}) for batch in batches] == [[1], [3]]
    assert [len(batch) for batch in batches] == [4, 4]
    logged = {log["step"]: log for log in trainer.state.log_history if "reward" in log}
    for batch in batches:
        assert logged[batch[0].step]["reward"] == pytest.approx(sum(rollout.total for rollout in batch) / 4)


def test_accumulated_passes_learn_from_one_generation_batch(home: Home) -> None:
    config = tiny(per_device_train_batch_size=2, gradient_accumulation_steps=3, num_generations=3)
    batches, _ = ledger_of(home, per_device_train_batch_size=2, gradient_accumulation_steps=3, num_generations=3)
    assert [(len(batch), {rollout.step for rollout in batch}) for batch in batches] == [(6, {1}), (6, {2})]
    trained = {problem.id for problem in few_problems().of_split("train")}
    for batch in batches:
        assert len(batch) == config.completions_per_step
        groups = Counter((rollout.group_index, rollout.problem_id) for rollout in batch)
        assert list(groups.values()) == [3] * config.groups_per_step
        assert {problem for _, problem in groups} <= trained
        assert [rollout.position for rollout in batch] == [0, 1, 2] * config.groups_per_step


def test_advantages_are_those_of_the_group(home: Home) -> None:
    (batch,), _ = ledger_of(home, max_steps=1, num_generations=4, scale_rewards="none")
    mean = sum(rollout.total for rollout in batch) / 4
    assert [rollout.advantage for rollout in batch] == pytest.approx([rollout.total - mean for rollout in batch], abs=1e-5)
    assert any(rollout.advantage for rollout in batch)


@pytest.mark.parametrize(
    "credit",
    [
        {},
        {"scale_rewards": "batch"},
        {"multi_objective_aggregation": "normalize_then_sum"},
        {"method": "rloo"},
        {"method": "rloo", "normalize_advantages": True},
    ],
)
def test_advantages_anew_from_the_ledger_are_trls(credit: dict[str, Any], home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two functions of different spread, one of which cannot score some completions."""
    odd = Reward("odd", "Odd", 1.0, lambda completion, gold: None if len(completion) % 3 == 0 else len(completion) % 2)
    monkeypatch.setitem(REWARDS, "odd", odd)
    sizes = {"per_device_train_batch_size": 12, "num_generations": 6}
    (batch,), trainer = ledger_of(home, max_steps=1, rewards={"integer": 1.0, "odd": 2.0}, **sizes, **credit)
    assert {rollout.rewards["odd"] for rollout in batch} == {None, 0.0, 1.0}
    config = tiny(rewards={"integer": 1.0, "odd": 2.0}, **sizes, **credit)
    assert any(kind.__name__.lower() == f"{config.method}trainer" for kind in type(trainer).__mro__)
    found = advantages(batch, config.reward_weights, config.credit)
    assert found == pytest.approx([rollout.advantage for rollout in batch], abs=1e-4)
    assert len(set(found)) > 3


@pytest.mark.parametrize(
    "credit",
    [
        {"multi_objective_aggregation": "normalize_then_sum"},
        {"method": "rloo"},
        {"method": "rloo", "normalize_advantages": True},
    ],
)
def test_a_step_of_several_rounds_has_the_advantages_of_the_groups_that_it_learns_from(
    credit: dict[str, Any], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REWARDS, "odd", Reward("odd", "Odd", 1.0, lambda completion, gold: len(completion) % 2))
    settings = credit | {"rewards": {"odd": 1.0}, "dynamic_sampling_rounds": 2, "per_device_train_batch_size": 8}
    batches, trainer = ledger_of(home, max_steps=2, num_generations=2, **settings)
    logged = [log["dynamic_sampling/rounds"] for log in trainer.state.log_history if "reward" in log]
    assert max(logged) > 1
    config = tiny(**settings)
    for batch in batches:
        learnt = [rollout for rollout in batch if not rollout.dropped]
        assert len(learnt) == config.completions_per_step
        found = advantages(learnt, config.reward_weights, config.credit)
        assert found == pytest.approx([rollout.advantage for rollout in learnt], abs=1e-4)


def test_a_completion_at_the_length_limit_was_cut_off(home: Home) -> None:
    (batch,), _ = ledger_of(home, max_steps=1)
    assert {(rollout.tokens, rollout.finish_reason) for rollout in batch} == {(12, "length")}


def test_equal_totals_are_a_group_without_variance_in_spite_of_rounding(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six times 0.3 in float32 has a mean other than 0.3, and so a standard deviation above 0."""
    monkeypatch.setitem(REWARDS, "equal", Reward("equal", "Equal", 0.5, lambda completion, gold: 0.3))
    sizes = {"per_device_train_batch_size": 12, "num_generations": 6}
    (batch,), trainer = ledger_of(home, max_steps=1, rewards={"equal": 1.0}, **sizes)
    assert [rollout.total for rollout in batch] == pytest.approx([0.3] * 12)
    (logged,) = [log for log in trainer.state.log_history if "reward" in log]
    assert logged["frac_reward_zero_std"] == 1.0
