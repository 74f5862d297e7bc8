"""The report's figures as SVG made here: curves over steps, and points with intervals. Every text is escaped.

Colours are CSS variables of the page, so that one file suits light and dark.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.evaluate import Score

BINS = 240
"""Points of a curve; longer runs are drawn as the mean of as many equal stretches, within the band of lowest to highest."""

_WIDTH, _HEIGHT = 380, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 26
_ROW, _LABELS = 26, 150


@dataclass(frozen=True)
class Thinned:
    """A series in equal stretches of steps, one point each."""

    steps: NDArray[np.float64]
    """(B,) the mean step of each stretch."""
    means: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    stretch: int
    """Steps in one stretch; 1 where nothing was thinned."""


def thin(steps: NDArray[np.int64], values: NDArray[np.float64]) -> Thinned:
    """At most `BINS` points of a series: steps (S,) ascending, values (S,) finite."""
    stretch = max(1, math.ceil(len(steps) / BINS))
    starts = np.arange(0, len(steps), stretch)
    sizes = np.diff(np.append(starts, len(steps)))
    return Thinned(
        steps=np.add.reduceat(steps.astype(np.float64), starts) / sizes,
        means=np.add.reduceat(values, starts) / sizes,
        low=np.minimum.reduceat(values, starts),
        high=np.maximum.reduceat(values, starts),
        stretch=stretch,
    )


def curve_svg(title: str, thinned: Thinned, last_step: float, maximum: float | None = None) -> str:
    """One curve with its axis; a dotted line at the maximum where the value has one."""
    bottom = min(0.0, float(thinned.low.min()))
    top = max(float(thinned.high.max()), maximum or 0.0)
    top = top if top > bottom else bottom + 1.0
    top += 0.05 * (top - bottom)

    def x(step: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / max(1.0, last_step)

    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (top - value) / (top - bottom)

    def path(values: NDArray[np.float64], steps: NDArray[np.float64]) -> str:
        return " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in zip(steps, values, strict=True))

    parts = [
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" class="grid"/>'
        f'<text x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" class="end">{tick:.3g}</text>'
        for tick in _ticks(bottom, top)
    ]
    if maximum is not None:
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(maximum):.1f}" y2="{y(maximum):.1f}" class="most"/>')
    if thinned.stretch > 1:
        band = path(thinned.high, thinned.steps) + " " + path(thinned.low[::-1], thinned.steps[::-1])
        parts.append(f'<polygon points="{band}" class="band"/>')
    parts.append(f'<polyline points="{path(thinned.means, thinned.steps)}" class="curve"/>')
    for step in (0.0, last_step):
        anchor = "end" if step else ""
        parts.append(f'<text x="{x(step):.1f}" y="{_HEIGHT - 8}" class="{anchor}">{step:,.0f}</text>')
    described = f"{title} by step: from {thinned.means[0]:.3g} to {thinned.means[-1]:.3g}"
    return _svg(described, _WIDTH, _HEIGHT, parts)


def intervals_svg(rows: Sequence[tuple[str, Sequence[Score | None]]], names: Sequence[str]) -> str:
    """Scores as shares of their maximum: a row a measure, a point with its 95% interval an evaluation.

    Args:
        rows: (title, a score an evaluation).
        names: the evaluations'.
    """
    width, height = 560, _ROW * len(rows) * max(1, len(names)) // 2 + 40
    row_height = (height - 40) / max(1, len(rows))

    def x(share: float) -> float:
        return _LABELS + (width - _LABELS - 16) * share

    parts = [
        f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="4" y2="{height - 34}" class="grid"/>'
        f'<text x="{x(tick):.1f}" y="{height - 18}" class="middle">{tick:.0%}</text>'
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    for place, (title, scores) in enumerate(rows):
        middle = 4 + row_height * (place + 0.5)
        parts.append(f'<text x="{_LABELS - 10}" y="{middle + 4:.1f}" class="end">{html.escape(title)}</text>')
        for number, score in enumerate(scores):
            if score is None:
                continue
            y = middle + (number - (len(scores) - 1) / 2) * min(9.0, row_height / (len(scores) + 1))
            low, value, high = (x(part / score.maximum) for part in (score.low, score.value, score.high))
            parts.append(
                f'<g class="e{number % 6}"><line x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<circle cx="{value:.1f}" cy="{y:.1f}" r="4"/></g>'
            )
    return _svg("Shares of the maximum: " + ", ".join(names), width, height, parts)


def legend_html(names: Sequence[str]) -> str:
    """Which colour is which evaluation."""
    marks = (f'<span class="key e{number % 6}"></span>{html.escape(name)}' for number, name in enumerate(names))
    return f'<p class="legend">{" ".join(marks)}</p>'


def _ticks(bottom: float, top: float) -> list[float]:
    """Three to five round numbers within a range."""
    size = 10.0 ** math.floor(math.log10((top - bottom) / 4))
    step = next(size * factor for factor in (1, 2, 5, 10) if (top - bottom) / (size * factor) <= 5)
    first = math.ceil(bottom / step)
    return [number * step for number in range(first, math.floor(top / step) + 1)]


def _svg(described: str, width: int, height: int, parts: Sequence[str]) -> str:
    label = html.escape(described, quote=True)
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
