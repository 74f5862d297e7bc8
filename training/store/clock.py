"""The store's clock, by which all that use a store agree on what is long ago.

A database on a server tells the time itself, so that machines whose clocks differ, or are set, agree; where the store is a
file, this machine's clock is the only one there is.
"""

import sys
import time

import sqlalchemy as sa

FRESH_S = 5.0
"""For how long this machine's count of seconds is trusted to go like the server's clock."""


class ServerClock:
    """A server's time, asked for now and then, and counted on from there; Unix seconds. May be shared by threads."""

    def __init__(self) -> None:
        self._ahead_s = time.time() - _steady_s()
        self._looked_at = float("-inf")

    def __call__(self) -> float:
        return _steady_s() + self._ahead_s

    def look(self, connection: sa.Connection) -> None:
        """Ask the server, unless that was a moment ago."""
        if _steady_s() - self._looked_at < FRESH_S:
            return
        told_s = float(connection.scalar(sa.select(sa.extract("epoch", sa.func.clock_timestamp()))) or 0.0)
        self._looked_at = _steady_s()
        self._ahead_s = told_s - self._looked_at


def _steady_s() -> float:
    """Seconds that nobody can set; those in which the machine slept count too, where the system counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()
