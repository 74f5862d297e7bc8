"""What a run's evaluations came to, by the scalars that its curves show of training. Nothing here knows Streamlit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dashboard.curves import LENGTH, REWARD, reward_scalar
from training.config import StageConfig
from training.evaluation.evaluate import Measure, means_by_problem
from training.groups import weighted_total
from training.intervals import mean_interval, share_interval
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


def points_of(evaluations: Iterable[Evaluation], config: StageConfig) -> Points:
    """Each reward function that was computed, the total, and the length."""
    found: dict[str, list[Point]] = {}
    for evaluation in evaluations:
        names = {name for item in evaluation.items for name in item.rewards}
        for name in names:
            _add(found, reward_scalar(name), evaluation, partial(_reward, name), maximum_of(name))
        if config.reward_weights and names.issuperset(config.reward_weights):
            _add(found, REWARD, evaluation, lambda item: _total(item, config.reward_weights), None)
        _add(found, LENGTH, evaluation, lambda item: float(item.tokens), None)
    return {name: tuple(points) for name, points in found.items()}


class RunPoints:
    """The points of one run, read anew when it has been evaluated again. For one thread at a time."""

    def __init__(self, job_id: str, config: StageConfig) -> None:
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


def _add(found: dict[str, list[Point]], scalar: str, evaluation: Evaluation, measure: Measure, maximum: float | None) -> None:
    """The mean over problems of those that could be computed, as in `training.evaluation.evaluate.evaluation_table`."""
    means = np.array(list(means_by_problem(evaluation, measure).values()))
    if len(means):
        low, high = _interval(means, maximum)
        found.setdefault(scalar, []).append(Point(evaluation.step, evaluation.split, float(means.mean()), low, high))


def _reward(name: str, item: EvaluationItem) -> float | None:
    return item.rewards.get(name)


def _interval(means: NDArray[np.float64], maximum: float | None) -> tuple[float, float]:
    """Of shares of a maximum as of shares, of anything else by Student's t; a single one tells nothing but itself."""
    if maximum and means.min() >= 0:
        low, high = share_interval(means / maximum)
        return low * maximum, high * maximum
    return mean_interval(means) or (float(means[0]), float(means[0]))


def _total(item: EvaluationItem, weights: Mapping[str, float]) -> float | None:
    """`None` where a function that is paid for could not be computed."""
    is_whole = all(item.rewards.get(name) is not None for name, weight in weights.items() if weight)
    return weighted_total(item.rewards, weights) if is_whole else None
