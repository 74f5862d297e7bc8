"""The settings of a run as a form, a manual or a command tells them: read off the fields of each stage's configuration."""

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from training.config import RECORDED, STAGES, RunConfig, StageConfig, StageName
from training.text import count


@dataclass(frozen=True)
class Setting:
    """What a form or a manual says of one field of a configuration."""

    name: str
    title: str
    group: str
    description: str
    unit: str
    none: str
    """What 0 means, where it means none of that; empty for other fields."""
    is_simple: bool
    """Whether most runs choose it."""
    choices: tuple[str, ...]
    """Its values, or those of each of several, where there are only a few."""
    limits: str
    """The range of a number, as "at least 1, at most 1024" or "above 0, below 1"; empty for other fields."""
    meanings: Mapping[str, str]
    """What each of its values does, where that takes a sentence."""
    needs: Mapping[str, tuple[Any, ...]]
    """Settings -> the values without one of which this one does nothing; none for any but 0, off or empty."""


_LIMIT_WORDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def _setting(config: type[StageConfig], name: str) -> Setting:
    field = config.model_fields[name]
    extra = typing.cast(dict[str, Any], field.json_schema_extra)
    choices = _choices(field.annotation)
    if name == "stage":  # each configuration has one value of it, and people the choice
        choices = tuple(STAGES)
    limits = ", ".join(
        f"{words} {getattr(limit, mark):,}"
        for mark, words in _LIMIT_WORDS.items()
        for limit in field.metadata
        if hasattr(limit, mark)
    )
    return Setting(
        name=name,
        title=field.title or name,
        group=extra["group"],
        description=field.description or "",
        unit=extra["unit"],
        none=extra["none"],
        is_simple=extra["simple"],
        choices=choices,
        limits=limits,
        meanings=extra["meanings"],
        needs=extra["needs"],
    )


def _choices(annotation: Any) -> tuple[str, ...]:
    """The values of a setting, or of each of several, where there are only a few."""
    if typing.get_origin(annotation) is tuple:
        annotation = typing.get_args(annotation)[0]
    return typing.get_args(annotation) if typing.get_origin(annotation) is Literal else ()


def step_words(config: StageConfig) -> str:
    """What one step learns from, `4 problems × 8 completions` or `32 solutions`."""
    if isinstance(config, RunConfig):
        return f"{count(config.groups_per_step, 'problem')} × {count(config.num_generations, 'completion')}"
    return count(config.completions_per_step, "solution")


GROUPS = (
    RECORDED,
    "Model and data",
    "Prompt",
    "Engine and precision",
    "Adapter (LoRA)",
    "Size of the run",
    "Choice of problems",
    "Sampling",
    "Loss",
    "Advantages",
    "Entropy",
    "Optimiser",
    "Rewards",
    "Evaluation",
    "Checkpoints and records",
)
"""In the order in which they are told."""


def _settings(config: type[StageConfig]) -> dict[str, Setting]:
    """By group, and in the order of the fields."""
    found = [_setting(config, name) for name in config.model_fields]
    return {setting.name: setting for setting in sorted(found, key=lambda setting: GROUPS.index(setting.group))}


SETTINGS_OF: Mapping[StageName, Mapping[str, Setting]] = {stage: _settings(config) for stage, config in STAGES.items()}
"""Stage -> its settings by name, by group and in the order of the fields."""

SETTINGS: Mapping[str, Setting] = SETTINGS_OF["grpo"]
"""Those of GRPO, among which are all that other stages have."""

CHOSEN_OF: Mapping[StageName, tuple[str, ...]] = {
    stage: tuple(name for name, setting in settings.items() if setting.group != RECORDED)
    for stage, settings in SETTINGS_OF.items()
}
"""Stage -> the settings that a person chooses."""


def missed(name: str, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]] | None:
    """(the setting, its values) without which a setting does nothing, where these values have another; `None` where it acts."""
    for needed, wanted in SETTINGS_OF[values["stage"]][name].needs.items():
        if not (values[needed] in wanted if wanted else values[needed]):
            return needed, wanted
        if (further := missed(needed, values)) is not None:
            return further
    return None
