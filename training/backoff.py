"""When to try again what failed: soon at first, then ever later."""

import time
from collections.abc import Callable

_LOOK_S = 0.1


class Backoff:
    """Remembers how long something has failed. For one thread."""

    def __init__(self, first_s: float, longest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            first_s: seconds from the first failure to the next try; each pause is twice the one before.
            longest_s: no pause is longer.
            clock: in seconds; one that nobody can set.
        """
        self._first_s, self._longest_s, self._clock = first_s, longest_s, clock
        self._pause_s = first_s
        self._next_try = 0.0
        self._since: float | None = None

    @property
    def is_due(self) -> bool:
        """Whether it is time to try."""
        return self._clock() >= self._next_try

    @property
    def away_s(self) -> float:
        """How long it has failed, 0 while all is well."""
        return 0.0 if self._since is None else self._clock() - self._since

    def fail(self) -> bool:
        """Note that a try failed; whether it was the first one."""
        is_first = self._since is None
        if is_first:
            self._since = self._clock()
        self._next_try = self._clock() + self._pause_s
        self._pause_s = min(2 * self._pause_s, self._longest_s)
        return is_first

    def succeed(self) -> float:
        """Note that all is well; how long it was not, in seconds."""
        away_s, self._since, self._pause_s, self._next_try = self.away_s, None, self._first_s, 0.0
        return away_s

    def wait(self, give_up: Callable[[], bool] = lambda: False) -> None:
        """Sleep until the next try is due, or until it is given up."""
        while not self.is_due and not give_up():
            time.sleep(_LOOK_S)
