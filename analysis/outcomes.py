"""What runs and evaluations produced, problem by problem, for colouring the map and for asking what predicts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from training.groups import is_flat
from training.store import Store
from training.store.ledger import GroupOutcome, evaluated_pass_rates, group_outcomes, has_rollout, newest_rollout

RIGHT = "right_"
"""Before the label of an evaluation: the column that says which problems were right in it."""


@dataclass(frozen=True)
class Outcome:
    """One thing that a run says of a problem."""

    title: str
    help: str
    scale: Literal["linear", "share"] = "linear"
    """`share` is a number from 0 to 1, shown in percent."""


OF_TRAINING: Mapping[str, Outcome] = {
    "pass_rate": Outcome("Pass rate", "Share of the problem's completions that are right by the run's verifier.", "share"),
    "mean_reward": Outcome("Mean reward", "Mean total reward of the problem's completions."),
    "reward_variance": Outcome("Group variance", "Mean variance of the rewards within a group; at 0 it teaches nothing."),
    "times_seen": Outcome("Times seen", "Groups of this problem in the run."),
}


def outcome(column: str) -> Outcome:
    """What a column of `job_outcomes` is."""
    if column in OF_TRAINING:
        return OF_TRAINING[column]
    label = column.removeprefix(RIGHT)
    return Outcome(f"Right in evaluation {label}", "Whether the answer equals gold.", "share")


def job_outcomes(store: Store, job_id: str) -> pd.DataFrame:
    """What a run or an evaluation says of each problem that it met.

    Returns:
        Indexed by problem id, a float column for each outcome that exists: `pass_rate`, `mean_reward`, `reward_variance`
        and `times_seen` of training, `right_<label>` of each evaluation; NaN where one says nothing of a problem.
    """
    trained = problem_outcomes(group_frame(group_outcomes(store, job_id)))
    evaluated = {
        f"{RIGHT}{label}": pd.Series(scores, dtype=float) for label, scores in evaluated_pass_rates(store, job_id).items()
    }
    return pd.concat([trained, pd.DataFrame(evaluated)], axis=1).dropna(axis=1, how="all")


def group_frame(groups: Sequence[GroupOutcome]) -> pd.DataFrame:
    """One row a group, in training order.

    Columns: `problem`, `step`, `group` (its index), `completions` and `tokens` (int), `pass_rate`, `mean_reward` and
    `reward_variance` (float, NaN where unknown), `times_seen` (1.0), `flat` (bool): whether all completions earned the same,
    so that the group taught nothing, and `dropped` (str): why the step did not learn from it, empty where it did.
    """
    numbers = {"pass_rate": float, "mean_reward": float, "reward_variance": float}
    columns: dict[str, pd.Series[Any]] = {
        "problem": pd.Series([group.problem_id for group in groups], dtype=object),
        "step": pd.Series([group.step for group in groups], dtype=int),
        "group": pd.Series([group.group_index for group in groups], dtype=int),
        "completions": pd.Series([group.completions for group in groups], dtype=int),
        "tokens": pd.Series([group.tokens for group in groups], dtype=int),
    }
    columns |= {name: pd.Series([getattr(group, name) for group in groups], dtype=kind) for name, kind in numbers.items()}
    columns["times_seen"] = pd.Series(1.0, index=range(len(groups)))
    columns["flat"] = pd.Series([is_flat((group.lowest_reward, group.highest_reward)) for group in groups], dtype=bool)
    columns["dropped"] = pd.Series([group.dropped for group in groups], dtype=object)
    return pd.DataFrame(columns)


def problem_outcomes(groups: pd.DataFrame) -> pd.DataFrame:
    """What these groups say of each problem that they are of.

    Args:
        groups: rows of `group_frame`.

    Returns:
        Indexed by problem id, a column for each of `OF_TRAINING`: means over the groups, and their number.
    """
    by_problem = groups.groupby("problem", sort=False)
    found = by_problem[list(OF_TRAINING)].mean()
    return found.assign(times_seen=by_problem["times_seen"].sum()).rename_axis(None)


class RunGroups:
    """The groups of one run, kept up to date by reading only what came after. For one thread at a time."""

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id
        self.newest = 0
        """The sequence number of the rollout up to which everything is read: equal numbers mean equal groups."""
        self.frame = group_frame([])
        """`group_frame` as of the last update; never changed in place."""

    def update(self, store: Store) -> None:
        """Read what was recorded since the last time.

        A resumed run forgets its last steps, and with them the rollout that was newest: then everything is read anew.
        """
        newest = newest_rollout(store, self._job_id)
        if newest == self.newest:
            return
        known = self.frame
        last = int(known["step"].iloc[-1]) if len(known) and has_rollout(store, self.newest) else 0
        added = group_frame(group_outcomes(store, self._job_id, from_step=last + 1))
        self.frame = pd.concat([known, added], ignore_index=True) if last else added
        self.newest = newest
