"""What runs and evaluations produced, problem by problem, for colouring the map and for asking what predicts it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from training.ledger import evaluated_correctness, group_outcomes
from training.store import Store

RIGHT = "right_"
"""Before the label of an evaluation: the column that says which problems were right in it."""


@dataclass(frozen=True)
class Outcome:
    """One thing that a run says of a problem."""

    title: str
    help: str
    scale: Literal["linear", "share"] = "linear"
    """`share` is a number from 0 to 1, shown in percent."""


_OF_TRAINING: Mapping[str, Outcome] = {
    "pass_rate": Outcome("Pass rate", "Share of the problem's completions that are right by hard correctness.", "share"),
    "mean_reward": Outcome("Mean reward", "Mean total reward of the problem's completions."),
    "reward_variance": Outcome("Group variance", "Mean variance of the rewards within a group; at 0 it teaches nothing."),
    "times_seen": Outcome("Times seen", "Groups of this problem in the run."),
}


def outcome(column: str) -> Outcome:
    """What a column of `job_outcomes` is."""
    if column in _OF_TRAINING:
        return _OF_TRAINING[column]
    label = column.removeprefix(RIGHT)
    return Outcome(f"Right in evaluation {label}", "Whether the answer equals gold.", "share")


def job_outcomes(store: Store, job_id: str) -> pd.DataFrame:
    """What a run or an evaluation says of each problem that it met.

    Returns:
        Indexed by problem id, a float column for each outcome that exists: `pass_rate`, `mean_reward`, `reward_variance`
        and `times_seen` of training, `right_<label>` of each evaluation; NaN where one says nothing of a problem.
    """
    trained = _training_outcomes(store, job_id)
    evaluated = {
        f"{RIGHT}{label}": pd.Series(scores, dtype=float) for label, scores in evaluated_correctness(store, job_id).items()
    }
    return pd.concat([trained, pd.DataFrame(evaluated)], axis=1).dropna(axis=1, how="all")


def _training_outcomes(store: Store, job_id: str) -> pd.DataFrame:
    groups = group_outcomes(store, job_id)
    frame = pd.DataFrame(
        {
            "pass_rate": [group.pass_rate for group in groups],
            "mean_reward": [group.mean_reward for group in groups],
            "reward_variance": [group.reward_variance for group in groups],
            "times_seen": [1.0] * len(groups),
        },
        index=pd.Index([group.problem_id for group in groups], dtype=object),
        dtype=float,
    )
    by_problem = frame.groupby(level=0, sort=False)
    return by_problem.mean().assign(times_seen=by_problem["times_seen"].sum())
