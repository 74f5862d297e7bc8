"""What the measuring of a training process tells."""

import time

from training.process.resources import ResourceMeter


def test_a_busy_process_uses_processor_time_and_memory() -> None:
    meter = ResourceMeter()
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    busy = meter.measure()
    assert busy["system/cpu_cores"] > 0
    assert busy["system/memory_gib"] > 0.005
    assert 0 < busy["system/machine_memory"] <= 1
