"""Where a run can calculate, in a few words: on a CPU, or on a GPU of about so much memory. No torch, no network."""

from math import ceil

from training.config import RunConfig
from training.errors import ModelError
from training.preflight.architecture import Architecture, parse_architecture, published_architecture
from training.preflight.machine import needs_gpu
from training.preflight.memory import estimate_memory
from training.preflight.model_files import find_model

_SMALL = 100_000_000
"""Parameters up to which a step on a CPU takes seconds; half a billion take minutes."""

_USUAL_PROMPT = 512
"""Tokens of the longest prompt where the configuration sets no limit."""

_ROUNDS = 40
"""vLLM takes a share of the GPU, so what is needed depends on what is there; each round takes that share off the rest."""

_NEAR_GIB = 0.01


def placement(config: RunConfig) -> str:
    """`CPU`, `one GPU, about 26 GiB`, or `one GPU` where the model's sizes are not known on this machine."""
    architecture = _architecture(config.model)
    asks = next(needs_gpu(config), None) is not None
    if architecture is None:
        return "one GPU" if asks else "size not known here"
    if not asks and architecture.parameters < _SMALL:
        return "CPU"
    return f"one GPU, about {ceil(gpu_gib(config, architecture)):,} GiB"


def gpu_gib(config: RunConfig, architecture: Architecture) -> float:
    """The smallest GPU whose memory the estimate fits."""
    needed = 0.0
    for _ in range(_ROUNDS):
        before, needed = needed, _peak_gib(config, architecture, needed)
        if needed - before < _NEAR_GIB:
            break
    return needed


def _peak_gib(config: RunConfig, architecture: Architecture, gpu_gib: float) -> float:
    prompt = config.max_prompt_length or _USUAL_PROMPT
    return estimate_memory(config, architecture, prompt_tokens=prompt, on_gpu=True, gpu_gib=gpu_gib).peak_gib


def _architecture(model: str) -> Architecture | None:
    try:
        files = find_model(model, ask_hub=False)
    except ModelError:
        files = None
    return parse_architecture(files.config) if files else published_architecture(model)
