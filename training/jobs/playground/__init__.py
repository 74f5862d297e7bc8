"""The playground: ask one model anything, or two about tokens, in a process that is kept while it is used. The asker's side.

The web process has no torch, so `python -m training.jobs.playground` (`__main__.py`) loads the models and answers in JSON lines
over its standard input and output. It ends when it was idle for minutes, when other models are asked, and with the process
that started it. Scoring answers is for the caller. Needs no torch.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from training.errors import AtlasError, BackendError, ModelError
from training.home import Home, inherited_environment
from training.jobs.evaluate import weights_stamp
from training.prompts import SYSTEM_PROMPT, ChatTemplate, Prompting, SystemTurn
from training.tokens.scores import Precision, Request, Scored

IDLE_S = 600.0
"""Seconds after which an unused process gives the model's memory back."""

MOST_SAMPLES = 16
_END_TIMEOUT_S = 5.0

Asked = TypeVar("Asked", bound=BaseModel)
Reply = TypeVar("Reply")


class Question(BaseModel):
    """What is asked, and how the answers are drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1, max_length=100_000)
    system_prompt: str = Field(SYSTEM_PROMPT, max_length=100_000)
    system_turn: SystemTurn = "system"
    temperature: float = Field(0.0, ge=0, le=10)
    """0 takes the likeliest token."""
    samples: int = Field(1, ge=1, le=MOST_SAMPLES)
    max_completion_length: int = Field(200, ge=1, le=131_072)
    """In tokens."""

    @property
    def prompting(self) -> Prompting:
        """How it is put to the model."""
        return Prompting(self.system_prompt, self.system_turn)


@dataclass(frozen=True)
class Answer:
    """One completion."""

    completion: str
    tokens: int
    cut_off: bool
    """Whether it reached the longest length allowed."""


@dataclass(frozen=True)
class Models:
    """What the process loads."""

    model: str
    against: str = ""
    """A second model to score tokens under; empty where questions are answered."""
    chat_template: ChatTemplate = "model"
    precision: Precision = "auto"

    def options(self) -> list[str]:
        """Those of the process's command line."""
        second = ["--against", self.against] if self.against else []
        return ["--model", self.model, "--chat-template", self.chat_template, "--precision", self.precision, *second]

    def stamps(self) -> tuple[str, str]:
        """When the weights last changed, see `weights_stamp`."""
        return weights_stamp(self.model), weights_stamp(self.against) if self.against else ""

    def __str__(self) -> str:
        return f"{self.model} and {self.against}" if self.against else self.model


@dataclass
class Exchange(Generic[Asked, Reply]):
    """What is asked and, in time, its answer. `future` raises `AtlasError` where there is none."""

    models: Models
    question: Asked
    asked_at: float
    """Unix seconds."""
    future: "Future[Reply]" = field(default_factory=Future)


Answers = Exchange[Question, list[Answer]]
Scores = Exchange[Request, list[Scored]]


class Playground:
    """Holds at most one process. May be shared by threads; one question is answered at a time."""

    def __init__(self, home: Home, command: Sequence[str] = (sys.executable, "-m", "training.jobs.playground")) -> None:
        self._home = home
        self._command = tuple(command)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._loaded: tuple[Models, tuple[str, str]] | None = None
        self._current: Exchange[Any, Any] | None = None
        self._stopped = False
        self._loading = False

    @property
    def doing(self) -> str:
        """What the process does now, for people; empty when nothing is asked."""
        current = self._current
        if current is None:
            return ""
        done = "scoring tokens" if current.models.against else "answering"
        return (
            f"loading {current.models}"
            if self._loading
            else f"{current.models} {'are' if current.models.against else 'is'} {done}"
        )

    @property
    def log(self) -> Path:
        """What the process printed besides its answers."""
        return self._home.root / "playground.log"

    def ask(self, models: Models, question: Question) -> Answers:
        """Begin to answer a question; the exchange's future has the answers.

        Args:
            models: of which the first answers: a Hub name, a folder, or "demo"; who takes it from a page checks it first
                (`training.allowed`).

        Raises:
            BackendError: another question is being answered.
        """
        longest = question.max_completion_length

        def read(reply: dict[str, Any]) -> list[Answer]:
            return [Answer(text, tokens, tokens >= longest) for text, tokens in reply["completions"]]

        return self._begin(Exchange(models, question, time.time()), read)

    def score(self, models: Models, request: Request) -> Scores:
        """Begin to score tokens under two models; the exchange's future has a value for each text.

        Raises:
            BackendError: another question is being answered.
        """

        def read(reply: dict[str, Any]) -> list[Scored]:
            return [Scored.model_validate(scored) for scored in reply["scored"]]

        return self._begin(Exchange(models, request, time.time()), read)

    def _begin(self, exchange: Exchange[Asked, Reply], read: Callable[[dict[str, Any]], Reply]) -> Exchange[Asked, Reply]:
        with self._lock:
            if self._current is not None:
                raise BackendError(
                    f"The playground is answering another question ({self.doing}).", "Wait for its answer, or stop it."
                )
            self._current = exchange
            self._stopped = False
        threading.Thread(target=self._answer, args=(exchange, read), daemon=True, name="playground").start()
        return exchange

    def stop(self) -> None:
        """End the process, whatever it is doing; a question under way gets an error."""
        self._stopped = True
        self._end()

    def _answer(self, exchange: Exchange[Asked, Reply], read: Callable[[dict[str, Any]], Reply]) -> None:
        try:
            reply = read(self._reply(exchange))
        except AtlasError as error:
            self._done(exchange).set_exception(error)
        except Exception as error:  # the outermost frame of the thread: whatever it is, the page says it
            self._done(exchange).set_exception(ModelError(f"The question could not be asked: {error}.", self._remedy()))
        else:
            self._done(exchange).set_result(reply)

    def _done(self, exchange: Exchange[Asked, Reply]) -> "Future[Reply]":
        with self._lock:
            self._current, self._loading = None, False
        return exchange.future

    def _reply(self, exchange: Exchange[Asked, Reply]) -> dict[str, Any]:
        wanted = exchange.models, exchange.models.stamps()
        reused = self._loaded == wanted and self._process is not None and self._process.poll() is None
        if not reused:
            self._start(wanted)
        line = exchange.question.model_dump_json()
        try:
            return self._exchange_lines(line)
        except EOFError:
            if not reused or self._stopped:
                raise self._ended() from None
            self._start(wanted)  # the process had been idle long enough and left while it was being asked
            return self._exchange_lines(line)

    def _start(self, wanted: tuple[Models, tuple[str, str]]) -> None:
        self._end()
        self._loading = True
        with self._open_log() as log:
            self._process = subprocess.Popen(
                [*self._command, *wanted[0].options()],
                cwd=self._home.root,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C in the dashboard's terminal is not for it; it ends when its input does
            )
        if self._stopped:
            self._end()
        try:
            self._read()
        except EOFError:
            raise self._ended() from None
        self._loaded, self._loading = wanted, False

    def _open_log(self) -> IO[bytes]:
        try:
            return self.log.open("wb")
        except OSError:  # the home's disk is full or read-only, which keeps nobody from asking
            return Path(os.devnull).open("wb")

    def _environment(self) -> dict[str, str]:
        variables = {"TOKENIZERS_PARALLELISM": "false", "OMP_WAIT_POLICY": "passive"}
        return variables | inherited_environment() | self._home.environment()

    def _exchange_lines(self, line: str) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None:
            raise EOFError
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise EOFError from None
        return self._read()

    def _read(self) -> dict[str, Any]:
        """The process's next line.

        Raises:
            EOFError: it ended.
            ModelError: it says what went wrong.
        """
        process = self._process
        line = process.stdout.readline() if process is not None and process.stdout is not None else ""
        if not line:
            raise EOFError
        reply: dict[str, Any] = json.loads(line)
        if "problem" in reply:
            raise ModelError(reply["problem"], reply["remedy"])
        return reply

    def _end(self) -> None:
        process, self._process, self._loaded = self._process, None, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _ended(self) -> ModelError:
        if self._stopped:
            return ModelError("The question was stopped.", "Ask again when you like.")
        log = self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""
        lines = log.strip().splitlines()
        return ModelError(f"The model's process ended: {lines[-1] if lines else 'it printed nothing'}.", self._remedy())

    def _remedy(self) -> str:
        return f"Ask again, or see {self.log.name} in the home folder."
