"""Difficulty pools worked out from a ledger: the pools of a run that drew by them, sizes, flow and the estimate."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.__main__ import main
from analysis.pools import POOL, drawn_by_step, flow, savings, sizes_by_step, with_pools
from training.groups import Rollout
from training.home import Home
from training.presets import load_preset
from training.sampling.pools import POOLS, Limits, Outcome, Pool, Standing
from training.store import Store

LIMITS = Limits()
NOT_MET, TOO_HARD, LEARNING, MASTERED = range(len(POOLS))


def frame(*rows: tuple[int, str, float, int]) -> pd.DataFrame:
    """Groups of eight completions: step, problem, pass rate, tokens."""
    table = pd.DataFrame(rows, columns=["step", "problem", "pass_rate", "tokens"])
    return table.assign(completions=8, flat=(table["pass_rate"] % 1 == 0), dropped="")


GROUPS = frame(
    (1, "a", 0.0, 100),
    (1, "b", 0.5, 100),
    (2, "a", 0.5, 100),
    (2, "c", 1.0, 20),
    (3, "c", 1.0, 20),
    (3, "b", 0.5, 100),
)


def test_each_group_tells_where_its_problem_stood_before_and_after_it() -> None:
    found = with_pools(GROUPS, LIMITS)
    assert found["before"].tolist() == [NOT_MET, NOT_MET, TOO_HARD, NOT_MET, MASTERED, LEARNING]
    assert found[POOL].tolist() == [TOO_HARD, LEARNING, LEARNING, MASTERED, MASTERED, LEARNING]


def test_the_pools_are_those_of_a_run_that_draws_by_them() -> None:
    random = np.random.default_rng(3)
    rates = random.integers(0, 9, 400) / 8
    groups = frame(*((row // 4 + 1, f"p{random.integers(40)}", rate, 10) for row, rate in enumerate(rates)))
    known = [Outcome("p1", 8, 8), Outcome("p2", 0, 8)]
    standing = Standing([f"p{row}" for row in range(40)], LIMITS, known)
    standing.learn(Outcome(row.problem, row.pass_rate * 8, 8) for row in groups.itertuples())
    last = with_pools(groups, LIMITS, known).drop_duplicates("problem", keep="last")
    assert {row.problem: row.pool for row in last.itertuples()} == {
        name: standing.pools[row] for name, row in standing.rows.items() if name in set(last["problem"])
    }


def test_what_was_not_judged_leaves_a_problem_where_it_was() -> None:
    groups = frame((1, "a", 1.0, 10), (2, "a", float("nan"), 10), (2, "b", float("nan"), 10))
    found = with_pools(groups, LIMITS)
    assert found[POOL].tolist() == [MASTERED, MASTERED, NOT_MET]


def test_the_sizes_of_the_pools_after_each_step_add_up_to_the_problems() -> None:
    sizes = sizes_by_step(with_pools(GROUPS, LIMITS, [Outcome("c", 8, 8)]), 5)
    assert sizes.to_dict("index") == {
        1: {"not_met": 2, "too_hard": 1, "learning": 1, "mastered": 1},
        2: {"not_met": 2, "too_hard": 0, "learning": 2, "mastered": 1},
        3: {"not_met": 2, "too_hard": 0, "learning": 2, "mastered": 1},
    }


def test_drawn_and_flow() -> None:
    groups = with_pools(GROUPS, LIMITS)
    assert drawn_by_step(groups).loc[3].to_dict() == {"not_met": 0, "too_hard": 0, "learning": 1, "mastered": 1}
    table = flow(groups)
    assert table.loc["not_met"].to_dict() == {"not_met": 0, "too_hard": 0, "learning": 2, "mastered": 1}
    assert flow(groups[groups["step"] > 1]).loc["too_hard", "learning"] == 1


def test_an_estimate_counts_what_taught_nothing_and_what_choosing_would_have_taken() -> None:
    """Four groups are learnt from a step, of which two have variance; mastered ones cost 10 tokens and teach nothing."""
    rows = [
        (step, name, rate, tokens)
        for step in range(1, 11)
        for name, rate, tokens in (("a", 1.0, 10), ("b", 1.0, 10), ("c", 0.5, 30), ("d", 0.5, 30))
    ]
    groups = with_pools(frame(*rows), LIMITS, [Outcome("a", 8, 8), Outcome("b", 8, 8), Outcome("c", 4, 8), Outcome("d", 4, 8)])
    shares: dict[Pool, float] = {"learning": 1.0}
    found = savings(groups, shares)
    assert (found.groups, found.tokens, found.flat_groups, found.flat_tokens, found.steps) == (40, 800, 20, 200, 10)
    assert found.filled_steps == pytest.approx(5.0)
    assert found.pool_tokens == pytest.approx(600)
    half: dict[Pool, float] = {"learning": 0.5, "mastered": 0.5}
    assert savings(groups, half).pool_tokens == pytest.approx(800)


def test_where_no_group_had_variance_nothing_would_have_been_saved() -> None:
    groups = with_pools(frame((1, "a", 1.0, 10), (1, "b", 0.0, 10)), LIMITS)
    found = savings(groups, {"learning": 1.0})
    assert (found.pool_tokens, found.filled_steps) == (None, 0)


def test_of_problems_that_were_met_once_nothing_can_be_said_of_pools() -> None:
    groups = with_pools(frame((1, "a", 0.5, 10), (1, "b", 0.0, 10)), LIMITS)
    assert savings(groups, {"not_met": 1.0}).pool_tokens is None


def test_the_command_tells_pools_and_the_estimate(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(home.root))
    store = Store.open(home.store_url)
    config = load_preset("demo")
    run_id = store.create_job("train", "demo", config.model_dump(mode="json"))[0].id
    assert main(["pools", run_id]) == 2
    assert "has no completions on record" in capsys.readouterr().err
    rates = {"train-1": (1.0, 1.0), "train-2": (1.0, 0.0), "train-3": (0.0, 0.0)}
    for step in (1, 2):
        store.record(
            run_id,
            rollouts=[
                Rollout(step, index, place, name, "", {"correctness": value}, value, 0.0, 10, "stop")
                for index, (name, values) in enumerate(rates.items())
                for place, value in enumerate(values * 4)
            ],
        )
    assert main(["pools", run_id]) == 0
    said = capsys.readouterr().out
    assert f"{run_id}: 3 problems met in 6 groups" in said
    assert "67% of 480 tokens went into 4 groups that taught nothing." in said
    assert main(["pools", run_id, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pools"] == {"not_met": 0, "too_hard": 1, "learning": 1, "mastered": 1}
    assert told["flow"]["not_met"]["learning"] == 1
    assert told["savings"]["flat_tokens"] == 320
