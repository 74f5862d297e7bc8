"""GPU metrics, with a stand-in for NVIDIA's library that has the names and the shapes of the real one."""

import sys
import types
from typing import Any

import pynvml
import pytest

from dashboard.curves import system_curves
from training.jobs.train.gpu_metrics import GpuCallback, GpuMeter, scalars

USED = ("nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex", "nvmlDeviceGetUUID", "nvmlDeviceGetUtilizationRates")
USED += ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetPowerUsage", "nvmlDeviceGetTemperatureV")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Two GPUs; the second does not tell its use, as a slice of a GPU does not."""
    fake = types.ModuleType("pynvml")

    def utilisation(gpu: int) -> Any:
        if gpu == 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return types.SimpleNamespace(gpu=75, memory=10)

    functions = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUUID": lambda gpu: f"GPU-{gpu}abc",
        "nvmlDeviceGetUtilizationRates": utilisation,
        "nvmlDeviceGetMemoryInfo": lambda gpu: types.SimpleNamespace(used=(gpu + 1) * 2**30),
        "nvmlDeviceGetPowerUsage": lambda gpu: 250_000,
        "nvmlDeviceGetTemperatureV": lambda gpu, sensor: 61,
        "NVMLError": pynvml.NVMLError,
        "NVML_TEMPERATURE_GPU": pynvml.NVML_TEMPERATURE_GPU,
    }
    for name, value in functions.items():
        setattr(fake, name, value)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


def test_the_real_library_has_what_is_called() -> None:
    assert [name for name in USED if not callable(getattr(pynvml, name, None))] == []


@pytest.mark.usefixtures("library")
def test_each_gpu_tells_its_own_and_what_it_cannot_tell_is_left_out() -> None:
    assert GpuMeter({}).measure() == {
        0: {"utilisation": 0.75, "memory_gib": 1.0, "power_w": 250.0, "temperature_c": 61.0},
        1: {"memory_gib": 2.0, "power_w": 250.0, "temperature_c": 61.0},
    }


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(("visible", "numbers"), [("1", [1]), ("GPU-0", [0]), ("1,0", [1, 0]), ("", []), ("5", [])])
def test_only_the_gpus_of_this_process_are_looked_at(visible: str, numbers: list[int]) -> None:
    assert list(GpuMeter({"CUDA_VISIBLE_DEVICES": visible}).measure()) == numbers


def test_without_a_gpu_nothing_is_told(library: types.ModuleType) -> None:
    def no_driver() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)

    library.nvmlInit = no_driver  # type: ignore[attr-defined]
    assert GpuMeter({}).measure() == {}


def test_a_gpu_is_named_by_its_machine_and_counts_once_however_many_see_it() -> None:
    seen = [("a", {0: {"power_w": 1.0}, 1: {"power_w": 2.0}}), ("b", {0: {"power_w": 3.0}}), ("a", {1: {"power_w": 4.0}})]
    assert scalars(seen) == {"gpu/0/power_w": 1.0, "gpu/1/power_w": 4.0, "gpu/1.0/power_w": 3.0}


@pytest.mark.usefixtures("library")
def test_the_first_process_has_the_scalars_of_all_and_the_others_none() -> None:
    meter = GpuMeter({"CUDA_VISIBLE_DEVICES": "0"})
    first = GpuCallback(lambda mine: [mine, ("elsewhere", {3: {"power_w": 9.0}})], meter)
    other = GpuCallback(lambda mine: None, meter)
    for callback in (first, other):
        callback.on_step_end(None, None, None)  # type: ignore[arg-type]
    assert first.scalars["gpu/0/power_w"] == 250.0
    assert first.scalars["gpu/1.3/power_w"] == 9.0
    assert other.scalars == {}


def test_a_figure_has_a_line_for_each_gpu_in_order() -> None:
    names = {"system/cpu_cores", *(f"gpu/{gpu}/memory_gib" for gpu in ("1.0", "10", "2", "0")), "gpu/0/power_w"}
    cpu, memory, power = system_curves(names)
    assert (cpu.key, power.lines) == ("cpu", ())
    assert [line.title for line in memory.lines] == ["0", "2", "10", "1.0"]
    assert power.names == ("gpu/0/power_w",)
