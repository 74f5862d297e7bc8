"""What the head of a run's page says of its changes: what is compared, how sure it is, and in which words."""

from typing import Any

import numpy as np
import pytest

from dashboard.curves import reward_scalar
from dashboard.run_changes import RunChanges, paired, step_change
from dashboard.run_head import Head, change_text, head_names, head_of
from tests.fakes import record_evaluation
from training.config import RunConfig
from training.groups import Rollout
from training.presets import load_preset
from training.store import Store
from training.store.evaluations import EvaluationItem
from training.store.scalar_series import EMPTY, Series

HARD = reward_scalar("correctness")
PROBLEMS = 20


@pytest.fixture
def config() -> RunConfig:
    return load_preset("demo", ["max_steps=40", "rewards={correctness = 2.0}"])


@pytest.fixture
def run_id(store: Store, config: RunConfig) -> str:
    """40 steps of 2 problems, each met twice: in the first half 1 of 2 completions is right, in the second both."""
    run_id = store.create_job("train", "demo", config.model_dump(mode="json"), total=40)[0].id
    store.start(run_id)
    for step in range(1, 41):
        rollouts = [
            Rollout(step, group, position, f"train-{(2 * step + group) % PROBLEMS}", "", *scored(step > 20 or not position))
            for group in range(2)
            for position in range(2)
        ]
        store.record(run_id, rollouts=rollouts, scalars=[(step, {"reward": 2.0 if step > 20 else 1.0})])
    store.progress(run_id, 40, 40, "training", "training")
    return run_id


def scored(right: bool) -> tuple[Any, ...]:
    return {"correctness": float(right)}, 2.0 * right, 0.0, 3, "stop"


def evaluate(store: Store, run_id: str, label: str, step: int, right: range) -> None:
    items = [EvaluationItem(f"test-{n}", "", {"correctness": float(n in right)}, 3) for n in range(100)]
    record_evaluation(store, run_id, label, step, "test", items)


def series(*values: float) -> Series:
    return np.arange(1, len(values) + 1), np.array(values)


def head(store: Store, run_id: str, config: RunConfig, **known: Series) -> Head:
    shown = dict.fromkeys(head_names(config), EMPTY) | known
    return head_of(store.job(run_id), config, shown, RunChanges(run_id).read(store, config))


def test_two_evaluations_are_compared_problem_by_problem(store: Store, run_id: str, config: RunConfig) -> None:
    evaluate(store, run_id, "before", 0, range(30))
    evaluate(store, run_id, "step-20", 20, range(10))
    evaluate(store, run_id, "after", 40, range(20, 70))
    changes = RunChanges(run_id).read(store, config)
    hard = changes[HARD]
    assert (hard.before, hard.after, hard.basis, hard.number, hard.split) == (0.3, 0.5, "evaluations", 100, "test")
    # 40 gained, 20 lost: the paired standard error is 7.5 points, and not the 6.8 of two samples.
    assert (hard.low, hard.high) == pytest.approx((0.05, 0.35), abs=0.021)
    assert changes["reward"].difference == pytest.approx(0.4)
    figures = head(store, run_id, config, **{"reward": series(1.0), HARD: series(0.75)}).figures
    assert figures[1].change.startswith("+20.0 points (+")
    assert figures[1].basis == "30.0% to 50.0% on the same 100 test problems"
    assert figures[1].value == "75.0%", "while it goes on, its latest steps"
    store.end(run_id, "finished", "done")
    assert head(store, run_id, config, **{"reward": series(1.0), HARD: series(0.75)}).figures[1].value == "50.0%", (
        "in the end, its last evaluation"
    )


def test_an_evaluation_alone_leaves_the_problems_that_were_met_twice(store: Store, run_id: str, config: RunConfig) -> None:
    evaluate(store, run_id, "before", 0, range(30))
    changes = RunChanges(run_id).read(store, config)
    assert {name: (found.basis, found.number) for name, found in changes.items()} == {
        "reward": ("problems", 20),
        HARD: ("problems", 20),
    }
    assert (changes[HARD].before, changes[HARD].after) == (0.5, 1.0)
    assert head(store, run_id, config, reward=series(1.0)).figures[0].basis == "20 problems met early and late"


def test_changes_are_read_anew_when_there_is_more_on_record(store: Store, run_id: str, config: RunConfig) -> None:
    kept = RunChanges(run_id)
    first = kept.read(store, config)
    assert kept.read(store, config) is first
    evaluate(store, run_id, "before", 0, range(30))
    evaluate(store, run_id, "after", 40, range(40))
    evaluated = kept.read(store, config)
    assert evaluated[HARD].basis == "evaluations"
    store.record(run_id, rollouts=[Rollout(41, 0, 0, "train-1", "", *scored(True))])
    assert kept.read(store, config) is evaluated
    store.truncate(run_id, after_step=36)
    assert kept.read(store, config)[HARD].basis == "problems"


def test_steps_on_other_problems_are_compared_with_an_interval_and_said_to_be(store: Store, config: RunConfig) -> None:
    run_id = store.create_job("train", "demo", config.model_dump(mode="json"), total=40)[0].id
    noise = [0.1 * (n % 5) for n in range(20)]
    rising = series(*(value + (2.0 if n >= 10 else 1.0) for n, value in enumerate(noise)))
    steady = series(*noise)
    flat_so_far = series(*[0.5] * 9)
    found = head(store, run_id, config, **{"reward": rising, HARD: steady, "frac_reward_zero_std": flat_so_far})
    total, hard, flat = found.figures
    assert (total.value, total.change) == ("2.20", "+1.00 (+0.77 to +1.23)")
    assert total.basis == "first against last 5 steps, other problems"
    assert (hard.value, hard.change) == ("20.0%", "no clear change (−23.1 to +23.1 points)")
    assert (flat.value, flat.change, flat.basis) == ("50.0%", "", "")  # of nine steps nothing is said


def test_a_change_within_its_interval_is_neither_a_gain_nor_a_loss() -> None:
    generator = np.random.default_rng(0)
    change = step_change(generator.normal(size=40))
    assert change is not None
    assert not change.is_clear
    assert change_text(change, is_share=False).startswith("no clear change (−")


def test_what_stays_the_same_is_said_to() -> None:
    same = step_change(np.zeros(20))
    assert same is not None
    assert change_text(same, is_share=True) == "no change"


def test_too_few_pairs_are_not_compared() -> None:
    nine = {f"p{n}": 1.0 for n in range(9)}
    assert paired(nine, nine, "problems", is_share=True) is None
    assert step_change(np.ones(9)) is None


def test_the_tab_says_how_far_a_run_is_while_it_goes_on(store: Store, run_id: str, config: RunConfig) -> None:
    assert head(store, run_id, config).tab == "demo-1 40/40"
    store.end(run_id, "finished", "done")
    assert head(store, run_id, config).tab == ""
