"""The state of backends for a page that must draw at once: what was last known, looked at again in the background."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from training.backends import BackendState
from training.backoff import Backoff

FRESH_S = 3.0
"""For how long what is known counts as the present."""

LAST_RETRY_S = 60.0
"""The longest pause before a backend that does not answer is asked again."""


@dataclass
class _Known:
    waits: Backoff
    """While it does not answer."""
    state: BackendState | None = None
    fresh_until: float = 0.0
    is_asked: bool = False


class Watch:
    """May be shared by threads."""

    def __init__(
        self,
        read: Callable[[str], BackendState],
        clock: Callable[[], float] = time.monotonic,
        background: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            read: asks a backend by name; may take seconds.
            clock: seconds that nobody can set, by which it is asked again.
            background: without it `state` waits for the answer.
            now: Unix seconds, to tell since when one is away.
        """
        self._read = read
        self._clock = clock
        self._now = now
        self._background = background
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}

    def state(self, name: str) -> BackendState | None:
        """What is known; `None` before the first answer. Asks again if that is long ago, without waiting for it."""
        with self._lock:
            known = self._known.setdefault(name, _Known(Backoff(FRESH_S, LAST_RETRY_S, self._clock)))
            is_due = not known.is_asked and known.waits.is_due and self._clock() >= known.fresh_until
            known.is_asked |= is_due
        if is_due and self._background:
            threading.Thread(target=self._ask, args=(name, known), daemon=True, name=f"state of {name}").start()
        elif is_due:
            self._ask(name, known)
        return known.state

    def _ask(self, name: str, known: _Known) -> None:
        try:
            found = self._read(name)
        except Exception as error:  # the frame of a thread: nobody else could tell it, and the page would wait for ever
            found = BackendState("unreachable", reason=f"It could not be asked ({type(error).__name__}: {error}).")
        with self._lock:
            if found.kind == "unreachable":
                known.waits.fail()
                is_known = known.state is not None and known.state.kind == "unreachable"
                found = replace(found, since=known.state.since if known.state is not None and is_known else self._now())
            else:
                known.waits.succeed()
            known.state, known.fresh_until, known.is_asked = found, self._clock() + FRESH_S, False
