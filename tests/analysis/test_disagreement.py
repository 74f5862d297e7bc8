"""Where two judges differ, over the steps and by cluster, of counts that are known."""

import numpy as np
import pytest

from analysis.compute import TOPICLESS
from analysis.disagreement import differing_by_cluster, differing_by_problem, differing_over_steps
from training.insight.disagreement import Disagreement, Tally
from training.insight.judges import Part
from training.intervals import clustered_share

TALLIES = (
    Tally("a", 1, 1, 1, 2, 0, 0),
    Tally("b", 1, 4, 0, 0, 0, 0),
    Tally("a", 2, 0, 4, 0, 0, 0),
    Tally("c", 2, 0, 0, 0, 4, 0),
    Tally("d", 2, 0, 0, 0, 0, 4),
)
FOUND = Disagreement(Part("demo-1"), ("correctness", "soft_correctness"), TALLIES, (), 20)


def test_over_the_steps_each_stretch_has_its_share_and_interval() -> None:
    table = differing_over_steps(TALLIES)
    assert table[["first", "last", "groups", "problems", "mean"]].to_numpy().tolist() == [
        [1, 1, 2, 2, 3 / 8],
        [2, 2, 2, 2, 4 / 8],
    ]
    assert tuple(table.loc[0, ["mean", "low", "high"]]) == clustered_share(np.array([3.0, 0.0]), np.array([4.0, 4.0]))


def test_a_problem_that_nobody_judged_has_no_share() -> None:
    assert differing_by_problem(FOUND).to_dict() == {"a": 7 / 8, "b": 0.0, "c": 0.0}


def test_clusters_come_from_the_surest_to_the_least() -> None:
    table = differing_by_cluster(FOUND, {"a": 3, "b": 5, "c": 5})
    assert list(table.index) == [3, 5]
    assert table.loc[3, ["problems", "completions", "differing", "first_only", "second_only"]].tolist() == [1, 8, 7, 5, 2]
    assert table.loc[5, "mean"] == 0
    assert table.loc[5, "high"] < 1
    assert list(differing_by_cluster(FOUND, {}).index) == [TOPICLESS]


@pytest.mark.parametrize("tallies", [(), TALLIES[-1:]])
def test_without_a_judged_completion_there_is_no_cluster(tallies: tuple[Tally, ...]) -> None:
    found = Disagreement(Part("demo-1"), FOUND.judges, tallies, (), 4)
    assert differing_by_cluster(found, {"d": 1}).empty
    assert differing_by_problem(found).empty
