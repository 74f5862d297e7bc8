"""Processes told by more than their number, and ended with all that they started, and nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from training import processes
from training.processes import end, identify, state_of

STUBBORN = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); input()"

FAMILY = f"""
import os, subprocess, sys
pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], **pipes)
in_a_session_of_its_own = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], start_new_session=True, **pipes)
left_alone = subprocess.run(["sh", "-c", "sleep 3600 > /dev/null 2>&1 & echo $!"], capture_output=True, text=True)
for stubborn in (child, in_a_session_of_its_own):
    stubborn.stdout.readline()
print(child.pid, in_a_session_of_its_own.pid, left_alone.stdout.strip(), flush=True)
exec({STUBBORN!r})
"""
"""Starts a child, one in another session, and one whose parent is gone; none of them heeds SIGTERM but the last."""

Started = Iterator["subprocess.Popen[str]"]


@pytest.fixture
def started() -> Started:
    """A process that waits for a line."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_a_process_is_alive_until_it_ends_also_before_its_end_is_noted(started: "subprocess.Popen[str]") -> None:
    process = identify(started.pid)
    assert state_of(process) == "alive"
    started.kill()
    os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)  # a zombie
    assert state_of(process) == "gone"
    assert identify(started.pid) == ""
    started.wait()
    assert state_of(process) == "gone"


def test_what_cannot_be_judged_from_here_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    own = identify(os.getpid())
    host, boot, pid, start = own.split("|")
    others = (
        "",
        "nonsense",
        f"elsewhere|{boot}|{pid}|{start}",
        f"{host}|another start|{pid}|{start}",
        f"{host}|{boot}|x|{start}",
    )
    assert [state_of(process) for process in others] == ["unknown"] * len(others)
    monkeypatch.setattr(processes, "_start_of", lambda pid: None)  # of a user whose processes are hidden
    assert state_of(own) == "unknown"


def test_a_clock_that_is_set_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    own = identify(os.getpid())
    boot = psutil.boot_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: boot - 3600)
    monkeypatch.setattr(processes.time, "time", lambda: 0.0)
    assert identify(os.getpid()) == own
    assert state_of(own) == "alive"


def test_the_end_by_force_takes_all_that_the_process_started() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as leader:
        family = [psutil.Process(int(pid)) for pid in leader.stdout.readline().split()]
        assert len(family) == 3
        assert leader.stdout.readline() == "up\n"
        assert end(identify(leader.pid), grace_s=0.3)
        assert leader.wait() == -9
    assert psutil.wait_procs(family, timeout=60)[1] == []


def test_one_that_heeds_the_request_is_not_killed(started: "subprocess.Popen[str]") -> None:
    assert end(identify(started.pid), grace_s=60)
    assert started.wait() == -15


def test_a_process_to_which_the_number_was_given_again_is_not_touched(started: "subprocess.Popen[str]") -> None:
    host, boot, pid, start = identify(started.pid).split("|")
    assert end("|".join((host, boot, pid, str(int(start) - 1))), grace_s=0)  # that one is gone
    assert started.poll() is None


def test_the_neighbours_of_a_process_that_leads_no_session_are_not_touched() -> None:
    command = "sleep 3600 > /dev/null & echo $!; sleep 3600 > /dev/null & echo $!; wait"
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, text=True, start_new_session=True) as shell:
        first, second = (psutil.Process(int(shell.stdout.readline())) for _ in range(2))
        assert end(identify(first.pid), grace_s=60)
        assert (shell.poll(), second.status()) == (None, psutil.STATUS_SLEEPING)
        second.kill()


def test_a_process_is_known_where_there_is_no_folder_of_processes(
    started: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes.sys, "platform", "darwin")
    process = identify(started.pid)
    assert (process != "", state_of(process)) == (True, "alive")
    started.kill()
    started.wait()
    assert state_of(process) == "gone"
