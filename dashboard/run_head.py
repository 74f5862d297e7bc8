"""What the head of a run's page says: where the run stands, and its five figures. Nothing here knows Streamlit."""

from collections.abc import Mapping
from dataclasses import dataclass

from dashboard import curves
from training.config import RunConfig
from training.store import LOCAL, Job, Status
from training.store.scalar_series import Series
from training.text import duration, percent, significant


@dataclass(frozen=True)
class Figure:
    """One of the figures above the tabs, as text."""

    title: str
    value: str
    change: str
    """`+0.26`, `−13 points`; empty for none."""


@dataclass(frozen=True)
class Head:
    """All that moves in the head."""

    status: Status
    fraction: float
    line: str
    figures: tuple[Figure, ...]


def head_names(config: RunConfig) -> frozenset[str]:
    """The scalars that the head needs."""
    return frozenset({"step_time", *curves.headline_names(config)})


def head_of(run: Job, config: RunConfig, series: Mapping[str, Series]) -> Head:
    """The head of a run.

    Args:
        run: the run as it is now.
        config: its configuration.
        series: of `head_names`.
    """
    line = progress_line(run, curves.step_time_s(series["step_time"]))
    figures = tuple(
        Figure(found.title, _as_text(found.value, is_share=found.is_share), _change(found))
        for found in curves.headlines(series, config)
    )
    return Head(run.status, run.fraction, line, figures)


def progress_line(run: Job, step_time_s: float | None) -> str:
    """Step, where it runs if not here, pace and time left; of a run that has ended, why and how long it took."""
    place = "" if run.backend == LOCAL else f" on {run.backend}"
    is_whole = run.status == "finished" and run.done >= run.total and bool(run.reason)
    parts = [f"{run.reason if is_whole else f'step {run.done:,.0f} of {run.total:,.0f}'}{place}"]
    if step_time_s:
        parts.append(f"{significant(step_time_s)} s per step")
    if run.active:
        if step_time_s and run.phase == "training":
            parts.append(f"{duration(step_time_s * (run.total - run.done))} left")
        parts.append("waiting for its turn" if run.status == "queued" else run.message)
    else:
        is_told_below = run.status in ("failed", "lost")
        parts.append("" if is_whole or is_told_below else run.reason)
        if run.started_at and run.ended_at:
            parts.append(f"took {duration(run.ended_at - run.started_at)}")
    return ", ".join(part for part in parts if part)


def _as_text(value: float, *, is_share: bool) -> str:
    return percent(value) if is_share else significant(value)


def _change(headline: curves.Headline) -> str:
    if not headline.change:
        return ""
    size = abs(headline.change)
    amount = f"{significant(round(100 * size, 1))} points" if headline.is_share else significant(size)
    return f"{'+' if headline.change > 0 else '−'}{amount}"
