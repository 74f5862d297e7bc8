r"""The symbolic verifier's own file: math-verify, run in a process of its own like a person's functions.

Gold and answer are read as LaTeX or plain mathematics and compared by what they mean: fractions, tuples, intervals, sets,
equations. A choice is compared by its letter, words by themselves. Source: math-verify 0.9.0 (Hugging Face), `parse` and
`verify`. Its time limit needs a signal, which works in a main thread only; here everything is the main thread's.
"""

import logging
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from math_verify import parse, verify

from training.data.answers import last_box
from training.data.bad_row import BadRow
from training.data.gold import parse_gold, parse_number
from training.rewards import Reward
from training.rewards.forms import AnswerForm

LIMIT_S = 5
"""For one completion; sympy may take for ever."""
_MOST_CHARACTERS = 1_000
"""A longer answer is no answer."""

_LETTER = re.compile(r"(?:\\text(?:bf)?\{)?\(?([A-Z])\)?[.:]?\}?[.:]?", re.ASCII)


def symbolic_correctness(completion: str, gold: str, form: AnswerForm) -> float | None:
    """1.0 if the answer means what the gold answer means."""
    answer = form.answer(completion)
    boxed = last_box(answer)
    answer = (answer if boxed is None else boxed).strip(" *")
    answer = parse_number(answer) or answer
    if len(answer) > _MOST_CHARACTERS:
        return 0.0
    try:
        kind = parse_gold(gold, latex=True).kind
    except BadRow:
        return None
    if kind == "choice":
        letter = _LETTER.fullmatch(answer.strip().strip("$"))
        return 1.0 if letter is not None and letter[1] == parse_gold(gold, latex=True).text else 0.0
    try:
        with _limited():
            meant = _parsed(gold)
            if not meant:
                return None
            is_same = (kind == "text" or "\\text" in gold) and _words(answer) == _words(gold)
            return 1.0 if is_same or verify(meant, _parse(answer), timeout_seconds=None) else 0.0
    except _TimeUp:
        return None


class _TimeUp(BaseException):
    """No `Exception`, as math-verify passes over those and would find an answer wrong that it could not read in time."""


@lru_cache(maxsize=4096)
def _parsed(gold: str) -> Any:
    return _parse(gold)


def _parse(text: str) -> Any:
    return parse(f"\\boxed{{{text}}}", parsing_timeout=None)


def _words(text: str) -> str:
    return " ".join(re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text).split()).strip(" .$").casefold()


@contextmanager
def _limited() -> Iterator[None]:
    def end(*_: object) -> None:
        raise _TimeUp

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


logging.getLogger("math_verify").setLevel(logging.CRITICAL)  # it logs each text that it cannot read

REWARDS = [Reward("math", "Symbolic correctness", 1.0, symbolic_correctness, reads_form=True, timeout_s=4.0 * LIMIT_S)]
