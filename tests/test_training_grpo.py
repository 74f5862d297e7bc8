"""The training process for real: TRL, the demo model, SQLite, detached processes, through the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.counterfactuals import reweigh
from training.home import Home
from training.problems import load_problems
from training.store import Job, Store

Run = Callable[..., subprocess.CompletedProcess[str]]

SMALL = ["max_steps=3", "per_device_train_batch_size=8", "num_generations=4", "evaluation_problems=4", "save_steps=2"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One home for the module: its runs stand beside each other as a person's would."""
    return Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture(scope="module")
def training(home: Home) -> Run:
    """`training("launch", ...)` runs `python -m training launch ...` in this home."""

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "training", *arguments],
            env=os.environ | home.environment(),
            capture_output=True,
            text=True,
            check=check,
            timeout=300,
        )

    return run


@pytest.fixture(scope="module")
def store(home: Home) -> Store:
    return Store.open(home.store_url)


@pytest.fixture(scope="module")
def finished(training: Run, store: Store) -> Job:
    """A small run that went through to its end."""
    launched = training("launch", "--preset", "demo", *settings(*SMALL), "--json", "--wait")
    return store.job(json.loads(launched.stdout)["run_id"])


def settings(*assignments: str) -> list[str]:
    return [part for assignment in assignments for part in ("--set", assignment)]


def launch(training: Run, *assignments: str) -> str:
    launched = training("launch", "--preset", "demo", *settings("evaluation_problems=0", "max_steps=500", *assignments))
    return launched.stdout.strip().removeprefix("run_id: ")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"waited in vain for {what}")


def test_a_run_finishes_and_says_why(finished: Job) -> None:
    assert (finished.status, finished.reason, finished.done) == ("finished", "all 3 steps done", 3)


def test_every_completion_of_every_group_is_in_the_ledger(finished: Job, store: Store) -> None:
    rollouts = store.rollouts(finished.id)
    assert [(r.step, r.group_index, r.position) for r in rollouts] == [
        (step, group, position) for step in (1, 2, 3) for group in (0, 1) for position in range(4)
    ]
    problems = {problem.id for problem in load_problems("demo").of_split("train")}
    for group in Counter((r.step, r.group_index, r.problem_id) for r in rollouts).items():
        assert group[0][2] in problems
        assert group[1] == 4
    assert all(r.tokens > 0 and r.finish_reason in ("stop", "length") for r in rollouts)
    assert all(r.completion for r in rollouts)


def test_ledger_totals_and_advantages_agree_with_trl(finished: Job, store: Store) -> None:
    scalars = {(scalar.step, scalar.name): scalar.value for scalar in store.scalars(finished.id)}
    for step in (1, 2, 3):
        rollouts = store.rollouts(finished.id, step)
        totals = [r.total for r in rollouts]
        assert sum(totals) / len(totals) == pytest.approx(scalars[step, "reward"], abs=1e-4)
        for name in rollouts[0].rewards:
            mean = sum(r.rewards[name] for r in rollouts) / len(rollouts)
            assert mean == pytest.approx(scalars[step, f"rewards/{name}/mean"], abs=1e-4)
        for group in (0, 1):
            advantages = [r.advantage for r in rollouts if r.group_index == group]
            assert sum(advantages) == pytest.approx(0, abs=1e-3)
            ranked = sorted((r.total, r.advantage) for r in rollouts if r.group_index == group)
            assert [advantage for _, advantage in ranked] == sorted(advantages)


def test_scalars_of_each_step_are_under_trls_names(finished: Job, store: Store) -> None:
    names = Counter(scalar.name for scalar in store.scalars(finished.id))
    for name in ("reward", "reward_std", "frac_reward_zero_std", "step_time", "loss", "grad_norm", "completions/mean_length"):
        assert names[name] == 3, name


def test_evaluations_before_and_after_are_stored_per_problem(finished: Job, store: Store) -> None:
    evaluations = {evaluation.label: evaluation for evaluation in store.evaluations(finished.id)}
    expected = [problem.id for problem in load_problems("demo").of_split("test")[:4]]
    for label in ("before", "after"):
        assert [item.problem_id for item in evaluations[label].items] == expected


def test_checkpoints_are_recorded_and_there(finished: Job, store: Store) -> None:
    checkpoints = store.checkpoints(finished.id)
    assert [checkpoint.step for checkpoint in checkpoints] == [2, 3]
    assert all((Path(checkpoint.path) / "model.safetensors").is_file() for checkpoint in checkpoints)


def test_show_prints_the_runs_facts_as_json(finished: Job, training: Run) -> None:
    shown: dict[str, Any] = json.loads(training("show", finished.id, "--json").stdout)
    assert shown["status"] == "finished"
    assert set(shown["evaluations"]["after"]) == {
        "hard",
        "soft",
        "integer",
        "soft_format",
        "strict_format",
        "intervals",
        "tokens",
    }
    assert shown["config"]["max_steps"] == 3
    listed = json.loads(training("list", "--json").stdout)
    assert finished.id in [run["run_id"] for run in listed]


def test_a_stop_ends_at_the_next_step_with_a_checkpoint_and_resume_goes_on_from_it(training: Run, store: Store) -> None:
    run_id = launch(training, "max_steps=6", "per_device_train_batch_size=8", "num_generations=4")
    wait_until(lambda: store.last_rollout_step(run_id) >= 2, "the second step")
    training("stop", run_id, "--wait")
    stopped = store.job(run_id)
    assert stopped.status in ("stopped", "finished")
    if stopped.status == "finished":
        pytest.skip("the machine finished all steps before the stop was seen")
    last = int(stopped.done)
    assert [checkpoint.step for checkpoint in store.checkpoints(run_id)][-1] == last
    assert f"stopped on request at step {last} of 6" in stopped.reason

    training("resume", run_id)
    wait_until(lambda: not store.job(run_id).active, "the resumed run's end")
    assert store.job(run_id).reason == "all 6 steps done"
    assert Counter(r.step for r in store.rollouts(run_id)) == dict.fromkeys(range(1, 7), 8)


def test_a_killed_run_frees_the_accelerator_and_leaves_the_store_readable(training: Run, store: Store) -> None:
    run_id = launch(training, "per_device_train_batch_size=8", "num_generations=4")
    waiting = launch(training, "per_device_train_batch_size=8", "num_generations=4", "seed=7")
    wait_until(lambda: store.last_rollout_step(run_id) >= 1, "the first step")
    assert store.job(waiting).status == "queued"
    os.kill(int(store.job(run_id).worker.rpartition(":")[2]), signal.SIGKILL)
    wait_until(lambda: store.job(waiting).status == "running", "the waiting run's turn")
    wait_until(lambda: store.job(run_id).status == "lost", "the killed run to be known as lost")
    assert store.rollouts(run_id, step=1)
    training("stop", waiting, "--wait")
    assert store.job(waiting).status == "stopped"


def test_a_run_whose_model_is_missing_fails_with_the_reason(training: Run, store: Store) -> None:
    done = training("launch", *settings("model=/no/such/model"), "--wait", check=False)
    assert done.returncode == 1
    run_id = done.stdout.strip().removeprefix("run_id: ")
    assert "'/no/such/model' cannot be loaded" in store.job(run_id).reason


def test_evaluate_prints_the_articles_table(training: Run) -> None:
    arguments = ("--source", "demo", "--fraction", "0.01", "--max-completion-length", "40", "--json")
    facts = json.loads(training("evaluate", *arguments).stdout)
    assert facts["problems"] == 4
    assert 0 <= facts["intervals"]["hard"][0] <= facts["hard"] <= facts["intervals"]["hard"][1] <= 1


def test_a_reward_that_raises_fails_the_run_and_names_the_completion() -> None:
    from training.grpo import RewardError, _trl_reward
    from training.rewards import Reward

    def broken(completion: str, gold: str) -> float:
        raise ValueError("no parser")

    score = _trl_reward(Reward("broken", "Broken", 1.0, broken))
    with pytest.raises(RewardError, match="broken raised ValueError: no parser on the completion 'abc'"):
        score(completions=[[{"content": "abc"}]], gold=["1"])


def test_evaluate_draws_several_samples_a_problem_and_keeps_them(training: Run) -> None:
    arguments = ["--model", "demo", "--source", "demo", "--fraction", "0.02", "--samples", "3", "--temperature", "1", "--json"]
    facts = json.loads(training("evaluate", *arguments).stdout)
    assert (facts["problems"], facts["samples"]) == (8, 3)
    assert list(facts["sampled"]) == ["pass@1", "majority@1", "pass@2", "majority@2", "pass@3", "majority@3"]
    assert facts["sampled"]["pass@1"][0] == pytest.approx(facts["hard"])
    assert facts["sampled"]["pass@3"][0] >= facts["sampled"]["pass@2"][0] >= facts["sampled"]["pass@1"][0]
    assert sum(row["problems"] for row in facts["by_steps"]) == 8
    assert facts["tokens"] > 24
    assert facts["seconds"] > 0


def test_the_ledger_gives_back_trls_advantages(finished: Job, store: Store) -> None:
    assert reweigh(store, finished.id).recorded_difference < 0.02


def test_a_finished_run_is_asked_what_to_look_at_and_what_other_weights_would_do(training: Run, finished: Job) -> None:
    steps = int(finished.total)
    assert f"The run has {steps} steps on record" in training("health", finished.id).stdout
    facts = json.loads(training("reweigh", finished.id, "--weight", "correctness=1", "--json").stdout)
    assert facts["weights"] == {"correctness": 1.0}
    assert facts["rollouts"] >= len(facts["flipped"]) + len(facts["silenced"]) + len(facts["awakened"])
