"""What a stage of training is told: checked, documented configurations.

Torch-free. Field names are TRL's, PEFT's or transformers' where those have the setting; `training.settings` tells what each
means and may be. Presets and `key=value` changes are `training.presets`, what is on record `training.stored_config`.
"""

from training.config.fields import RECORDED
from training.config.grpo import RunConfig
from training.config.sft import SftConfig
from training.config.stage import PROJECTIONS, EngineName, StageConfig, StageName, parsed
from training.config.stages import STAGES, parse_config

__all__ = [
    "PROJECTIONS",
    "RECORDED",
    "STAGES",
    "EngineName",
    "RunConfig",
    "SftConfig",
    "StageConfig",
    "StageName",
    "parse_config",
    "parsed",
]
