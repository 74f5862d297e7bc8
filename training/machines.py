"""What this machine calculates with, seen without torch: its GPUs, its memory, its free disk.

`nvidia-smi` is asked, within seconds; what a library can do with a GPU is for `training.preflight` to judge.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

PROBE_TIMEOUT_S = 3.0
"""nvidia-smi takes a second or two where the driver does not stay loaded."""

_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits")


@dataclass(frozen=True)
class Gpu:
    """One visible GPU."""

    name: str
    memory_gib: float
    compute_capability: float
    """NVIDIA's, such as 8.0 for an A100."""


@dataclass(frozen=True)
class Machine:
    """The machine a run is for."""

    gpus: tuple[Gpu, ...]
    memory_gib: float
    """Of the CPU side, all of it."""
    disk_free_gib: float
    """Where runs keep their checkpoints."""
    has_cuda_torch: bool
    """Whether the installed torch can use a GPU at all."""

    @property
    def gpu(self) -> Gpu | None:
        """The GPU that a run would use."""
        return self.gpus[0] if self.gpus and self.has_cuda_torch else None


def this_machine(runs: Path, environ: Mapping[str, str] = os.environ) -> Machine:
    """What is there now.

    Args:
        runs: the folder of runs, whose disk is measured.
    """
    return Machine(
        gpus=visible_gpus(environ),
        memory_gib=psutil.virtual_memory().total / 2**30,
        disk_free_gib=shutil.disk_usage(runs).free / 2**30,
        has_cuda_torch=not _torch_version().endswith("+cpu"),
    )


def visible_gpus(environ: Mapping[str, str] = os.environ) -> tuple[Gpu, ...]:
    """The GPUs that torch would see: those nvidia-smi lists, as far as CUDA_VISIBLE_DEVICES lets them be seen."""
    if shutil.which(_QUERY[0]) is None:
        return ()
    try:
        listed = subprocess.run(_QUERY, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return _visible(parse_gpus(listed.stdout), environ.get("CUDA_VISIBLE_DEVICES"))


def parse_gpus(listing: str) -> tuple[Gpu, ...]:
    """The lines of `nvidia-smi --query-gpu=name,memory.total,compute_cap`; ones that lack a number are left out."""
    gpus = []
    for line in listing.splitlines():
        name, _, numbers = line.rpartition(",")
        name, _, memory_mib = name.rpartition(",")
        try:
            gpus.append(Gpu(name.strip(), float(memory_mib) / 1024, float(numbers)))
        except ValueError:
            continue
    return tuple(gpus)


def _visible(gpus: tuple[Gpu, ...], chosen: str | None) -> tuple[Gpu, ...]:
    """CUDA takes the numbers up to the first one that does not exist; names by UUID are taken to be there."""
    if chosen is None:
        return gpus
    seen: list[Gpu] = []
    for place, word in enumerate(word.strip() for word in chosen.split(",")):
        if word.isdigit() and int(word) < len(gpus):
            seen.append(gpus[int(word)])
        elif word.startswith(("GPU-", "MIG-")) and place < len(gpus):
            seen.append(gpus[place])
        else:
            break
    return tuple(seen)


def _torch_version() -> str:
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return ""
