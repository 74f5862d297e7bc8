"""How training went on some problems: stretches of steps, clusters, and two runs paired by problem."""

import numpy as np
import pandas as pd
import pytest

from analysis.brushing import interval_of, largest_clusters, over_steps, paired_by_cluster, stretches
from training.intervals import mean_interval, paired_interval, share_interval


def groups(steps: list[int], problems: list[str], rates: list[float | None]) -> pd.DataFrame:
    return pd.DataFrame({"step": steps, "problem": problems, "pass_rate": rates, "mean_reward": rates}, dtype=object).astype(
        {"step": int, "pass_rate": float, "mean_reward": float}
    )


@pytest.mark.parametrize(("first", "last", "number"), [(1, 1, 1), (1, 5, 5), (1, 60, 12), (7, 1_000, 12)])
def test_stretches_take_in_every_step_once(first: int, last: int, number: int) -> None:
    edges = stretches(first, last)
    assert len(edges) == number + 1
    assert (edges[0], edges[-1]) == (first, last + 1)
    assert np.diff(edges).min() >= 1
    assert np.ptp(np.diff(edges)) <= 1


def test_a_stretch_says_its_steps_its_groups_and_its_mean_with_an_interval() -> None:
    frame = groups([1, 2, 2, 4], ["a", "a", "b", "c"], [0.0, 0.5, 1.0, None])
    found = over_steps(frame, "pass_rate", np.array([1, 3, 5]))
    (row,) = found.to_dict("records")  # where nothing was judged there is no stretch
    assert (row["first"], row["last"], row["groups"], row["problems"]) == (1, 2, 3, 2)
    assert row["mean"] == pytest.approx(0.5)
    assert (row["low"], row["high"]) == share_interval(np.array([0.0, 0.5, 1.0]))


def test_rewards_have_students_interval_and_one_group_tells_none() -> None:
    values = np.array([0.0, 3.0, 4.0])
    assert interval_of(values, "mean_reward") == mean_interval(values)
    assert all(np.isnan(interval_of(values[:1], "mean_reward")))


def test_the_clusters_met_most_come_first_and_what_is_in_none_is_left_out() -> None:
    frame = groups([1, 2, 3, 4, 5], ["a", "b", "b", "c", "d"], [1.0] * 5)
    found = largest_clusters(frame, {"a": 0, "b": 1, "c": -1}, most=5)
    assert list(found) == [1, 0]
    assert list(found[1]["step"]) == [2, 3]
    assert list(largest_clusters(frame, {"a": 0, "b": 1}, most=1)) == [1]


def test_two_runs_differ_by_cluster_with_paired_intervals() -> None:
    met = pd.DataFrame({"before": [0.0, 0.5, 1.0], "after": [1.0, 1.0, 0.5]}, index=["a", "b", "c"])
    met["change"] = met["after"] - met["before"]
    table = paired_by_cluster(met, {"a": 4, "b": 4})
    assert list(table.index) == [4, -1]
    assert table.loc[4, ["problems", "before", "after", "change"]].tolist() == [2, 0.25, 1.0, 0.75]
    assert tuple(table.loc[4, ["low", "high"]]) == paired_interval(np.array([1.0, 0.5]))
