"""Long curves thinned to what a screen can show: MinMaxLTTB, which keeps peaks and dips.

Source: Van Der Donckt and others, "MinMaxLTTB: Leveraging MinMax-Preselection to Scale LTTB" (IEEE VIS 2023), by its
authors' library tsdownsample. Nothing here knows Streamlit.
"""

import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxLTTBDownsampler

POINTS = 1_000
"""Points that a curve is thinned to: two or three for each pixel of its width. Shorter ones are left as they are."""

Window = tuple[float, float]
"""The first and the last step in view."""

_DOWNSAMPLER = MinMaxLTTBDownsampler()


def thinned(steps: NDArray[np.int64], values: NDArray[np.float64], most: int = POINTS) -> NDArray[np.int64]:
    """Places of at most `most` points, ascending, the first and the last among them.

    Args:
        steps: (S,) ascending.
        values: (S,) without NaN.
        most: an even number above 3.
    """
    if len(steps) <= most:
        return np.arange(len(steps))
    kept: NDArray[np.int64] = _DOWNSAMPLER.downsample(steps, values, n_out=most).astype(np.int64)
    return kept


def in_window(steps: NDArray[np.int64], window: Window | None) -> slice:
    """The places within a window, with the neighbour on either side, so that the line goes on to the edge."""
    if window is None:
        return slice(0, len(steps))
    first, last = np.searchsorted(steps, window[0], side="left"), np.searchsorted(steps, window[1], side="right")
    return slice(max(0, int(first) - 1), int(last) + 1)
