"""How often a wrong token was tried, and how long the next try has to wait for it: guessing gets slower and slower."""

import threading
import time
from collections.abc import Callable

_FREE_TRIES = 3
_LONGEST_WAIT_S = 30.0


class SignInTries:
    """Of all sessions together, as whoever guesses can open as many as they like; safe for threads.

    Those who guess can so keep others from signing in, not from what they do once they have.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong = 0
        self._closed_until = 0.0

    def attempt(self, is_right: bool) -> float:
        """Count a try; seconds to wait where it came too early to be looked at, 0 where it counts."""
        with self._lock:
            now = self._clock()
            if now < self._closed_until:
                return self._closed_until - now
            self._wrong = 0 if is_right else self._wrong + 1
            if self._wrong > _FREE_TRIES:
                # The exponent has a bound as well: a float does not hold the power of any number of tries.
                self._closed_until = now + min(_LONGEST_WAIT_S, 2.0 ** min(self._wrong - _FREE_TRIES, 10))
            return 0.0
