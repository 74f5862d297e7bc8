"""Figures of a run: its scalars go in, plotly figures and the headline numbers come out. Nothing here knows Streamlit."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from dashboard import figures, theme
from training.config import RunConfig
from training.rewards import REWARDS
from training.store import Scalar

_EDGE_STEPS = 5
"""Steps that the first and the latest figures are averaged over: one step's mean is noise."""
_BAND = "rgba(0,114,178,0.18)"


@dataclass(frozen=True)
class Curve:
    """One small multiple."""

    key: str
    title: str
    name: str
    """The scalar's name in TRL's log."""
    maximum: float | None = None
    """Drawn as a line where the value has one."""
    band: str | None = None
    """The scalar whose value is the standard deviation around this one."""


@dataclass(frozen=True)
class Headline:
    """One of the figures above the curves, averaged over the latest steps."""

    title: str
    value: float
    change: float | None
    """Against the first steps; `None` until there are enough."""
    is_share: bool = False


def run_curves(config: RunConfig) -> list[Curve]:
    """The total and each reward function that is trained on, then what tells whether learning goes on."""
    rewards = [
        Curve(name, REWARDS[name].title, reward_scalar(name), maximum=REWARDS[name].maximum) for name in config.reward_weights
    ]
    return [
        Curve("reward", "Total reward", "reward", maximum=config.maximum_reward, band="reward_std"),
        *rewards,
        Curve("length", "Completion length, tokens", "completions/mean_length", maximum=config.max_completion_length),
        Curve("zero_variance", "Groups without variance, share", "frac_reward_zero_std", maximum=1.0),
    ]


def reward_scalar(name: str) -> str:
    """TRL's name for the mean of a reward function."""
    return f"rewards/{name}/mean"


def scalar_frame(scalars: Iterable[Scalar]) -> pd.DataFrame:
    """One row a step, one column a scalar; missing values are NaN."""
    rows: dict[int, dict[str, float | None]] = {}
    for scalar in scalars:
        rows.setdefault(scalar.step, {})[scalar.name] = scalar.value
    return pd.DataFrame.from_dict(rows, orient="index", dtype=float).sort_index()


def curve_figure(frame: pd.DataFrame, curve: Curve, *, max_steps: int, view: str) -> go.Figure:
    """One curve over the run's whole length, so that every figure of a run has the same axis from its first step on."""
    figure = go.Figure()
    values = frame[curve.name].dropna() if curve.name in frame else pd.Series(dtype=float)
    steps = values.index.to_list()
    spread = frame[curve.band].reindex(values.index).fillna(0.0) if curve.band in frame else 0.0 * values
    low, high = (values - spread).to_list(), (values + spread).to_list()
    if curve.band:
        figure.add_trace(
            go.Scatter(
                x=steps + steps[::-1], y=high + low[::-1], fill="toself", fillcolor=_BAND, line={"width": 0}, hoverinfo="skip"
            )
        )
    figure.add_trace(
        go.Scatter(
            x=steps,
            y=values.to_list(),
            mode="lines+markers" if len(values) < 3 else "lines",
            line={"color": theme.TRAIN, "width": 1.8},
            hovertemplate="step %{x}: %{y:.3g}<extra></extra>",
        )
    )
    if curve.maximum is not None:
        figure.add_hline(y=curve.maximum, line={"color": theme.QUIET, "width": 1, "dash": "dot"})
    figures.quiet(figure, view=view)
    figure.update_layout(showlegend=False, margin={"l": 36, "r": 18, "t": 28, "b": 32})
    figure.update_layout(title={"text": curve.title, "x": 0, "xref": "paper", "y": 0.98, "font": {"size": 13}})
    figure.update_xaxes(range=[0, max(max_steps, 1)], title={"text": "step", "standoff": 2})
    top = max([curve.maximum or 0.0, *values, *high], default=1.0)
    figure.update_yaxes(range=[min([0.0, *low]), 1.05 * top or 1.0], nticks=4)
    return figure


def headlines(frame: pd.DataFrame, config: RunConfig) -> list[Headline]:
    """Total reward, hard and soft correctness, format and groups without variance, as far as the run has them."""
    shares = {"correctness": "Hard correctness", "soft_correctness": "Soft correctness", "soft_format": "Soft format"}
    found = [_headline(frame, "reward", "Total reward")]
    found += [
        _headline(frame, reward_scalar(name), title, scale=1 / REWARDS[name].maximum)
        for name, title in shares.items()
        if name in config.reward_weights
    ]
    found.append(_headline(frame, "frac_reward_zero_std", "Groups without variance", scale=1.0))
    return [headline for headline in found if headline is not None]


def step_time_s(frame: pd.DataFrame) -> float | None:
    """Seconds a step, generation included: the median of the latest steps."""
    return float(frame["step_time"].dropna().tail(2 * _EDGE_STEPS).median()) if "step_time" in frame and len(frame) else None


def _headline(frame: pd.DataFrame, name: str, title: str, scale: float | None = None) -> Headline | None:
    values = frame[name].dropna() * (scale or 1.0) if name in frame else pd.Series(dtype=float)
    if values.empty:
        return None
    latest = float(values.tail(_EDGE_STEPS).mean())
    change = latest - float(values.head(_EDGE_STEPS).mean()) if len(values) > _EDGE_STEPS else None
    return Headline(title, latest, change, is_share=scale is not None)
