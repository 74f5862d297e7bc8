"""What a run's evaluations came to, by the scalars that its curves show of training. Nothing here knows Streamlit."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dashboard.curves import LENGTH, REWARD, reward_scalar
from training.config import RunConfig
from training.intervals import bootstrap_interval, wilson_interval
from training.rewards import maximum_of
from training.store import Store
from training.store.evaluations import Evaluation, EvaluationItem, complete_evaluations, last_evaluation


@dataclass(frozen=True)
class Point:
    """The mean of one measure over the problems of an evaluation, with its 95% interval."""

    step: int
    split: str
    value: float
    low: float
    high: float


Points = Mapping[str, tuple[Point, ...]]
"""By the scalar that has the same measure of training."""


def points_of(evaluations: Iterable[Evaluation], config: RunConfig) -> Points:
    """Each reward function that was computed, the total, and the length."""
    found: dict[str, list[Point]] = {}
    for evaluation in evaluations:
        names = {name for item in evaluation.items for name in item.rewards}
        for name in names:
            _add(found, reward_scalar(name), evaluation, partial(_reward, name), maximum_of(name))
        if names.issuperset(config.reward_weights):
            _add(found, REWARD, evaluation, lambda item: _total(item, config.reward_weights), None)
        _add(found, LENGTH, evaluation, lambda item: float(item.tokens), None)
    return {name: tuple(points) for name, points in found.items()}


class RunPoints:
    """The points of one run, read anew when it has been evaluated again. For one thread at a time."""

    def __init__(self, job_id: str, config: RunConfig) -> None:
        self._job_id, self._config = job_id, config
        self._newest = 0
        self._points: Points = {}

    def read(self, store: Store) -> Points:
        """The points as they are now."""
        newest = last_evaluation(store, self._job_id)
        if newest != self._newest:
            self._points = points_of(complete_evaluations(store, self._job_id), self._config)
            self._newest = newest
        return self._points


def _add(
    found: dict[str, list[Point]],
    scalar: str,
    evaluation: Evaluation,
    measure: Callable[[EvaluationItem], float | None],
    maximum: float | None,
) -> None:
    """What could not be computed is left out, as in `training.evaluation.evaluate.evaluation_table`."""
    by_problem: dict[str, list[float]] = {}
    for item in evaluation.items:
        if (value := measure(item)) is not None:
            by_problem.setdefault(item.problem_id, []).append(value)
    if not by_problem:
        return
    means = np.array([np.mean(values) for values in by_problem.values()])
    low, high = _interval(means, maximum)
    found.setdefault(scalar, []).append(Point(evaluation.step, evaluation.split, float(means.mean()), low, high))


def _reward(name: str, item: EvaluationItem) -> float | None:
    return item.rewards.get(name)


def _interval(means: NDArray[np.float64], maximum: float | None) -> tuple[float, float]:
    """Of a reward that is all or nothing a proportion's, which is honest also where all problems earned the same."""
    if maximum and np.isin(means, (0.0, maximum)).all():
        low, high = wilson_interval(float(means.mean()) / maximum, len(means))
        return low * maximum, high * maximum
    return bootstrap_interval(means)


def _total(item: EvaluationItem, weights: Mapping[str, float]) -> float | None:
    values = {name: item.rewards.get(name) for name in weights}
    total = [weights[name] * value for name, value in values.items() if value is not None]
    return sum(total) if len(total) == len(values) else None
