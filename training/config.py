"""What a run is: a checked, documented `RunConfig`, the presets that fill it, and `key=value` changes to them.

Torch-free. Field names are TRL's where TRL has the setting. A field's description is its help text in the form.
"""

import difflib
import itertools
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from training.errors import ConfigError
from training.prompts import SYSTEM_PROMPT
from training.rewards import ARTICLE_REWARDS, REWARDS

PRESETS = Path(__file__).resolve().parent / "presets"


def _field(group: str, description: str, default: Any, **limits: Any) -> Any:
    return Field(default, description=description, json_schema_extra={"group": group}, **limits)


class RunConfig(BaseModel):
    """Everything that decides how a run goes; stored with the run and enough to run it again."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    preset: str = _field("Preset", "The preset that this configuration started from.", "")
    model: str = _field(
        "Model and data",
        'A Hub name, a local folder, or "demo" for the demo model that ships with the program.',
        ...,
        min_length=1,
    )
    source: str = _field("Model and data", "The problems: demo, hub (GSM8K), auto, or a folder or file.", "auto", min_length=1)
    subset: str = _field(
        "Model and data",
        "A saved subset to train on, name@version; empty for the whole train split. The test split stays whole.",
        "",
    )
    system_prompt: str = _field("Prompt", "The system turn before every question; empty leaves it out.", SYSTEM_PROMPT)

    max_steps: int = _field("Size of the run", "Optimiser steps.", 150, ge=1, le=1_000_000)
    num_generations: int = _field(
        "Size of the run", "Completions of one problem that are compared with each other: the group size.", 8, ge=2, le=256
    )
    per_device_train_batch_size: int = _field(
        "Size of the run", "Completions in one forward and backward pass.", 32, ge=1, le=4096
    )
    gradient_accumulation_steps: int = _field("Size of the run", "Passes before the weights change.", 1, ge=1, le=1024)
    max_completion_length: int = _field("Size of the run", "Tokens after which a completion is cut off.", 200, ge=1, le=131_072)

    temperature: float = _field("Sampling and loss", "Sampling temperature of the completions.", 1.0, gt=0, le=10)
    beta: float = _field(
        "Sampling and loss",
        "Weight of the KL term that holds the policy to its start; 0 needs no reference model.",
        0.0,
        ge=0,
        le=100,
    )
    epsilon: float = _field("Sampling and loss", "Clipping range of the probability ratio.", 0.2, gt=0, lt=1)
    loss_type: Literal["grpo", "dr_grpo", "dapo", "bnpo"] = _field(
        "Sampling and loss", "How token losses are averaged.", "dapo"
    )
    scale_rewards: Literal["group", "batch", "none"] = _field(
        "Sampling and loss", "Whose standard deviation divides the advantages.", "group"
    )

    learning_rate: float = _field("Optimiser", "Peak learning rate of AdamW.", 5e-6, gt=0, le=1)
    lr_scheduler_type: Literal["constant", "linear", "cosine"] = _field(
        "Optimiser", "Course of the learning rate after warm-up.", "cosine"
    )
    warmup_ratio: float = _field("Optimiser", "Share of the steps in which the learning rate rises from 0.", 0.0, ge=0, lt=1)
    weight_decay: float = _field("Optimiser", "AdamW's weight decay.", 0.0, ge=0, le=1)
    adam_beta1: float = _field("Optimiser", "AdamW's first moment decay.", 0.9, ge=0, lt=1)
    adam_beta2: float = _field("Optimiser", "AdamW's second moment decay.", 0.999, ge=0, lt=1)
    max_grad_norm: float = _field("Optimiser", "Gradients are clipped to this norm.", 1.0, gt=0)

    rewards: dict[str, float] = _field(
        "Rewards",
        "Weight of each reward function in the total; functions left out or at 0 are not trained on.",
        dict.fromkeys(ARTICLE_REWARDS, 1.0),
    )

    evaluation_problems: int = _field(
        "Evaluation and checkpoints", "Test problems to evaluate before and after training; 0 evaluates nothing.", 0, ge=0
    )
    evaluation_temperature: float = _field(
        "Evaluation and checkpoints", "Sampling temperature of evaluations; 0 takes the likeliest token.", 0.0, ge=0, le=10
    )
    save_steps: int = _field(
        "Evaluation and checkpoints", "Steps between checkpoints; the last step is always saved.", 50, ge=1
    )
    save_total_limit: int = _field("Evaluation and checkpoints", "Checkpoints kept.", 2, ge=1)
    seed: int = _field("Evaluation and checkpoints", "Seed of data order and sampling.", 42, ge=0, lt=2**32)
    wandb: bool = _field(
        "Evaluation and checkpoints",
        "Also log to Weights & Biases: online with a key, else offline into the run's folder.",
        False,
    )

    @field_validator("rewards")
    @classmethod
    def _known_rewards(cls, rewards: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(rewards) - set(REWARDS))
        if unknown:
            raise ValueError(f"there is no reward function {unknown[0]!r}; there are {', '.join(REWARDS)}")
        if not any(rewards.values()):
            raise ValueError("at least one reward function needs a weight other than 0")
        return rewards

    @model_validator(mode="after")
    def _whole_groups(self) -> "RunConfig":
        if self.completions_per_step % self.num_generations:
            raise ValueError(
                f"per_device_train_batch_size x gradient_accumulation_steps = {self.completions_per_step} completions a step "
                f"cannot be divided into groups of num_generations = {self.num_generations}; "
                f"make the batch a multiple of {self.num_generations}"
            )
        return self

    @property
    def completions_per_step(self) -> int:
        """Completions that one step learns from."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps

    @property
    def groups_per_step(self) -> int:
        """Problems in one step."""
        return self.completions_per_step // self.num_generations

    @property
    def reward_weights(self) -> dict[str, float]:
        """The functions that are trained on, in the registry's order."""
        return {name: self.rewards[name] for name in REWARDS if self.rewards.get(name)}

    @property
    def maximum_reward(self) -> float:
        """The highest total a completion can reach."""
        return sum(weight * REWARDS[name].maximum for name, weight in self.reward_weights.items() if weight > 0)


def preset_paths(own: Path | None = None) -> dict[str, Path]:
    """Name -> file of the presets that ship with the program, and of a person's own, which win over equal names."""
    folders = [PRESETS] if own is None else [PRESETS, own]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.toml"))}


def preset_description(path: Path) -> str:
    """What a preset says of itself: the comment that its file begins with."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return " ".join(line.lstrip("# ") for line in itertools.takewhile(lambda line: line.startswith("#"), lines))


def load_preset(preset: str, assignments: Sequence[str] = (), own: Path | None = None) -> RunConfig:
    """A preset by name, or the TOML file at a path, with `key=value` assignments applied.

    Values are read as TOML, and as plain text when that fails; `rewards.integer=0` reaches into the table of rewards.

    Args:
        own: the folder with a person's own presets.

    Raises:
        ConfigError: no such preset, malformed TOML, an unknown key, or a value out of range.
    """
    paths = preset_paths(own)
    path = paths.get(preset) or Path(preset).expanduser()
    if not path.is_file():
        raise ConfigError(f"There is no preset {preset!r}.", f"Use one of {', '.join(paths)}, or the path of a TOML file.")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"The preset {path.name} cannot be read: {error}.", "Correct the file; it must be TOML.") from error
    for assignment in assignments:
        _assign(values, assignment)
    return parse_config({"preset": path.stem} | values)


def parse_config(values: dict[str, Any]) -> RunConfig:
    """Check a configuration.

    Raises:
        ConfigError: names every field that is wrong, its value and what it may be.
    """
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        findings = "; ".join(_describe(finding) for finding in error.errors())
        raise ConfigError(f"The run configuration is not valid: {findings}.", "Correct the values named.") from error


def _assign(values: dict[str, Any], assignment: str) -> None:
    key, mark, text = assignment.partition("=")
    if not mark or not key.strip():
        raise ConfigError(f"{assignment!r} is not an assignment.", "Write key=value, for example max_steps=20.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, last = key.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{key!r} is not a setting: {table!r} is not a table.", "See `python -m training launch --help`.")
    values[last] = value


def _describe(finding: Any) -> str:
    field = ".".join(str(part) for part in finding["loc"])
    if finding["type"] == "extra_forbidden":
        close = difflib.get_close_matches(field, RunConfig.model_fields, n=1, cutoff=0.4)
        return f"there is no setting {field!r}" + (f" (did you mean {close[0]}?)" if close else "")
    message = finding["msg"].removeprefix("Value error, ")
    return f"{field} = {finding['input']!r}: {message[0].lower()}{message[1:]}" if field and field != "rewards" else message
