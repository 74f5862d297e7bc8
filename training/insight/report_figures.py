"""The report's figures as SVG: where curves over steps, and points with intervals, go. What is drawn there is in templates.

Colours are CSS variables of the page, so that one file suits light and dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from training.evaluation.evaluate import Score
from training.templates import template
from training.text import span

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


def curve_svg(title: str, thinned: Thinned, last_step: float, maximum: float | None = None) -> Markup:
    """One curve with its axis; a dotted line at the maximum where the value has one."""
    bottom = min(0.0, float(thinned.low.min()))
    top = max(float(thinned.high.max()), maximum or 0.0)
    top = top if top > bottom else bottom + 1.0
    top += 0.05 * (top - bottom)

    def y(value: float, down: int = 0) -> str:
        return f"{_TOP + (_HEIGHT - _TOP - _BOTTOM) * (top - value) / (top - bottom) + down:.1f}"

    def path(values: NDArray[np.float64], steps: NDArray[np.float64]) -> str:
        across = _LEFT + (_WIDTH - _LEFT - _RIGHT) * steps / max(1.0, last_step)
        return " ".join(f"{x:.1f},{y(value)}" for x, value in zip(across, values, strict=True))

    band = path(np.append(thinned.high, thinned.low[::-1]), np.append(thinned.steps, thinned.steps[::-1]))
    drawn = template("insight/curve.svg.j2").render(
        described=f"{title} by step: from {span(thinned.means[0], thinned.means[-1], '.3g')}",
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=_WIDTH - _RIGHT,
        ticks=[(y(tick), y(tick, 4), f"{tick:.3g}") for tick in _ticks(bottom, top)],
        maximum=None if maximum is None else y(maximum),
        band=band if thinned.stretch > 1 else "",
        curve=path(thinned.means, thinned.steps),
        last_step=f"{last_step:,.0f}",
    )
    return Markup(drawn)


def intervals_svg(rows: Sequence[tuple[str, Sequence[Score | None]]], names: Sequence[str]) -> Markup:
    """Scores as shares of their maximum: a row a measure, a point with its 95% interval an evaluation.

    Args:
        rows: (title, a score an evaluation).
        names: the evaluations'.
    """
    width, height = 560, _ROW * len(rows) * max(1, len(names)) // 2 + 40
    row_height = (height - 40) / max(1, len(rows))
    middles = [4 + row_height * (place + 0.5) for place in range(len(rows))]

    def x(share: float) -> str:
        return f"{_LABELS + (width - _LABELS - 16) * share:.1f}"

    points = []
    for middle, (_, scores) in zip(middles, rows, strict=True):
        for number, score in enumerate(scores):
            if score is not None:
                y = middle + (number - (len(scores) - 1) / 2) * min(9.0, row_height / (len(scores) + 1))
                points.append((number, f"{y:.1f}", *(x(part / score.maximum) for part in (score.low, score.value, score.high))))
    drawn = template("insight/intervals.svg.j2").render(
        names=names,
        width=width,
        height=height,
        labels=_LABELS,
        ticks=[(x(tick), f"{tick:.0%}") for tick in (0.0, 0.25, 0.5, 0.75, 1.0)],
        titles=[(f"{middle + 4:.1f}", title) for middle, (title, _) in zip(middles, rows, strict=True)],
        points=points,
    )
    return Markup(drawn)


def _ticks(bottom: float, top: float) -> list[float]:
    """Three to five round numbers within a range."""
    size = 10.0 ** math.floor(math.log10((top - bottom) / 4))
    step = next(size * factor for factor in (1, 2, 5, 10) if (top - bottom) / (size * factor) <= 5)
    first = math.ceil(bottom / step)
    return [number * step for number in range(first, math.floor(top / step) + 1)]
