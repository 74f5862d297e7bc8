"""Which curves a run has; `curve_figures` draws them. Nothing here knows Streamlit."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.pools import POOL_TITLES
from dashboard import theme
from training.config import RunConfig, StageConfig
from training.jobs.train import stopwatch
from training.preflight.expectation import evaluation_passes
from training.rewards import REWARDS, maximum_of, title_of
from training.sampling.pools import POOLS
from training.store.scalar_series import Series

REWARD, LENGTH, LOSS, ACCURACY = "reward", "completions/mean_length", "loss", "mean_token_accuracy"
"""TRL's names for the mean total reward and the mean length of a step's completions; for the loss, and the share of the
solutions' tokens that the model finds likeliest."""
_PACE_STEPS = 10
"""Steps that tell how long one takes now."""


@dataclass(frozen=True)
class Line:
    """One of several lines of a small multiple."""

    name: str
    """The scalar's name in TRL's log."""
    title: str
    colour: str
    maximum: float = 1.0
    """What the values are divided by."""
    dash: str = "solid"


@dataclass(frozen=True)
class Curve:
    """One small multiple."""

    key: str
    title: str
    name: str
    """The scalar's name in TRL's log; the first one's where there are several lines."""
    maximum: float | None = None
    """Drawn as a line where the value has one."""
    band: str | None = None
    """The scalar whose value is the standard deviation around this one."""
    lines: tuple[Line, ...] = ()
    """What is drawn instead of the one scalar; their titles stand below the figure's, each in its line's colour."""
    stacked: bool = False
    """The lines are parts of a whole, drawn as areas on each other."""

    @property
    def names(self) -> tuple[str, ...]:
        """The scalars that the figure needs."""
        return tuple(line.name for line in self.lines) or (self.name, *((self.band,) if self.band else ()))


_MACHINERY = (
    Curve("kl", "KL from the reference model, nats", "kl"),
    Curve("entropy", "Entropy of the next token, nats", "entropy"),
    Curve("entropy_bonus", "Entropy bonus", "entropy_coef"),
    Curve("clip", "Clipped tokens, share", "clip_ratio/region_mean"),
    Curve("capped", "Tokens whose ratio is capped, share", "cispo_clip_ratio"),
    Curve("vespo_weight", "VESPO's weight of a completion", "vespo/phi_seq_mean"),
    Curve("cut_off", "Completions cut off, share", "completions/clipped_ratio", maximum=1.0),
    Curve("learning_rate", "Learning rate", "learning_rate"),
    Curve("grad_norm", "Gradient norm", "grad_norm"),
    Curve("loss", "Loss", LOSS),
    Curve("step_time", "Step time, seconds", "step_time"),
    Curve("tokens_per_s", "Generated tokens a second", stopwatch.TOKENS_PER_S),
)
"""Shown where the run logs them."""

_VLLM = (
    (
        "vllm_difference",
        "Log-probability of a token, vLLM's against the model's, nats",
        "sampling/sampling_logp_difference",
        ("mean", "max"),
    ),
    (
        "vllm_ratio",
        "Correction for vLLM's probabilities, ratio",
        "sampling/importance_sampling_ratio",
        ("min", "mean", "max"),
    ),
)
"""Key, title, scalars and their last parts: what TRL logs where vLLM generates and its probabilities are corrected for."""

_SYSTEM = (
    Curve("cpu", "Processor time of the run, cores", "system/cpu_cores"),
    Curve("memory", "Memory of the run, GiB", "system/memory_gib"),
    Curve("machine_memory", "Memory in use on the machine, share", "system/machine_memory", maximum=1.0),
)
"""What `training.jobs.train.resources` records."""

_PARTS = {
    stopwatch.GENERATE: ("generate", theme.TOPICS[3]),
    stopwatch.REWARD: ("rewards", theme.TOPICS[1]),
    stopwatch.WAIT: ("wait", theme.QUIET),
    stopwatch.RECORD: ("record", theme.TOPICS[2]),
    stopwatch.LEARN: ("learn", theme.TOPICS[0]),
}
"""Parts of a step as `training.jobs.train.step_times` names them -> their titles and colours, the lowest first."""

_GPU_METRICS = {
    "utilisation": "GPU at work, share of time",
    "memory_gib": "GPU memory in use, GiB",
    "power_w": "GPU power, watts",
    "temperature_c": "GPU temperature, degrees Celsius",
}
"""The last part of what `training.jobs.train.gpu_metrics` records -> the title of its figure."""


def main_scalar(config: StageConfig) -> str:
    """What every step of a run logs, and what its steps are counted by."""
    return REWARD if isinstance(config, RunConfig) else LOSS


def run_curves(config: StageConfig, names: Collection[str]) -> list[Curve]:
    """What the run learns, then what tells of learning.

    Args:
        names: the scalars that the run logs.
    """
    learnt = _of_rewards(config, names) if isinstance(config, RunConfig) else _of_solutions(config)
    shown = {curve.name for curve in learnt}
    machinery = (curve for curve in _MACHINERY if curve.name in names and curve.name not in shown)
    return [*learnt, *machinery, *_vllm_curves(names), *_time_curves(names)]


def _vllm_curves(names: Collection[str]) -> list[Curve]:
    """How far vLLM, which generates, is from the model that learns."""
    colours = {"min": theme.TOPICS[3], "mean": theme.TOPICS[0], "max": theme.TOPICS[1]}
    found = []
    for key, title, scalar, parts in _VLLM:
        lines = tuple(Line(f"{scalar}/{part}", part, colours[part]) for part in parts if f"{scalar}/{part}" in names)
        found += [Curve(key, title, lines[0].name, lines=lines)] if lines else []
    return found


def _of_solutions(config: StageConfig) -> list[Curve]:
    """The loss and the token accuracy; what evaluations came to, in which alone the model answers."""
    judged = dict.fromkeys((config.verifier, "correctness", "soft_correctness", "strict_format"))
    answers = [
        Curve(f"evaluated {name}", f"{title_of(name)}, evaluated", reward_scalar(name), maximum=maximum_of(name))
        for name in (judged if evaluation_passes(config) else ())
    ]
    return [Curve("loss", "Loss", LOSS), Curve("accuracy", "Token accuracy, share", ACCURACY, maximum=1.0), *answers]


def _of_rewards(config: RunConfig, names: Collection[str]) -> list[Curve]:
    """The total, format against skill, each reward function that is trained on or judges, and how long completions are."""
    judged = dict.fromkeys((*config.reward_weights, *([config.verifier] if reward_scalar(config.verifier) in names else ())))
    rewards = [Curve(name, title_of(name), reward_scalar(name), maximum=maximum_of(name)) for name in judged]
    length = Curve("length", "Completion length, tokens", LENGTH, maximum=config.max_completion_length)
    against = _format_against_skill(config)
    return [
        Curve("reward", "Total reward", REWARD, maximum=config.maximum_reward, band="reward_std"),
        *([against] if against is not None else []),
        Curve("zero_variance", "Groups without variance, share", "frac_reward_zero_std", maximum=1.0),
        *rewards,
        *([length] if length.name in names or not names else []),
        *_choice_curves(names),
    ]


def _choice_curves(names: Collection[str]) -> list[Curve]:
    """How a run chose its problems, where it did."""
    found = []
    for key, title, pools in (("pools", "Problems met, by pool", POOLS[1:]), ("drawn", "Groups drawn, by pool", POOLS)):
        lines = tuple(Line(f"{key}/{pool}", POOL_TITLES[pool], theme.POOLS[pool]) for pool in pools if f"{key}/{pool}" in names)
        found += [Curve(key, title, lines[0].name, lines=lines)] if lines else []
    dropped = Curve("dropped", "Tokens of groups not learnt from", "dynamic_sampling/dropped_tokens")
    return [*found, *([dropped] if dropped.name in names else [])]


def _time_curves(names: Collection[str]) -> list[Curve]:
    """Where the first process's time goes, and how long each of several waits for the others."""
    parts = [Line(f"time/{part}", title, colour) for part, (title, colour) in _PARTS.items() if f"time/{part}" in names]
    ranks = sorted(int(name.split("/")[1]) for name in names if re.fullmatch(rf"time/\d+/{stopwatch.WAIT}", name))
    waiting = [f"time/{stopwatch.WAIT}", *(f"time/{rank}/{stopwatch.WAIT}" for rank in ranks)]
    waits = [Line(name, str(place), theme.TOPICS[place % len(theme.TOPICS)]) for place, name in enumerate(waiting)]
    found = []
    if parts:
        found.append(Curve("time", "Where a step's time goes, seconds", parts[0].name, lines=tuple(parts), stacked=True))
    if ranks:
        found.append(Curve("waits", "Waiting for other processes, seconds", waits[0].name, lines=tuple(waits)))
    return found


def system_curves(names: Collection[str]) -> list[Curve]:
    """What the run takes of its machines, as far as it was recorded; a figure of GPUs has a line for each.

    Args:
        names: the scalars that the run logs.
    """
    found = [curve for curve in _SYSTEM if curve.name in names]
    gpus = sorted({name.split("/")[1] for name in names if name.startswith("gpu/")}, key=_gpu_order)
    for metric, title in _GPU_METRICS.items():
        logged = [gpu for gpu in gpus if f"gpu/{gpu}/{metric}" in names]
        lines = tuple(
            Line(f"gpu/{gpu}/{metric}", gpu, theme.TOPICS[place % len(theme.TOPICS)]) for place, gpu in enumerate(logged)
        )
        maximum = 1.0 if metric == "utilisation" else None
        if lines:
            found.append(Curve(metric, title, lines[0].name, maximum=maximum, lines=lines if len(lines) > 1 else ()))
    return found


def _gpu_order(label: str) -> tuple[int, ...]:
    """By machine, then by number: `0`, `1`, `1.0`, `1.1`, as `training.jobs.train.gpu_metrics` names them."""
    *machine, number = map(int, label.split("."))
    return (*(machine or [0]), number)


def reward_scalar(name: str) -> str:
    """TRL's name for the mean of a reward function."""
    return f"rewards/{name}/mean"


def arranged(curves: Sequence[Curve], keys: Sequence[str]) -> list[Curve]:
    """The curves of these keys, in that order; all, in their own, where none is among them."""
    by_key = {curve.key: curve for curve in curves}
    return [by_key[key] for key in dict.fromkeys(keys) if key in by_key] or list(curves)


def _format_against_skill(config: RunConfig) -> Curve | None:
    """Training reward, format and correctness as shares of what each can reach at most: do they rise together?

    `None` where a run is trained on neither, or on functions whose highest value nobody knows.
    """
    orange, green, sky = theme.TOPICS[1], theme.TOPICS[0], theme.TOPICS[3]
    looks = {"strict_format": ("format", orange), "correctness": ("hard", green), "soft_correctness": ("soft", sky)}
    lines = [
        Line(reward_scalar(name), title, colour, REWARDS[name].maximum)
        for name, (title, colour) in looks.items()
        if name in config.reward_weights
    ]
    highest = config.maximum_reward
    if not lines or not highest:
        return None
    total = Line("reward", "reward", theme.TRAIN, highest)
    return Curve("against", "Format against skill, share of maximum", "reward", maximum=1.0, lines=(total, *lines))


def step_time_s(series: Series) -> float | None:
    """Seconds a step, generation included: the median of the latest steps."""
    return float(np.median(series[1][-_PACE_STEPS:])) if len(series[1]) else None
