"""Processes of this machine: which one is meant, whether it still lives, and how it is ended with all that it started.

A number alone does not tell a process, as it is given again once its process has ended; together with the moment of its start
it does. That moment is counted from the machine's own start, where the system has it so: setting the clock changes nothing.
"""

import os
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal

import psutil

State = Literal["alive", "gone", "unknown"]

_BETWEEN = "|"
_POLL_S = 0.1
_LEAVE_TIME_S = 2.0
"""For what a process has started to tidy up after it."""
_KILL_TIMEOUT_S = 10.0


def identify(pid: int) -> str:
    """What tells a process of this machine from all others; empty where none of that number can be seen.

    It is this machine's name, its present start, the number, and when the process started.
    """
    start = _start_of(pid)
    return _BETWEEN.join((socket.gethostname(), _machine_start(), str(pid), start)) if start else ""


def state_of(process: str) -> State:
    """Whether a process that was identified lives; unknown where it is another machine's, or was before this one's start.

    One that has ended and whose end nobody has taken note of is gone.
    """
    host, boot, pid, start = _parts(process)
    if (host, boot) != (socket.gethostname(), _machine_start()):
        return "unknown"
    found = _start_of(pid)
    if found is None:
        return "unknown"
    return "alive" if found == start else "gone"


def end(process: str, grace_s: float) -> bool:
    """Ask a process to end, and after a grace end it by force, with all that it started; whether it is gone then.

    What is not of the process is never touched, even where its number was given again.
    """
    leader = _find(process)
    if leader is None:
        return state_of(process) == "gone"
    others = _started_by(leader)
    _each(psutil.Process.terminate, [leader])
    if not _wait(lambda: state_of(process) == "gone", grace_s):
        others = {*others, *_started_by(leader)}  # afterwards nobody could tell whose they are
        _each(psutil.Process.kill, [leader])
    _each(psutil.Process.terminate, others)
    _wait(lambda: not any(map(_runs, others)), _LEAVE_TIME_S)
    _each(psutil.Process.kill, others)
    return _wait(lambda: state_of(process) == "gone", _KILL_TIMEOUT_S)


def _parts(process: str) -> tuple[str, str, int, str]:
    parts = process.split(_BETWEEN)
    return (parts[0], parts[1], int(parts[2]), parts[3]) if len(parts) == 4 and parts[2].isdecimal() else ("", "", 0, "")


@cache
def _machine_start() -> str:
    """What tells this start of the machine from others, and this numbering of its processes from those of containers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return sys.platform


def _start_of(pid: int) -> str | None:
    """When a process started, in a form of the system's own; empty where none lives, `None` where it cannot be seen."""
    if sys.platform != "linux":
        return _start_elsewhere(pid)
    try:
        # The second field, a name in brackets, may hold anything. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] in "ZXx" else fields[19]
    except (FileNotFoundError, ProcessLookupError):
        return _start_of_unseen(pid)
    except PermissionError:
        return None


def _start_of_unseen(pid: int) -> str | None:
    """A system may hide the processes of other users."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return None
    return None


def _start_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.NoSuchProcess:
        return ""
    except psutil.Error:
        return None


def _find(process: str) -> psutil.Process | None:
    """The process, if it lives. What psutil does with it, it does to no other."""
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(_parts(process)[2])
        if state_of(process) == "alive":  # after psutil has noted which it is
            return found
    return None


def _started_by(leader: psutil.Process) -> set[psutil.Process]:
    """Its children and theirs, and, where it leads a session, whoever else is in that; never the one that asks."""
    found: dict[int, psutil.Process] = {}
    with suppress(psutil.NoSuchProcess):
        found |= {child.pid: child for child in leader.children(recursive=True)}
    for pid in psutil.pids():
        with suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader.pid:
                found[pid] = psutil.Process(pid)
    return {process for pid, process in found.items() if pid not in (leader.pid, os.getpid())}


def _each(call: Callable[[psutil.Process], None], processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            call(process)


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _wait(is_done: Callable[[], bool], timeout_s: float) -> bool:
    """Whether it is done within the time."""
    until = time.monotonic() + timeout_s
    while not is_done():
        if time.monotonic() >= until:
            return False
        time.sleep(_POLL_S)
    return True
