"""A person's own reward functions: a Python file on this machine, named by `GRPO_ATLAS_REWARDS`, never by a web page.

The file holds a list `REWARDS` of `training.rewards.Reward`. Whatever uses the registry then has them: configurations,
training, evaluation, the pages. The file is run, and its functions are called, in a process beside each one that needs them
(`training.rewards.process`): whatever they do there ends as an error that names it, within the time that each may take.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from io import BufferedReader
from mmap import mmap
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from tempfile import TemporaryFile
from typing import IO, Any, cast

from training.errors import RewardError
from training.home import inherited_environment
from training.paths import open_file, reason
from training.rewards import REWARDS, SYMBOLIC, Reward, Row
from training.rewards.forms import TAGS, AnswerForm
from training.rewards.process import PLACE_BYTES, REMEDY

ENTRY_POINTS = "grpo_atlas.rewards"

LOAD_TIMEOUT_S = 120.0
"""How long the file may take to run. What it imports may come from a slow disk."""

_LINE_TIMEOUT_S = 60.0
"""For a message to go through, once it is there to be sent."""
_LOOK_S = 0.2
"""How often a row at work is looked at."""
_AGAIN_AFTER_S = 60.0
"""When a function is tried again on what took it too long."""
_DYING_S = 1.0
"""From the end of a process's line to its own."""


def register_own_rewards(path: Path | None, load_timeout_s: float = LOAD_TIMEOUT_S) -> None:
    """Run a person's file, and those of installed packages, and add their functions to the registry, once in each process.

    A package names its modules by the entry points `grpo_atlas.rewards`; each is a file like a person's own.

    Raises:
        RewardError: a file cannot be read or run in time, holds no list of rewards, or one of them is not what it must be.
    """
    for file in (*_packaged(), *((path,) if path is not None else ())):
        _register(file, load_timeout_s)


@cache
def _packaged() -> tuple[Path, ...]:
    """The files of the modules that installed packages name."""
    files = []
    for point in entry_points(group=ENTRY_POINTS):
        try:
            spec = find_spec(point.module)
        except ImportError:
            spec = None
        if spec is None or spec.origin is None:
            raise RewardError(f"The rewards of {point.value} cannot be found.", "Install the package that names them again.")
        files.append(Path(spec.origin))
    return tuple(files)


def _register(path: Path, load_timeout_s: float) -> None:
    if any(isinstance(reward, OwnReward) and reward.process.path == path for reward in REWARDS.values()):
        return
    try:
        open_file(path).close()  # Python would wait for a pipe
    except OSError as error:
        raise RewardError(f"{path} cannot be run ({reason(error)}).", REMEDY) from error
    process = RewardProcess(path, load_timeout_s)
    REWARDS.update({facts["name"]: _reward(process, **facts) for facts in process.facts()})


@dataclass(frozen=True)
class OwnReward(Reward):
    """A person's function, as every process but its own has it."""

    process: "RewardProcess" = field(kw_only=True, repr=False, compare=False)
    batch: bool = False
    """Whether it takes all completions at once; its time limit then is that of all."""

    def score_all(
        self, completions: Sequence[str], golds: Sequence[str], rows: Sequence[Row] | None = None, form: AnswerForm = TAGS
    ) -> list[float | None]:
        """As the base says.

        Raises:
            RewardError: also where the function takes longer than `timeout_s` for one completion, or its process ends.
        """
        return self.process.score_all(self, completions, golds, rows, form)


class _Elsewhere:
    """Stands for a function that is in another process, with its docstring."""

    def __init__(self, description: str) -> None:
        self.__doc__ = description

    def __call__(self, completion: str, gold: str) -> float | None:
        raise TypeError("a function of one's own is called in its own process; score_all asks that")


def _reward(process: "RewardProcess", description: str, **fields: Any) -> OwnReward:
    return OwnReward(function=_Elsewhere(description), process=process, **fields)


def judge_symbolically(
    reward: Reward, completions: Sequence[str], golds: Sequence[str], form: AnswerForm
) -> list[float | None]:
    """The symbolic verifier's value for each completion, from a process that starts with the first that it judges.

    `None` for what ends that process or takes too long, so that one answer that sympy chokes on ends nothing.
    """
    process = _symbolic_process()
    elsewhere = OwnReward(
        reward.name, reward.title, reward.maximum, reward.function, timeout_s=reward.timeout_s, process=process
    )
    try:
        return process.score_all(elsewhere, completions, golds, None, form)
    except RewardError:
        if len(completions) == 1:
            return [None]
        half = len(completions) // 2
        first = judge_symbolically(reward, completions[:half], golds[:half], form)
        return first + judge_symbolically(reward, completions[half:], golds[half:], form)


@cache
def _symbolic_process() -> "RewardProcess":
    return RewardProcess(SYMBOLIC)


@dataclass(frozen=True)
class _Connection:
    """A process that runs, and how one speaks with it."""

    process: subprocess.Popen[bytes]
    line: socket.socket
    replies: BufferedReader
    at_work: memoryview
    """One number: the row that the process is scoring."""
    life: IO[bytes]
    """Closing it ends the process."""

    def send(self, message: dict[str, object]) -> None:
        """
        Raises:
            TimeoutError: the process does not read it.
            OSError: the process has ended.
        """
        self.at_work[0] = 0
        self.line.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, timeout_s: float) -> dict[str, Any]:
        """The next reply.

        Args:
            timeout_s: for each row.

        Raises:
            TimeoutError: a row took longer.
            EOFError, OSError, ValueError: the process has ended, or says what is no reply.
        """
        row, since = self.at_work[0], time.monotonic()
        with DefaultSelector() as selector:
            selector.register(self.line, EVENT_READ)
            while not selector.select(max(0.0, min(_LOOK_S, since + timeout_s - time.monotonic()))):
                if self.at_work[0] != row:
                    row, since = self.at_work[0], time.monotonic()
                elif time.monotonic() - since >= timeout_s:
                    raise TimeoutError
        line = self.replies.readline()
        if not line:
            raise EOFError
        reply: dict[str, Any] = json.loads(line)
        return reply

    def ending(self) -> str:
        """How the process came to its end by itself, in words."""
        try:
            status = self.process.wait(_DYING_S)
        except subprocess.TimeoutExpired:
            return "closed its process's line"
        how = f"by signal {-status}, {signal.strsignal(-status)}" if status < 0 else f"with status {status}"
        return f"ended its process {how},"

    def end(self) -> None:
        """End the process with all that it started."""
        with suppress(ProcessLookupError, PermissionError):  # its group outlives it where it started others
            os.killpg(self.process.pid, signal.SIGKILL)
        for inherited in (self.line, self.replies, self.life):
            inherited.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_DYING_S)


class RewardProcess:
    """Runs a person's file; started when it is needed, and anew after it was ended. May be shared by threads."""

    def __init__(self, path: Path, load_timeout_s: float = LOAD_TIMEOUT_S) -> None:
        self.path = path
        self._load_timeout_s = load_timeout_s
        self._lock = threading.Lock()
        self._connection: _Connection | None = None
        self._too_long: dict[tuple[str, str, str], tuple[float, RewardError]] = {}
        """(name, completion, gold) -> when it took too long, and the error."""

    def facts(self) -> list[dict[str, Any]]:
        """What the file says of each of its rewards, when it is run.

        Raises:
            RewardError: as `register_own_rewards`.
        """
        with self._lock:
            self._connection, facts = self._start()
            return facts

    def score_all(
        self,
        reward: "OwnReward",
        completions: Sequence[str],
        golds: Sequence[str],
        rows: Sequence[Row] | None = None,
        form: AnswerForm = TAGS,
    ) -> list[float | None]:
        """`OwnReward.score_all`."""
        if not completions:
            return []
        asked = [(reward.name, *row) for row in zip(completions, golds, strict=True)]
        with self._lock:
            self._raise_again(asked)
            connection, self._connection = self._connection or self._start()[0], None
            try:
                problems = rows if rows is not None else [None] * len(asked)
                sent = [(completion, gold, row) for (_, completion, gold), row in zip(asked, problems, strict=True)]
                connection.send({"name": reward.name, "form": form.name, "rows": sent})
                reply = connection.receive(reward.timeout_s * (len(asked) if reward.batch else 1))
                self._connection = connection  # what it will answer next is in step with what it will be asked
            except TimeoutError as error:
                what, remedy = (
                    f"took longer than {reward.timeout_s:g} s",
                    "Make it faster, or give its Reward a larger timeout_s.",
                )
                row = connection.at_work[0]
                self._too_long[asked[row]] = time.monotonic(), reward.error(what, completions[row], remedy)
                raise self._too_long[asked[row]][1] from error
            except (EOFError, OSError, ValueError) as error:
                raise reward.error(connection.ending(), completions[connection.at_work[0]]) from error
            finally:
                if self._connection is None:
                    connection.end()
        if "problem" in reply:
            raise RewardError(**reply)
        return cast(list[float | None], reply["values"])

    def _raise_again(self, asked: Sequence[tuple[str, str, str]]) -> None:
        """Raise the error of what took too long a moment ago: a page that is drawn again does not wait for it again."""
        earliest = time.monotonic() - _AGAIN_AFTER_S
        self._too_long = {row: found for row, found in self._too_long.items() if found[0] >= earliest}
        for row in asked if self._too_long else ():
            if row in self._too_long:
                error = self._too_long[row][1]
                raise RewardError(error.problem, error.remedy)

    def _start(self) -> tuple[_Connection, list[dict[str, Any]]]:
        """A new process, and what it says of the file's rewards."""
        connection = self._connect()
        facts = None
        try:
            reply = connection.receive(self._load_timeout_s)
            if "problem" in reply:
                raise RewardError(**reply)
            facts = cast(list[dict[str, Any]], reply["rewards"])
            return connection, facts
        except TimeoutError as error:
            raise RewardError(f"{self.path} was still running after {self._load_timeout_s:g} s.", REMEDY) from error
        except (EOFError, OSError, ValueError) as error:
            raise RewardError(f"{self.path} cannot be run: it {connection.ending().rstrip(',')}.", REMEDY) from error
        finally:
            if facts is None:
                connection.end()

    def _connect(self) -> _Connection:
        try:
            ours, theirs = socket.socketpair()
            read, write = os.pipe()
            life = os.fdopen(write, "wb", buffering=0)
            with theirs, os.fdopen(read, "rb") as their_life, _shared_memory() as place:
                inherited = theirs.fileno(), place.fileno(), their_life.fileno()
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "training.rewards.process", str(self.path), *map(str, inherited)],
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=2,  # what the functions print is not among the facts that a command prints
                    pass_fds=inherited,
                    start_new_session=True,
                )
                at_work = memoryview(mmap(place.fileno(), PLACE_BYTES)).cast("Q")
        except OSError as error:
            raise RewardError(
                f"{self.path} cannot be run: no process can be started ({error.strerror or error}).",
                "End other processes, or free some memory.",
            ) from error
        ours.settimeout(_LINE_TIMEOUT_S)
        return _Connection(process, ours, ours.makefile("rb"), at_work, life)


@contextmanager
def _shared_memory() -> Iterator[IO[bytes]]:
    """A file of `PLACE_BYTES` that is nowhere on a disk: writing to a mapped one on a full disk would end this process."""
    with os.fdopen(os.memfd_create("row at work"), "r+b") if sys.platform == "linux" else TemporaryFile() as place:
        place.write(bytes(PLACE_BYTES))
        place.flush()
        yield place


def _environment() -> dict[str, str]:
    """This process's, and the folder that has this package, which may have come here by another way than an installation."""
    environment = inherited_environment()
    folders = [str(Path(__file__).resolve().parents[1]), environment.get("PYTHONPATH", "")]
    return environment | {"PYTHONPATH": os.pathsep.join(filter(None, folders)), "PYTHONUNBUFFERED": "1"}
