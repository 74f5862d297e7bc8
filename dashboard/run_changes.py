"""What changed over a run, each measure with a 95% interval: of what can be compared, the best there is.

Two evaluations of the same problems are compared problem by problem. Without them, problems that were met early and late in
training are. Without those, the first steps stand against the last, which met other problems: the interval says how much of
the difference that may explain. Nothing here knows Streamlit.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.outcomes import group_frame
from dashboard.curves import REWARD, reward_scalar
from training.config import StageConfig
from training.doctor.courses import MIN_WINDOW, WINDOW_SHARE
from training.doctor.examination import MIN_STEPS
from training.evaluation.evaluate import ARTICLE_TABLE, Measure, means_by_problem, share_of
from training.groups import weighted_total
from training.intervals import difference_interval, mean_interval, paired_interval
from training.store import Store
from training.store.evaluations import Evaluation, complete_evaluations, last_evaluation
from training.store.ledger import group_outcomes, newest_rollout

Basis = Literal["evaluations", "problems", "steps"]

_LEAST_PROBLEMS = 10
"""Fewer pairs are not compared: their interval would say nothing."""
_ANY_ROLLOUT = -1
_MOST_STEPS = 250
"""Of the beginning and of the end of a run, in which problems met twice are looked for."""


@dataclass(frozen=True)
class Change:
    """How a measure changed."""

    before: float
    after: float
    low: float
    high: float
    """The 95% interval of the difference."""
    basis: Basis
    number: int
    """Problems that are compared; of "steps", how many on either side."""
    split: str = ""
    """Of evaluations, which problems they asked."""

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out that nothing changed."""
        return self.low > 0 or self.high < 0


def measures_of(config: StageConfig) -> dict[str, Measure]:
    """Name of a scalar -> the same of a completion: the total, and each function as a share of its maximum.

    Of a run that is trained on none, those that the article's table has.
    """
    weights = config.reward_weights
    found: dict[str, Measure] = {REWARD: lambda item: weighted_total(item.rewards, weights)} if weights else {}
    names = dict.fromkeys((*(weights or (name for _, name in ARTICLE_TABLE.values())), config.verifier))
    return found | {reward_scalar(name): share_of(name) for name in names}


def evaluated_changes(before: Evaluation, after: Evaluation, config: StageConfig) -> dict[str, Change]:
    """Name of a scalar -> its change between two evaluations, over the problems that both asked."""
    found = {}
    for name, measure in measures_of(config).items():
        first, last = means_by_problem(before, measure), means_by_problem(after, measure)
        change = paired(first, last, "evaluations", after.split, is_share=name != REWARD)
        if change is not None:
            found[name] = change
    return found


def met_again_changes(early: pd.DataFrame, late: pd.DataFrame, config: StageConfig) -> dict[str, Change]:
    """Name of a scalar -> its change over the problems that training met early and late: of the total and the verifier.

    Args:
        early, late: rows of `analysis.outcomes.group_frame`.
    """
    found = {}
    for name, column in ((REWARD, "mean_reward"), (reward_scalar(config.verifier), "pass_rate")):
        first, last = (_means(rows, column) for rows in (early, late))
        change = paired(first, last, "problems", is_share=name != REWARD)
        if change is not None:
            found[name] = change
    return found


def step_change(values: NDArray[np.float64]) -> Change | None:
    """The first quarter of the steps against the last, as health signals compare them; `None` of fewer than `MIN_STEPS`.

    Args:
        values: (S,) a value a step.
    """
    if len(values) < MIN_STEPS:
        return None
    window = max(MIN_WINDOW, len(values) // WINDOW_SHARE)
    first, last = values[:window], values[-window:]
    interval = difference_interval(first, last)
    return None if interval is None else Change(float(first.mean()), float(last.mean()), *interval, "steps", window)


def paired(
    before: Mapping[str, float], after: Mapping[str, float], basis: Basis, split: str = "", *, is_share: bool
) -> Change | None:
    """The change over the problems of both; `None` where these are too few.

    Args:
        is_share: whether the values are shares, from 0 to 1.
    """
    both = [problem for problem in before if problem in after]
    if len(both) < _LEAST_PROBLEMS:
        return None
    first, last = (np.array([values[problem] for problem in both], np.float64) for values in (before, after))
    interval = paired_interval(last - first) if is_share else mean_interval(last - first)
    return None if interval is None else Change(float(first.mean()), float(last.mean()), *interval, basis, len(both), split)


class RunChanges:
    """What a run's records say of its changes, problem by problem, kept up to date. For any number of threads."""

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id
        self._lock = threading.Lock()
        self._read_to: tuple[int, int] | None = None
        self._found: dict[str, Change] = {}

    def read(self, store: Store, config: StageConfig) -> Mapping[str, Change]:
        """Name of a scalar -> its change, as the records stand now; without those that only steps tell."""
        with self._lock:
            evaluated = last_evaluation(store, self._job_id)
            if self._read_to == (evaluated, _ANY_ROLLOUT):
                return self._found
            read_to = (evaluated, newest_rollout(store, self._job_id))
            if read_to != self._read_to:
                self._found, is_evaluated = self._compare(store, config)
                self._read_to = (evaluated, _ANY_ROLLOUT) if is_evaluated else read_to
            return self._found

    def _compare(self, store: Store, config: StageConfig) -> tuple[dict[str, Change], bool]:
        """The changes, and whether evaluations tell them, which further training does not alter."""
        known = complete_evaluations(store, self._job_id)
        before = next((evaluation for evaluation in known if evaluation.step == 0), None)
        after = max((evaluation for evaluation in known if evaluation.step > 0), key=lambda found: found.step, default=None)
        if before is not None and after is not None and (found := evaluated_changes(before, after, config)):
            return found, True
        steps = store.last_rollout_step(self._job_id)
        window = min(_MOST_STEPS, max(MIN_WINDOW, steps // WINDOW_SHARE))
        if steps < MIN_STEPS:
            return {}, False
        early = group_frame(group_outcomes(store, self._job_id, to_step=window))
        late = group_frame(group_outcomes(store, self._job_id, from_step=steps - window + 1))
        return met_again_changes(early, late, config), False


def _means(groups: pd.DataFrame, column: str) -> dict[str, float]:
    """Problem -> the mean of a column over its groups."""
    means = groups.groupby("problem")[column].mean().dropna()
    return dict(zip(map(str, means.index), means.to_numpy(float), strict=True))
