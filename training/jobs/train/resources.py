"""What a training process takes of its machine, as scalars of its steps: processor and memory. GPUs are `gpu_metrics`'."""

import contextlib
import time
from collections.abc import Callable

import psutil

_GIB = 2**30

_LOOK_S = 10.0
"""How often children are looked for, for which all processes of the machine are gone through: 4 ms where there are 150."""


class ResourceMeter:
    """Measures the calling process with its children, since the measurement before; for one thread.

    A child counts from when it is noticed, which may be ten seconds after its start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._process = psutil.Process()
        self._family = [self._process]
        self._looked_at = -_LOOK_S
        self._at = clock()
        self._used = self._use(self._at)

    def measure(self) -> dict[str, float]:
        """The scalars by name.

        `system/cpu_cores` is processor time over time, so 2 are two cores at work; `system/memory_gib` is resident memory;
        `system/machine_memory` the share of the machine's memory in use, by whomever.
        """
        now = self._clock()
        used = self._use(now)
        cpu_s = sum(seconds - self._used.get(pid, (seconds, 0))[0] for pid, (seconds, _) in used.items())
        elapsed_s, self._at, self._used = now - self._at, now, used
        return {
            "system/cpu_cores": cpu_s / elapsed_s if elapsed_s > 0 else 0.0,
            "system/memory_gib": sum(size for _, size in used.values()) / _GIB,
            "system/machine_memory": psutil.virtual_memory().percent / 100,
        }

    def _use(self, now: float) -> dict[int, tuple[float, int]]:
        """Process id -> seconds of processor time so far, and bytes of resident memory."""
        if now - self._looked_at >= _LOOK_S:
            self._family, self._looked_at = [self._process, *self._process.children(recursive=True)], now
        found = {}
        for process in self._family:
            with contextlib.suppress(psutil.Error), process.oneshot():  # a child that has just ended
                times = process.cpu_times()
                found[process.pid] = (times.user + times.system, process.memory_info().rss)
        return found
