"""Intervals of means: one for a plain proportion, one for whatever else a mean is taken over."""

import math

import numpy as np
from numpy.typing import NDArray

SEED = 42
RESAMPLES = 2000
"""Bootstrap samples; enough for the three digits that are shown of a 95% interval."""
_Z95 = 1.959963984540054


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """The 95% score interval of a proportion (Wilson 1927)."""
    centre = (share + _Z95**2 / (2 * count)) / (1 + _Z95**2 / count)
    half = _Z95 / (1 + _Z95**2 / count) * math.sqrt(share * (1 - share) / count + _Z95**2 / (4 * count**2))
    # Rounding must not put the share itself outside.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def bootstrap_interval(values: NDArray[np.float64], seed: int = SEED) -> tuple[float, float]:
    """The 95% percentile interval of the mean of (N,) values, resampling them with replacement (Efron 1979).

    A single point where all values are equal.
    """
    distinct, counts = np.unique(values, return_counts=True)
    # How often each distinct value is drawn is all that a mean depends on, and there are far fewer of them than values.
    drawn = np.random.default_rng(seed).multinomial(len(values), counts / len(values), size=RESAMPLES)
    low, high = np.quantile(drawn @ distinct / len(values), [0.025, 0.975])
    return float(low), float(high)
