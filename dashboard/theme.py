"""The colours: a colour means one thing on all pages. Text and backgrounds are set in `.streamlit/config.toml`."""

from collections.abc import Sequence

import numpy as np
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

TOPICS = ("#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#A69B00", "#9467BD")
"""For categories without an order, of which near ones differ: what Okabe-Ito has besides the colours of the splits, its
yellow darker so that it shows on white, and a violet."""

_CIVIDIS_LIGHT = (0.0, 0.92)
_CIVIDIS_DARK = (0.28, 1.0)
"""The part of cividis that stands out from the page's background."""


def magnitudes(count: int, *, dark: bool) -> Sequence[str]:
    """`count` colours of cividis, from low to high."""
    low, high = _CIVIDIS_DARK if dark else _CIVIDIS_LIGHT
    places = np.linspace(low, high, count).tolist()
    return list(plotly.colors.sample_colorscale("cividis", places))
