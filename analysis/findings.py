"""What the neighbours say about a data set: are the splits mixed, does position tell difficulty, do test problems leak.

Exact and torch-free. Every finding comes with one sentence that reads its numbers; a finding that the data cannot give
(no test split, say) is `None`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.atlas import Atlas
from analysis.neighbors import block_rows

SEED = 42
RESAMPLES = 1000
"""Permutations and bootstrap samples; enough for the two digits that are shown of a 95% interval."""
LEAKAGE_THRESHOLDS = (0.80, 0.85)
LEAKAGE_PAIRS = 20

Interval = tuple[float, float]


@dataclass(frozen=True)
class Mixing:
    """Whether test problems lie among train problems."""

    test_share: float
    """Of the neighbours of test problems, the share that is test."""
    base_rate: float
    """Of all problems, the share that is test."""
    chance: Interval
    """Where `test_share` falls in 95% of random assignments of the split."""

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
            f"and chance gives {low:.1%} to {high:.1%}: {verdict}."
        )


@dataclass(frozen=True)
class Difficulty:
    """How much of the variance in step counts the neighbours' mean step count explains."""

    r_squared: float
    """1 - residual / total sum of squares; below 0 where the overall mean would do better."""
    interval: Interval
    """95%, by resampling problems."""

    @property
    def reading(self) -> str:
        low, high = self.interval
        amounts = ((0.1, "almost nothing"), (0.3, "a little"), (0.6, "something"), (np.inf, "much"))
        amount = next(words for limit, words in amounts if self.r_squared < limit)
        return f"R-squared {self.r_squared:.3f} ({low:.3f} to {high:.3f}): position says {amount} about the number of steps."


@dataclass(frozen=True)
class LeakagePair:
    """A test problem and the train problem nearest to it."""

    test_id: str
    train_id: str
    cosine: float


@dataclass(frozen=True)
class Leakage:
    """How near test problems come to train problems."""

    tests: int
    """Test problems in all."""
    highest: float
    above: Mapping[float, int]
    """For each threshold, the test problems whose nearest train problem has a higher cosine."""
    pairs: tuple[LeakagePair, ...]
    """The nearest pairs, one a test problem, nearest first."""

    @property
    def reading(self) -> str:
        counts = " and ".join(f"{count:,} above {threshold:.2f}" for threshold, count in self.above.items())
        return f"Of {self.tests:,} test problems, {counts} in cosine to some train problem; the highest is {self.highest:.3f}."


@dataclass(frozen=True)
class Findings:
    """All findings of one atlas."""

    mixing: Mixing | None
    difficulty: Difficulty | None
    leakage: Leakage | None

    @property
    def readings(self) -> tuple[str, ...]:
        return tuple(found.reading for found in (self.mixing, self.difficulty, self.leakage) if found is not None)


def findings(atlas: Atlas) -> Findings:
    """Every finding that the atlas can give, the same each time (seeded)."""
    problems = atlas.problem_set.problems
    is_test = np.array([problem.split == "test" for problem in problems])
    steps = np.array([len(problem.steps) for problem in problems], np.float64)
    indices = atlas.neighbors.indices
    both_splits = bool(is_test.any() and not is_test.all())
    return Findings(
        mixing=_mixing(is_test, indices) if both_splits else None,
        difficulty=_difficulty(steps, indices) if len(problems) > 2 and np.ptp(steps) > 0 else None,
        leakage=_leakage(atlas, is_test) if both_splits else None,
    )


def _mixing(is_test: NDArray[np.bool_], indices: NDArray[np.int32]) -> Mixing:
    random = np.random.default_rng(SEED)
    shares = [_test_share(random.permutation(is_test), indices) for _ in range(RESAMPLES)]
    return Mixing(test_share=_test_share(is_test, indices), base_rate=float(is_test.mean()), chance=_interval(shares))


def _test_share(is_test: NDArray[np.bool_], indices: NDArray[np.int32]) -> float:
    return float(is_test[indices[is_test]].mean())


def _difficulty(steps: NDArray[np.float64], indices: NDArray[np.int32]) -> Difficulty:
    predicted = steps[indices].mean(axis=1)
    random = np.random.default_rng(SEED)
    samples = (random.integers(0, len(steps), len(steps)) for _ in range(RESAMPLES))
    resampled = [_r_squared(steps[sample], predicted[sample]) for sample in samples]
    return Difficulty(r_squared=_r_squared(steps, predicted), interval=_interval(resampled))


def _r_squared(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """NaN where all actual values are equal."""
    total = float(((actual - actual.mean()) ** 2).sum())
    return 1.0 - float(((actual - predicted) ** 2).sum()) / total if total > 0 else float("nan")


def _interval(values: list[float]) -> Interval:
    low, high = np.nanquantile(values, (0.025, 0.975))
    return float(low), float(high)


def _leakage(atlas: Atlas, is_test: NDArray[np.bool_]) -> Leakage:
    tests, trains = np.flatnonzero(is_test), np.flatnonzero(~is_test)
    nearest, cosines = _nearest_train(atlas.embeddings[tests], atlas.embeddings[trains])
    problems = atlas.problem_set.problems
    pairs = [
        LeakagePair(problems[tests[row]].id, problems[trains[nearest[row]]].id, float(cosines[row]))
        for row in np.argsort(-cosines, kind="stable")[:LEAKAGE_PAIRS]
    ]
    return Leakage(
        tests=len(tests),
        highest=float(cosines.max()),
        above={threshold: int((cosines > threshold).sum()) for threshold in LEAKAGE_THRESHOLDS},
        pairs=tuple(pairs),
    )


def _nearest_train(tests: NDArray[np.float32], trains: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each test row the nearest train row and their cosine, (N_test,) each."""
    nearest = np.empty(len(tests), np.int64)
    cosines = np.empty(len(tests), np.float32)
    step = block_rows(len(trains))
    for start in range(0, len(tests), step):
        block = tests[start : start + step] @ trains.T
        nearest[start : start + step] = block.argmax(axis=1)
        cosines[start : start + step] = block.max(axis=1)
    return nearest, np.clip(cosines, -1.0, 1.0)
