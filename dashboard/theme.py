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
CATEGORIES = (*TOPICS, TEST, TRAIN, "#8C564B", "#17BECF")
"""For the texts of a column, of which there may be more."""

_CIVIDIS_LIGHT = (0.0, 0.92)
_CIVIDIS_DARK = (0.28, 1.0)
"""The part of cividis that stands out from the page's background."""
_LIFT, _LIFTED = "#56B4E9", 0.45
"""On the dark page cividis begins as slate, which is how grey points look there too: its low end is mixed with this blue."""


def magnitudes(count: int, *, dark: bool) -> Sequence[str]:
    """`count` colours of cividis, from low to high; on the dark page the low ones are bluer."""
    low, high = _CIVIDIS_DARK if dark else _CIVIDIS_LIGHT
    places = np.linspace(low, high, count)
    colours = np.array(plotly.colors.sample_colorscale("cividis", places.tolist(), colortype="tuple"))
    if dark:
        share = _LIFTED * np.square(np.linspace(1, 0, count))[:, None]
        colours = (1 - share) * colours + share * np.array(plotly.colors.hex_to_rgb(_LIFT)) / 255
    return [f"rgb({red}, {green}, {blue})" for red, green, blue in np.rint(255 * colours).astype(int).tolist()]
