"""The colours: a colour means one thing on all pages. Text and backgrounds are set in `.streamlit/config.toml`."""

from collections.abc import Sequence

import plotly.colors

TRAIN = "#0072B2"
TEST = "#D55E00"
SPLIT_COLOURS = {"train": TRAIN, "test": TEST}
"""Okabe-Ito blue and vermilion."""

QUIET = "#8A949E"
"""Grey for what is there to compare with; readable on both backgrounds."""

SELECTION = "#CC79A7"
"""Okabe-Ito purple: what the person selected."""

BELOW_ZERO, ABOVE_ZERO = "#0072B2", "#D55E00"
"""The ends of the scale for signed magnitudes."""

_CIVIDIS_LIGHT = (0.0, 0.92)
_CIVIDIS_DARK = (0.28, 1.0)
"""The part of cividis that stands out from the page's background."""


def magnitudes(count: int, *, dark: bool) -> Sequence[str]:
    """`count` colours of cividis, from low to high."""
    low, high = _CIVIDIS_DARK if dark else _CIVIDIS_LIGHT
    places = [low + (high - low) * place / max(1, count - 1) for place in range(count)]
    return list(plotly.colors.sample_colorscale("cividis", places))
