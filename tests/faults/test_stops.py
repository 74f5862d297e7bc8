"""Jobs of every kind that do not end when they are asked to: force follows, takes all of the job, and the queue goes on."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import PATIENCE_S, Cli, wait_for_job
from tests.own_kinds.kinds import CODE, CodeSpec
from training.home import Home
from training.processes import state_of
from training.runs.launch import launch_job
from training.store import Job, Store

REWARDS = """
import os, re, subprocess, time
from pathlib import Path
from training.rewards import Reward

folder = Path({folder!r})

def waits(how, completion):
    "Only where completions are scored for a job, not in a check before a launch."
    if b"launch" not in Path(f"/proc/{{os.getppid()}}/cmdline").read_bytes():
        (folder / f"stuck-{{os.getppid()}}").touch()
        how()

def hangs(completion, gold):
    waits(lambda: time.sleep(3600), completion)

def keeps_the_interpreter(completion, gold):
    waits(lambda: re.match("(a+)+$", "a" * 60 + "b"), completion)

def starts_another(completion, gold):
    waits(lambda: subprocess.run(["sleep", "3600"]), completion)

REWARDS = [
    Reward(function.__name__, function.__name__, 1.0, function, timeout_s={timeout_s})
    for function in (hangs, keeps_the_interpreter, starts_another)
]
"""
STUCK = ("hangs", "keeps_the_interpreter", "starts_another")


@pytest.fixture
def environment(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """With functions that hang for an hour in a step."""
    file = tmp_path / "rewards.py"
    file.write_text(REWARDS.format(folder=str(tmp_path), timeout_s=3600))
    environment["GRPO_ATLAS_REWARDS"] = str(file)
    return environment


@pytest.fixture
def in_step(tmp_path: Path) -> Callable[[], psutil.Process]:
    """The process that is stuck in a step, as soon as there is one."""

    def find() -> psutil.Process:
        deadline = time.monotonic() + PATIENCE_S
        while not (marks := list(tmp_path.glob("stuck-*"))):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        return psutil.Process(int(marks[0].name.removeprefix("stuck-")))

    return find


@pytest.fixture
def stuck_run(
    launch: Callable[..., str], store: Store, in_step: Callable[[], psutil.Process]
) -> Iterator[Callable[[str], Job]]:
    """`stuck_run("hangs")` is a run that is stuck in its first step; afterwards nothing of it lives."""
    family: list[psutil.Process] = []

    def start(name: str) -> Job:
        run_id = launch(f"--set=rewards={{ {name} = 1 }}")
        process = in_step()
        family.extend((process, *process.children(recursive=True)))
        assert len(family) >= 2
        return store.job(run_id)

    yield start
    assert psutil.wait_procs(family, timeout=60)[1] == []


@pytest.mark.parametrize("name", STUCK)
def test_a_run_that_is_stuck_in_a_step_is_ended_by_force_and_the_queue_goes_on(
    name: str, stuck_run: Callable[[str], Job], launch: Callable[..., str], cli: Cli, store: Store
) -> None:
    job = stuck_run(name)
    waiting = launch("--set=seed=2")
    assert wait_for_job(store, waiting, lambda run: bool(run.worker)).status == "queued"
    done = cli("stop", job.id, "--force")
    assert (done.returncode, "ended by force" in done.stdout) == (0, True)
    ended = store.job(job.id)
    assert (ended.status, ended.reason, state_of(job.process)) == ("stopped", "ended by force", "gone")
    assert wait_for_job(store, waiting, lambda run: not run.active).status == "finished"
    assert cli("stop", job.id, "--force").returncode == 2
    assert cli("delete", job.id, "--yes").returncode == 0


def test_the_next_run_in_the_queue_ends_one_that_does_not_stop(
    stuck_run: Callable[[str], Job], launch: Callable[..., str], cli: Cli, store: Store, environment: dict[str, str]
) -> None:
    environment["GRPO_ATLAS_STOP_GRACE_S"] = "1"
    job = stuck_run("hangs")
    waiting = launch("--set=seed=2")
    assert cli("stop", job.id).returncode == 0
    assert wait_for_job(store, waiting, lambda run: not run.active).status == "finished"
    ended = store.job(job.id)
    assert (ended.status, ended.reason.startswith("ended by force: asked to stop, it showed no progress for")) == (
        "stopped",
        True,
    )


@pytest.mark.parametrize("command", ["list", "show", "stop --wait"])
def test_whoever_looks_ends_a_run_that_does_not_stop(
    command: str, stuck_run: Callable[[str], Job], cli: Cli, store: Store, environment: dict[str, str]
) -> None:
    job = stuck_run("keeps_the_interpreter")
    if command != "stop --wait":
        cli("stop", job.id)
        cli("list")
        assert (store.job(job.id).status, state_of(job.process)) == ("stopping", "alive")
    words, *options = command.split()
    done = cli(words, *([job.id] if words != "list" else []), *options, GRPO_ATLAS_STOP_GRACE_S="0")
    assert done.returncode == 0, done.stderr
    assert (store.job(job.id).status, state_of(job.process)) == ("stopped", "gone")


def test_a_command_that_is_killed_while_it_ends_a_run_leaves_the_rest_to_the_next(
    stuck_run: Callable[[str], Job], cli: Cli, store: Store, environment: dict[str, str]
) -> None:
    job = stuck_run("hangs")
    store.request_stop(job.id, force=True)  # all that it had done
    assert cli("list").returncode == 0
    assert (store.job(job.id).status, state_of(job.process)) == ("stopped", "gone")


def test_a_measurement_that_is_stuck_is_ended_too(
    cli: Cli, store: Store, in_step: Callable[[], psutil.Process], environment: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "training", "evaluate", "--source=demo", "--fraction=0.01"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        family = [in_step(), *in_step().children()]
        assert cli("stop", "evaluate-1", "--force").returncode == 0
        assert process.wait(60) == -9
    assert psutil.wait_procs(family, timeout=60)[1] == []
    assert store.job("evaluate-1").status == "stopped"


@pytest.mark.usefixtures("own_kinds")
def test_other_jobs_that_are_stuck_are_ended_too(store: Store, home: Home, cli: Cli) -> None:
    job_id = launch_job(store, home, CODE, CodeSpec(code="import time; time.sleep(3600)"))
    process = store.job(job_id).process
    assert state_of(process) == "alive"
    assert cli("stop", job_id, "--force").returncode == 0
    assert (store.job(job_id).status, state_of(process)) == ("stopped", "gone")


def test_a_killed_run_leaves_no_function_behind(stuck_run: Callable[[str], Job], store: Store) -> None:
    """The fixture sees to it that the function's process ends, which keeps the interpreter to itself in a time of its own."""
    job = stuck_run("keeps_the_interpreter")
    psutil.Process(int(job.worker.rpartition(":")[2])).kill()
    assert wait_for_job(store, job.id, lambda run: not run.active).status == "lost"
