"""Where a run's tokens went, and what it can still learn from, against a ledger made by hand."""

import pandas as pd
import pytest

from analysis.compute import in_steps, kinds, spent, spent_by_cluster, with_signal
from analysis.outcomes import RunGroups, group_frame, problem_outcomes
from training.groups import Rollout
from training.store import Store
from training.store.ledger import group_outcomes

Scores = list[float | None]


def group(step: int, index: int, problem: str, scores: Scores, *, bonus: float = 0.0, tokens: int = 10) -> list[Rollout]:
    """Completions with total 1 where right, 0 where wrong; the first earns a bonus that has nothing to do with that."""
    return [
        Rollout(
            step,
            index,
            position,
            problem,
            "text",
            {"correctness": score},
            None if score is None else score + (bonus if position == 0 else 0.0),
            0.0,
            tokens,
            "stop",
        )
        for position, score in enumerate(scores)
    ]


LEDGER = [
    *group(1, 0, "train-0", [1.0, 0.0]),
    *group(1, 1, "train-1", [0.0, 0.0], tokens=20),
    *group(2, 0, "train-0", [1.0, 1.0]),
    *group(2, 1, "train-2", [0.0, 1.0, None, 1.0]),
    *group(3, 0, "train-1", [0.0, 0.0], bonus=0.5),
]


@pytest.fixture
def run(store: Store) -> str:
    run_id = store.create_job("train", "demo", {"source": "demo"})[0].id
    store.record(run_id, rollouts=LEDGER)
    return run_id


@pytest.fixture
def groups(store: Store, run: str) -> pd.DataFrame:
    return group_frame(group_outcomes(store, run))


def test_groups_are_mixed_all_right_or_all_wrong_and_may_teach_nothing(groups: pd.DataFrame) -> None:
    assert kinds(groups).tolist() == ["mixed", "wrong", "right", "mixed", "wrong"]
    assert groups["flat"].tolist() == [False, True, True, False, False], "a bonus teaches though all are wrong"
    assert groups["tokens"].tolist() == [20, 40, 20, 40, 20]


def test_a_step_or_a_window_of_steps_can_be_looked_at(groups: pd.DataFrame) -> None:
    assert in_steps(groups, 2)["step"].tolist() == [1, 1, 2, 2]
    assert in_steps(groups, 3, 2)["step"].tolist() == [2, 2, 3]
    until_two = problem_outcomes(in_steps(groups, 2))
    assert until_two.loc[["train-0"], ["pass_rate", "times_seen"]].to_numpy().tolist() == [[0.75, 2]]
    assert problem_outcomes(in_steps(groups, 2, 1)).loc["train-0", "pass_rate"] == 1.0
    assert until_two.loc["train-2", "pass_rate"] == pytest.approx(2 / 3), "what cannot be scored counts neither way"


def test_every_token_is_counted_once(groups: pd.DataFrame) -> None:
    parts = {(part.kind, part.flat): (part.tokens, part.groups) for part in spent(groups)}
    expected = {("mixed", False): (60, 2), ("right", True): (20, 1), ("wrong", False): (20, 1), ("wrong", True): (40, 1)}
    assert parts == expected
    assert spent(groups.iloc[:0]) == []


def test_the_cluster_that_wasted_most_comes_first(groups: pd.DataFrame) -> None:
    table = spent_by_cluster(groups, {"train-0": 4, "train-1": 7})
    assert table.index.tolist() == [7, 4, -1]
    assert table.loc[[7], ["problems", "groups", "tokens", "wasted", "wrong"]].to_numpy().tolist() == [[1, 2, 60, 40, 1]]
    assert table.loc[[4], ["wasted", "wasted_share", "right", "mixed"]].to_numpy().tolist() == [[20, 0.5, 0.5, 0.5]]


def test_what_is_mixed_in_its_latest_group_or_was_never_met_has_signal(groups: pd.DataFrame) -> None:
    assert with_signal(groups, ["train-3", "train-2", "train-1", "train-0"]) == (["train-3", "train-2"], 1)


def test_without_correctness_a_group_has_signal_where_rewards_differ(store: Store) -> None:
    run_id = store.create_job("train", "demo", {"source": "demo"})[0].id
    rows = [
        Rollout(1, index, position, f"train-{index}", "", {"integer": total}, total, 0.0, 5, "stop")
        for index, totals in enumerate(([1.0, 0.5], [1.0, 1.0]))
        for position, total in enumerate(totals)
    ]
    store.record(run_id, rollouts=rows)
    groups = group_frame(group_outcomes(store, run_id))
    assert kinds(groups).tolist() == ["unjudged", "unjudged"]
    assert with_signal(groups, ["train-0", "train-1"]) == (["train-0"], 0)


def test_a_run_that_goes_on_is_read_on_and_a_resumed_one_anew(store: Store, run: str) -> None:
    read = RunGroups(run)
    read.update(store)
    assert len(read.frame) == 5
    newest, before = read.newest, read.frame
    read.update(store)
    assert read.frame is before
    store.record(run, rollouts=group(4, 0, "train-4", [1.0, 1.0]))
    read.update(store)
    assert read.newest > newest
    pd.testing.assert_frame_equal(read.frame, group_frame(group_outcomes(store, run)))
    store.truncate(run, after_step=1)
    store.record(run, rollouts=group(2, 0, "train-9", [0.0, 0.0]))
    read.update(store)
    assert read.frame["problem"].tolist() == ["train-0", "train-1", "train-9"]
    store.truncate(run, after_step=0)
    read.update(store)
    assert read.frame.empty
