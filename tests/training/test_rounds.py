"""Chosen problems and dynamic sampling in real TRL on the demo model: what is generated, learnt from and thrown away."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_runs import few_problems, rewarding_length, tiny, trainer_of, whole_and_resumed
from training.config import RunConfig
from training.data.problem import Problem
from training.errors import CheckpointError, ConfigError
from training.groups import Credit, Rollout, Verifier, advantages, groups_of
from training.home import Home
from training.jobs.train.rounds import Choice, joined_metric
from training.prior import of_column
from training.rewards import REWARDS
from training.sampling.draw import ProblemDraw, Rules
from training.sampling.pools import Outcome

FLAT = 3
"""Of the six problems so many earn the same whatever is answered."""


def score_by(function: Any) -> None:
    """Until `rewarding_length` ends, which puts back what was there."""
    REWARDS["integer"] = replace(REWARDS["integer"], function=function)


@pytest.fixture(autouse=True)
def some_are_flat() -> Iterator[None]:
    flat = {problem.gold for problem in few_problems().of_split("train")[:FLAT]}
    varied = {problem.gold for problem in few_problems().of_split("train")[FLAT:]}
    assert not flat & varied
    with rewarding_length():
        score_by(lambda completion, gold: 0.3 if gold in flat else len(completion) % 5 / 10)
        yield


def flat_problems() -> set[str]:
    return {problem.id for problem in few_problems().of_split("train")[:FLAT]}


def run(home: Home, **changes: Any) -> tuple[list[list[Rollout]], list[dict[str, Any]], Any]:
    """The batches handed over, those that were learnt from, and the trainer."""
    ledger: list[list[Rollout]] = []
    learnt: list[dict[str, Any]] = []
    trainer = trainer_of(tiny(num_generations=4, per_device_train_batch_size=8, **changes), home, ledger.append)
    generated = trainer._generate_and_score_completions

    def keep(inputs: list[dict[str, Any]]) -> dict[str, Any]:
        learnt.append(generated(inputs))
        return learnt[-1]

    trainer._generate_and_score_completions = keep
    trainer.train()
    return ledger, learnt, trainer


def learnt_rows(trainer: Any, batch: dict[str, Any]) -> list[tuple[str, float]]:
    """(completion, advantage) of each row."""
    texts = trainer.processing_class.batch_decode(
        [ids[mask.bool()] for ids, mask in zip(batch["completion_ids"], batch["completion_mask"], strict=True)],
        skip_special_tokens=True,
    )
    return list(zip(texts, batch["advantages"].tolist(), strict=True))


@pytest.mark.parametrize("scale_rewards", ["group", "batch"])
def test_groups_without_variance_are_replaced_and_stay_in_the_ledger(home: Home, scale_rewards: str) -> None:
    ledger, learnt, trainer = run(home, max_steps=3, dynamic_sampling_rounds=3, scale_rewards=scale_rewards)
    for rollouts, batch in zip(ledger, learnt, strict=True):
        kept = [rollout for rollout in rollouts if not rollout.dropped]
        assert {group.problem_id for group in groups_of(kept)}.isdisjoint(flat_problems())
        assert [group.index for group in groups_of(kept)] == [0, 1]
        assert not any(group.is_flat for group in groups_of(kept))
        dropped = [group for group in groups_of(rollouts) if group.rollouts[0].dropped]
        assert [group.index for group in dropped] == list(range(2, 2 + len(dropped)))
        for group in dropped:
            assert group.is_flat == (group.rollouts[0].dropped == "flat")
            assert group.tokens > 0
            assert {rollout.advantage for rollout in group.rollouts} == {0.0}
        assert [text for text, _ in learnt_rows(trainer, batch)] == [rollout.completion for rollout in kept]
        expected = advantages(kept, {"integer": 1.0}, Credit(scale_rewards=scale_rewards))
        assert [rollout.advantage for rollout in kept] == pytest.approx(expected, abs=1e-4)
        assert batch["advantages"].tolist() == pytest.approx(expected, abs=1e-4)
        assert batch["num_items_in_batch"] == sum(rollout.tokens for rollout in kept) == batch["completion_mask"].sum()
        assert len({rollout.problem_id for rollout in rollouts}) == len(groups_of(rollouts))
    assert sum(bool(rollout.dropped) for rollouts in ledger for rollout in rollouts)


def test_the_logs_are_of_all_that_was_generated(home: Home) -> None:
    ledger, _, trainer = run(home, max_steps=3, dynamic_sampling_rounds=3)
    logged = [log for log in trainer.state.log_history if "reward" in log]
    tokens = 0
    for rollouts, log in zip(ledger, logged, strict=True):
        groups = groups_of(rollouts)
        assert log["reward"] == pytest.approx(sum(rollout.total or 0.0 for rollout in rollouts) / len(rollouts), abs=1e-5)
        assert log["completions/mean_length"] == pytest.approx(sum(r.tokens for r in rollouts) / len(rollouts), abs=1e-3)
        assert log["frac_reward_zero_std"] == pytest.approx(sum(group.is_flat for group in groups) / len(groups))
        assert sum(log[f"drawn/{pool}"] for pool in ("not_met", "too_hard", "learning", "mastered")) == len(groups)
        assert log["dynamic_sampling/dropped_tokens"] == sum(rollout.tokens for rollout in rollouts if rollout.dropped)
        tokens += sum(rollout.tokens for rollout in rollouts)
        assert log["num_tokens"] > tokens


def test_without_further_rounds_a_step_learns_from_what_it_has(home: Home) -> None:
    ledger, learnt, _ = run(home, max_steps=3, sampling="pools")
    assert [len(rollouts) for rollouts in ledger] == [8, 8, 8]
    assert not any(rollout.dropped for rollouts in ledger for rollout in rollouts)
    assert [len(batch["advantages"]) for batch in learnt] == [8, 8, 8]


def test_when_the_rounds_are_over_groups_without_variance_fill_the_batch(home: Home) -> None:
    score_by(lambda completion, gold: 0.3)
    ledger, learnt, _ = run(home, max_steps=1, dynamic_sampling_rounds=2)
    (rollouts,), (batch,) = ledger, learnt
    assert [group.rollouts[0].dropped for group in groups_of(rollouts)] == ["", "", "flat", "flat", "flat", "flat"]
    assert batch["advantages"].tolist() == [0.0] * 8


def test_the_rounds_end_when_every_problem_was_drawn(home: Home) -> None:
    ledger, _, _ = run(home, max_steps=1, dynamic_sampling_rounds=60)
    assert max(Counter(group.problem_id for group in groups_of(ledger[0])).values()) == 1


@pytest.mark.parametrize(
    "changes", [{"sampling": "pools"}, {"dynamic_sampling_rounds": 2}, {"num_iterations": 2, "sampling": "pools"}]
)
def test_a_resumed_run_draws_as_one_that_was_not_interrupted(home: Home, changes: dict[str, Any]) -> None:
    whole, resumed = whole_and_resumed(tiny(**changes), home)
    assert [rollout for rollout in whole if rollout.step > 2] == resumed


def test_pools_draw_what_is_being_learnt_and_leave_out_what_has_no_share(home: Home) -> None:
    """By the verifier the flat problems are never right, and the others now and then."""
    shares = {"pool_not_met": 0.0, "pool_too_hard": 0.0, "pool_mastered": 0.0, "pool_learning": 1.0}
    config = tiny(sampling="pools", pool_warmup_steps=3, max_steps=6, **shares)
    found: list[Rollout] = []
    trainer = trainer_of(config, home, found.extend)
    judged = {problem.id: problem.id not in flat_problems() for problem in few_problems().of_split("train")}
    learn = trainer._choice.draw.learn
    trainer._choice.draw.learn = lambda groups: learn(
        replace(
            g,
            rollouts=tuple(
                replace(r, rewards={"correctness": float(judged[r.problem_id] and not r.position)}) for r in g.rollouts
            ),
        )
        for g in groups
    )
    trainer.train()
    assert {rollout.problem_id for rollout in found if rollout.step <= 3} == set(judged)
    assert {rollout.problem_id for rollout in found if rollout.step > 3} == {name for name, right in judged.items() if right}


def test_a_checkpoint_without_the_draw_says_so(tmp_path: Path) -> None:
    choice = Choice(ProblemDraw(["a"], Rules(), Verifier(), 1))
    with pytest.raises(CheckpointError, match="which problems come next"):
        choice.load(tmp_path)
    Choice(ProblemDraw(["b"], Rules(), Verifier(), 1, [Outcome("b", 1, 1)])).save(tmp_path)
    with pytest.raises(CheckpointError, match="which problems come next"):
        choice.load(tmp_path)


def test_a_metric_of_several_rounds_is_one_value() -> None:
    assert joined_metric([1.0, 4.0], "reward", [3, 1]) == pytest.approx(1.75)
    assert joined_metric([1.0, float("nan")], "rewards/own/mean", [3, 1]) == 1.0
    assert joined_metric([3.0, 2.0], "completions/min_length", [3, 1]) == 2.0
    assert joined_metric([3.0, 5.0], "completions/max_length", [3, 1]) == 5.0
    assert joined_metric([0.9, 0.8], "sampling/importance_sampling_ratio/min", [3, 1]) == 0.8
    assert joined_metric([0.1, 0.2], "sampling/sampling_logp_difference/max", [3, 1]) == 0.2


def problem_with(column: Any, row: int) -> Problem:
    return Problem(f"train-{row}", "train", "?", "1", (), (), "1", columns={"rate": column, "topic": "x"})


@pytest.mark.parametrize(("values", "right"), [((0.25, 1), (2, 8)), ((25, 100), (2, 8)), ((0, 50.0), (0, 4))])
def test_a_column_of_solve_rates_is_known_beforehand(values: tuple[float, float], right: tuple[float, float]) -> None:
    problems = tuple(problem_with(value, row) for row, value in enumerate((*values, "n/a")))
    assert of_column(problems, "rate", 8) == [Outcome("train-0", right[0], 8), Outcome("train-1", right[1], 8)]


def test_a_column_that_is_no_solve_rate_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no problem has a number in the column 'topic'.*Columns with numbers: rate"):
        of_column((problem_with(0.5, 0),), "topic", 8)
    with pytest.raises(ConfigError, match="has 250, which is no solve rate"):
        of_column((problem_with(250, 0), problem_with(3, 1)), "rate", 8)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"sampling": "pools", "pool_not_met": 0, "pool_learning": 0, "pool_too_hard": 0, "pool_mastered": 0},
            "every pool's share",
        ),
        ({"pool_too_hard_at": 0.9, "pool_mastered_at": 0.5}, "is not below pool_mastered_at"),
        ({"pool_prior": "demo-1"}, "run:ID of a run or an evaluation"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RunConfig.model_validate(tiny().model_dump() | changes)
