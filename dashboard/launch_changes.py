"""What a person changed in the launch form, apart from the preset or run that it began with. Nothing here knows Streamlit.

Changes are named like the command line's `--set`: a setting, or `rewards.<name>` for one weight. Only what differs is
kept, so that it can be marked, counted, reset and put into the address.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.config import RunConfig, StageConfig
from training.rewards import REWARDS
from training.settings import SETTINGS, SETTINGS_OF, Setting, missed
from training.text import count

REWARDS_TABLE = "rewards."
LARGE_GROUPS = ("Model and data", "Size of the run", "Rewards")
"""Those that always stand by themselves in the form."""
_GATHERED = "Learning and evaluation"
SIMPLE_GROUPS = ("Model and data", "Size of the run", _GATHERED, "Rewards")
"""Those of the form that asks for a few settings only, in order."""
WHOLE = "all"
"""In place of a subset's reference (`name@version`): the whole train split."""
ADDRESS_CHARACTERS = 4_000
"""Longer changes, such as a pasted system prompt of pages, do not fit into an address."""

_GREATEST = 2**53 - 1
"""Beyond it a browser cannot tell whole numbers apart."""

CHOSEN_ELSEWHERE = ("preset", "content_hash", "stage", "subset", "rewards")
"""Settings that the form does not ask for under their own name."""

Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Base:
    """What the form begins with."""

    config: StageConfig
    name: str
    """The preset's, or the run's id."""
    is_run: bool = False

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Those of its stage."""
        return SETTINGS_OF[self.config.stage]

    @property
    def has_rewards(self) -> bool:
        """Whether its stage is trained on reward functions."""
        return isinstance(self.config, RunConfig)

    def value(self, setting: str) -> Any:
        """The value of a setting; a reward function that is left out has weight 0."""
        if setting.startswith(REWARDS_TABLE):
            return self.config.reward_weights.get(setting.removeprefix(REWARDS_TABLE), 0.0)
        return getattr(self.config, setting)

    def changed(self, changes: Changes, setting: str, value: Any) -> Changes:
        """The changes after a setting was given a value; one that is as in the base is no change."""
        before = self.value(setting)
        value = tuple(value) if isinstance(before, tuple) else float(value) if isinstance(before, float) else value
        others = {name: kept for name, kept in changes.items() if name != setting}
        return others if value == before else others | {setting: value}

    def valid(self, changes: Changes) -> Changes:
        """The changes that fit the base: of settings that there are, with values of their kind. Links may hold others."""
        fitting: Changes = {}
        for setting, value in changes.items():
            value = tuple(value) if isinstance(value, list) else value
            if self._is_editable(setting) and _is_like(value, self.value(setting)) and self._is_choice(setting, value):
                fitting = self.changed(fitting, setting, value)
        return fitting

    def values(self, changes: Changes) -> dict[str, Any]:
        """Base and changes together, as `parse_config` takes them, unchecked."""
        values: dict[str, Any] = self.config.model_dump()
        for setting, value in changes.items():
            if setting.startswith(REWARDS_TABLE):
                values["rewards"] = values["rewards"] | {setting.removeprefix(REWARDS_TABLE): value}
            else:
                values[setting] = value
        return values

    def _is_editable(self, setting: str) -> bool:
        if setting.startswith(REWARDS_TABLE):
            return self.has_rewards and setting.removeprefix(REWARDS_TABLE) in REWARDS
        return setting in self.settings and setting not in CHOSEN_ELSEWHERE

    def _is_choice(self, setting: str, value: Any) -> bool:
        choices = self.settings[setting].choices if setting in self.settings else ()
        return not choices or all(part in choices for part in (value if isinstance(value, tuple | list) else (value,)))


def parse_changes(text: str) -> Changes:
    """From an address.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("no object")
    json.dumps(found, ensure_ascii=False).encode()  # half a character cannot be shown
    return found


def write_changes(changes: Changes) -> str:
    """For an address; empty when there is too much to write."""
    text = json.dumps(dict(changes), ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= ADDRESS_CHARACTERS else ""


def group_of(setting: str, *, everything: bool = True) -> str:
    """The group of a setting in the form, which gathers the few that stand in small groups unless it shows everything."""
    group = SETTINGS[_whole(setting)].group
    return group if everything or group in LARGE_GROUPS else _GATHERED


def is_shown(setting: str, changes: Changes, values: Mapping[str, Any], *, everything: bool) -> bool:
    """Whether the form asks for a setting: most runs choose it, or all are asked for that do anything, or it was changed.

    Args:
        values: of all settings.
    """
    if setting in changes:
        return True
    return (everything or SETTINGS[setting].is_simple) and missed(setting, values) is None


def batch_words(values: Mapping[str, Any]) -> str:
    """What a step learns from, derived of the settings that say it; what to change where it makes no whole groups."""
    completions = int(values["per_device_train_batch_size"]) * int(values["gradient_accumulation_steps"])
    if "num_generations" not in values:
        return f"{count(completions, 'solution')} per step."
    group = int(values["num_generations"])
    if group < 1 or completions < 1:
        return ""
    problems, rest = divmod(completions, group)
    if rest:
        return (
            f"{count(completions, 'completion')} per step make no whole groups of {group:,}: make it a multiple of {group:,}."
        )
    return f"{count(problems, 'problem')} × {count(group, 'completion')} per step."


def none_words(setting: str) -> str:
    """What 0 means in a setting where it means no number; empty for all others."""
    return SETTINGS[setting].none if setting in SETTINGS else ""


def _whole(setting: str) -> str:
    return "rewards" if setting.startswith(REWARDS_TABLE) else setting


def written(value: Any) -> str:
    """A setting's value for people, in a few characters."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return f"{value:,}"
    text = ", ".join(value) if isinstance(value, tuple) else " ".join(str(value).split())
    return (text if len(text) <= 40 else f"{text[:39].rstrip()}…") or "empty"


def _is_like(value: Any, example: Any) -> bool:
    """Whether a value is of a setting's kind; whole numbers stand for others, but truth values for none."""
    if isinstance(example, bool) or isinstance(value, bool):
        return isinstance(example, bool) and isinstance(value, bool)
    if isinstance(example, float):
        return isinstance(value, int | float) and abs(value) <= _GREATEST
    if isinstance(example, int):
        return isinstance(value, int) and abs(value) <= _GREATEST
    if isinstance(example, tuple):
        return isinstance(value, tuple) and all(isinstance(part, str) for part in value)
    return type(value) is type(example)
