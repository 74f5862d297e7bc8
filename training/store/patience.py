"""Waiting for a run store that is away: how often it is tried again, and for how long."""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from training.errors import StoreAwayError

PATIENCE_S = 600.0
"""How long what cannot go on without the store waits for it: an update of the database's machine, not a holiday."""

LAST_TRIES_S = 5.0
"""How long it is still tried when the process was told to end."""

_SHORTEST_S, _LONGEST_S = 0.25, 5.0
_LOOK_S = 0.1

T = TypeVar("T")


class Backoff:
    """When to try again: soon after the first failure, then ever later. For one thread."""

    def __init__(self) -> None:
        self._delay_s = _SHORTEST_S
        self._next_try = 0.0
        self._since: float | None = None

    @property
    def is_due(self) -> bool:
        """Whether it is time to try."""
        return time.monotonic() >= self._next_try

    @property
    def away_s(self) -> float:
        """How long the store has been away, 0 while it is there."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def fail(self) -> bool:
        """Note that a try failed; whether it was the first one."""
        is_first = self._since is None
        if is_first:
            self._since = time.monotonic()
        self._next_try = time.monotonic() + self._delay_s
        self._delay_s = min(2 * self._delay_s, _LONGEST_S)
        return is_first

    def succeed(self) -> float:
        """Note that the store is there; how long it was away, in seconds."""
        away_s, self._since, self._delay_s, self._next_try = self.away_s, None, _SHORTEST_S, 0.0
        return away_s

    def wait(self, give_up: Callable[[], bool]) -> None:
        """Sleep until the next try is due, or until it is given up."""
        while not self.is_due and not give_up():
            time.sleep(_LOOK_S)


def patiently(call: Callable[[], T], give_up: Callable[[], bool] = lambda: False, patience_s: float = PATIENCE_S) -> T:
    """The call's result, tried again while the store is away: the call may be made twice, so twice must be as good as once.

    Args:
        give_up: whether there is no more time than for a few tries.

    Raises:
        StoreAwayError: the store stayed away.
        StoreError: what else the call raises; no try more would help.
    """
    backoff = Backoff()
    while True:
        try:
            return call()
        except StoreAwayError as error:
            if backoff.fail():
                print(f"{error.problem} Trying again.", file=sys.stderr, flush=True)
            if backoff.away_s > (LAST_TRIES_S if give_up() else patience_s):
                raise
        backoff.wait(lambda: give_up() and backoff.away_s > LAST_TRIES_S)
