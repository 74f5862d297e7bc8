"""The process that runs a person's own reward functions: `python -m training.rewards.process FILE LINE PLACE LIFE`.

They may do anything: never return, keep the interpreter to themselves, exit, crash, use up the memory. In a process of their
own they can be timed and ended, which `training.rewards.own` does. Torch-free, so that it starts at once.

Lines of JSON go over a socket that is inherited as LINE. First `{"rewards"}`, what the file holds, goes out, or
`{"problem", "remedy"}`; then for each `{"name", "form", "rows"}`, rows of completion, gold and problem, `{"values"}` or
`{"problem", "remedy"}`.
Which row is at work stands in the 8 bytes of memory that are inherited as PLACE. The process ends when the other end of the
pipe closes that is inherited as LIFE. What the functions print goes to standard error.
"""

import fcntl
import json
import os
import resource
import runpy
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from mmap import mmap
from pathlib import Path
from typing import get_args

from training.errors import RewardError, shown, shown_error
from training.rewards import BUILT_IN, SYMBOLIC, Reward, When, is_finite
from training.rewards.calling import takes, values

REMEDY = "Fix the file that GRPO_ATLAS_REWARDS names; the README shows one."

PLACE_BYTES = 8

_LONGEST_TIMEOUT_S = 86_400.0

_MEMORY_SHARE = 0.5
"""Of the machine's, for the functions and what they load."""

_NEEDS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "name": ("an identifier as its name", lambda value: isinstance(value, str) and value.isidentifier()),
    "title": ("a title", lambda value: isinstance(value, str) and bool(value.strip())),
    "maximum": ("a maximum above 0", lambda value: _is_number(value, float("inf"))),
    "function": ("a function", callable),
    "needs_gold": ("True or False as needs_gold", lambda value: isinstance(value, bool)),
    "reads_form": ("True or False as reads_form", lambda value: isinstance(value, bool)),
    "reads_row": ("True or False as reads_row", lambda value: isinstance(value, bool)),
    "when": ("one of always, expressions and asked as when", lambda value: value in get_args(When)),
    "timeout_s": ("a timeout_s above 0 and up to a day", lambda value: _is_number(value, _LONGEST_TIMEOUT_S)),
}
"""Field of a reward -> what it must be, in words and as a test."""


def main(path: Path, line: int, place: int, life: int) -> None:
    """Load the file, then score what is asked for until nobody asks any more."""
    _end_with(life)
    _limit()
    connection = socket.socket(fileno=line)
    at_work = memoryview(mmap(place, PLACE_BYTES)).cast("Q")

    def say(**reply: object) -> None:
        connection.sendall(json.dumps(reply).encode() + b"\n")

    try:
        rewards = load_rewards(path)
    except RewardError as error:
        say(problem=error.problem, remedy=error.remedy)
        return
    say(rewards=[_facts(reward) for reward in rewards.values()])
    for asked in map(json.loads, connection.makefile("rb")):
        try:
            if asked["name"] not in rewards:
                raise RewardError(f"{path} holds no reward {asked['name']!r} any more.", REMEDY)
            say(values=values(rewards[asked["name"]], asked["rows"], asked["form"], partial(at_work.__setitem__, 0)))
        except RewardError as error:
            say(problem=error.problem, remedy=error.remedy)


def load_rewards(path: Path) -> dict[str, Reward]:
    """Run a person's file; name -> reward.

    Raises:
        RewardError: it cannot be read or run, holds no list of rewards, or one of them is not what it must be.
    """
    try:
        found = runpy.run_path(str(path)).get("REWARDS")
    except BaseException as error:  # also sys.exit(), which would end this process without a word
        raise RewardError(f"{path} cannot be run: {shown_error(error)}.", REMEDY) from error
    if not isinstance(found, list) or not found or not all(isinstance(reward, Reward) for reward in found):
        raise RewardError(f"{path} has no list REWARDS of training.rewards.Reward.", REMEDY)
    for reward in found:
        for field, (needed, is_met) in _NEEDS.items():
            value = getattr(reward, field)
            if not is_met(value):
                raise RewardError(f"{path}: the reward {shown(reward.name)} needs {needed}, not {shown(value)}.", REMEDY)
        try:
            takes(reward.function)
        except (TypeError, ValueError) as error:
            raise RewardError(f"{path}: the function of {reward.name} cannot be called: {error}.", REMEDY) from error
    names = [reward.name for reward in found]
    for name in names:
        if (name in BUILT_IN and path != SYMBOLIC) or names.count(name) > 1:
            raise RewardError(f"{path} names a reward {name!r}, which there is already.", "Give it another name.")
    return {reward.name: reward for reward in found}


def _is_number(value: object, most: float) -> bool:
    return isinstance(value, int | float) and is_finite(value) and 0 < value <= most


def _facts(reward: Reward) -> dict[str, object]:
    facts = {field: getattr(reward, field) for field in _NEEDS if field != "function"}
    return facts | {"description": reward.description, "batch": takes(reward.function) == "batch"}


def _end_with(life: int) -> None:
    """Have the system end this process when the one that asks has ended, even while a function keeps the interpreter to itself.

    Where SIGIO ends no process (it does on Linux), this one ends when the function does.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)


def _limit() -> None:
    """Have the system refuse, or end, what would fill the machine's memory or disk."""
    most = int(_MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit, value in ((resource.RLIMIT_DATA, most), (resource.RLIMIT_CORE, 0)):
        _, allowed = resource.getrlimit(limit)
        value = value if allowed == resource.RLIM_INFINITY else min(value, allowed)
        resource.setrlimit(limit, (value, value))
    with suppress(OSError):  # Linux alone has it: the first to go when memory runs out
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
