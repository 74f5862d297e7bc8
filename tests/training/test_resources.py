"""What the measuring of a training process tells."""

import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.fakes import Clock
from training.jobs.train.resources import ResourceMeter


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that for a line of input uses half a second of processor time, and then waits."""
    work = """
import time
print(flush=True)
input()
end = time.process_time() + 0.5
while time.process_time() < end:
    pass
print(flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_busy_process_uses_processor_time_and_memory() -> None:
    meter = ResourceMeter()
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    busy = meter.measure()
    assert busy["system/cpu_cores"] > 0
    assert busy["system/memory_gib"] > 0.005
    assert 0 < busy["system/machine_memory"] <= 1


def test_children_are_looked_for_now_and_then_and_count_from_there(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    clock = Clock()
    looked: list[float] = []
    whole = psutil.Process.children

    def children(self: psutil.Process, recursive: bool = False) -> list[psutil.Process]:
        looked.append(clock.now)
        return whole(self, recursive)

    monkeypatch.setattr(psutil.Process, "children", children)
    meter = ResourceMeter(clock)
    began = clock.now
    child = request.getfixturevalue("child")
    for _ in range(9):
        clock.now += 1
        alone = meter.measure()
    assert looked == [began]
    clock.now += 1
    noticed = meter.measure()
    assert looked == [began, began + 10]
    assert noticed["system/memory_gib"] > alone["system/memory_gib"] + 0.002
    child.stdin.write(b"\n")
    child.stdin.flush()
    child.stdout.readline()
    clock.now += 1
    assert meter.measure()["system/cpu_cores"] >= 0.4
    child.kill()
    child.wait()
    clock.now += 1
    meter.measure()  # not there any more, and still among those looked at
