"""What the GPUs of a run do, by NVIDIA's management library: one set of scalars for each GPU of each machine.

Every process of a run looks at the GPUs that it may use, and the first one gathers what all saw. A GPU of the first
machine is `gpu/0/...`, one of the second `gpu/1.0/...`: the machine's place and the GPU's number on it. A machine without
an NVIDIA GPU, or without nvidia-ml-py, tells nothing.
"""

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_GIB = 2**30

Seen = dict[int, dict[str, float]]
"""GPU's number on its machine -> its values by name."""


class GpuMeter:
    """Looks at the GPUs that this process may use."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._gpus = dict(_visible_gpus(environ.get("CUDA_VISIBLE_DEVICES")))

    def measure(self) -> Seen:
        """Each GPU's values now; what one does not tell, such as the use of a slice of a GPU, is left out."""
        return {number: _values(gpu) for number, gpu in self._gpus.items()}


def scalars(seen: Iterable[tuple[str, Seen]]) -> dict[str, float]:
    """The scalars by name from what each process saw.

    Args:
        seen: (machine, GPUs) of each process, the first process first; a GPU that several saw counts once.
    """
    machines: dict[str, int] = {}
    found: dict[str, float] = {}
    for machine, gpus in seen:
        place = machines.setdefault(machine, len(machines))
        for number, values in gpus.items():
            label = f"{place}.{number}" if place else str(number)
            found |= {f"gpu/{label}/{name}": value for name, value in values.items()}
    return found


class GpuCallback(TrainerCallback):
    """Measures at the end of each step in every process of a run; the first process's has the scalars of all.

    To come before callbacks that wait for other processes, so that all exchange in one order.

    Args:
        gather: hands a value to the first process and returns those of all there, `None` elsewhere.
    """

    def __init__(self, gather: Callable[[Any], list[Any] | None], meter: GpuMeter | None = None) -> None:
        self._gather = gather
        self._meter = meter or GpuMeter()
        self.scalars: dict[str, float] = {}
        """The latest step's."""

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.scalars = scalars(self._gather((socket.gethostname(), self._meter.measure())) or ())


def _values(gpu: Any) -> dict[str, float]:
    import pynvml

    ask: dict[str, Callable[[], float]] = {
        "utilisation": lambda: pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
        "memory_gib": lambda: pynvml.nvmlDeviceGetMemoryInfo(gpu).used / _GIB,
        "power_w": lambda: pynvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
        "temperature_c": lambda: pynvml.nvmlDeviceGetTemperatureV(gpu, pynvml.NVML_TEMPERATURE_GPU),
    }
    found = {}
    for name, value in ask.items():
        with suppress(pynvml.NVMLError):
            found[name] = float(value())
    return found


def _visible_gpus(visible: str | None) -> Iterator[tuple[int, Any]]:
    """(number on this machine, NVML's handle) of the GPUs in `CUDA_VISIBLE_DEVICES`; of all where it is not set."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        ids = [pynvml.nvmlDeviceGetUUID(handle) for handle in handles]
    except ImportError:
        return
    except pynvml.NVMLError:
        return
    if visible is None:
        yield from enumerate(handles)
        return
    for name in filter(None, map(str.strip, visible.split(","))):
        # CUDA takes numbers, and ids or their beginnings; from the first that it does not know on, it sees none.
        index = int(name) if name.isdigit() else next((i for i, known in enumerate(ids) if known.startswith(name)), -1)
        if 0 <= index < len(handles):
            yield index, handles[index]
