"""What a training process takes of its machine, as scalars of its steps: processor and memory. GPUs are `gpu_metrics`'."""

import contextlib
import time

import psutil

_GIB = 2**30


class ResourceMeter:
    """Measures the calling process with its children, since the measurement before; for one thread."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._at = time.monotonic()
        self._used = self._use()

    def measure(self) -> dict[str, float]:
        """The scalars by name.

        `system/cpu_cores` is processor time over time, so 2 are two cores at work; `system/memory_gib` is resident memory;
        `system/machine_memory` the share of the machine's memory in use, by whomever.
        """
        now, used = time.monotonic(), self._use()
        cpu_s = sum(seconds - self._used.get(pid, (0.0, 0))[0] for pid, (seconds, _) in used.items())
        elapsed_s, self._at, self._used = now - self._at, now, used
        return {
            "system/cpu_cores": cpu_s / elapsed_s if elapsed_s > 0 else 0.0,
            "system/memory_gib": sum(size for _, size in used.values()) / _GIB,
            "system/machine_memory": psutil.virtual_memory().percent / 100,
        }

    def _use(self) -> dict[int, tuple[float, int]]:
        """Process id -> seconds of processor time so far, and bytes of resident memory."""
        found = {}
        for process in (self._process, *self._process.children(recursive=True)):
            with contextlib.suppress(psutil.Error), process.oneshot():  # a child that has just ended
                times = process.cpu_times()
                found[process.pid] = (times.user + times.system, process.memory_info().rss)
        return found
