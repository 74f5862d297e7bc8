"""Advantages anew from the ledger: as TRL computes them, and what other weights would have changed."""

import math
from collections.abc import Sequence

import pytest

from training.errors import ConfigError, StoreError
from training.groups import Credit, Rollout, advantages, is_flat
from training.insight.counterfactuals import Change, reweigh
from training.presets import load_preset
from training.store import Store

NAMES = ("correctness", "soft_correctness", "integer", "strict_format", "soft_format", "xml_count")
Row = tuple[tuple[float | None, ...], float]
"""Rewards in the order of NAMES, and the advantage that TRL gave."""

REAL_STEP: list[list[Row]] = [
    [
        ((0.0, 0.0, 0.5, 0.5, 0.5, 0.36800000071525574), -0.5360472798347473),
        ((0.0, 0.0, 0.0, 0.5, 0.5, 0.3529999852180481), -0.9797915816307068),
        ((0.0, 0.0, 0.5, 0.5, 0.5, 0.36800000071525574), -0.5360472798347473),
        ((1.0, 1.0, 0.5, 0.5, 0.5, 0.36800000071525574), 1.1872313022613525),
        ((1.0, 1.0, 0.5, 0.5, 0.5, 0.36800000071525574), 1.1872313022613525),
        ((0.0, 0.0, 0.0, 0.5, 0.5, 0.36000001430511475), -0.9737600088119507),
        ((0.0, 0.0, 0.5, 0.5, 0.5, 0.36800000071525574), -0.5360472798347473),
        ((1.0, 1.0, 0.5, 0.5, 0.5, 0.36800000071525574), 1.1872313022613525),
    ],
    [
        *[((1.0, 1.0, 0.5, 0.5, 0.5, 0.367000013589859), 0.38917791843414307)] * 5,
        ((1.0, 1.0, 0.5, 0.5, 0.5, 0.3659999966621399), 0.38729411363601685),
        ((1.0, 1.0, 0.5, 0.5, 0.5, 0.23000000417232513), 0.13113871216773987),
        ((0.0, 1.0, 0.0, 0.5, 0.5, 0.35199999809265137), -2.4643197059631348),
    ],
    [((1.0, 1.0, 0.5, 0.5, 0.5, 0.39399999380111694), -0.0047441874630749226)] * 8,
    [
        ((1.0, 1.0, 0.5, 0.5, 0.5, 0.367000013589859), 2.253093719482422),
        ((0.0, 0.0, 0.5, 0.5, 0.5, 0.367000013589859), 0.08365878462791443),
        ((0.0, 0.0, 0.5, 0.5, 0.5, 0.36899998784065247), 0.08582818508148193),
        ((0.0, 0.0, 0.0, 0.5, 0.5, 0.36399999260902405), -0.46195411682128906),
        ((0.0, 0.0, 0.0, 0.5, 0.5, 0.36399999260902405), -0.46195411682128906),
        ((0.0, 0.0, 0.5, 0.0, 0.0, 0.2549999952316284), -1.1225470304489136),
        ((0.0, 0.0, 0.0, 0.5, 0.5, 0.36399999260902405), -0.46195411682128906),
        ((0.0, 0.0, 0.5, 0.5, 0.5, 0.36899998784065247), 0.08582818508148193),
    ],
]
"""Step 83 of a run of the `demo` preset (TRL 1.14.2, weights of 1, scale_rewards "group"), as its ledger holds it."""


def ledger(groups: Sequence[Sequence[Row]], step: int = 1) -> list[Rollout]:
    return [
        Rollout(step, index, position, f"train-{index}", "text", scores(row[0]), 0.0, row[1], 30, "stop")
        for index, group in enumerate(groups)
        for position, row in enumerate(group)
    ]


def scores(values: Sequence[float | None]) -> dict[str, float | None]:
    return dict(zip(NAMES[: len(values)], values, strict=True))


def of(*values: float | None, weights: dict[str, float] | None = None, scale: str = "group") -> list[float]:
    """Advantages of one group with one reward function."""
    rollouts = ledger([[((value,), 0.0) for value in values]])
    return advantages(rollouts, weights or {"correctness": 1.0}, Credit(scale_rewards=scale))  # type: ignore[arg-type]


def real_run(store: Store) -> str:
    job_id = store.create_job("train", "demo", load_preset("demo").model_dump())[0].id
    store.record(job_id, rollouts=ledger(REAL_STEP, step=83))
    return job_id


def test_the_runs_own_settings_give_back_the_recorded_advantages(store: Store) -> None:
    rollouts = store.rollouts(real_run(store))
    found = advantages(rollouts, dict.fromkeys(NAMES, 1.0))
    recorded = [rollout.advantage for rollout in rollouts]
    assert found[16:24] == [0.0] * 8, "where TRL's float32 leaves a remainder, nothing was better than the rest"
    assert found[:16] + found[24:] == pytest.approx(recorded[:16] + recorded[24:], abs=1e-5)


def test_asked_about_its_own_settings_a_run_changes_nothing(store: Store) -> None:
    same = reweigh(store, real_run(store))
    assert (same.rollouts, same.flipped, same.silenced, same.awakened) == (32, (), (), ())
    assert same.size_before == same.size_after
    assert same.recorded_difference == pytest.approx(0.0047441874630749226)


def test_other_weights_say_which_rollouts_turn_and_fall_silent(store: Store) -> None:
    changed = reweigh(store, real_run(store), weights={"correctness": 1.0})
    assert [(c.step, c.group_index, c.position) for c in changed.flipped] == [(83, 3, 1), (83, 3, 2), (83, 3, 7)]
    first = changed.flipped[0]
    assert [first.before, first.after] == pytest.approx([0.08366, -0.35346], abs=1e-4)
    assert (changed.silenced, changed.awakened) == ((), ())
    formats = reweigh(store, "demo-1", weights={"strict_format": 2.0})
    assert {(c.group_index, c.after) for c in formats.silenced} == {(0, 0.0), (1, 0.0)}
    assert len(formats.silenced) == 16


def test_a_weight_can_wake_a_group_that_was_silent(store: Store) -> None:
    spec = load_preset("demo", ["rewards={ correctness = 1, integer = -2 }"]).model_dump()
    job_id = store.create_job("train", "demo", spec)[0].id
    store.record(job_id, rollouts=ledger([[((1.0, None, 0.5), 0.0), ((0.0, None, 0.0), 0.0)]]))
    woken = reweigh(store, job_id, weights={"integer": 1.0})
    advantage = 0.25 / (math.sqrt(2 * 0.25**2) + 1e-4)
    assert woken.awakened == (Change(1, 0, 0, 0.0, advantage), Change(1, 0, 1, 0.0, -advantage))
    assert (woken.flipped, woken.silenced, woken.size_before) == ((), (), 0.0)


def test_another_scale_changes_sizes_and_no_sign(store: Store) -> None:
    unscaled = reweigh(store, real_run(store), scale_rewards="none")
    assert (unscaled.credit.scale_rewards, unscaled.flipped, unscaled.silenced, unscaled.awakened) == ("none", (), (), ())
    assert unscaled.size_after < unscaled.size_before


def test_the_standard_deviation_is_a_samples_plus_trls_epsilon() -> None:
    assert of(1.0, 0.0, 0.0, 0.0) == pytest.approx([0.75 / 0.5001, -0.25 / 0.5001, -0.25 / 0.5001, -0.25 / 0.5001])
    assert of(1.0, 0.0, 0.0, 0.0, scale="none") == [0.75, -0.25, -0.25, -0.25]


def test_scaling_by_batch_divides_by_the_spread_of_the_whole_step() -> None:
    step = ledger([[((1.0,), 0.0), ((0.0,), 0.0)], [((1.0,), 0.0), ((1.0,), 0.0)]])
    other = ledger([[((1.0,), 0.0), ((0.0,), 0.0)]], step=2)
    found = advantages([*step, *other], {"correctness": 1.0}, Credit(scale_rewards="batch"))
    assert found[:4] == pytest.approx([0.5 / 0.5001, -0.5 / 0.5001, 0.0, 0.0])
    assert found[4:] == pytest.approx([0.5 / (math.sqrt(0.5) + 1e-4), -0.5 / (math.sqrt(0.5) + 1e-4)])


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_what_could_not_be_scored_takes_no_part(scale: str) -> None:
    assert of(1.0, None, 0.0, scale=scale)[1] == 0.0
    assert of(1.0, None, 0.0, scale=scale)[::2] == of(1.0, 0.0, scale=scale)
    assert of(1.0, None, None, scale=scale) == [0.0, 0.0, 0.0]
    assert of(None, None, scale=scale) == [0.0, 0.0]


def test_one_function_that_could_not_be_computed_leaves_the_others() -> None:
    rollouts = ledger([[((None, 1.0), 0.0), ((0.0, 0.0), 0.0)]])
    unscaled = Credit(scale_rewards="none")
    assert advantages(rollouts, {"correctness": 1.0, "soft_correctness": 2.0}, unscaled) == [1.0, -1.0]
    assert advantages(rollouts, {"correctness": 1.0, "soft_correctness": 0.0}, unscaled) == [0.0, 0.0]


def test_rloo_holds_each_against_the_others_of_its_group() -> None:
    rollouts = ledger([[((1.0,), 0.0), ((0.0,), 0.0), ((0.5,), 0.0), ((None,), 0.0)], [((1.0,), 0.0), ((1.0,), 0.0)]])
    found = advantages(rollouts, {"correctness": 1.0}, Credit(method="rloo"))
    assert found == pytest.approx([0.75, -0.75, 0.0, 0.0, 0.0, 0.0])
    scaled = advantages(rollouts, {"correctness": 1.0}, Credit(method="rloo", normalize_advantages=True))
    assert scaled == pytest.approx([0.75 / 0.53043, -0.75 / 0.53043, 0.0, 0.0, 0.0, 0.0], abs=1e-4)


def test_rewards_scaled_before_they_are_summed_count_alike_whatever_their_spread() -> None:
    wide, narrow = ((1.0, 0.0), 0.0), ((0.0, 0.01), 0.0)
    weights = {"correctness": 1.0, "soft_correctness": 1.0}
    decoupled = Credit(multi_objective_aggregation="normalize_then_sum")
    assert advantages(ledger([[wide, narrow]]), weights)[0] > 0.7
    found = advantages(ledger([[wide, narrow], [((1.0, 1.0), 0.0), ((0.0, 0.0), 0.0)]]), weights, decoupled)
    assert abs(found[0]) < 0.02 < 1 < found[2], "what both functions prefer stands out"


def test_totals_equal_up_to_float32_are_equal() -> None:
    assert is_flat([0.30000000447, 0.30000001192])
    assert not is_flat([3.5, 3.499]), "one character of xml_count is a difference"
    assert is_flat([0.0, 0.0, None])
    assert is_flat([])


def test_a_function_without_values_on_record_is_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="no values of the reward function 'by_value' on record"):
        reweigh(store, real_run(store), weights={"by_value": 1.0})


def test_weights_of_nothing_but_0_are_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="Every weight is 0"):
        reweigh(store, real_run(store), weights={"correctness": 0.0})


def test_an_unknown_run_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="no run 'demo-7'"):
        reweigh(store, "demo-7")


def test_a_run_without_rollouts_has_nothing_to_change(store: Store) -> None:
    store.create_job("train", "demo", load_preset("demo").model_dump())
    nothing = reweigh(store, "demo-1", weights={"correctness": 1.0})
    assert (nothing.rollouts, nothing.flipped, nothing.size_after, nothing.recorded_difference) == (0, (), 0.0, 0.0)
