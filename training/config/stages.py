"""The stages by name, and a configuration of any of them from its values."""

from collections.abc import Mapping
from typing import Any

from training.config.grpo import RunConfig
from training.config.sft import SftConfig
from training.config.stage import StageConfig, StageName, parsed
from training.errors import ConfigError, shown

STAGES: Mapping[StageName, type[StageConfig]] = {"grpo": RunConfig, "sft": SftConfig}
"""Name -> what it is told."""


def parse_config(values: dict[str, Any], *, on_record: bool = False) -> StageConfig:
    """Check a configuration of the stage that it names; of GRPO where it names none.

    Args:
        on_record: as of `parsed`.

    Raises:
        ConfigError: names every field that is wrong, its value and what it may be.
    """
    stage = values.get("stage", "grpo")
    kind = next((kind for name, kind in STAGES.items() if name == stage), None)
    if kind is None:
        raise ConfigError(f"There is no stage {shown(stage)}.", f"Set stage to {' or '.join(STAGES)}.")
    return parsed(kind, values, on_record=on_record)
