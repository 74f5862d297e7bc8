"""Where a run can calculate, in a few words: on a CPU, or on a GPU of about so much memory. No torch, no network."""

from training.config import StageConfig
from training.errors import ModelError
from training.preflight.architecture import Architecture, parse_architecture, published_architecture
from training.preflight.machine import needs_gpu
from training.preflight.memory import USUAL_PROMPT, smallest_gpu
from training.preflight.model_files import find_model

_SMALL = 100_000_000
"""Parameters up to which a step on a CPU takes seconds; half a billion take minutes."""


def placement(config: StageConfig) -> str:
    """`CPU`, `one GPU, about 26 GiB`, or `one GPU` where the model's sizes are not known on this machine."""
    architecture = _architecture(config.model)
    asks = next(needs_gpu(config), None) is not None
    if architecture is None:
        return "one GPU" if asks else "size not known here"
    if not asks and architecture.parameters < _SMALL:
        return "CPU"
    fitting = smallest_gpu(config, architecture, config.max_prompt_length or USUAL_PROMPT)
    return "one GPU" if fitting is None else f"one GPU, about {fitting.gpu_gib:,.0f} GiB"


def _architecture(model: str) -> Architecture | None:
    try:
        files = find_model(model, ask_hub=False)
    except ModelError:
        files = None
    return parse_architecture(files.config) if files else published_architecture(model)
