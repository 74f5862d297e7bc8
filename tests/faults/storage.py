"""What tests of full, read-only and vanished storage share: small disks, and the program's processes on a home of theirs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from training.home import Home
from training.store import Job, Rollout, Store

WAIT_S = 600
"""Generous: what is waited for takes seconds on an idle machine."""

TINY = """\
model = "demo"
source = "demo"
max_steps = {max_steps}
num_generations = 2
per_device_train_batch_size = 4
max_completion_length = 12
temperature = 2.0
lora_rank = 2
learning_rate = 0.002
save_steps = 4
save_total_limit = 2
evaluate_before = false
evaluate_after = false

[rewards]
integer = 1.0
length = 1.0
"""
"""Half a second a step. A reward of one's own, the length, differs between completions, so that there is something to learn."""

REWARDS = """
from training.rewards import Reward

def length(completion, gold):
    return len(completion) % 5 / 10

REWARDS = [Reward("length", "Length", 0.4, length)]
"""


class Program:
    """The command lines with a home of their own."""

    def __init__(self, home: Path, scratch: Path) -> None:
        """Of a home folder, which need not be there; presets and the like lie in `scratch`."""
        self.root = home
        self.scratch = scratch
        (scratch / "rewards.py").write_text(REWARDS)

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("GRPO_ATLAS_")}
        own |= {"GRPO_ATLAS_HOME": str(self.root), "GRPO_ATLAS_REWARDS": str(self.scratch / "rewards.py")}
        # Sums in one order: equal runs are then equal bit by bit.
        return own | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

    def launch(self, max_steps: int) -> str:
        """Start a run; its id."""
        preset = self.scratch / f"tiny{max_steps}.toml"
        preset.write_text(TINY.format(max_steps=max_steps))
        done = self.run("launch", "--preset", str(preset))
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("run_id: ")[2].strip()

    @property
    def home(self) -> Home:
        return Home.from_environment({"GRPO_ATLAS_HOME": str(self.root)})

    def store(self) -> Store:
        return Store.open(self.home.store_url, create=False)

    def run(self, *arguments: str, module: str = "training") -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=self.environment,
            cwd=self.scratch,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )

    def job(self, job_id: str) -> Job:
        store = self.store()
        try:
            return store.job(job_id)
        finally:
            store.close()

    def rollouts(self, job_id: str) -> list[Rollout]:
        store = self.store()
        try:
            return store.rollouts(job_id)
        finally:
            store.close()

    def wait_for_step(self, job_id: str, step: int) -> None:
        """Until the run has so many steps on record."""
        wait_until(lambda: self._at(job_id, step))

    def wait_for_end(self, job_id: str) -> None:
        """Until no process is the job's any more."""
        wait_until(lambda: not processes_of(job_id, self.root))

    def _at(self, job_id: str, step: int) -> bool:
        found = self.job(job_id)
        assert found.active, found.reason
        return found.done >= step


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(WAIT_S * 5):
        if holds():
            return
        time.sleep(0.2)
    raise AssertionError("it never came to hold")


def processes_of(job_id: str, home: Path) -> list[psutil.Process]:
    """The processes of a job in a home."""
    found = []
    for process in psutil.process_iter():
        try:
            if job_id in process.cmdline() and process.environ().get("GRPO_ATLAS_HOME") == str(home):
                found.append(process)
        except psutil.Error:
            continue
    return found


@contextmanager
def ending_what_runs(program: Program) -> Iterator[Program]:
    """Leave no process behind, whatever the test came to."""
    try:
        yield program
    finally:
        for process in psutil.process_iter():
            try:
                if process.environ().get("GRPO_ATLAS_HOME") == str(program.root) and process.pid != os.getpid():
                    process.send_signal(signal.SIGKILL)
            except psutil.Error:
                continue


@contextmanager
def small_disk(place: Path, size_kib: int) -> Iterator[Path]:
    """A disk of its own at a folder that is made; skips the test where nothing can be mounted."""
    place.mkdir(parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", str(place)], capture_output=True, text=True
    )
    if made.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here ({made.stderr.strip() or made.returncode})")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def set_read_only(place: Path, read_only: bool) -> None:
    """Let a small disk be written no more, or again."""
    subprocess.run(["mount", "-o", f"remount,{'ro' if read_only else 'rw'}", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all that is free of a disk; the file that does."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**16, 2**12, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue
    return filler
