"""Runs on a real Ray head: queued, stopped, resumed, and resumed once more on a new head after the first was killed."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster.conftest import Head
from training.backends.ray import RayBackend
from training.config import RunConfig
from training.errors import BackendError
from training.home import Home
from training.launch import backend_named, backend_state, resume_run, stop_run, submit_job
from training.own_rewards import register_own_rewards
from training.reconciling import reconcile
from training.rewards import REWARDS
from training.store import Job, Store

SECRET = "hunter2-that-nobody-may-read"
STEPS = 8
PATIENCE_S = 600
"""Far beyond what anything here takes, for machines that do much besides."""

REWARDS_FILE = '''
"""Scores like any other, but waits at the gate in the third step of each process."""
import os, time
from pathlib import Path
from training.rewards import Reward

calls = 0

def score(completion, gold):
    global calls
    calls += 1
    while calls > 8 and Path(os.environ["TEST_GATE"]).exists():
        time.sleep(0.05)
    return len(completion) % 5 / 10

REWARDS = [Reward("gated", "Gated", 1.0, score)]
'''


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """While this file is there, a run waits in its third step."""
    file = tmp_path / "gate"
    file.touch()
    return file


@pytest.fixture
def home(head: Head, tmp_path: Path, gate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home whose backend `a100` is the head; afterwards no job is left on it."""
    monkeypatch.setenv("TEST_SECRET", SECRET)
    rewards = tmp_path / "rewards.py"
    rewards.write_text(REWARDS_FILE, encoding="utf-8")
    made = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path / "home"), "GRPO_ATLAS_REWARDS": str(rewards)})
    (made.root / "backends.toml").write_text(
        f"""
[a100]
kind = "ray"
title = "One A100"
address = "{head.address}"
accelerator_type = "A100"
home = "{tmp_path / "there"}"
secrets = ["TEST_SECRET"]
pip = "none"
timeout_s = 30
[a100.environment]
TEST_GATE = "{gate}"
HF_HUB_OFFLINE = "1"
OMP_NUM_THREADS = "1"
[nowhere]
kind = "ray"
address = "http://127.0.0.1:1"
timeout_s = 1
""",
        encoding="utf-8",
    )
    yield made
    gate.unlink(missing_ok=True)
    for job in Store.open(made.store_url).jobs():
        with suppress(BackendError):
            backend_named("a100", made).stop(job)


@pytest.fixture
def gated(home: Home) -> Iterator[None]:
    """Has this process know the reward function that travels with the runs."""
    kept = dict(REWARDS)
    register_own_rewards(home.rewards)
    yield
    REWARDS.clear()
    REWARDS.update(kept)


def config(seed: int, steps: int) -> RunConfig:
    return RunConfig(
        model="demo",
        source="demo",
        max_steps=steps,
        num_generations=2,
        per_device_train_batch_size=4,
        max_completion_length=12,
        temperature=2.0,
        save_steps=1,
        save_total_limit=2,
        rewards={"gated": 1.0},
        seed=seed,
    )


def submit(store: Store, home: Home, run: RunConfig) -> str:
    return submit_job(
        store,
        home,
        kind="train",
        name="demo",
        spec=run.model_dump(mode="json"),
        module="training",
        arguments=["run"],
        backend="a100",
        total=run.max_steps,
    )


def wait_until(store: Store, home: Home, job_id: str, reached: Callable[[Job], bool]) -> Job:
    """Reconciling now and then, as the dashboard does."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        for _ in range(10):
            job = store.job(job_id)
            if reached(job):
                return job
            time.sleep(0.3)
        reconcile(store, home)
    log = backend_named("a100", home).logs(store.job(job_id))
    raise AssertionError(f"{store.job(job_id)}\n{log[-3000:]}")


def wait_for(store: Store, home: Home, job_id: str, status: str) -> Job:
    return wait_until(store, home, job_id, lambda job: job.status == status)


@pytest.mark.usefixtures("gated")
def test_two_runs_queue_stop_resume_and_survive_their_head(head: Head, home: Home, gate: Path) -> None:
    store = Store.open(home.store_url)
    first, second = submit(store, home, config(1, STEPS)), submit(store, home, config(2, 1))
    at_the_gate(store, home, first, after_step=2)
    assert submit_again(store, home, first) == 1

    busy = backend_state("a100", home, store)
    assert (busy.kind, busy.running, busy.waiting) == ("busy", (first,), (second,))
    assert busy.total_gpus == 1
    assert busy.free_gpus in (0, None)  # Ray does not always say
    assert store.job(second).status == "queued"

    stop_run(store, home, first)
    gate.unlink()
    stopped = wait_for(store, home, first, "stopped")
    assert (stopped.done, "stopped on request" in stopped.reason) == (3, True)
    assert wait_for(store, home, second, "finished").done == 1
    nobody_reads_the_secret(head, home, first)

    gate.touch()
    resume_run(store, home, first)
    at_the_gate(store, home, first, after_step=5)
    head.kill()
    assert backend_state("a100", home, store).kind == "unreachable"
    assert wait_for(store, home, first, "lost").done == 5
    head.start()
    assert "its head was restarted" in wait_for(store, home, first, "failed").reason

    gate.unlink()
    resume_run(store, home, first)
    assert wait_for(store, home, first, "finished").done == STEPS
    assert [len(store.rollouts(first, step)) for step in range(1, STEPS + 1)] == [4] * STEPS
    assert len(store.rollouts(first)) == 4 * STEPS


def at_the_gate(store: Store, home: Home, job_id: str, after_step: int) -> None:
    wait_until(store, home, job_id, lambda job: job.status == "running" and job.done == after_step)


def submit_again(store: Store, home: Home, job_id: str) -> int:
    """A second submission of a run that is under way; how many jobs of it Ray knows then."""
    backend = backend_named("a100", home)
    assert isinstance(backend, RayBackend)
    backend.submit(store.job(job_id), ["-m", "training", "run", "--job", job_id])
    return sum(submission.metadata.get("grpo_atlas_run") == job_id for submission in backend._cluster().submissions())


def nobody_reads_the_secret(head: Head, home: Home, job_id: str) -> None:
    """Neither in Ray's folder with its logs and packages, nor in the run's log, nor in the store."""
    assert "Running entrypoint" in backend_named("a100", home).logs(Store.open(home.store_url).job(job_id))
    # In another process: to close a file of the store in this one would take away SQLite's locks on it.
    command = ["grep", "--recursive", "--files-with-matches", "--fixed-strings"]
    found = {
        text: subprocess.run([*command, text, head.folder, home.root], capture_output=True, text=True).stdout.split()
        for text in (SECRET, job_id)
    }
    assert found[SECRET] == []
    assert len(found[job_id]) > 2


@pytest.mark.usefixtures("gated")
def test_a_job_that_cannot_even_start_says_why(head: Head, home: Home) -> None:
    store = Store.open(home.store_url)
    file = home.root / "backends.toml"
    file.write_text(file.read_text().replace('pip = "none"', 'pip = "none"\npython = "no-such-python"'))
    job_id = submit(store, home, config(3, 1))
    failed = wait_for(store, home, job_id, "failed")
    assert "exit code 127" in failed.reason
    assert "no-such-python" in failed.reason


def test_a_head_that_is_not_there_is_unreachable_within_seconds(home: Home) -> None:
    begun = time.monotonic()
    state = backend_state("nowhere", home, Store.open(home.store_url))
    assert (state.kind, "connection refused" in state.reason) == ("unreachable", True)
    assert time.monotonic() - begun < 60
