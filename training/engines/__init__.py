"""Engines: what loads a model for training, gives TRL's trainer to build on, and completes prompts for evaluations.

An engine is a module with the functions of `Engine`. `engine_named` imports it when it is needed, since engines import
torch; this module does not, so the dashboard and the checks before a launch may ask it what an engine needs.
"""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from training.config import StageConfig
from training.errors import ConfigError
from training.groups import Method
from training.prompts import Prompt

Complete = Callable[[Sequence[Prompt], int, float], list[tuple[str, int]]]
"""(prompts of one kind, max new tokens, temperature) -> (completion, tokens) of each; temperature 0 takes the likeliest."""


class SeededComplete(Protocol):
    """A `Complete` that may be told the seed of what it draws; `None` leaves it to chance."""

    def __call__(
        self, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float, seed: int | None = None, /
    ) -> list[tuple[str, int]]: ...


@dataclass(frozen=True)
class Loaded:
    """A model ready for TRL's trainer."""

    model: Any
    tokenizer: Any
    adapter: Any = None
    """A PEFT configuration that the trainer is to put on the model; None when the engine has, or when there is none."""


class Engine(Protocol):
    """What the training process asks of an engine."""

    def load_for_training(self, config: StageConfig, max_length: int) -> Loaded:
        """A run's model, its adapter on it or with it; `max_length` is of prompt and completion together, in tokens.

        Raises:
            ModelError: the model cannot be loaded, a package is missing, or `lora_targets` names no layer of it.
            ConfigError: the settings do not work together on this machine.
        """

    def trainer_classes(self, method: Method = "grpo") -> tuple[type, type]:
        """TRL's trainer of a method and its configuration as they are once this engine is imported; Unsloth replaces both."""

    def complete(
        self, model: Any, tokenizer: Any, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
    ) -> list[tuple[str, int]]:
        """(completion, tokens) a prompt, in one batch; the model is left in the mode in which it was."""


ENGINES = {"transformers": "training.engines.hugging_face", "unsloth": "training.engines.unsloth"}
"""Engine -> its module."""

PACKAGES: dict[str, tuple[str, ...]] = {
    "transformers": ("torch", "transformers", "trl", "peft"),
    "unsloth": ("torch", "transformers", "trl", "peft", "unsloth"),
}
"""Engine -> the packages that it imports."""

_INSTALLS = {"transformers": "pip install .", "unsloth": "pip install '.[gpu]'"}


def engine_named(name: str) -> Engine:
    """The engine's module. Call it before anything imports TRL: importing Unsloth replaces parts of TRL.

    Raises:
        ConfigError: there is no such engine.
        ModelError: its packages are not installed.
    """
    _check_name(name)
    return cast(Engine, importlib.import_module(ENGINES[name]))


def missing_packages(engine: str) -> tuple[str, ...]:
    """The packages that an engine needs and this Python has not; imports none of them.

    Raises:
        ConfigError: there is no such engine.
    """
    _check_name(engine)
    return tuple(name for name in PACKAGES[engine] if importlib.util.find_spec(name) is None)


def install_command(engine: str) -> str:
    """The command that installs what an engine needs, to be run in the project's folder.

    Raises:
        ConfigError: there is no such engine.
    """
    _check_name(engine)
    return _INSTALLS[engine]


def _check_name(engine: str) -> None:
    if engine not in ENGINES:
        raise ConfigError(f"There is no engine {engine!r}.", f"Use one of {', '.join(ENGINES)}.")
