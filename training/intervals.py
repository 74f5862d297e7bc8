"""95% intervals of means: of a plain proportion, of shares, of paired differences. None is a point, however few the values."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEED = 42
RESAMPLES = 2000
"""Bootstrap samples; enough for the three digits that are shown of a 95% interval."""
FEW = 10
"""Below so many values resampling tells nothing of those that were not drawn."""
_Z95 = 1.959963984540054


class Estimate(NamedTuple):
    """A value with its 95% interval."""

    value: float
    low: float
    high: float


def wilson_interval(share: float, count: float) -> tuple[float, float]:
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


def share_interval(shares: NDArray[np.float64], seed: int = SEED) -> tuple[float, float]:
    """The 95% interval of the mean of (N,) shares from 0 to 1.

    Wilson's of zeros and ones, and where resampling tells nothing: shares vary no more about their mean than zeros and ones do,
    so that it is wide enough for them. Otherwise the bootstrap's.
    """
    is_plain = bool(np.isin(shares, (0.0, 1.0)).all())
    is_poor = len(shares) < FEW or bool(np.ptp(shares) == 0)
    return wilson_interval(float(shares.mean()), len(shares)) if is_plain or is_poor else bootstrap_interval(shares, seed)


def clustered_share(hits: NDArray[np.float64], sizes: NDArray[np.float64]) -> Estimate:
    """A share of things that come in clusters, such as completions of problems: all hits over all sizes, with its 95% interval.

    Wilson's of as many independent things as vary so little: those of one cluster may all be alike. Their number is by Korn and
    Graubard 1998, "Confidence Intervals for Proportions with Small Expected Number of Positive Counts Estimated from Survey
    Data", and never above that of the things; where clusters do not vary, that of the clusters.

    Args:
        hits: (C,) how many things of each cluster count.
        sizes: (C,) how many things it has, above 0.
    """
    total, clusters = float(sizes.sum()), len(sizes)
    share = float(hits.sum()) / total
    if bool((sizes == 1).all()):
        return Estimate(share, *wilson_interval(share, total))
    variance = float(np.square(hits - share * sizes).sum()) / total**2 * clusters / max(1, clusters - 1)
    if variance <= 1e-12:
        return Estimate(share, *wilson_interval(share, clusters))
    independent = min(total, share * (1 - share) / variance)
    return Estimate(share, *wilson_interval(share, independent * (_Z95 / _t975(clusters - 1)) ** 2))


def propagated(function: Callable[..., float], *parts: tuple[float, float, float]) -> Estimate:
    """A function of independent estimates, monotonic in each of them, with its 95% interval.

    How far each part's interval alone moves the value, squared and added (Zou and Donner 2008, "Construction of confidence
    limits about effect measures: a general approach").

    Args:
        function: takes a value for each part.
        parts: (value, low, high) of each.
    """
    values = [value for value, _, _ in parts]
    found = function(*values)
    moved = [
        [function(*values[:place], end, *values[place + 1 :]) - found for end in (low, high)]
        for place, (_, low, high) in enumerate(parts)
    ]
    below, above = (math.hypot(*(furthest(0.0, *ends) for ends in moved)) for furthest in (min, max))
    return Estimate(found, found - below, found + above)


def paired_interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The 95% interval of the mean of (N,) paired differences from -1 to 1.

    Wald's after a gain and a loss are added (Bonett and Price 2012, "Adjusted Wald Confidence Interval for a Difference of
    Binomial Proportions Based on Paired Data"), so that pairs without a difference do not look certain.
    """
    count = len(differences) + 2
    middle = float(differences.sum()) / count
    variance = (float(np.square(differences).sum()) + 2) / count - middle**2
    half = _Z95 * math.sqrt(variance / count)
    mean = float(differences.mean())
    return max(-1.0, min(mean, middle - half)), min(1.0, max(mean, middle + half))


def mean_interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """The 95% interval of the mean of (N,) values by Student's t; `None` of fewer than two values."""
    if len(values) < 2:
        return None
    mean, half = float(values.mean()), _t975(len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return mean - half, mean + half


def difference_interval(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float] | None:
    """The 95% interval of the difference of two means, (N,) and (M,), by Welch's t; `None` if one has fewer than two values."""
    if min(len(before), len(after)) < 2:
        return None
    first, second = (float(values.var(ddof=1)) / len(values) for values in (before, after))
    difference = float(after.mean() - before.mean())
    if not first + second:
        return difference, difference
    # Welch-Satterthwaite, rounded down: the wider interval.
    freedom = (first + second) ** 2 / (first**2 / (len(before) - 1) + second**2 / (len(after) - 1))
    half = _t975(int(freedom)) * math.sqrt(first + second)
    return difference - half, difference + half


def shares_difference(before: tuple[float, float, float], after: tuple[float, float, float]) -> tuple[float, float]:
    """The 95% interval of the difference of two shares with their intervals (Newcombe 1998, method 10).

    Each is `(value, low, high)`. As if they were of different problems: of the same ones it is rather too wide.
    """
    _, low, high = propagated(lambda first, second: second - first, before, after)
    return low, high


def _t975(freedom: int) -> float:
    """The 97.5% quantile of Student's t, to 0.2% (Abramowitz and Stegun 1972, 26.7.5; exact for 1 and 2)."""
    if freedom <= 1:
        return 12.706204736
    if freedom == 2:
        return 4.302652730
    z, v = _Z95, freedom
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + math.fsum(term / v**power for power, term in enumerate(terms, start=1))
