"""What each process of a run on several does of a step. Torch-free, so that it can be asked before a launch."""

import math
from typing import TypeVar

from training.config import StageConfig
from training.errors import ConfigError
from training.text import count

Config = TypeVar("Config", bound=StageConfig)


def share_of(config: Config, workers: int) -> Config:
    """The configuration of one process of a run, with its share of each step's completions.

    All together have the global batch and the completions of the configuration. Passes are divided first, as they cost
    time; then the completions of a pass.

    Raises:
        ConfigError: a step's completions cannot be divided, or the engine trains on one process only.
    """
    if workers == 1:
        return config
    if config.engine == "unsloth":
        raise ConfigError(
            f"engine = unsloth trains on one GPU, and the run would have {workers} processes.",
            "Set engine=transformers, or one worker.",
        )
    passes, completions = config.gradient_accumulation_steps, config.per_device_train_batch_size
    common = math.gcd(passes, workers)
    left = workers // common
    if completions % left:
        possible = [fewer for fewer in range(1, workers) if _divides(passes, completions, fewer)]
        raise ConfigError(
            f"per_device_train_batch_size x gradient_accumulation_steps = {completions} x {passes} completions per step cannot "
            f"be divided among {workers} workers.",
            f"Use {count(possible[-1], 'worker')}, or make one of the two a multiple of {left}.",
        )
    changed = {"gradient_accumulation_steps": passes // common, "per_device_train_batch_size": completions // left}
    return config.model_copy(update=changed)


def _divides(passes: int, completions: int, workers: int) -> bool:
    return completions % (workers // math.gcd(passes, workers)) == 0
