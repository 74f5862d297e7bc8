"""The parts of a training step, and a watch that adds up what they take. No torch here."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

GENERATE, REWARD, WAIT, RECORD, LEARN = PARTS = ("generate", "reward", "wait", "record", "learn")


class Stopwatch:
    """The seconds that this process spent on each part since they were last read."""

    def __init__(self) -> None:
        self._spent: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What is done within counts as this part."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._spent[name] += time.perf_counter() - began

    def spent(self, name: str) -> float:
        """The seconds of a part so far."""
        return self._spent.get(name, 0.0)

    def read(self) -> dict[str, float]:
        """Part -> seconds; all begin anew at 0."""
        spent = dict(self._spent)
        self._spent.clear()
        return spent
