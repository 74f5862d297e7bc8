"""The training process for real: TRL, the demo model, SQLite, detached processes, through the command line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from training.backends import local
from training.data.problems import load_problems
from training.data.sample import sample
from training.home import DEMO_MODEL, Home
from training.insight.counterfactuals import reweigh
from training.store import Job, Store
from training.store.evaluations import complete_evaluations

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
            timeout=1800,
        )

    return run


@pytest.fixture(scope="module")
def store(home: Home) -> Iterator[Store]:
    """The store; processes that a failed test left behind end with it."""
    store = Store.open(home.store_url)
    yield store
    for job in store.jobs():
        if local.LocalBackend(home).status(job) == "alive":
            os.kill(int(job.worker.rpartition(":")[2]), signal.SIGKILL)


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
    for _ in range(18_000):
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
    evaluations = {evaluation.label: evaluation for evaluation in complete_evaluations(store, finished.id)}
    expected = [problem.id for problem in sample(load_problems("demo").of_split("test"), 4)]
    for label in ("before", "after"):
        assert [item.problem_id for item in evaluations[label].items] == expected


def test_checkpoints_are_recorded_and_there(finished: Job, store: Store) -> None:
    checkpoints = store.checkpoints(finished.id)
    assert [checkpoint.step for checkpoint in checkpoints] == [2, 3]
    assert all((Path(checkpoint.path) / "adapter_model.safetensors").is_file() for checkpoint in checkpoints)


def test_show_prints_the_runs_facts_as_json(finished: Job, training: Run) -> None:
    shown: dict[str, Any] = json.loads(training("show", finished.id, "--json").stdout)
    assert shown["status"] == "finished"
    assert set(shown["evaluations"]["after"]) == {
        "hard",
        "soft",
        "integer",
        "soft_format",
        "strict_format",
        "without_answer",
        "intervals",
        "tokens",
    }
    assert shown["config"]["max_steps"] == 3
    listed = json.loads(training("list", "--json").stdout)
    assert finished.id in [run["run_id"] for run in listed]


def test_a_killed_run_is_lost_frees_the_accelerator_and_goes_on_from_its_checkpoint(
    training: Run, store: Store, home: Home
) -> None:
    """The whole story with real processes: `kill -9`, the next run's turn, its stop, and the killed run's resume."""
    small = ("per_device_train_batch_size=8", "num_generations=4", "max_completion_length=16")
    killed = launch(training, *small, "save_steps=2")
    waiting = launch(training, *small, "seed=7")
    wait_until(lambda: store.last_rollout_step(killed) >= 3, "the third step")
    assert store.job(waiting).status == "queued"
    os.kill(int(store.job(killed).worker.rpartition(":")[2]), signal.SIGKILL)
    wait_until(lambda: store.job(waiting).status == "running", "the waiting run's turn")
    half_a_minute_later = Store.open(home.store_url, clock=lambda: time.time() + 30)
    assert half_a_minute_later.job(killed).status == "lost"
    assert len(store.rollouts(killed, step=1)) == 8

    training("stop", waiting, "--wait")
    stopped = store.job(waiting)
    assert stopped.status == "stopped"
    assert stopped.reason == f"stopped on request at step {stopped.done:.0f} of 500, checkpoint saved"
    assert store.checkpoints(waiting)[-1].step == stopped.done

    at_kill = store.last_rollout_step(killed)
    Store.open(home.store_url, clock=lambda: time.time() - 30).beat(killed)
    training("resume", killed)
    wait_until(lambda: store.last_rollout_step(killed) > at_kill, "a step beyond the last before the kill")
    training("stop", killed, "--wait")
    steps = Counter(rollout.step for rollout in store.rollouts(killed))
    assert steps == dict.fromkeys(range(1, int(store.job(killed).done) + 1), 8)


def test_a_run_whose_model_cannot_be_loaded_fails_with_the_reason(training: Run, store: Store, tmp_path: Path) -> None:
    model = Path(shutil.copytree(DEMO_MODEL, tmp_path / "model"))
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"intermediate_size": 96}))
    done = training("launch", *settings(f"model={model}"), "--wait", check=False)
    assert done.returncode == 1
    run_id = done.stdout.strip().removeprefix("run_id: ")
    assert "cannot be loaded" in store.job(run_id).reason


def test_evaluate_prints_the_articles_table(training: Run) -> None:
    arguments = ("--source", "demo", "--fraction", "0.01", "--max-completion-length", "40", "--json")
    facts = json.loads(training("evaluate", *arguments).stdout)
    assert facts["problems"] == 4
    assert 0 <= facts["intervals"]["hard"][0] <= facts["hard"] <= facts["intervals"]["hard"][1] <= 1


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
