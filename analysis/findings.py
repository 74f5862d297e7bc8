"""What the map of a data set says: are the splits mixed, which topics are there, does position tell difficulty, is it honest.

Measured from arrays, exact or seeded, torch-free. Every finding comes with one sentence that reads its numbers, and passes
through pydantic's `TypeAdapter` to JSON and back; one that the data cannot give (no test split, say) is `None`. `indices` is
always (N, K) int32, each problem's neighbours in the space of the embeddings, K = 15 unless there are fewer problems. Near
copies between the splits are for `analysis.leakage`, wrong reference solutions for `analysis.verifier`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.clusters import Clusters
from analysis.honesty import nearest_points, neighbor_overlap
from training.data.problem import Problem
from training.text import span, with_interval

SEED = 42
RESAMPLES = 1000
"""Permutations and bootstrap samples; enough for the two digits that are shown of a 95% interval."""
CONFIDENCE = 0.95
AS_ISOLATED = 0.05
"""Clusters whose isolation is within so much of the highest count as equally isolated, so that the largest of them is named."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class ClusterShare:
    """A cluster whose share of test problems chance does not explain."""

    number: int
    name: str
    size: int
    test_share: float
    chance: Interval
    """Where the share falls by chance in 95% of data sets for all clusters at once."""


@dataclass(frozen=True)
class Mixing:
    """Whether test problems lie among train problems."""

    test_share: float
    """Of the neighbours of test problems, the share that is test."""
    base_rate: float
    """Of all problems, the share that is test."""
    chance: Interval
    """Where `test_share` falls in 95% of random assignments of the split."""
    clusters: int
    """How many clusters were looked at."""
    outlying: tuple[ClusterShare, ...]
    """Those that stand out, the share furthest from the base rate first."""
    left_out: int = 0
    """Repeats that it was measured without, see `analysis.repeats`."""

    @property
    def reading(self) -> str:
        low, high = self.chance
        if self.test_share > high:
            verdict = "test problems keep to themselves: the splits differ"
        elif self.test_share < low:
            verdict = "test problems lie among train problems even more than chance would put them"
        else:
            verdict = "the splits are mixed"
        return (
            f"Of the neighbours of test problems {self.test_share:.1%} are test, of all problems {self.base_rate:.1%}, "
            f"and chance gives {span(low, high, '.1%')}: {verdict}.{self._reading_of_clusters()}"
            f"{_without(self.left_out)}"
        )

    def _reading_of_clusters(self) -> str:
        if not self.clusters:
            return ""
        if not self.outlying:
            return f" None of {self.clusters:,} clusters has more or fewer test problems than chance allows."
        first = self.outlying[0]
        return (
            f" Of {self.clusters:,} clusters {len(self.outlying):,} have more or fewer test problems than chance allows, "
            f"most of all “{first.name}” with {first.test_share:.0%}."
        )


@dataclass(frozen=True)
class Topic:
    """One cluster."""

    number: int
    name: str
    size: int
    test_share: float
    """Of its problems, the share that is test."""
    mean_steps: float
    typical_id: str
    isolation: float
    """Of its problems' neighbours, the share that lies inside it."""


@dataclass(frozen=True)
class Topics:
    """The clusters, largest first."""

    topics: tuple[Topic, ...]
    unclustered: float
    """The share of problems that belong to none."""
    space: str
    """In which they were found."""
    modularity: dict[str, float]
    """What each space's clusters scored."""

    @property
    def island(self) -> Topic:
        """The most isolated topic; the largest of those about as isolated."""
        highest = max(topic.isolation for topic in self.topics)
        return max((topic for topic in self.topics if topic.isolation >= highest - AS_ISOLATED), key=lambda topic: topic.size)

    @property
    def reading(self) -> str:
        island = self.island
        return (
            f"{1 - self.unclustered:.0%} of problems fall into {len(self.topics):,} clusters. The largest of those "
            f"most by themselves is “{island.name}”: {island.size:,} problems, "
            f"{island.isolation:.0%} of whose neighbours lie within it."
        )


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of the number of steps with something else."""

    name: str
    """Of what the steps are correlated with."""
    rho: float
    interval: Interval
    """95%."""
    problems: int

    @property
    def reading(self) -> str:
        return f"{self.name} {with_interval(self.rho, *self.interval, '+.2f')}"


@dataclass(frozen=True)
class Difficulty:
    """How much of the variance in step counts the neighbours' mean step count explains, and what goes along with steps."""

    r_squared: float
    """1 - residual / total sum of squares; below 0 where the overall mean would do better."""
    interval: Interval
    """95%, by resampling problems."""
    correlations: tuple[Correlation, ...]
    left_out: int = 0
    """Repeats that it was measured without, see `analysis.repeats`."""

    @property
    def reading(self) -> str:
        amounts = ((0.1, "almost nothing"), (0.3, "a little"), (0.6, "something"), (np.inf, "much"))
        amount = next(words for limit, words in amounts if self.r_squared < limit)
        along = ", ".join(correlation.reading for correlation in self.correlations)
        return (
            f"R-squared {with_interval(self.r_squared, *self.interval)}: position says {amount} about the number of steps."
            + (f" Rank correlation of steps with {along}." if along else "")
            + _without(self.left_out)
        )


@dataclass(frozen=True)
class Agreement:
    """How far another embedding model has the same neighbours."""

    model: str
    overlap: float
    """The mean share of neighbours in common, in the spaces of the embeddings."""


@dataclass(frozen=True)
class Honesty:
    """How far the map shows what lies near what."""

    kept: float
    """The mean share of each problem's true neighbours among its nearest points on the map."""
    chance: float
    """What a map at random would keep."""
    stability: float | None
    """The mean share of nearest points that maps made with different seeds have in common; None with fewer than two."""
    agreement: Agreement | None

    @property
    def reading(self) -> str:
        parts = [
            f"Of each problem's nearest neighbours the map keeps {self.kept:.0%} as nearest points (chance {self.chance:.1%})"
        ]
        if self.stability is not None:
            parts.append(f"maps with different seeds have {self.stability:.0%} of nearest points in common")
        if self.agreement is not None:
            parts.append(f"{self.agreement.model} agrees on {self.agreement.overlap:.0%} of the true neighbours")
        trusts = (
            (0.1, "nearness on it says little"),
            (0.5, "trust its regions, but for a single problem the list of its neighbours"),
            (np.inf, "what lies near on it mostly is near"),
        )
        trust = next(words for limit, words in trusts if self.kept < limit)
        return f"{'; '.join(parts)}: {trust}."


def measure_mixing(is_test: NDArray[np.bool_], indices: NDArray[np.int32], clusters: Clusters | None = None) -> Mixing | None:
    """Test problems among the neighbours of test problems and in each cluster; None without both splits.

    Args:
        is_test: (N,).
        indices: (N, K).
        clusters: of the same N problems, where there are any.
    """
    if not is_test.any() or is_test.all():
        return None
    random = np.random.default_rng(SEED)
    shares = [_test_share(random.permutation(is_test), indices) for _ in range(RESAMPLES)]
    return Mixing(
        test_share=_test_share(is_test, indices),
        base_rate=float(is_test.mean()),
        chance=_interval(shares),
        clusters=len(clusters.names) if clusters else 0,
        outlying=_outlying(is_test, clusters) if clusters else (),
    )


def describe_topics(
    clusters: Clusters,
    indices: NDArray[np.int32],
    is_test: NDArray[np.bool_],
    steps: NDArray[np.integer],
    ids: Sequence[str],
) -> Topics | None:
    """Each cluster with its figures; None where there is no cluster.

    Args:
        clusters: of N problems.
        indices: (N, K).
        is_test: (N,).
        steps: (N,) number of steps.
        ids: N problem ids.
    """
    if not clusters.names:
        return None
    topics = []
    for number, name in enumerate(clusters.names):
        inside = clusters.labels == number
        topics.append(
            Topic(
                number=number,
                name=name,
                size=int(inside.sum()),
                test_share=float(is_test[inside].mean()),
                mean_steps=float(steps[inside].mean()),
                typical_id=ids[clusters.typical[number]],
                isolation=float(inside[indices[inside]].mean()),
            )
        )
    unclustered = float((clusters.labels < 0).mean())
    return Topics(tuple(topics), unclustered, clusters.space, dict(clusters.modularity))


def measure_difficulty(
    steps: NDArray[np.integer], indices: NDArray[np.int32], features: Mapping[str, NDArray[np.float64]]
) -> Difficulty | None:
    """What position and other features tell of the number of steps; None where all have the same, or fewer than three are.

    Args:
        steps: (N,).
        indices: (N, K).
        features: name -> (N,), such as `step_features` gives; one that never changes is left out.
    """
    if len(steps) < 3 or np.ptp(steps) == 0:
        return None
    actual, predicted = steps.astype(np.float64), steps[indices].mean(axis=1)
    random = np.random.default_rng(SEED)
    samples = (random.integers(0, len(steps), len(steps)) for _ in range(RESAMPLES))
    found = (correlate(name, actual, values) for name, values in features.items())
    return Difficulty(
        r_squared=_r_squared(actual, predicted),
        interval=_interval([_r_squared(actual[sample], predicted[sample]) for sample in samples]),
        correlations=tuple(correlation for correlation in found if correlation is not None),
    )


def step_features(problems: Iterable[Problem]) -> dict[str, NDArray[np.float64]]:
    """What may go along with the number of steps: words of the question, equations, and operations in them."""
    rows = [
        (
            len(problem.question.split()),
            len(problem.equations),
            sum(_operations(equation.expression) for equation in problem.equations),
        )
        for problem in problems
    ]
    columns = np.array(rows, np.float64).reshape(-1, 3).T
    return dict(zip(("question length", "number of equations", "number of operations"), columns, strict=True))


def steps_and_pass_rate(problems: Sequence[Problem], pass_rates: Mapping[str, float]) -> Correlation | None:
    """How the number of steps goes with the pass rate, over the problems that have one (id -> 0 to 1); None as `correlate`."""
    known = [problem for problem in problems if problem.id in pass_rates]
    steps = np.array([len(problem.steps) for problem in known], np.float64)
    return correlate("pass rate", steps, np.array([pass_rates[problem.id] for problem in known], np.float64))


def correlate(name: str, steps: NDArray[np.float64], values: NDArray[np.float64]) -> Correlation | None:
    """Spearman's rho with its 95% interval; None with fewer than four problems or where either never changes.

    Interval: Fisher's z with the standard error sqrt((1 + rho^2 / 2) / (n - 3)) (Bonett and Wright 2000, Psychometrika 65).
    """
    if len(steps) < 4 or np.ptp(steps) == 0 or np.ptp(values) == 0:
        return None
    rho = float(np.clip(np.corrcoef(pd.Series(steps).rank(), pd.Series(values).rank())[0, 1], -1.0, 1.0))
    middle = np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
    reach = 1.959964 * np.sqrt((1 + rho**2 / 2) / (len(steps) - 3))
    return Correlation(name, rho, (float(np.tanh(middle - reach)), float(np.tanh(middle + reach))), len(steps))


def measure_honesty(
    kept: NDArray[np.float32],
    indices: NDArray[np.int32],
    layouts: Sequence[NDArray[np.float32]] = (),
    other: tuple[str, NDArray[np.int32]] | None = None,
) -> Honesty | None:
    """How honest the map is; None for a single problem.

    Args:
        kept: (N,) as `honesty.kept_neighbors` gives for the map.
        indices: (N, K).
        layouts: maps of the same problems, (N, 2) each, that differ by their seed; the map itself among them.
        other: another embedding model's name and its neighbours, (N, K).
    """
    total, k = indices.shape
    if k == 0:
        return None
    nearest = [nearest_points(points, k) for points in layouts]
    overlaps = [neighbor_overlap(one, another) for one, another in combinations(nearest, 2)]
    return Honesty(
        kept=float(kept.mean()),
        chance=k / (total - 1),
        stability=float(np.mean(overlaps)) if overlaps else None,
        agreement=Agreement(other[0], neighbor_overlap(indices, other[1])) if other else None,
    )


def _without(left_out: int) -> str:
    return f" {left_out:,} problems that repeat another are left out." if left_out else ""


def _test_share(is_test: NDArray[np.bool_], indices: NDArray[np.int32]) -> float:
    return float(is_test[indices[is_test]].mean())


def _outlying(is_test: NDArray[np.bool_], clusters: Clusters) -> tuple[ClusterShare, ...]:
    """Clusters outside the exact (hypergeometric) interval, which is widened to hold for all of them together (Bonferroni)."""
    from scipy.stats import hypergeom

    if not clusters.names:
        return ()
    tail = (1 - CONFIDENCE) / 2 / len(clusters.names)
    outlying = []
    for number, (name, size) in enumerate(zip(clusters.names, clusters.sizes, strict=True)):
        if not size:  # all of it repeats problems of other clusters
            continue
        low, high = hypergeom.ppf((tail, 1 - tail), len(is_test), is_test.sum(), size)
        count = int(is_test[clusters.labels == number].sum())
        if not low <= count <= high:
            chance = (float(low / size), float(high / size))
            outlying.append(ClusterShare(number, name, size, count / size, chance))
    return tuple(sorted(outlying, key=lambda cluster: -abs(cluster.test_share - is_test.mean())))


def _r_squared(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """NaN where all actual values are equal."""
    total = float(((actual - actual.mean()) ** 2).sum())
    return 1.0 - float(((actual - predicted) ** 2).sum()) / total if total > 0 else float("nan")


def _interval(values: Sequence[float]) -> Interval:
    low, high = np.nanquantile(values, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return float(low), float(high)


def _operations(expression: str) -> int:
    """Operators between operands: a sign at the beginning or after another operator is none, and // is one."""
    count, after_operand = 0, False
    for character in expression:
        if character in "+-*/" and after_operand:
            count += 1
            after_operand = False
        elif not character.isspace() and character not in "+-*/(":
            after_operand = True
    return count
