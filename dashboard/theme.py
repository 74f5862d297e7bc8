"""The colours: a colour means one thing on all pages. Text and backgrounds are set in `.streamlit/config.toml`."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.colors

from training.sampling.pools import Pool

TRAIN = "#0072B2"
TEST = "#D55E00"
SPLIT_COLOURS = {"train": TRAIN, "test": TEST}
"""Okabe-Ito blue and vermilion."""

QUIET = "#8A949E"
"""Grey for what is there to compare with; readable on both backgrounds."""

SELECTION = "#CC79A7"
"""Okabe-Ito purple: what the person selected."""

BELOW_ZERO, ABOVE_ZERO = "#9A63B5", "#3A9A50"
"""The ends of the scale for signed magnitudes, as credit is: purple and green, which those tell apart who see colours badly."""

TOPICS = ("#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#A69B00", "#9467BD")
"""For categories without an order, of which near ones differ: what Okabe-Ito has besides the colours of the splits, its
yellow darker so that it shows on white, and a violet."""
POOLS: Mapping[Pool, str] = {"not_met": QUIET, "too_hard": TOPICS[5], "learning": TOPICS[4], "mastered": TOPICS[3]}
"""Of problems by what the policy makes of them, and of the groups that put them there."""
CATEGORIES = (*TOPICS, TEST, TRAIN, "#8C564B", "#17BECF")
"""For the texts of a column, of which there may be more."""

ON_DARK = {
    TRAIN: "#3C9BE8",
    TEST: "#F5803C",
    "#009E73": "#1FBF93",
    "#E69F00": "#F0B429",
    "#CC79A7": "#E09BC1",
    "#56B4E9": "#9BD7FA",
    "#A69B00": "#E3D83A",
    "#9467BD": "#B793DA",
    "#8C564B": "#C48F82",
}
"""Colour of a line or a mark -> the same hue on the dark page, where the first would be hard to see."""

_VIRIDIS_LIGHT = (0.0, 0.8)
_VIRIDIS_DARK = (0.24, 1.0)
"""The part of viridis that stands out from the page's background. (Cividis has one grey for all that lies in its middle.)"""


def differences(*, dark: bool) -> Sequence[str]:
    """The scale for signed magnitudes, from below zero to above."""
    return [BELOW_ZERO, "#4A5159" if dark else "#D5DADE", ABOVE_ZERO]


def magnitudes(count: int, *, dark: bool) -> Sequence[str]:
    """`count` colours of viridis, from low to high."""
    places = np.linspace(*(_VIRIDIS_DARK if dark else _VIRIDIS_LIGHT), count)
    colours = np.array(plotly.colors.sample_colorscale("viridis", places.tolist(), colortype="tuple"))
    return [f"rgb({red}, {green}, {blue})" for red, green, blue in np.rint(255 * colours).astype(int).tolist()]
