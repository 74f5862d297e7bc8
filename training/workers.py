"""How many processes train a run together, as the environment of its job says it."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from training.errors import ConfigError


@dataclass(frozen=True)
class Workers:
    """The processes of a run, as the environment of its job names them."""

    count: int = 1
    gpus_each: float | None = None
    """`None` for one where there are any."""
    max_failures: int = 0
    """How often the run goes on from its checkpoint after a process was lost."""
    accelerator_type: str = ""
    """Which GPU each needs, in Ray's words, such as A100; empty for any."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Workers":
        """Read `GRPO_ATLAS_WORKERS`, `_GPUS_PER_WORKER`, `_MAX_FAILURES` and `_ACCELERATOR_TYPE`.

        Raises:
            ConfigError: one of them is not a number that it may be.
        """
        gpus = environ.get("GRPO_ATLAS_GPUS_PER_WORKER", "")
        return cls(
            int(_number(environ, "GRPO_ATLAS_WORKERS", 1, whole=True, least=1)),
            _number(environ, "GRPO_ATLAS_GPUS_PER_WORKER", 0, whole=False, least=0) if gpus else None,
            int(_number(environ, "GRPO_ATLAS_MAX_FAILURES", 0, whole=True, least=0)),
            environ.get("GRPO_ATLAS_ACCELERATOR_TYPE", ""),
        )


def _number(environ: Mapping[str, str], name: str, default: float, *, whole: bool, least: int) -> float:
    text = environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value >= least and math.isfinite(value)) or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        raise ConfigError(f"{name} = {text!r} is not {kind} of {least} or more.", "Correct it, or leave it out.")
    return value
