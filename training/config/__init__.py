"""What a stage of training is told: checked, documented configurations.

Torch-free. Field names are TRL's, PEFT's or transformers' where those have the setting; `training.settings` tells what each
means and may be. Presets and `key=value` changes are `training.presets`, what is on record `training.stored_config`.
"""

from training.config.fields import RECORDED
from training.config.grpo import RunConfig, parse_config
from training.config.stage import PROJECTIONS, EngineName, StageConfig, parsed

__all__ = ["PROJECTIONS", "RECORDED", "EngineName", "RunConfig", "StageConfig", "parse_config", "parsed"]
