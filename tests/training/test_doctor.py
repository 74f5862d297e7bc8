"""The doctor's signals: each speaks of the run that it is for, since when and by which rows, and leaves a good run alone."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.doctor.examination import MIN_STEPS, Health, examine
from training.doctor.finding import Evidence, Finding
from training.doctor.signals import SIGNALS
from training.errors import StoreError
from training.groups import Rollout
from training.signal_names import SIGNAL_NAMES, SignalName
from training.store import Store

ROOT = Path(__file__).resolve().parents[2]
GROUPS, SIZE = 2, 8
Place = tuple[int, int, int]
"""Step, group, position."""


def rewards(hard: float, soft: float, form: float) -> dict[str, Any]:
    """Fields of a rollout that is paid like this."""
    return {"rewards": {"correctness": hard, "soft_correctness": soft, "integer": form}, "total": hard + soft + form}


def good(place: Place) -> dict[str, Any]:
    """A run that learns: more and more of a group is right, every completion is another, and the groups differ."""
    step, group, position = place
    right = float(position < 2 + min(4, step // 8) + (step + group) % 2)
    return rewards(right, max(right, float(position % 3 == 0)), 0.5 * (position % 2))


def run(
    store: Store,
    changes: Callable[[Place], dict[str, Any]] = lambda place: {},
    *,
    steps: int = 40,
    entropy: Callable[[int], float | None] | None = lambda step: 0.5 / (1 + step / 100),
    **settings: str,
) -> str:
    """A run in the store, as the good one but for the fields that `changes` gives."""
    job_id = store.create_job("train", "demo", {"source": "demo"} | settings)[0].id
    for step in range(1, steps + 1):
        places = [(step, group, position) for group in range(GROUPS) for position in range(SIZE)]
        store.record(job_id, rollouts=[rollout(place, good(place) | changes(place)) for place in places])
        store.record(job_id, scalars=[(step, {"entropy": entropy(step)} if entropy else {"reward": 1.0})])
    return job_id


def rollout(place: Place, fields: dict[str, Any]) -> Rollout:
    step, group, position = place
    plain = Rollout(step, group, position, f"train-{group}", f"<answer>{place}</answer>", {}, 0.0, 0.0, 30, "stop")
    return dataclasses.replace(plain, **fields)


def found(health: Health, signal: SignalName) -> Finding:
    """The one finding of a run."""
    assert list(health.findings) == [signal]
    finding = health.findings[signal]
    assert finding.sentence.startswith("Look at ")
    assert finding.arithmetic
    assert 1 <= len(finding.evidence) <= 5
    return finding


def only(health: Health, signal: SignalName) -> tuple[str, tuple[Evidence, ...]]:
    """The sentence and rows of the one signal that speaks."""
    finding = found(health, signal)
    return finding.sentence, finding.evidence


@pytest.mark.parametrize("steps", [MIN_STEPS, MIN_STEPS + 1, 19, 40, 41, 100])
def test_a_good_run_has_nothing_to_look_at(store: Store, steps: int) -> None:
    health = examine(store, run(store, steps=steps))
    assert (health.steps, health.on_record, health.alarms) == (steps, steps, [])
    assert health.audits == (["plateau"] if steps == 100 else []), "its reward is as good as it gets after 32 steps"


def worst(place: Place) -> dict[str, Any]:
    return rewards(0.0, 0.0, 0.0) | {"completion": "same", "finish_reason": "length"}


def test_a_short_run_is_not_judged(store: Store) -> None:
    assert examine(store, run(store, worst, steps=MIN_STEPS - 1)) == Health(MIN_STEPS - 1, {}, {}, MIN_STEPS - 1)
    judged = examine(store, run(store, worst, steps=MIN_STEPS, seed="1"))
    assert {"flat_wrong", "cut_off", "repeats", "reward_saturated"} == set(judged.findings)
    assert "silent_rewards" in judged.unchecked, "160 completions are too few to say that a rare reward never comes"


def test_a_run_without_rollouts_is_not_judged(store: Store) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    assert examine(store, job_id) == Health(0, {}, {})


def test_an_unknown_run_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="no run 'demo-7'"):
        examine(store, "demo-7")


def hacked(place: Place, form: float = 4.0) -> dict[str, Any]:
    """Right and badly formed at first, wrong and well paid from step 21 on."""
    step, group, position = place
    early = step <= 20
    right = float(position < (4 if early else 1) + (step + group) % 2)
    return rewards(right, right, 0.5 * (position % 2) if early else form - 0.01 * position)


def test_reward_that_rises_while_correctness_falls_is_found(store: Store) -> None:
    sentence, evidence = only(examine(store, run(store, hacked)), "reward_without_skill")
    assert sentence == (
        "Look at what is paid for: from steps 1 to 10 to steps 31 to 40 the reward rose from 1.38 to 4.34 "
        "while correctness fell from 0.56 to 0.19 and soft_correctness fell from 0.56 to 0.19."
    )
    assert all(row.step > 30 and row.shows.startswith("wrong, yet paid 3.9") for row in evidence)
    assert {row.position for row in evidence} == {1}, "the best paid of the wrong ones come first"
    assert len({(row.step, row.group_index) for row in evidence}) == 5, "one a group"


def test_a_fall_after_a_rise_is_measured_from_the_peak(store: Store) -> None:
    def peaked(place: Place) -> dict[str, Any]:
        step, group, position = place
        right = float(position < (1 if step <= 10 else 6 if step <= 30 else 2) + (step + group) % 2)
        return rewards(right, right, 0.5 * (position % 2) + 0.2 * step)

    sentence, _ = only(examine(store, run(store, peaked)), "reward_without_skill")
    assert "from steps 11 to 20 to steps 31 to 40" in sentence


def test_correctness_that_falls_with_the_reward_is_not_reward_without_skill(store: Store) -> None:
    assert examine(store, run(store, lambda place: hacked(place, form=0.2))).findings == {}


def test_soft_correctness_alone_may_fall(store: Store) -> None:
    """Hard correctness rises towards soft correctness in the article's runs, and the two meet."""

    def meeting(place: Place) -> dict[str, Any]:
        step, group, position = place
        hard = float(position < 2 + step // 10 + (step + group) % 2)
        soft = float(position < 7 - step // 20 + (step + group) % 2)
        return rewards(hard, max(hard, soft), 0.5 * (position % 2))

    assert examine(store, run(store, meeting)).findings == {}


def test_without_the_verifiers_values_it_says_so(store: Store) -> None:
    health = examine(store, run(store, lambda place: {"rewards": {"judge": 0.1 * place[2]}, "total": 0.1 * place[2]}))
    assert health.findings == {}
    assert health.unchecked["reward_without_skill"] == "the run does not record correctness"


def test_groups_without_variance_are_split_by_what_they_are(store: Store) -> None:
    def flat(place: Place) -> dict[str, Any]:
        if place[1] == 0:
            return rewards(1.0, 1.0, 0.5)
        return rewards(0.0, 0.0, 0.0) if place[0] % 2 else good(place)

    findings = examine(store, run(store, flat)).findings
    assert set(findings) == {"flat_right", "flat_wrong"}
    assert findings["flat_right"].sentence == (
        "Look at how easy the problems are: in 50% of the groups of steps 31 to 40 all completions earned the same and were "
        "all right, so that nothing was learnt from them."
    )
    assert findings["flat_right"].evidence[0] == Evidence(40, 0, None, "all right, 8 equal rewards")
    assert findings["flat_wrong"].evidence[0] == Evidence(39, 1, None, "all wrong, 8 equal rewards")
    assert "in 25% of the groups" in findings["flat_wrong"].sentence


def test_rounding_is_no_variance(store: Store) -> None:
    def rounded(place: Place) -> dict[str, Any]:
        return rewards(1.0, 1.0, 0.5) | {"total": 2.5 + 1e-8 * place[2]}

    assert "100% of the groups" in examine(store, run(store, rounded)).findings["flat_right"].sentence


def test_right_and_wrong_completions_that_earn_the_same_are_found(store: Store) -> None:
    blind = run(store, lambda place: {"total": 1.0} if place[0] > 24 and place[1] == 0 else {})
    finding = found(examine(store, blind), "flat_same")
    assert 23 <= finding.onset <= 27
    assert finding.evidence[0] == Evidence(40, 0, None, "right and wrong alike, 8 equal rewards")


def test_completions_that_are_cut_off_are_found(store: Store) -> None:
    def cut(place: Place) -> dict[str, Any]:
        return {"finish_reason": "length", "tokens": 160} if place[0] > 30 and place[2] == 3 else {}

    finding = found(examine(store, run(store, cut)), "cut_off")
    sentence, evidence = finding.sentence, finding.evidence
    assert 29 <= finding.onset <= 33
    assert sentence == "Look at the length limit: 12% of the completions of steps 31 to 40 were cut off, at 160 tokens."
    assert evidence[0] == Evidence(40, 1, 3, "cut off after 160 tokens")
    assert len({(row.step, row.group_index) for row in evidence}) == 5


def test_cut_offs_of_the_beginning_are_forgiven(store: Store) -> None:
    assert examine(store, run(store, lambda place: {"finish_reason": "length"} if place[0] <= 30 else {})).findings == {}


def test_completions_that_end_without_an_answer_are_found(store: Store) -> None:
    def unmarked(place: Place) -> dict[str, Any]:
        return {"completion": f"It is {place}."} if place[0] > 30 and place[2] == 3 else {}

    sentence, evidence = only(examine(store, run(store, unmarked)), "no_answer")
    assert "12% of the completions of steps 31 to 40" in sentence
    assert evidence[0] == Evidence(40, 1, 3, "marks no answer")


def test_answers_are_looked_for_in_the_runs_own_form(store: Store) -> None:
    boxed = run(store, lambda place: {"completion": f"\\boxed{{{place}}}"}, answer_form="boxed")
    assert examine(store, boxed).findings == {}


def test_a_completion_that_was_cut_off_is_not_blamed_for_its_missing_answer(store: Store) -> None:
    cut = run(store, lambda place: {"completion": f"It is {place}.", "finish_reason": "length"})
    only(examine(store, cut), "cut_off")


def test_repeated_completions_of_a_group_are_found(store: Store) -> None:
    def copied(place: Place) -> dict[str, Any]:
        return {"completion": f"<answer>{5 if place[2] else 6}</answer>"}

    sentence, evidence = only(examine(store, run(store, copied)), "repeats")
    assert "86% of the completions that could repeat another of their group do" in sentence
    assert evidence[0].position == 1
    assert evidence[0].shows == "7 of 8 are this text"


def test_the_same_text_in_other_groups_is_no_repeat(store: Store) -> None:
    assert examine(store, run(store, lambda place: {"completion": f"<answer>{place[2]}</answer>"})).findings == {}


def test_groups_that_are_all_right_may_repeat(store: Store) -> None:
    def mastered(place: Place) -> dict[str, Any]:
        return {"completion": "<answer>right</answer>"} | rewards(1.0, 1.0, 0.5 * (place[2] % 2))

    assert examine(store, run(store, mastered)).findings == {}


def test_entropy_that_collapses_is_found(store: Store) -> None:
    job_id = run(store, entropy=lambda step: 0.5 if step <= 20 else 0.01 + 0.001 * (40 - step))
    sentence, evidence = only(examine(store, job_id), "entropy_collapse")
    assert sentence.endswith("entropy fell from 0.500 in its first steps to 0.014 in steps 31 to 40.")
    assert evidence[0] == Evidence(40, None, None, "entropy 0.01")


def test_certainty_that_is_right_is_no_collapse(store: Store) -> None:
    def right(place: Place) -> dict[str, Any]:
        return rewards(1.0, 1.0, 0.5 * (place[2] % 2))

    assert examine(store, run(store, right, entropy=lambda step: 0.5 / step**2)).findings == {}


def test_a_run_without_entropy_says_so(store: Store) -> None:
    expected = "the run does not log its entropy"
    assert examine(store, run(store, entropy=None)).unchecked["entropy_collapse"] == expected


def test_reward_functions_that_never_fire_are_named(store: Store) -> None:
    def silent(place: Place) -> dict[str, Any]:
        paid = good(place)
        scores = paid["rewards"] | {"strict_format": 0.0, "by_value": None}
        return {"rewards": scores}

    sentence, evidence = only(examine(store, run(store, silent)), "silent_rewards")
    assert sentence == ("Look at what strict_format and by_value ask for: not one of 640 completions earned anything there.")
    assert evidence[0].shows == "among the best paid (2.50), nothing from strict_format and by_value"


def test_a_penalty_fires_too(store: Store) -> None:
    def penalised(place: Place) -> dict[str, Any]:
        return {"rewards": good(place)["rewards"] | {"xml_count": -0.1 * (place == (3, 0, 0))}}

    assert examine(store, run(store, penalised)).findings == {}


def test_a_step_whose_scalars_are_still_to_come_is_no_gap(store: Store) -> None:
    job_id = run(store, steps=MIN_STEPS)
    store.record(job_id, rollouts=[rollout(place, good(place)) for place in [(11, 0, 0), (11, 0, 1), (11, 0, 2)]])
    health = examine(store, job_id)
    assert (health.steps, health.findings) == (11, {})


def test_what_could_not_be_scored_takes_no_part(store: Store) -> None:
    def unscored(place: Place) -> dict[str, Any]:
        nothing = {"rewards": dict.fromkeys(("correctness", "soft_correctness", "integer")), "total": None}
        return nothing if place[2] == 0 or place[0] in (2, 39) else {}

    assert list(examine(store, run(store, unscored)).findings) == ["unscored"]


def test_every_signal_says_what_it_is_what_it_needs_what_to_do_and_whose_knowledge_that_is() -> None:
    assert tuple(SIGNALS) == SIGNAL_NAMES
    for name, signal in SIGNALS.items():
        assert name == signal.name
        assert signal.title
        assert signal.passed.endswith(".")
        assert signal.remedy.endswith(".")
        assert signal.needs
        assert signal.source


def test_what_passed_is_told_from_what_was_found_and_what_could_not_be_checked() -> None:
    finding = Finding("Look.", 1, "1 of 1.", ())
    assert Health(40, {}, {}).passed == list(SIGNALS)
    assert Health(40, {}, {}).verdict == f"All {len(SIGNALS)} checks passed on 40 steps."
    some = Health(40, {"cut_off": finding, "plateau": finding}, {"entropy_collapse": "the run does not log its entropy"})
    assert {*SIGNALS} - {*some.passed} == {"cut_off", "plateau", "entropy_collapse"}
    assert (some.alarms, some.audits) == (["cut_off"], ["plateau"])
    checked = len(SIGNALS) - 1
    assert some.verdict == f"1 alarm and 1 audit; {checked - 2} of {checked} checks passed that could be made on 40 steps."
    assert Health(MIN_STEPS - 1, {}, {}).passed == []


def test_the_documents_say_what_the_registry_says() -> None:
    told = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    record = (ROOT / "README.md").read_text(encoding="utf-8")
    for signal in SIGNALS.values():
        assert f"| **{signal.title}** `{signal.name}` | {signal.level} | {signal.needs} | {signal.remedy} |" in told
        assert f"| {signal.title} | {signal.level} |" in record
