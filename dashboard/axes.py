"""What a run's curves are drawn over: steps, time of training, tokens, completions. Nothing here knows Streamlit."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.thinning import Window
from training.config import RunConfig, StageConfig
from training.store.scalar_series import Series
from training.stored_config import ImportedConfig

STEP, TIME, TOKENS, COMPLETIONS = "step", "time", "tokens", "completions"
AXES: Mapping[str, str] = {STEP: "Step", TIME: "Training time", TOKENS: "Tokens", COMPLETIONS: "Completions"}
"""Key -> what it is called."""
TOKENS_LOGGED = "num_tokens"
"""TRL's name for the tokens of prompts and completions so far."""
_MINUTE_S, _HOUR_S = 60.0, 3600.0
_FOR_EVER = 10**12
"""A step that no run reaches."""


@dataclass(frozen=True)
class Axis:
    """Where each step of a run lies on the horizontal axis."""

    title: str
    steps: NDArray[np.int64]
    """(S,) ascending, from 0."""
    places: NDArray[np.float64]
    """(S,) ascending."""
    ticks: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What the axis of the figure has besides."""

    def at(self, steps: NDArray[Any]) -> NDArray[np.float64]:
        """(N,) where these steps lie."""
        found: NDArray[np.float64] = np.interp(steps, self.steps, self.places)
        return found

    def steps_between(self, window: Window) -> Window:
        """The steps of a part of the axis."""
        first, last = np.interp(window, self.places, self.steps)
        return float(first), float(last)


def axis_named(key: str, *, completions_per_step: int, tokens: Series, elapsed: Series, longest_s: float = 0.0) -> Axis:
    """What a run's curves are drawn over.

    Args:
        key: of `AXES`.
        completions_per_step: of its configuration.
        tokens: of `TOKENS_LOGGED`; read for that axis only.
        elapsed: steps, and the seconds of training that led to each; read for that axis only.
        longest_s: see `time_axis`.
    """
    make: Mapping[str, Callable[[], Axis]] = {
        STEP: step_axis,
        TIME: lambda: time_axis(elapsed, longest_s),
        TOKENS: lambda: tokens_axis(tokens),
        COMPLETIONS: lambda: completions_axis(completions_per_step),
    }
    return make[key]()


def step_axis() -> Axis:
    """Each step lies at its number."""
    return Axis("step", np.array([0, _FOR_EVER]), np.array([0.0, _FOR_EVER]), {"tickformat": ",d"})


def completions_axis(per_step: int) -> Axis:
    """Each step lies at the completions generated up to it."""
    steps = np.array([0, _FOR_EVER])
    return Axis("completions", steps, steps * float(per_step), {"tickformat": ",d"})


def tokens_axis(logged: Series) -> Axis:
    """Each step lies at the tokens processed up to it. A resumed run may count anew: what it had before is added.

    Args:
        logged: of `TOKENS_LOGGED`.
    """
    steps, counted = logged
    added = np.diff(counted, prepend=0.0)
    return _from_zero("tokens", steps, np.cumsum(np.where(added < 0, counted, added)), {"tickformat": ".3~s"})


def time_axis(elapsed: Series, longest_s: float = 0.0) -> Axis:
    """Each step lies at the time of training that led to it.

    Args:
        elapsed: steps, and see `training.store.sessions.elapsed_s`.
        longest_s: of the other runs on the axis; minutes while hours would be small fractions.
    """
    steps, elapsed_s = elapsed
    longest_s = max([longest_s, *elapsed_s[-1:].tolist()])
    unit, size_s = ("hours", _HOUR_S) if longest_s >= 2 * _HOUR_S else ("minutes", _MINUTE_S)
    return _from_zero(f"training time, {unit}", steps, elapsed_s / size_s, {})


def offered_axes(config: StageConfig, names: Collection[str]) -> list[str]:
    """Keys of the axes that a run has; an import tells neither when its steps were done nor how many completions each had,
    and other stages than GRPO have none.

    Args:
        names: the scalars that it logs.
    """
    is_known = {STEP: True, TIME: True, TOKENS: TOKENS_LOGGED in names, COMPLETIONS: isinstance(config, RunConfig)}
    if isinstance(config, ImportedConfig):
        is_known |= {TIME: False, COMPLETIONS: False}
    return [key for key in AXES if is_known[key]]


def _from_zero(title: str, steps: NDArray[np.int64], places: NDArray[np.float64], ticks: Mapping[str, Any]) -> Axis:
    return Axis(title, np.concatenate([[0], steps]), np.concatenate([[0.0], places]), ticks)
