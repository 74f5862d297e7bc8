"""The process that answers the playground's questions: `python -m training.jobs.playground --model M [--against N]`.

One JSON line in is a `Question`, or with two models a `Request` for the scores of tokens; one out is its answer, or a problem
and its remedy; the first line out says that the models are loaded. Standard output carries nothing else. The process ends with
its standard input, when it was idle for minutes, and on a GPU as soon as a job waits for it: the accelerator is for runs.
"""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, NoReturn, TextIO

import typer

from training.backends import local
from training.engines import Complete
from training.errors import AtlasError, BackendError
from training.home import Home
from training.jobs.playground import IDLE_S, Question
from training.models.checkpoints import model_on_this_disk
from training.prompts import ChatTemplate
from training.store import LOCAL, Store
from training.terminal import new_program, run_program
from training.tokens.scores import Precision, Request

_POLL_S = 1.0
_NICENESS = 5
"""It gives way to the dashboard that asks."""

Reply = dict[str, object]


def main(arguments: Sequence[str] | None = None) -> int:
    """Load the model, answer until there is no one to ask, and return the exit status."""
    return run_program(new_program({"playground": answer_questions}), "python -m training.jobs.playground", arguments)


def answer_questions(
    model: Annotated[str, typer.Option(help='a Hub name, a folder, or "demo"')],
    chat_template: Annotated[ChatTemplate, typer.Option(help="how conversations become text")] = "model",
    against: Annotated[str, typer.Option(help="a second model: tokens are scored under both")] = "",
    precision: Annotated[Precision, typer.Option(help="how the weights of two models are kept")] = "auto",
    idle: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="end after this long without a question")] = IDLE_S,
) -> int:
    """Answer questions from standard input."""
    os.nice(_NICENESS)
    replies = _own_stdout()
    lines = _lines(sys.stdin)
    try:
        home = Home.from_environment()
        store = Store.open(home.store_url)
        with _gpu_if_there_is_one(home, store) as is_wanted:
            here = model_on_this_disk(model, home)
            other = model_on_this_disk(against, home) if against else ""
            answer = _scoring(here, other, chat_template, precision) if other else _completing(here, chat_template)
            _say(replies, {"ready": model})
            serve(lines, replies, answer, idle, is_wanted)
    except AtlasError as error:
        _say(replies, _problem(error))
        return 2
    return 0


def serve(
    lines: "queue.Queue[str]", replies: TextIO, answer: Callable[[str], Reply], idle_s: float, is_wanted: Callable[[], bool]
) -> None:
    """Answer line by line until none came for `idle_s`, or something else wants the accelerator."""
    last = time.monotonic()
    while time.monotonic() - last < idle_s and not is_wanted():
        try:
            line = lines.get(timeout=min(_POLL_S, idle_s))
        except queue.Empty:
            continue
        try:
            reply = answer(line)
        except AtlasError as error:  # of this question; the models stay
            reply = _problem(error)
        _say(replies, reply)
        last = time.monotonic()


def completions_of(complete: Complete, line: str) -> Reply:
    """The answer to a line that is a `Question`."""
    question = Question.model_validate_json(line)
    prompt = question.prompting.messages(question.text)
    found = complete([prompt] * question.samples, question.max_completion_length, question.temperature)
    return {"completions": found}


def _completing(model: str, template: ChatTemplate) -> Callable[[str], Reply]:
    from training.engines import hugging_face

    loaded, tokenizer = hugging_face.load_model(model, template)
    return partial(completions_of, partial(hugging_face.complete, loaded, tokenizer))


def _scoring(model: str, against: str, template: ChatTemplate, precision: Precision) -> Callable[[str], Reply]:
    from training.tokens.measuring import score
    from training.tokens.pair import load_pair

    pair = load_pair(model, against, template, precision)
    return lambda line: {"scored": [found.model_dump() for found in score(pair, Request.model_validate_json(line))]}


def _problem(error: AtlasError) -> Reply:
    return {"problem": error.problem, "remedy": error.remedy}


@contextmanager
def _gpu_if_there_is_one(home: Home, store: Store) -> Iterator[Callable[[], bool]]:
    """Hold the accelerator where it is a GPU; yields whether a job waits for it. A CPU is shared.

    Raises:
        BackendError: a job holds the GPU or waits for it.
    """
    import torch

    if not torch.cuda.is_available():
        yield lambda: False
        return

    def refuse() -> NoReturn:
        raise BackendError("A job holds this machine's GPU or waits for it.", "Ask again when it has ended.")

    with local.accelerator(home, store, None, refuse):
        yield lambda: bool(store.queue(LOCAL))


def _own_stdout() -> TextIO:
    """The standard output for replies alone; what libraries print goes to standard error from now on."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return replies


def _lines(stream: TextIO) -> "queue.Queue[str]":
    """The stream's lines as they come; the process ends at once when there are no more, even while it answers."""
    found: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in stream:
            found.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True, name="questions").start()
    return found


def _say(replies: TextIO, reply: Reply) -> None:
    replies.write(json.dumps(reply) + "\n")
    replies.flush()


if __name__ == "__main__":
    sys.exit(main())
