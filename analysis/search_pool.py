"""Matching many texts outside this process, for all who ask together: so many processes, so much time and memory, no more."""

import json
import math
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGPROF
from typing import Any

from training.errors import AtlasError
from training.home import inherited_environment

TIME_LIMIT_S = 5.0
"""Processor time for one search; an ordinary regular expression takes a second over 100,000 questions."""

_WORKER = Path(__file__).with_name("search_worker.py")
_LONGEST_S = 30.0
"""From the start of a process to its end by the clock, on a machine that is busy with other things."""
_PATIENCE_S = 20.0
MEMORY_BYTES = 512 << 20
"""Memory for matching, besides what the texts take up."""

_MEMORY_BYTES_A_BYTE = 8
"""What the texts take up once they are read: the line they came in, and a string each."""
_MOST_MEMORY_BYTES = 2 << 30


class SearchError(AtlasError):
    """A query cannot be understood or answered."""


class SearchBusyError(SearchError):
    """Others search; the same query may be answered later."""


@dataclass(frozen=True)
class Term:
    """One thing that must be found in a text, or must not."""

    pattern: str
    excludes: bool = False


@dataclass(frozen=True)
class Texts:
    """What is searched, as it goes to a process."""

    count: int
    line: bytes = field(repr=False)

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Texts":
        """Pack texts once for many searches."""
        return cls(len(texts), json.dumps(list(texts)).encode())


class SearchPool:
    """Gives searches to at most so many processes; the others wait their turn. May be shared by threads."""

    def __init__(
        self,
        processes: int = 1,
        *,
        time_limit_s: float = TIME_LIMIT_S,
        memory_bytes: int = MEMORY_BYTES,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._free = threading.BoundedSemaphore(processes)
        self._memory_bytes = memory_bytes
        self._patience_s = patience_s
        self.time_limit_s = time_limit_s

    def rows(self, texts: Texts, terms: Sequence[Term]) -> dict[str, Any]:
        """What the process says: `{"rows"}` in which every term is found, or `{"error", "position"}` of a pattern.

        Raises:
            SearchBusyError: the searches before this one take too long.
            TimeoutError: the search takes more than the time limit.
            MemoryError: it takes more memory than it may have.
        """
        if not self._free.acquire(timeout=self._patience_s):
            raise SearchBusyError("Too many searches are under way.", "Try again in a moment.")
        try:
            return self._asked(texts, terms)
        finally:
            self._free.release()

    def _asked(self, texts: Texts, terms: Sequence[Term]) -> dict[str, Any]:
        memory = min(self._memory_bytes + _MEMORY_BYTES_A_BYTE * len(texts.line), _MOST_MEMORY_BYTES)
        asked = json.dumps([[term.pattern, term.excludes] for term in terms]).encode()
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", str(_WORKER), str(self.time_limit_s), str(memory)],
                input=asked + b"\n" + texts.line,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=inherited_environment(),
                timeout=math.ceil(self.time_limit_s) + _LONGEST_S,
            )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        if done.returncode == -SIGPROF:
            raise TimeoutError
        if done.returncode != 0:
            raise MemoryError
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
