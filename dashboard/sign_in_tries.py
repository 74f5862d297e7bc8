"""Whose try to sign in is looked at next: where many are wrong, one a second from each address, in order.

A guesser can open as many sessions as they like, and behind a proxy all people may have one address. So a try is never
refused for what others did: it waits in line, where a session that was wrong already stands further behind. One that is
wrong again and again has to wait besides, see `wait_s_after`.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

_FREE_TRIES = 3
"""Wrong tries of a session, and of an address, before either has to wait."""
_PACE_S = 1.0
_PLACES_BEHIND = 10
"""In line, for each wrong try of the session."""
_LONGEST_WAIT_S = 30.0
_FORGOTTEN_S = 600.0
"""After so long without a wrong try an address is as good as new."""
_LEFT_S = 5.0
"""Who has not asked for so long does not wait any more."""
_ADDRESSES = 4_096
"""Addresses that are remembered; the one whose last wrong try is longest ago is forgotten."""


def wait_s_after(wrong: int) -> float:
    """Seconds until a session that was wrong so often may try again."""
    return 0.0 if wrong <= _FREE_TRIES else min(_LONGEST_WAIT_S, 2.0 ** min(wrong - _FREE_TRIES, 10))


@dataclass
class _Waiting:
    """A session in line."""

    place: int
    asked_at: float


@dataclass
class _Address:
    wrong: int = 0
    wrong_at: float = 0.0
    next_at: float = 0.0
    came: int = 0
    """How many have stood in line so far."""
    line: dict[str, _Waiting] = field(default_factory=dict)
    """By session."""


class SignInTries:
    """Of all sessions together; safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._addresses: OrderedDict[str, _Address] = OrderedDict()

    def wait_s(self, address: str, session: str, wrong: int) -> float:
        """Seconds after which to ask again, 0 when the session's try is to be looked at now.

        Args:
            wrong: how often the session was wrong so far.
        """
        with self._lock:
            now = self._clock()
            found = self._addresses.get(address)
            if found is None or found.wrong < _FREE_TRIES or now - found.wrong_at > _FORGOTTEN_S:
                return 0.0
            if session not in found.line:
                found.came += 1
                found.line[session] = _Waiting(found.came + _PLACES_BEHIND * wrong, now)
            found.line[session].asked_at = now
            found.line = {name: other for name, other in found.line.items() if now - other.asked_at <= _LEFT_S}
            first = min(found.line, key=lambda name: found.line[name].place)
            if first != session or now < found.next_at:
                return min(_PACE_S, max(found.next_at - now, _PACE_S / 10))
            del found.line[session]
            found.next_at = now + _PACE_S
            return 0.0

    def leave(self, address: str, session: str) -> None:
        """Stand in line no longer."""
        with self._lock:
            found = self._addresses.get(address)
            if found is not None:
                found.line.pop(session, None)

    def count_wrong(self, address: str) -> None:
        """A try from there was wrong."""
        with self._lock:
            now = self._clock()
            found = self._addresses.setdefault(address, _Address())
            found.wrong = found.wrong + 1 if now - found.wrong_at <= _FORGOTTEN_S else 1
            found.wrong_at = now
            self._addresses.move_to_end(address)
            while len(self._addresses) > _ADDRESSES:
                self._addresses.popitem(last=False)
