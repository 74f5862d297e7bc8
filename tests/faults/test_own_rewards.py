"""Own reward functions and files that never return, exit or crash: every command says so, and no run is launched on them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Cli, wait_for_job
from training.store import Store

FILE = """
import ctypes, os, re, sys, time
from training.rewards import Reward

def own(completion, gold):
    {body}

REWARDS = [Reward("own", "Own", {maximum}, own, timeout_s=2)]
{end}
"""

BODIES = {
    "while True: pass": "own took longer than 2 s",
    're.match("(a+)+$", "a" * 60 + "b")': "own took longer than 2 s",
    "time.sleep(3600)": "own took longer than 2 s",
    "sys.exit(3)": "own raised SystemExit: 3",
    "os._exit(3)": "own ended its process with status 3",
    "raise KeyboardInterrupt": "own raised KeyboardInterrupt",
    "ctypes.string_at(0)": "own ended its process by signal 11",
    "return bytearray(1 << 60)": "own raised MemoryError",
    'return "1"': "own returned '1'",
}
FILES = {
    "sys.exit(3)": "cannot be run: SystemExit: 3",
    "os._exit(3)": "cannot be run: it ended its process with status 3",
    "raise KeyboardInterrupt": "cannot be run: KeyboardInterrupt",
    "ctypes.string_at(0)": "cannot be run: it ended its process by signal 11",
    "REWARDS = [Reward('own', 'Own', 'high', own)]": "a maximum above 0, not 'high'",
}


@pytest.fixture
def own_file(environment: dict[str, str], tmp_path: Path) -> Callable[..., None]:
    """`own_file("sys.exit(3)")` is the file of own functions from then on, whose function does that."""

    def write(body: str = "return 0.5", maximum: str = "1.0", end: str = "") -> None:
        file = tmp_path / "rewards.py"
        file.write_text(FILE.format(body=body, maximum=maximum, end=end))
        environment["GRPO_ATLAS_REWARDS"] = str(file)

    return write


@pytest.mark.parametrize("body", BODIES)
def test_a_function_that_gives_no_score_is_named_by_every_command_and_ends_a_run_that_meets_it(
    body: str, own_file: Callable[..., None], launch: Callable[..., str], cli: Cli, store: Store, tmp_path: Path
) -> None:
    own_file(body)
    checked = cli("preflight", "--set=rewards.own=1")
    assert (checked.returncode, BODIES[body] in checked.stdout) == (1, True)

    (tmp_path / "rows.jsonl").write_text('{"completion": "<answer>5</answer>", "answer": "5"}\n')
    scored = cli("score", "--jsonl=rows.jsonl")
    assert (scored.returncode, BODIES[body] in scored.stderr + scored.stdout) == (2, True)

    refused = cli("launch", "--preset=demo", "--set=rewards={ own = 1 }")
    assert (refused.returncode, BODIES[body] in refused.stderr) == (2, True)
    own_file()
    run_id = launch("--set=max_steps=100000", "--set=rewards={ own = 1 }")
    own_file(body)  # what its process reads
    failed = wait_for_job(store, run_id, lambda job: not job.active)
    assert (failed.status, BODIES[body] in failed.reason, "on the completion" in failed.reason) == ("failed", True, True)


@pytest.mark.parametrize("end", FILES)
def test_a_file_that_cannot_be_run_is_said_by_what_needs_it_and_keeps_nobody_from_the_rest(
    end: str, own_file: Callable[..., None], launch: Callable[..., str], cli: Cli, store: Store
) -> None:
    own_file()
    run_id = launch("--set=max_steps=100000", "--set=rewards={ own = 1 }")
    wait_for_job(store, run_id, lambda job: job.done >= 1)
    own_file(end=end)
    for command in (["launch", "--set=rewards.own=1"], ["evaluate", "--source=demo"]):
        done = cli(*command)
        assert (done.returncode, FILES[end] in done.stderr) == (2, True), done.stderr
    assert cli("list").returncode == cli("show", run_id).returncode == 0
    assert cli("stop", run_id, "--wait").returncode == 0
    assert store.job(run_id).status == "stopped"
    assert cli("delete", run_id, "--yes").returncode == 0
