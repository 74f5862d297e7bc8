"""The settings of a run as a form, a manual or a command tells them: read off the fields of `RunConfig`."""

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from training.config import RECORDED, RunConfig


@dataclass(frozen=True)
class Setting:
    """What a form or a manual says of one field of `RunConfig`."""

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
    """Its values, where there are only a few."""
    limits: str
    """The range of a number, as "at least 1, at most 1024" or "above 0, below 1"; empty for other fields."""
    meanings: Mapping[str, str]
    """What each of its values does, where that takes a sentence."""
    needs: Mapping[str, tuple[Any, ...]]
    """Settings -> the values without one of which this one does nothing; none for any but 0, off or empty."""


_LIMIT_WORDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def _setting(name: str) -> Setting:
    field = RunConfig.model_fields[name]
    extra = typing.cast(dict[str, Any], field.json_schema_extra)
    choices = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is Literal else ()
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

SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in sorted(map(_setting, RunConfig.model_fields), key=lambda found: GROUPS.index(found.group))
}
"""By group, and in the order of the fields."""

CHOSEN = tuple(name for name, setting in SETTINGS.items() if setting.group != RECORDED)
"""The settings that a person chooses."""


def missed(name: str, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]] | None:
    """(the setting, its values) without which a setting does nothing, where these values have another; `None` where it acts."""
    for needed, wanted in SETTINGS[name].needs.items():
        if not (values[needed] in wanted if wanted else values[needed]):
            return needed, wanted
        if (further := missed(needed, values)) is not None:
            return further
    return None
