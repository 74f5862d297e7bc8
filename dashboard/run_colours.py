"""A colour for each run that stays with it: it follows from the run's id alone, wherever the run is drawn.

Colours lie in OKLCH (Ottosson 2020, https://bottosson.github.io/posts/oklab/): runs that were numbered one after the other are
a golden angle apart and of three lightnesses, all of which stand out from both backgrounds.
"""

import hashlib
import math
import re
from functools import lru_cache

_GOLDEN_ANGLE = 137.50776
_LIGHTNESSES = (0.6, 0.53, 0.65)
_CHROMA = 0.15
_NUMBER = re.compile(r"(.*?)-?([0-9]{1,18})?", re.DOTALL)


@lru_cache(4096)
def run_colour(run_id: str) -> str:
    """The run's colour, as `#rrggbb`."""
    found = _NUMBER.fullmatch(run_id)
    name, number = (found[1], int(found[2] or 0)) if found else (run_id, 0)
    begin = int.from_bytes(hashlib.sha256(name.encode("utf-8", "replace")).digest()[:2], "big")
    hue = begin / 65_536 * 360 + _GOLDEN_ANGLE * (number % 100_000)
    return _hex(_LIGHTNESSES[number % len(_LIGHTNESSES)], hue)


def _hex(lightness: float, hue: float) -> str:
    """The most colourful one of a lightness and hue (degrees) that a screen shows, up to `_CHROMA`."""
    chromas = (_CHROMA * part / 30 for part in range(30, -1, -1))
    linear = next(rgb for chroma in chromas if max(rgb := _linear_rgb(lightness, chroma, hue)) <= 1 and min(rgb) >= 0)
    return "#" + "".join(f"{round(255 * _encoded(part)):02x}" for part in linear)


def _linear_rgb(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _encoded(linear: float) -> float:
    """As a screen takes it, sRGB (IEC 61966-2-1)."""
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
