"""Waiting for a run store that is away: how often it is tried again, and for how long."""

import sys
from collections.abc import Callable
from typing import TypeVar

from training.backoff import Backoff
from training.errors import StoreAwayError

PATIENCE_S = 600.0
"""How long what cannot go on without the store waits for it: an update of the database's machine, not a holiday."""

LAST_TRIES_S = 5.0
"""How long it is still tried when the process was told to end."""

_SHORTEST_S, _LONGEST_S = 0.25, 5.0

T = TypeVar("T")


def backoff() -> Backoff:
    """When to try a store again that is away."""
    return Backoff(_SHORTEST_S, _LONGEST_S)


def patiently(call: Callable[[], T], give_up: Callable[[], bool] = lambda: False, patience_s: float = PATIENCE_S) -> T:
    """The call's result, tried again while the store is away: the call may be made twice, so twice must be as good as once.

    Args:
        give_up: whether there is no more time than for a few tries.

    Raises:
        StoreAwayError: the store stayed away.
        StoreError: what else the call raises; no try more would help.
    """
    tries = backoff()
    while True:
        try:
            return call()
        except StoreAwayError as error:
            if tries.fail():
                print(f"{error.problem} Trying again.", file=sys.stderr, flush=True)
            if tries.away_s > (LAST_TRIES_S if give_up() else patience_s):
                raise
        tries.wait(lambda: give_up() and tries.away_s > LAST_TRIES_S)
