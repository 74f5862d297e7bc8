"""Runs on a real Ray head with their store on a real Postgres: queued, stopped, resumed, the database restarted and the head
killed under them; and a run on two workers that loses one."""

import hashlib
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster.conftest import Head
from tests.postgres import PASSWORD, Postgres
from training.backends.ray import RayBackend
from training.backends.registry import backend_named, backend_state
from training.config import RunConfig
from training.errors import BackendError
from training.home import Home
from training.jobs.train.job import TRAIN
from training.jobs.train.outbox import NAME as OUTBOX
from training.rewards import REWARDS
from training.rewards.own import register_own_rewards
from training.runs.launch import launch_job, resume_run, stop_run
from training.runs.reconciling import reconcile
from training.store import Job, Store

SECRET = "hunter2-that-nobody-may-read"
STEPS = 9
PATIENCE_S = 600
"""Far beyond what anything here takes, for machines that do much besides."""

REWARDS_FILE = '''
"""Scores like any other, but waits in the n-th step of the process that asks while there is a file gate-n, and says so."""
import hashlib, os, time
from pathlib import Path
from training.rewards import Reward

folder = Path(os.environ.get("TEST_FOLDER", "."))
completions = 4 // int(os.environ.get("GRPO_ATLAS_WORKERS", 1))  # of a step, in this process
calls = 0

def score(completion, gold):
    global calls
    step = calls // completions + 1
    gate = folder / f"gate-{step}"
    if gate.exists():
        secret = hashlib.sha256(os.environ["TEST_SECRET"].encode()).hexdigest()
        (folder / f"waits-{step}-{os.getppid()}").write_text(secret)
    while gate.exists():
        time.sleep(0.05)
    calls += 1
    return len(completion) % 5 / 10

REWARDS = [Reward("gated", "Gated", 1.0, score, timeout_s=3600)]
'''


class Gates:
    """Where runs wait: in the n-th step of each process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def close(self, step: int) -> None:
        (self._folder / f"gate-{step}").touch()

    def open(self, step: int) -> None:
        (self._folder / f"gate-{step}").unlink()

    def open_all(self) -> None:
        for gate in self._folder.glob("gate-*"):
            gate.unlink()

    def waiting(self, step: int) -> dict[int, str]:
        """Process id -> the hash of the secret that it has, of those that came to a gate."""
        found = self._folder.glob(f"waits-{step}-*")
        return {int(file.name.rpartition("-")[2]): file.read_text() for file in found}


@pytest.fixture
def gates(tmp_path: Path) -> Iterator[Gates]:
    """None closed yet; afterwards none is."""
    found = Gates(tmp_path)
    yield found
    found.open_all()


@pytest.fixture
def home(head: Head, tmp_path: Path, gates: Gates, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home whose backends `a100` and `pair` are the head; afterwards no job is left on it."""
    monkeypatch.setenv("TEST_SECRET", SECRET)
    monkeypatch.setenv("TEST_PASSWORD", PASSWORD)
    rewards = tmp_path / "rewards.py"
    rewards.write_text(REWARDS_FILE, encoding="utf-8")
    variables = {"GRPO_ATLAS_HOME": str(tmp_path / "home"), "GRPO_ATLAS_REWARDS": str(rewards)}
    made = Home.from_environment(variables | {"GRPO_ATLAS_STORE": postgres_url})
    cluster = f"""
kind = "ray"
address = "{head.address}"
accelerator_type = "A100"
store = "{postgres_url.replace(PASSWORD.replace("%", "%25"), "${TEST_PASSWORD}")}"
home = "{tmp_path / "there"}"
secrets = ["TEST_SECRET"]
pip = "none"
timeout_s = 30
environment = {{ TEST_FOLDER = "{tmp_path}", HF_HUB_OFFLINE = "1", OMP_NUM_THREADS = "1" }}
"""
    nowhere = 'kind = "ray"\naddress = "http://127.0.0.1:1"\ntimeout_s = 1\n'
    (made.root / "backends.toml").write_text(
        f'[a100]\ntitle = "One A100"{cluster}[pair]\ntitle = "Two workers"\nworkers = 2\ngpus = 0{cluster}[nowhere]\n{nowhere}',
        encoding="utf-8",
    )
    yield made
    gates.open_all()
    for job in Store.open(made.store_url).jobs():
        with suppress(BackendError):
            backend_named(job.backend, made).stop(job)


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    """That home's."""
    opened = Store.open(home.store_url)
    yield opened
    opened.close()


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


def submit(store: Store, home: Home, run: RunConfig, backend: str = "a100") -> str:
    return launch_job(store, home, TRAIN, run, name="demo", backend=backend, total=run.max_steps)


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
    raise AssertionError(f"{store.job(job_id)}\n{log_of(store.job(job_id), home)[-3000:]}")


def wait_for(store: Store, home: Home, job_id: str, status: str) -> Job:
    return wait_until(store, home, job_id, lambda job: job.status == status)


def wait_for_gate(gates: Gates, step: int, processes: int = 1) -> dict[int, str]:
    """Without a word from the store."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if len(found := gates.waiting(step)) == processes:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{processes} processes did not come to their step {step}")


def wait_in_step(store: Store, home: Home, job_id: str, step: int) -> None:
    """Until the steps before it are on record."""
    wait_until(store, home, job_id, lambda job: job.status == "running" and job.done == step - 1)


def log_of(job: Job, home: Home) -> str:
    return backend_named(job.backend, home).logs(job)


@pytest.mark.usefixtures("gated")
def test_runs_queue_stop_resume_and_survive_their_database_and_their_head(
    head: Head, postgres: Postgres, home: Home, store: Store, gates: Gates, tmp_path: Path
) -> None:
    gates.close(3)
    first, second = submit(store, home, config(1, STEPS)), submit(store, home, config(2, 1))
    wait_in_step(store, home, first, 3)
    assert submit_again(store, home, first) == 1

    busy = backend_state("a100", home, store)
    assert (busy.kind, busy.running, busy.waiting) == ("busy", (first,), (second,))
    assert busy.total_gpus == 1
    assert busy.free_gpus in (0, None)  # Ray does not always say
    assert store.job(second).status == "queued"

    stop_run(store, home, first)
    gates.open(3)
    stopped = wait_for(store, home, first, "stopped")
    assert (stopped.done, "stopped on request" in stopped.reason) == (3, True)
    assert wait_for(store, home, second, "finished").done == 1

    # The resumed process takes steps 4 and 5, and waits in its third.
    gates.close(3)
    gates.close(5)
    resume_run(store, home, first)
    wait_in_step(store, home, first, 6)
    postgres.stop()
    gates.open(3)
    wait_for_gate(gates, 5)  # it goes on for two steps, which nobody takes from it
    assert (tmp_path / "there" / "runs" / first / OUTBOX).exists()
    assert backend_state("a100", home, store).running == (first,)
    postgres.start()
    wait_in_step(store, home, first, 8)
    assert ledger(store, first) == once(steps=7)

    head.kill()
    assert backend_state("a100", home, store).kind == "unreachable"
    assert wait_for(store, home, first, "lost").done == 7
    gates.open_all()
    head.start()
    assert "its head was restarted" in wait_for(store, home, first, "failed").reason

    resume_run(store, home, first)
    assert wait_for(store, home, first, "finished").done == STEPS
    assert ledger(store, first) == once(STEPS)
    assert Counter(scalar.step for scalar in store.scalars(first) if scalar.name == "reward") == Counter(range(1, STEPS + 1))
    assert [checkpoint.step for checkpoint in store.checkpoints(first)] == [STEPS - 1, STEPS]
    assert ledger(store, second) == once(steps=1)


def ledger(store: Store, job_id: str) -> Counter[tuple[int, int, int]]:
    return Counter((rollout.step, rollout.group_index, rollout.position) for rollout in store.rollouts(job_id))


def once(steps: int) -> Counter[tuple[int, int, int]]:
    """Every rollout of two groups of two a step."""
    return Counter((step, group, position) for step in range(1, steps + 1) for group in (0, 1) for position in (0, 1))


def submit_again(store: Store, home: Home, job_id: str) -> int:
    """A second submission of a run that is under way; how many jobs of it Ray knows then."""
    backend = backend_named("a100", home)
    assert isinstance(backend, RayBackend)
    backend.submit(store.job(job_id), ["-m", "training.jobs", job_id])
    return sum(submission.metadata.get("grpo_atlas_run") == job_id for submission in backend._cluster().submissions())


@pytest.mark.usefixtures("gated")
def test_two_workers_have_the_secrets_that_nobody_reads_and_end_with_the_one_that_is_lost(
    head: Head, home: Home, store: Store, gates: Gates, tmp_path: Path
) -> None:
    gates.close(3)
    job_id = submit(store, home, config(1, STEPS), "pair")
    workers = wait_for_gate(gates, 3, processes=2)
    assert set(workers.values()) == {hashlib.sha256(SECRET.encode()).hexdigest()}
    wait_in_step(store, home, job_id, 3)
    assert ledger(store, job_id) == once(steps=2)
    nobody_reads_the_secrets(head, tmp_path, store.job(job_id), home)

    os.kill(min(workers), signal.SIGKILL)
    failed = wait_for(store, home, job_id, "failed")
    assert re.match(r"Worker [12] of 2 was lost: its process ended unexpectedly\.", failed.reason), failed.reason
    assert ledger(store, job_id) == once(steps=2)


def nobody_reads_the_secrets(head: Head, tmp_path: Path, job: Job, home: Home) -> None:
    """Neither in Ray's folder with its logs and packages, nor in the run's log, nor in the test's other files."""
    assert "Running entrypoint" in log_of(job, home)
    command = ["grep", "--recursive", "--files-with-matches", "--fixed-strings", "--devices=skip"]
    found = {
        text: subprocess.run([*command, text, head.folder, tmp_path], capture_output=True, text=True).stdout.split()
        for text in (SECRET, PASSWORD, PASSWORD.replace("%", "%25"), job.id)
    }
    assert len(found.pop(job.id)) > 2
    assert not any(found.values()), found


@pytest.mark.usefixtures("gated")
def test_a_job_that_cannot_even_start_says_why(home: Home, store: Store) -> None:
    file = home.root / "backends.toml"
    file.write_text(file.read_text().replace('pip = "none"', 'pip = "none"\npython = "no-such-python"'))
    job_id = submit(store, home, config(3, 1))
    failed = wait_for(store, home, job_id, "failed")
    assert "exit code 127" in failed.reason
    assert "no-such-python" in failed.reason


def test_a_head_that_is_not_there_is_unreachable_within_seconds(home: Home, store: Store) -> None:
    begun = time.monotonic()
    state = backend_state("nowhere", home, store)
    assert (state.kind, "connection refused" in state.reason) == ("unreachable", True)
    assert time.monotonic() - begun < 60
