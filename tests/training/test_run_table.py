"""What lists of runs are sorted and grouped by, among many runs in a real store."""

import math
from typing import Any

import pytest

from tests.fakes import record_evaluation
from tests.many_runs import add_runs
from training.home import Home
from training.presets import load_preset
from training.store import Store
from training.store.evaluations import EvaluationItem
from training.store.job_search import RunFilter, find_runs, matching_runs
from training.store.run_marks import Marks, set_marks
from training.store.run_table import KEYS, Mean, Order, grouped, setting_of, standings

pytestmark = pytest.mark.both_databases

RATES = {1: 1e-4, 2: 1e-5, 3: 5e-4, 4: 1e-5}
REWARDS = {1: 3.0, 2: 1.0, 4: 2.0}


@pytest.fixture
def store(home: Home) -> Store:
    return Store.open(home.store_url, lambda: 5000.0)


def evaluate(store: Store, number: int, label: str, step: int, right: int, of: int = 4) -> None:
    items = [EvaluationItem(f"test-{place}", "", {"correctness": float(place < right)}, 3) for place in range(of)]
    record_evaluation(store, f"demo-{number}", label, step, "test", items)


@pytest.fixture
def four_runs(store: Store) -> Store:
    """Two learning rates once each and one twice; demo-3 has neither reward nor evaluation."""

    def changes(number: int) -> dict[str, Any]:
        spec = load_preset("demo").model_dump(mode="json") | {"seed": number, "learning_rate": RATES[number]}
        return {"spec": spec, "done": float(number)}

    add_runs(store, 4, changes, steps=1)
    for number in RATES:
        store.truncate(f"demo-{number}", 0)
    for number, reward in REWARDS.items():
        store.record(f"demo-{number}", scalars=[(step, {"reward": reward if step > 1 else 50.0}) for step in range(1, 7)])
        evaluate(store, number, "before", 0, 1)
    evaluate(store, 1, "after", 6, 2)
    evaluate(store, 2, "step-3", 3, 0)
    evaluate(store, 2, "after", 6, 4)
    evaluate(store, 4, "step-3", 3, 3)
    return store


def in_order(store: Store, by: str, *, descending: bool = False, size: int = 10, page: int = 1) -> list[str]:
    order = Order(by, descending)
    found = find_runs(store, RunFilter(), page=page, size=size, order=order)
    return [run.id.removeprefix("demo-") for run in found.runs]


def test_runs_stand_with_what_they_came_to(four_runs: Store) -> None:
    found = standings(four_runs, ["demo-1", "demo-2", "demo-3", "demo-4"])
    rights = {number: found[f"demo-{number}"] for number in RATES}
    assert [standing.before and standing.before.value for standing in rights.values()] == [0.25, 0.25, None, 0.25]
    assert [standing.after and standing.after.value for standing in rights.values()] == [0.5, 1.0, None, 0.75]
    assert [standing.reward for standing in rights.values()] == [3.0, 1.0, None, 2.0]
    assert [standing.change for standing in rights.values()] == [0.25, 0.75, None, 0.5]
    after = rights[2].after
    assert after is not None
    assert (after.problems, after.high) == (4, 1.0)
    assert after.low == pytest.approx(0.5101, abs=1e-4)


@pytest.mark.parametrize(
    ("by", "rising"),
    [
        ("launched", "1234"),
        ("final reward", "2413"),
        ("after", "1423"),
        ("change", "1423"),
        ("steps", "1234"),
        ("learning_rate", "4213"),
        ("rewards.integer", "4321"),
        ("model", "4321"),
        ("seed", "1234"),
    ],
)
def test_runs_are_sorted_over_all_pages_and_those_without_a_value_come_last(four_runs: Store, by: str, rising: str) -> None:
    assert "".join(in_order(four_runs, by)) == rising
    assert "".join([*in_order(four_runs, by, size=3), *in_order(four_runs, by, size=3, page=2)]) == rising
    falling = in_order(four_runs, by, descending=True)
    if by in ("final reward", "after", "change"):
        assert falling[-1] == "3"


@pytest.mark.parametrize("by", KEYS)
def test_runs_can_be_sorted_by_everything_that_is_offered(four_runs: Store, by: str) -> None:
    assert sorted(in_order(four_runs, by)) == ["1", "2", "3", "4"]


def test_names_are_sorted_as_people_count_and_found(four_runs: Store) -> None:
    set_marks(four_runs, "demo-2", Marks(name="  Alpha   10 "))
    set_marks(four_runs, "demo-4", Marks(name="alpha 9"))
    assert in_order(four_runs, "run") == ["4", "2", "1", "3"]
    assert [run.id for run in find_runs(four_runs, RunFilter("ALPHA 10"), page=1, size=9).runs] == ["demo-2"]


def test_settings_of_another_kind_and_null_characters_do_no_harm(store: Store) -> None:
    specs: list[Any] = [{"lr": 2}, {"lr": "high"}, {"lr": None}, {}, {"lr": 1.5, "note": "\0"}, {"lr": [1]}, ["no", "spec"]]
    add_runs(store, len(specs), lambda number: {"spec": specs[number - 1]}, steps=1)
    assert in_order(store, "lr") == ["1", "6", "2", "7", "5", "4", "3"]
    assert sorted(in_order(store, "lr.inner")) == [str(number) for number in range(1, 8)]
    assert setting_of({"lr": 2}, "lr.inner") is None


def test_groups_have_means_over_their_runs_with_intervals(four_runs: Store) -> None:
    groups = grouped(four_runs, matching_runs(four_runs, RunFilter()), "learning_rate", 100)
    assert [(group.value, group.run_ids, group.seeds) for group in groups] == [
        (1e-5, ("demo-4", "demo-2"), 2),
        (1e-4, ("demo-1",), 1),
        (5e-4, ("demo-3",), 1),
    ]
    reward = groups[0].means["final reward"]
    assert (reward.value, reward.runs) == (1.5, 2)
    assert reward.interval == pytest.approx((1.5 - 12.7062 * 0.5, 1.5 + 12.7062 * 0.5), abs=1e-3)
    assert groups[1].means["after"].interval is None
    assert groups[2].means == {}
    assert {group.differ_in for group in groups} == {()}


def test_a_group_says_what_else_its_runs_differ_in(four_runs: Store) -> None:
    (group,) = grouped(four_runs, matching_runs(four_runs, RunFilter()), "model", 3)
    assert len(group.run_ids) == 3
    assert group.differ_in == ("learning_rate",)
    assert not math.isnan(group.means["before"].value)


def test_a_mean_has_an_interval_where_runs_differ() -> None:
    assert Mean(0.5, (0.4, 0.6), 3).words == "0.500 (0.400 to 0.600)"
    assert Mean(0.5, (0.5, 0.5), 3).words == Mean(0.5, None, 1).words == "0.500"
