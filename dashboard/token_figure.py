"""Scored tokens as the page shows them: measures and their colours, coloured text for the browser, the table, the changes."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.colors

from dashboard import figures, theme
from training.tokens.scores import Scored

Values = Sequence[float | None]
MeasureName = Literal["logprob", "entropy", "ratio", "kl"]

SHADES = 24
"""Colours of a scale: as many as an eye tells apart."""
_TYPICAL = 0.9
"""The share of coloured tokens that a scale spans; those beyond have its last colour. Most tokens of a text are near 0."""
_VIRIDIS_LIGHT, _VIRIDIS_DARK = (0.82, 0.0), (0.18, 1.0)
"""From what is near the page's background to what is far from it."""
_CHANGED = 5
_PAPER = {"light": (255, 255, 255), "dark": (20, 24, 28)}
"""The pages' backgrounds, as `.streamlit/config.toml` has them."""


@dataclass(frozen=True)
class Measure:
    """What colours tokens."""

    title: str
    help: str
    values: Callable[[Scored], Values]
    """Of each token; the further from 0, the more colour."""
    is_signed: bool
    least: float
    """The smallest span of its scale, so that rounding is not coloured like a difference."""
    low: str
    high: str
    """What the ends of the scale mean."""


MEASURES: Mapping[MeasureName, Measure] = {
    "logprob": Measure(
        "Log-probability",
        "Of the token, given all before it. No colour: the model was sure of it.",
        lambda scored: scored.model.logprob,
        False,
        0.5,
        "sure",
        "surprised",
    ),
    "entropy": Measure(
        "Entropy",
        "Of all tokens that could stand there: how open the choice was.",
        lambda scored: scored.model.entropy,
        False,
        0.5,
        "decided",
        "open",
    ),
    "ratio": Measure(
        "Log-ratio",
        "The log-probability less that under the other model: what training made more and less likely.",
        lambda scored: scored.ratio,
        True,
        0.05,
        "less likely",
        "more likely",
    ),
    "kl": Measure(
        "KL",
        "KL(model || other) over all tokens that could stand there: how far the two are apart, whatever was drawn.",
        lambda scored: scored.kl,
        False,
        0.01,
        "alike",
        "apart",
    ),
}


def scale(measure: Measure, *, dark: bool) -> list[tuple[str, str]]:
    """`SHADES` (background, text) colours: from 0 to the end of the scale, or from below 0 to above."""
    places = np.linspace(-1 if measure.is_signed else 0, 1, SHADES)
    paper = np.array(_PAPER["dark" if dark else "light"])
    return [_pair(paper + min(1.0, 1.1 * abs(place)) * (_hue(place, measure, dark) - paper)) for place in places]


def _hue(place: float, measure: Measure, dark: bool) -> Any:
    if measure.is_signed:
        return np.array(plotly.colors.hex_to_rgb(theme.ABOVE_ZERO if place > 0 else theme.BELOW_ZERO))
    start, end = _VIRIDIS_DARK if dark else _VIRIDIS_LIGHT
    (colour,) = plotly.colors.sample_colorscale("viridis", [start + place * (end - start)], colortype="tuple")
    return 255 * np.array(colour)


def _pair(colour: Any) -> tuple[str, str]:
    """A background, and black or white, whichever is read better on it."""
    rounded: list[int] = np.rint(colour).astype(int).tolist()
    return f"rgb({', '.join(map(str, rounded))})", "#000000" if luminance(rounded) > 0.179 else "#FFFFFF"


def luminance(colour: Sequence[float]) -> float:
    """Relative luminance of a colour of 0..255, as WCAG 2 defines it; black and white are equally far from 0.179."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (value / 255 for value in colour)]
    return float(np.dot((0.2126, 0.7152, 0.0722), parts))


def limit(measure: Measure, scored: Sequence[Scored]) -> float:
    """The end of a scale, rounded up to two digits: of the tokens that are coloured at all, most lie within."""
    sizes = [abs(value) for found in scored for value in measure.values(found) if value is not None]
    coloured = [size for size in sizes if size > measure.least]
    wanted = float(np.quantile(coloured, _TYPICAL)) if coloured else measure.least
    digit = 10.0 ** (math.floor(math.log10(wanted)) - 1)
    return math.ceil(wanted / digit - 1e-9) * digit


def text_spec(scored: Sequence[Scored]) -> figures.Spec:
    """The tokens of completions as the browser gets them, once for all measures: `token_text.js` knows the fields."""
    texts = [
        {
            "texts": found.texts,
            "shown": [found.shown(place) for place in range(len(found.ids))],
            "ended": found.ended,
            "values": {name: _rounded(measure.values(found)) for name, measure in MEASURES.items()},
            "otherLogprob": _rounded(found.against.logprob),
            "likeliest": found.model.likeliest,
            "likeliestLogprob": _rounded(found.model.likeliest_logprob),
        }
        for found in scored
    ]
    return figures.spec_of(texts)


def _rounded(values: Values) -> list[float | None]:
    return [None if value is None else float(f"{value:.4g}") for value in values]


def token_table(scored: Sequence[Scored], titles: Sequence[str]) -> pd.DataFrame:
    """A row a token, of each completion by its title; texts as JSON writes them, so that spaces and line breaks show."""
    tables = [
        pd.DataFrame(
            {
                "completion": title,
                "place": range(1, len(found.ids) + 1),
                "token": [written(found.shown(place)) for place in range(len(found.ids))],
                "logprob": found.model.logprob,
                "entropy": found.model.entropy,
                "ratio": found.ratio,
                "kl": found.kl,
                "likeliest": [written(text) for text in found.model.likeliest],
                "other_logprob": found.against.logprob,
                "other_entropy": found.against.entropy,
                "other_likeliest": [written(text) for text in found.against.likeliest],
            }
        )
        for found, title in zip(scored, titles, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def written(text: str) -> str:
    """A token in quotes, with what would not be seen in letters."""
    return json.dumps(text, ensure_ascii=False)


def most_changed(scored: Scored, most: int = _CHANGED) -> tuple[list[int], list[int]]:
    """Places of the tokens that the model gives more of a chance than the other, and less, the most changed first."""
    known = [(value, place) for place, value in enumerate(scored.ratio) if value is not None]
    least = MEASURES["ratio"].least
    more = sorted((pair for pair in known if pair[0] >= least), reverse=True)
    less = sorted(pair for pair in known if pair[0] <= -least)
    return [place for _, place in more[:most]], [place for _, place in less[:most]]
