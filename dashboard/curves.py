"""Figures of a run: its scalars go in, plotly figures come out. Nothing here knows Streamlit."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard import figures, theme
from dashboard.thinning import POINTS, Window, in_window, thinned
from training.config import RunConfig
from training.rewards import REWARDS, maximum_of, title_of
from training.store.scalar_series import EMPTY, Series
from training.text import significant

_PACE_STEPS = 10
"""Steps that tell how long one takes now."""
_BAND = "rgba(0,114,178,0.18)"
_RAW_OPACITY = 0.4
"""Of the values as logged, behind a smoothed line."""


@dataclass(frozen=True)
class Line:
    """One of several lines of a small multiple."""

    name: str
    """The scalar's name in TRL's log."""
    title: str
    colour: str
    maximum: float = 1.0
    """What the values are divided by."""


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

    @property
    def names(self) -> tuple[str, ...]:
        """The scalars that the figure needs."""
        return tuple(line.name for line in self.lines) or (self.name, *((self.band,) if self.band else ()))


_MACHINERY = (
    Curve("kl", "KL divergence from the reference model, nats", "kl"),
    Curve("entropy", "Entropy of the next token, nats", "entropy"),
    Curve("clip", "Clipped tokens, share", "clip_ratio/region_mean"),
    Curve("cut_off", "Completions cut off, share", "completions/clipped_ratio", maximum=1.0),
    Curve("learning_rate", "Learning rate", "learning_rate"),
    Curve("grad_norm", "Gradient norm", "grad_norm"),
    Curve("loss", "Loss", "loss"),
    Curve("step_time", "Step time, seconds", "step_time"),
)
"""Shown where the run logs them."""

_SYSTEM = (
    Curve("cpu", "Processor time of the run, cores", "system/cpu_cores"),
    Curve("memory", "Memory of the run, GiB", "system/memory_gib"),
    Curve("machine_memory", "Memory in use on the machine, share", "system/machine_memory", maximum=1.0),
)
"""What `training.jobs.train.resources` records."""

_GPU_METRICS = {
    "utilisation": "GPU at work, share of time",
    "memory_gib": "GPU memory in use, GiB",
    "power_w": "GPU power, watts",
    "temperature_c": "GPU temperature, degrees Celsius",
}
"""The last part of what `training.jobs.train.gpu_metrics` records -> the title of its figure."""


def run_curves(config: RunConfig, names: Collection[str]) -> list[Curve]:
    """The total, format against skill, each reward function that is trained on or judges, then what tells of learning.

    Args:
        names: the scalars that the run logs.
    """
    judged = dict.fromkeys((*config.reward_weights, *([config.verifier] if reward_scalar(config.verifier) in names else ())))
    rewards = [Curve(name, title_of(name), reward_scalar(name), maximum=maximum_of(name)) for name in judged]
    length = Curve("length", "Completion length, tokens", "completions/mean_length", maximum=config.max_completion_length)
    against = _format_against_skill(config)
    return [
        Curve("reward", "Total reward", "reward", maximum=config.maximum_reward, band="reward_std"),
        *([against] if against is not None else []),
        Curve("zero_variance", "Groups without variance, share", "frac_reward_zero_std", maximum=1.0),
        *rewards,
        *([length] if length.name in names or not names else []),
        *(curve for curve in _MACHINERY if curve.name in names),
    ]


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


def smoothed(values: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """(S,) exponential moving average, `weight` being the share of the past, corrected for its start as TensorBoard does."""
    if not weight or not len(values):
        return values
    means: NDArray[np.float64] = pd.Series(values).ewm(alpha=1 - weight, adjust=True).mean().to_numpy()
    return means


def curve_figure(
    series: Mapping[str, Series],
    curve: Curve,
    *,
    max_steps: int,
    view: str,
    weight: float = 0.0,
    window: Window | None = None,
) -> dict[str, Any]:
    """One curve over the run's whole length, so that every figure of a run has the same axis from its first step on.

    As plotly.js takes it, see `figures.Panel`.

    Args:
        series: of `curve.names`.
        weight: of the past in smoothed lines, 0 for none.
        window: the steps in view, `None` for the whole run; within it thinning begins anew.
    """
    traces: list[dict[str, Any]] = []
    shown: list[NDArray[np.float64]] = [np.zeros(0)]
    if curve.band:
        traces.append(_band(series, curve, weight, window, shown))
    for line in curve.lines or (Line(curve.name, curve.title, theme.TRAIN),):
        traces += _line_traces(series.get(line.name, EMPTY), line, weight, window, shown)
    maximum = None if curve.lines else curve.maximum
    values = _value_range(np.concatenate(shown), maximum, zoomed=window is not None)
    values = _value_range(np.concatenate(shown), maximum, zoomed=window is not None)
    return {"data": traces, "layout": _layout(curve, max_steps, f"{view} {window}", window, values)}


def in_words(series: Mapping[str, Series], curve: Curve) -> str:
    """Where each of the curve's lines stands now: the figure's text alternative."""
    lines = [(line.title, line.name, line.maximum) for line in curve.lines] or [("", curve.name, 1.0)]
    latest = [
        f"{title} now {significant(float(series[name][1][-1]) / maximum)}".strip()
        for title, name, maximum in lines
        if len(series[name][1])
    ]
    return ", ".join([f"{curve.title} by step", *latest])


def points_drawn(series: Series, window: Window | None) -> tuple[int, int]:
    """How many points of a series a figure shows, and how many there are in view."""
    there = len(series[0][in_window(series[0], window)])
    return min(there, POINTS), there


def step_time_s(series: Series) -> float | None:
    """Seconds a step, generation included: the median of the latest steps."""
    return float(np.median(series[1][-_PACE_STEPS:])) if len(series[1]) else None


def _line_traces(
    series: Series, line: Line, weight: float, window: Window | None, shown: list[NDArray[np.float64]]
) -> list[dict[str, Any]]:
    """The line; smoothed, with the values as logged faintly behind it."""
    part = in_window(series[0], window)
    steps = series[0][part]
    looks = [(smoothed(series[1], weight)[part] / line.maximum, 1.0)]
    if weight:
        looks.insert(0, (series[1][part] / line.maximum, _RAW_OPACITY))
    traces = []
    for values, opacity in looks:
        kept = thinned(steps, values)
        shown.append(values[kept])
        what = "" if opacity == 1.0 and not weight else ", smoothed" if opacity == 1.0 else ", as logged"
        traces.append(
            {
                "type": "scatter",
                "x": _compact(steps[kept]),
                "y": _compact(values[kept]),
                "name": line.title,
                "mode": "lines+markers" if len(kept) < 3 else "lines",
                "line": {"color": line.colour, "width": 1.8 if opacity == 1.0 else 1.0},
                "opacity": opacity,
                "hovertemplate": f"{line.title}, step %{{x}}: %{{y:.3g}}{what}<extra></extra>",
            }
        )
    return traces


def _band(
    series: Mapping[str, Series], curve: Curve, weight: float, window: Window | None, shown: list[NDArray[np.float64]]
) -> dict[str, Any]:
    """One standard deviation on either side, at the points where the line is drawn."""
    steps, means = series.get(curve.name, EMPTY)
    spread = _at(steps, series.get(curve.band or "", EMPTY))
    part = in_window(steps, window)
    steps, means, spread = steps[part], smoothed(means, weight)[part], smoothed(spread, weight)[part]
    kept = thinned(steps, means)
    low, high = means[kept] - spread[kept], means[kept] + spread[kept]
    shown += [low, high]
    around = steps[kept]
    return {
        "type": "scatter",
        "x": _compact(np.concatenate([around, around[::-1]])),
        "y": _compact(np.concatenate([high, low[::-1]])),
        "fill": "toself",
        "fillcolor": _BAND,
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _at(steps: NDArray[np.int64], series: Series) -> NDArray[np.float64]:
    """The series' values at these steps, 0 where it has none."""
    found = np.zeros(len(steps))
    if len(series[0]):
        places = np.minimum(np.searchsorted(series[0], steps), len(series[0]) - 1)
        matching = series[0][places] == steps
        found[matching] = series[1][places[matching]]
    return found


def _compact(values: NDArray[Any]) -> NDArray[Any]:
    """As the browser gets them, in binary: seven digits are enough, more are only weight on the way."""
    return values.astype(np.int32 if values.dtype.kind == "i" else np.float32)


@cache
def _quiet_layout() -> dict[str, Any]:
    layout: dict[str, Any] = figures.quiet(go.Figure()).to_dict()["layout"]
    return layout


_TICKS = 4
"""Fewer steps than this have a tick each: more would say one number twice."""


def _layout(curve: Curve, max_steps: int, view: str, window: Window | None, values: Sequence[float]) -> dict[str, Any]:
    quiet = _quiet_layout()
    named = ", ".join(f'<span style="color:{line.colour}"><b>{line.title}</b></span>' for line in curve.lines)
    below = {"text": named, "x": 0, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    maximum = curve.maximum
    axes = {"xref": "x domain", "x0": 0, "x1": 1, "y0": maximum, "y1": maximum}
    at_most = {"type": "line", **axes, "line": {"color": theme.QUIET, "width": 1, "dash": "dot"}}
    return {
        **quiet,
        "uirevision": view,
        "showlegend": False,
        "dragmode": "zoom",
        "margin": {"l": 36, "r": 18, "t": 44 if named else 28, "b": 32},
        "title": {"text": curve.title, "x": 0, "xref": "paper", "y": 0.98, "yanchor": "top", "font": {"size": 13}},
        "annotations": [below | {"showarrow": False, "font": {"size": 11}, "borderpad": 0}] if named else [],
        "shapes": [] if maximum is None else [at_most],
        "xaxis": {
            **quiet["xaxis"],
            "range": list(window or (0, max(max_steps, 1))),
            "title": {"text": "step", "standoff": 2},
            "tickformat": ",d",
            **({"dtick": 1} if max_steps < _TICKS else {}),
        },
        "yaxis": {
            **quiet["yaxis"],
            "range": list(values),
            "nticks": 4,
            "fixedrange": True,
            "exponentformat": "e",
            "minexponent": 4,
            "separatethousands": True,
        },
    }


def _value_range(values: NDArray[np.float64], maximum: float | None, *, zoomed: bool) -> Sequence[float]:
    """From zero to the maximum; of a part of the run, just what is to be seen there. A gradient may be infinite."""
    values = values[np.isfinite(values)]
    if zoomed and len(values) and values.min() < values.max():
        room = 0.06 * float(values.max() - values.min())
        return [float(values.min()) - room, float(values.max()) + room]
    top = max(chain([maximum or 0.0], values.tolist()), default=1.0)
    return [min(chain([0.0], values.tolist())), 1.05 * top or 1.0]
