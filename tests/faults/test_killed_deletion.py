"""A deletion that is killed, for real, at each of its states: the next look shows the run whole or not at all."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.storage import Program
from training.store import Rollout, Store

KILLED = """
import os, signal, sys
from pathlib import Path
from training.runs import deletion
from training.__main__ import main

place, name, when = sys.argv[1:4]
owner = {"deletion": deletion, "shutil": deletion.shutil, "os": os, "Path": Path}[place]
whole = getattr(owner, name)

def killed(*args, **given):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    whole(*args, **given)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, killed)
main(["delete", sys.argv[4], "--yes"])
"""

STATES = {
    "before anything": ("deletion", "_make_mark", "before", True),
    "marked, rows there": ("deletion", "_make_mark", "after", True),
    "rows gone, folder there": ("deletion", "_delete_files", "before", False),
    "a file of the folder gone": ("os", "unlink", "after", False),
    "folder gone, mark there": ("shutil", "rmtree", "after", False),
    "all gone": ("deletion", "_delete_files", "after", False),
}
"""What is killed -> (where, the function, whether before or after it, whether the run is still there)."""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path / "home", tmp_path)


def finished_run(program: Program) -> str:
    store = Store.open(program.home.store_url)
    job_id = store.create_job("train", "demo", {"preset": "demo", "model": "demo", "source": "demo"})[0].id
    store.start(job_id)
    store.record(job_id, rollouts=[Rollout(1, 0, 0, "train-0", "a", {}, 1.0, 0.5, 3, "stop")], scalars=[(1, {"reward": 1.0})])
    checkpoint = program.root / "runs" / job_id / "checkpoint-1"
    checkpoint.mkdir(parents=True)
    for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"):
        (checkpoint / name).write_text("x")
    store.add_checkpoint(job_id, 1, str(checkpoint))
    store.end(job_id, "finished", "done")
    store.close()
    return job_id


@pytest.mark.parametrize("state", STATES)
def test_a_killed_deletion_is_undone_or_finished_by_the_next_command(program: Program, state: str) -> None:
    *kill, is_there = STATES[state]
    job_id = finished_run(program)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, kill), job_id], env=program.environment, cwd=program.scratch, timeout=600
    )
    assert done.returncode == -signal.SIGKILL
    listed = program.run("list", "--json")
    assert [run["run_id"] for run in json.loads(listed.stdout)] == ([job_id] if is_there else [])
    folder = program.root / "runs" / job_id
    assert folder.exists() is is_there
    assert list((program.root / "deletions").iterdir()) == []
    if is_there:
        shown = json.loads(program.run("show", job_id, "--json").stdout)
        assert [checkpoint["step"] for checkpoint in shown["checkpoints"]] == [1]
        assert len(list((folder / "checkpoint-1").iterdir())) == 5
        assert program.run("delete", job_id, "--yes").returncode == 0
        assert not folder.exists()
