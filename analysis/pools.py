"""Difficulty pools over a run: where each group's problem stood before and after it, and what choosing could have saved.

They are worked out from the ledger, for any run, by the same rules as a run that draws by them, see `training.sampling.pools`.
Groups are rows of `outcomes.group_frame`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.sampling.pools import POOLS, Limits, Outcome, Pool, gone_on, pools_of
from training.text import count, percent

POOL = "pool"
"""The column that says where a problem stands after a group of it, as a place in `POOLS`."""

_WORTH_A_WORD = 0.005
"""Of the tokens, from which on a saving is told."""

POOL_TITLES: Mapping[Pool, str] = {
    "not_met": "Not met yet",
    "too_hard": "Too hard",
    "learning": "Being learnt",
    "mastered": "Mastered",
}


def with_pools(groups: pd.DataFrame, limits: Limits, known: Iterable[Outcome] = ()) -> pd.DataFrame:
    """The groups, in training order, with `before` and `POOL`: the place in `POOLS` of their problem before and after (int8).

    Args:
        known: what was known before the run.
    """
    counts: dict[str, tuple[float, float]] = {}

    def learn(problem: str, right: float, judged: float) -> tuple[float, float]:
        was = counts.get(problem, (0.0, 0.0))
        if judged:
            counts[problem] = (gone_on(was[0], right), gone_on(was[1], judged))
        return was

    for outcome in known:
        learn(outcome.problem_id, outcome.right, outcome.judged)
    before, after = [], []
    for problem, rate, completions in zip(groups["problem"], groups["pass_rate"], groups["completions"], strict=True):
        is_judged = rate == rate
        before.append(learn(problem, rate * completions if is_judged else 0.0, completions if is_judged else 0.0))
        after.append(counts.get(problem, (0.0, 0.0)))
    return groups.assign(before=_places(before, limits), **{POOL: _places(after, limits)})


def _places(counts: list[tuple[float, float]], limits: Limits) -> "np.ndarray[tuple[int], np.dtype[np.int8]]":
    right, judged = np.array(counts, np.float64).reshape(-1, 2).T
    return pools_of(right, judged, limits)


def sizes_by_step(groups: pd.DataFrame, problems: int) -> pd.DataFrame:
    """How many problems each pool has after each step.

    Args:
        groups: of `with_pools`, from the run's beginning.
        problems: how many the run trains on.

    Returns:
        Indexed by step, a column (int) for each of `POOLS`.
    """
    first = groups.drop_duplicates("problem")["before"]
    change = pd.DataFrame(0, index=groups.index, columns=list(POOLS))
    for place, pool in enumerate(POOLS):
        change[pool] = (groups[POOL] == place).astype(int) - (groups["before"] == place).astype(int)
    begin = {pool: int((first == place).sum()) for place, pool in enumerate(POOLS)}
    begin["not_met"] += problems - groups["problem"].nunique()
    return change.groupby(groups["step"]).sum().cumsum() + pd.Series(begin)


def drawn_by_step(groups: pd.DataFrame) -> pd.DataFrame:
    """How many groups each step drew from each pool.

    Args:
        groups: of `with_pools`.

    Returns:
        Indexed by step, a column (int) for each of `POOLS`.
    """
    table = pd.crosstab(groups["step"], groups["before"]).reindex(columns=range(len(POOLS)), fill_value=0)
    return table.set_axis(list(POOLS), axis=1).rename_axis(columns=None)


def flow(groups: pd.DataFrame) -> pd.DataFrame:
    """How many of the problems that these groups are of went from which pool to which.

    Returns:
        Indexed by the pool before the first of their groups, a column (int) for the pool after the last; of `POOLS`.
    """
    by_problem = groups.groupby("problem", sort=False)
    ends = pd.DataFrame({"first": by_problem["before"].first(), "last": by_problem[POOL].last()})
    table = pd.crosstab(ends["first"], ends["last"]).reindex(index=range(len(POOLS)), columns=range(len(POOLS)), fill_value=0)
    return table.set_axis(list(POOLS), axis=0).set_axis(list(POOLS), axis=1).rename_axis(index=None, columns=None)


@dataclass(frozen=True)
class Savings:
    """What a run's tokens went to, and an estimate of what choosing would have saved."""

    groups: int
    tokens: int
    flat_groups: int
    """Groups that taught nothing."""
    flat_tokens: int
    steps: int
    filled_steps: float
    """Steps that would have had the same groups with variance, had each been filled with them (dynamic sampling)."""
    pool_tokens: float | None
    """Tokens that would have brought as many groups with variance, drawn from the pools by their shares.

    `None` where no problem was met again, or no pool with a share has a group with variance.
    """

    @property
    def wasted(self) -> str:
        """What taught nothing, as a sentence."""
        part = percent(self.flat_tokens / max(1, self.tokens))
        return f"{part} of {count(self.tokens, 'token')} went into {count(self.flat_groups, 'group')} that taught nothing."

    @property
    def reading(self) -> str:
        """The whole in words."""
        by_pools = "no problem was met again, so nothing can be said of pools"
        if self.pool_tokens is not None:
            saved = 1 - self.pool_tokens / max(1, self.tokens)
            by_pools = "drawing from pools by their shares would have saved no tokens"
            if saved >= _WORTH_A_WORD:
                by_pools = f"drawing from pools by their shares would have brought as many that teach for {percent(saved)} less"
        filled = count(round(self.filled_steps), "step")
        by_rounds = f"dynamic sampling would have filled {filled} for the tokens of these {self.steps:,}"
        return (
            f"{self.wasted} An estimate: {by_pools}; {by_rounds}. It assumes that a group is as likely to have variance, and "
            "as long, as those of its pool were here, and teaches as much whenever it is drawn."
        )


def savings(groups: pd.DataFrame, shares: Mapping[Pool, float]) -> Savings:
    """An estimate of what dynamic sampling and pools would have saved of a run.

    It takes a group to be as likely to have variance, and as long, as those of its pool were in this run, a group with variance
    to teach as much whenever it is drawn, and no pool to run empty that did not.

    Args:
        groups: of `with_pools`.
    """
    groups_a_step = groups[groups["dropped"] == ""].groupby("step").size()
    varied = ~groups["flat"]
    by_pool = pd.DataFrame({"tokens": groups["tokens"], "varied": varied, "groups": 1}).groupby(groups["before"]).sum()
    weights = pd.Series([shares.get(POOLS[int(place)], 0.0) for place in by_pool.index], by_pool.index)
    a_group = by_pool.div(by_pool["groups"], axis=0).mul(weights, axis=0).sum()
    is_known = len(by_pool) > 1 and a_group["varied"] > 0
    return Savings(
        groups=len(groups),
        tokens=int(groups["tokens"].sum()),
        flat_groups=int((~varied).sum()),
        flat_tokens=int(groups["tokens"][~varied].sum()),
        steps=len(groups_a_step),
        filled_steps=float(varied.sum() / groups_a_step.mean()) if len(groups_a_step) else 0.0,
        pool_tokens=float(varied.sum() * a_group["tokens"] / a_group["varied"]) if is_known else None,
    )
