"""What the store holds of a run's configuration: ours, or what is known of a run that another trainer made."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from training.config import RunConfig, StageConfig, parse_config, parsed
from training.errors import ConfigError
from training.names import is_name

KNOWN_OF_LOGS = ("path", "layout", "columns", "source", "rewards", "verifier", "answer_form")
"""What is known of the settings of a run that another trainer made."""


class ImportedConfig(RunConfig):
    """What is known of a run that another trainer made; of other settings nobody knows."""

    path: str
    """Of its log, a folder or a file."""
    layout: str
    """How that is written, as `training.imports.logs` calls it."""
    columns: dict[str, str] = Field(default_factory=dict)
    """The mapping by which it is read, where its columns say nothing."""

    @field_validator("rewards")
    @classmethod
    def _known_rewards(cls, rewards: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        return rewards

    @field_validator("verifier")
    @classmethod
    def _known_verifier(cls, name: str, info: ValidationInfo) -> str:
        return name

    @model_validator(mode="after")
    def _whole_groups(self) -> "ImportedConfig":
        return self

    @property
    def reward_weights(self) -> dict[str, float]:
        """The functions that it was trained on, in the log's order."""
        return {name: weight for name, weight in self.rewards.items() if weight}


def stored_config(spec: Mapping[str, Any]) -> StageConfig:
    """The configuration of a run on record. The name of its preset is left out where this program would not take it.

    Its reward functions may be somebody's own and not known here.

    Raises:
        ConfigError: it is not one for this program.
    """
    if "layout" in spec:
        return parsed(ImportedConfig, dict(spec))
    preset = spec.get("preset", "")
    is_kept = isinstance(preset, str) and (not preset or is_name(preset))
    return parse_config(dict(spec) if is_kept else dict(spec) | {"preset": ""}, on_record=True)


def runnable_config(spec: Mapping[str, Any]) -> StageConfig:
    """As `stored_config`, for whoever is to compute its rewards.

    Raises:
        ConfigError: it is not one for this program, or one of its reward functions is not known here.
    """
    return parse_config(stored_config(spec).model_dump())


def stage_of(spec: Mapping[str, Any]) -> str:
    """The stage of a run on record; empty for one that another trainer made."""
    return "" if "layout" in spec else str(spec.get("stage", "grpo"))


def generates_completions(spec: Mapping[str, Any]) -> bool:
    """Whether a run on record learns from completions, its own or those of another trainer's log."""
    return stage_of(spec) in ("", "grpo")


def require_completions(spec: Mapping[str, Any]) -> None:
    """Refuse a run on record that generates none.

    Raises:
        ConfigError: it is of a stage without.
    """
    if not generates_completions(spec):
        raise ConfigError(
            "This run learns from reference solutions and generates no completions.", "Ask it of a run of stage grpo."
        )


def rollout_config(spec: Mapping[str, Any]) -> RunConfig:
    """The configuration of a run on record that generates completions.

    Raises:
        ConfigError: it is not one for this program, or of a stage without.
    """
    require_completions(spec)
    config = stored_config(spec)
    assert isinstance(config, RunConfig)
    return config
