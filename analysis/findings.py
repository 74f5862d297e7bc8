"""What a data set's neighbours say: are the splits mixed, which topics are there, does position tell difficulty.

Measured from arrays, exact or seeded, torch-free. Every finding says its answer and numbers in words, and passes through
pydantic's `TypeAdapter` to JSON and back; one that the data cannot give (no test split, say) is `None`. `indices` is always
(N, K) int32, each problem's neighbours in the space of the embeddings, K = 15 unless there are fewer problems. Near copies
between the splits are for `analysis.leakage`, wrong reference solutions for `analysis.verifier`, how far the map itself can be
trusted for `analysis.honesty`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.clusters import Clusters
from analysis.finding import FEW, TOO_FEW, Finding
from training.data.problem import Problem
from training.text import count, span, with_interval

SEED = 42
RESAMPLES = 1000
"""Permutations and bootstrap samples; enough for the two digits that are shown of a 95% interval."""
CONFIDENCE = 0.95
AS_ISOLATED = 0.05
"""Clusters whose isolation is within so much of the highest count as equally isolated, so that the largest of them is named."""

SLIGHT = 0.05
"""By so much the share of test may differ from that of all problems and still be called a little more."""
WIDE = 0.3
"""An interval of R-squared that is wider than this spans several of the answers."""

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
class Mixing(Finding):
    """Whether test problems lie among train problems."""

    question: ClassVar[str] = "Are the splits mixed?"
    method: ClassVar[str] = (
        "Each test problem's 15 nearest problems in the space of the embeddings are counted by split. Chance is what 1,000 "
        "random assignments of the split give (95%); that of a cluster is exact (hypergeometric), widened to hold for all "
        "clusters together (Bonferroni)."
    )

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
    problems: int
    left_out: int = 0
    """Repeats that it was measured without, see `analysis.repeats`."""

    @property
    def answer(self) -> str:
        low, high = self.chance
        if self.problems < FEW:
            return TOO_FEW
        if self.test_share > high:
            slightly = self.test_share - self.base_rate < SLIGHT
            return f"{'Nearly' if slightly else 'No'}: test problems keep to themselves{' a little' if slightly else ''}."
        if self.test_share < low:
            return "Yes, even more than chance would mix them."
        return f"Yes, but for {count(len(self.outlying), 'cluster')}." if self.outlying else "Yes."

    @property
    def numbers(self) -> str:
        return (
            f"Of the neighbours of test problems {self.test_share:.1%} are test, of all problems {self.base_rate:.1%}; "
            f"chance gives {span(*self.chance, '.1%')}.{self._reading_of_clusters()}{_without(self.left_out)}"
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
class Topics(Finding):
    """The clusters, largest first."""

    question: ClassVar[str] = "Which topics are there?"
    method: ClassVar[str] = (
        "HDBSCAN in several spaces, of which the one is taken whose clusters agree best with the neighbours (modularity); "
        "names are the words that tell a cluster from the others (class-based TF-IDF). How much a cluster lies by itself is "
        "the share of its problems' 15 nearest that lie within it."
    )

    topics: tuple[Topic, ...]
    unclustered: float
    """The share of problems that belong to none."""
    space: str
    """In which they were found."""
    modularity: dict[str, float]
    """What each space's clusters scored."""
    problems: int

    @property
    def island(self) -> Topic:
        """The most isolated topic; the largest of those about as isolated."""
        highest = max(topic.isolation for topic in self.topics)
        return max((topic for topic in self.topics if topic.isolation >= highest - AS_ISOLATED), key=lambda topic: topic.size)

    @property
    def answer(self) -> str:
        if self.problems < FEW:
            return TOO_FEW
        return f"{count(len(self.topics), 'cluster')}, “{self.island.name}” most by itself."

    @property
    def numbers(self) -> str:
        island = self.island
        return (
            f"{1 - self.unclustered:.0%} of problems are in a cluster. Of those most by "
            f"themselves “{island.name}” is the largest: {count(island.size, 'problem')}, {island.isolation:.0%} of whose "
            "neighbours lie within it."
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
class Difficulty(Finding):
    """How much of the variance in step counts the neighbours' mean step count explains, and what goes along with steps."""

    question: ClassVar[str] = "Does position predict difficulty?"
    method: ClassVar[str] = (
        "A problem's number of steps is predicted by the mean of its 15 nearest problems; R-squared is the part of the "
        "variance that this explains, with its 95% interval by resampling problems. Correlations are Spearman's, with "
        "Fisher's interval."
    )

    r_squared: float
    """1 - residual / total sum of squares; below 0 where the overall mean would do better."""
    interval: Interval
    """95%, by resampling problems."""
    correlations: tuple[Correlation, ...]
    problems: int
    left_out: int = 0
    """Repeats that it was measured without, see `analysis.repeats`."""

    @property
    def answer(self) -> str:
        low, high = self.interval
        if self.problems < FEW or high - low > WIDE:
            return TOO_FEW
        answers = ((0.01, "No."), (0.1, "Hardly."), (0.3, "A little."), (0.6, "In part."), (np.inf, "Yes."))
        return next(words for limit, words in answers if self.r_squared < limit)

    @property
    def numbers(self) -> str:
        along = ", ".join(correlation.reading for correlation in self.correlations)
        return (
            f"R-squared {with_interval(self.r_squared, *self.interval)}: the neighbours tell "
            f"{max(0.0, self.r_squared):.0%} of the variance in steps."
            + (f" Rank correlation of steps with {along}." if along else "")
            + _without(self.left_out)
        )


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
        problems=len(is_test),
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
    return Topics(tuple(topics), unclustered, clusters.space, dict(clusters.modularity), len(steps))


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
        problems=len(steps),
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
        tests = int(is_test[clusters.labels == number].sum())
        if not low <= tests <= high:
            chance = (float(low / size), float(high / size))
            outlying.append(ClusterShare(number, name, size, tests / size, chance))
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
