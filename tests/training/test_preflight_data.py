"""What preflight says of a run's data: rows left out, repeats, golds that nothing judges, the template, room for an answer."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import full_demo_run
from tests.tiny_runs import NO_SYSTEM_TURN
from training.data.problems import load_problems
from training.home import Home
from training.machines import Machine
from training.preflight import preflight
from training.preflight.subject import Finding
from training.rewards import REWARDS
from training.rewards.own import register_own_rewards
from training.store import Store

MODEL = Path(__file__).resolve().parents[2] / "assets" / "demo-model"
CPU = Machine(gpus=(), memory_gib=16, disk_free_gib=100, has_cuda_torch=False)
Row = Mapping[str, Any]


def sums(number: int, **more: Any) -> list[Row]:
    words = ["one", "two", "red", "blue", "tall", "wide"]
    questions = [f"{words[row % 6]} {row} plus 1?" for row in range(number)]
    return [{"question": text, "answer": f"so it is\n#### {row + 1}"} | more for row, text in enumerate(questions)]


def with_golds(*golds: object) -> list[Row]:
    """As many rows of each gold answer as of the others."""
    return [{"question": f"{gold!r} or {row}?", "gold": gold} for gold in golds for row in range(4)]


@pytest.fixture
def found(tmp_path: Path, store: Store, home: Home) -> Any:
    """Train rows, and settings -> what preflight says about a setting."""

    def check(rows: Sequence[Row], about: str, options: str = "", **settings: Any) -> list[Finding]:
        file = tmp_path / "train.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        problem_set = load_problems(f"{file}{options}", home)
        config = full_demo_run(source=problem_set.source, evaluation_problems=0, max_steps=1, save_steps=1, **settings)
        return [finding for finding in preflight(config, problem_set, store, CPU).findings if finding.about == about]

    return check


def test_good_rows_are_nothing_to_speak_of(found: Any) -> None:
    for about in ("source", "verifier", "rewards", "system_prompt", "max_completion_length"):
        assert found(sums(40), about) == []


def test_rows_that_are_left_out_are_counted_with_their_reasons(found: Any) -> None:
    rows = [*sums(30), {"question": "?", "answer": "no mark"}, {"question": "?", "answer": "#### 3,5"}, {"answer": "#### 1"}]
    (finding,) = found(rows, "source")
    assert finding.severity == "warning"
    assert "3 of 33 train rows" in finding.text
    assert "there is no ####" in finding.text


@pytest.mark.parametrize(("number", "is_told"), [(1, False), (5, True)])
def test_repeats_are_told_from_a_share_on(number: int, is_told: bool, found: Any) -> None:
    rows = sums(100)
    findings = found([*rows, *rows[:number]], "source")
    assert [finding.severity for finding in findings] == ["warning"] * is_told
    if is_told:
        assert "5 of 105 train problems" in findings[0].text
        assert "100 are different" in findings[0].text


@pytest.mark.parametrize(
    ("golds", "settings", "about", "severities"),
    [
        ((5, r"\sqrt{2}"), {"verifier": "value_correctness"}, "verifier", ["warning"]),
        ((5, r"\sqrt{2}"), {"rewards": {"value_correctness": 1.0}}, "rewards", ["warning"]),
        ((5, r"\sqrt{2}"), {}, "verifier", ["note"]),
        ((5, r"\sqrt{2}"), {"verifier": "math"}, "verifier", []),
        ((5, 7), {"verifier": "value_correctness"}, "verifier", []),
        ((5, -7), {"rewards": {"soft_correctness": 1.0}}, "rewards", ["note"]),
        ((5, 2.5), {"rewards": {"correctness": 1.0, "integer": 1.0}}, "rewards", ["note"]),
        ((5, 2.5), {"rewards": {"value_correctness": 1.0}}, "rewards", []),
    ],
)
def test_golds_are_held_against_what_is_to_judge_them(
    golds: Sequence[object], settings: dict[str, Any], about: str, severities: list[str], found: Any
) -> None:
    findings = [finding for finding in found(with_golds(*golds), about, **settings) if "train problem" in finding.text]
    assert [finding.severity for finding in findings] == severities
    assert all("4 " in finding.text and finding.remedy for finding in findings)


def test_what_a_right_answer_can_never_earn_is_told_by_function_and_for_how_many_problems(found: Any) -> None:
    rows = with_golds(5, -7, 2.5)
    (finding,) = found(rows, "rewards")
    assert finding.severity == "note"
    assert "soft_correctness on 8 train problems" in finding.text
    assert "integer on 8 train problems" in finding.text
    assert found(with_golds(5, 6), "rewards") == []
    (finding,) = found(rows, "verifier", verifier="soft_correctness")
    assert finding.severity == "warning"


def test_a_function_that_no_answer_in_the_form_earns_is_a_warning(found: Any) -> None:
    (finding,) = found(with_golds(5, 6), "rewards", answer_form="boxed")
    assert (finding.severity, "xml_count on 8 train problems" in finding.text) == ("warning", True)
    assert found(with_golds(5, 6), "rewards", answer_form="boxed", rewards={"correctness": 1.0, "integer": 1.0}) == []


def test_test_problems_that_are_trained_on_are_told(tmp_path: Path, store: Store, home: Home) -> None:
    for split, rows in (("train", sums(40)), ("test", [*sums(2), {"question": "Another one?", "answer": "#### 3"}])):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    problem_set = load_problems(str(tmp_path), home)
    for evaluated, expected in ((3, 1), (0, 0)):
        config = full_demo_run(source=problem_set.source, evaluation_problems=evaluated, max_steps=1, save_steps=1)
        findings = preflight(config, problem_set, store, CPU).findings
        assert sum("2 of 3 test problems stand in the train split" in finding.text for finding in findings) == expected


def test_problems_without_gold_need_a_judge_that_needs_none(found: Any) -> None:
    rows = [{"question": f"Make {row} of 1 and 2."} for row in range(8)]
    (finding,) = found(rows, "verifier", "?question=question&gold=none")
    assert finding.severity == "error"
    assert "8 of 8" in finding.text
    assert "correctness" in finding.text


def test_a_template_without_a_system_turn_is_refused_unless_none_is_asked_for(tmp_path: Path, found: Any) -> None:
    shutil.copytree(MODEL, tmp_path / "no-system")
    (tmp_path / "no-system" / "chat_template.jinja").write_text(NO_SYSTEM_TURN)
    (finding,) = found(sums(8), "system_turn", model=str(tmp_path / "no-system"))
    assert (finding.severity, finding.certain) == ("error", True)
    assert "system_turn=user" in finding.remedy
    for settings in ({"system_prompt": ""}, {"system_turn": "user"}, {"chat_template": "plain"}):
        assert found(sums(8), "system_turn", model=str(tmp_path / "no-system"), **settings) == []
    assert found(sums(8), "system_turn") == []


def test_a_base_model_without_a_template_may_have_a_plain_one(tmp_path: Path, found: Any) -> None:
    shutil.copytree(MODEL, tmp_path / "base", ignore=shutil.ignore_patterns("chat_template.jinja"))
    (finding,) = found(sums(8), "model", model=str(tmp_path / "base"))
    assert (finding.severity, finding.certain) == ("error", True)
    assert "chat_template=plain" in finding.remedy
    assert found(sums(8), "model", model=str(tmp_path / "base"), chat_template="plain") == []


@pytest.mark.parametrize("form", ["tags", "boxed", "hashes"])
def test_an_answer_in_the_form_has_to_fit_into_a_completion(form: str, found: Any) -> None:
    (finding,) = found(sums(8), "max_completion_length", answer_form=form, max_completion_length=1)
    assert finding.severity == "error"
    assert found(sums(8), "max_completion_length", answer_form=form, max_completion_length=100) == []


def test_eight_tokens_hold_no_answer_in_tags_and_no_solution_in_a_box(found: Any) -> None:
    (finding,) = found(sums(8), "max_completion_length", max_completion_length=8)
    assert finding.severity == "error"
    (finding,) = found(sums(8), "max_completion_length", answer_form="boxed", max_completion_length=8)
    assert (finding.severity, finding.text[:4]) == ("warning", "100%")


def test_room_is_estimated_for_a_model_that_is_not_here(found: Any) -> None:
    (finding,) = found(sums(8), "max_completion_length", model="someone/unknown", max_completion_length=8)
    assert finding.severity == "warning"
    assert "takes about 14 tokens" in finding.text


def test_reference_solutions_that_do_not_fit_are_told(found: Any) -> None:
    long = [{"question": f"{row}?", "answer": "First one, then another. " * 40 + "\n#### 1"} for row in range(4)]
    (finding,) = found([*sums(4), *long], "max_completion_length", max_completion_length=100)
    assert (finding.severity, finding.text[:3]) == ("note", "50%")
    assert found(long, "max_completion_length", "?solution=answer&found=/#### (.*)/", max_completion_length=100)


def test_a_function_that_takes_longer_than_anybody_waits_here_is_told_and_keeps_nobody_waiting(
    tmp_path: Path, found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = 'Reward("slow", "Slow", 1.0, lambda completion, gold: time.sleep(3600), timeout_s=3600)'
    (tmp_path / "rewards.py").write_text(f"import time\nfrom training.rewards import Reward\nREWARDS = [{entry}]\n")
    monkeypatch.setattr("training.preflight.data._TRIED_S", 0.2)
    known = set(REWARDS)
    register_own_rewards(tmp_path / "rewards.py")
    try:
        (finding,) = found(sums(8), "rewards", rewards={"correctness": 1.0, "slow": 1.0})
        assert (finding.severity, finding.certain) == ("warning", False)
        assert "3,600 s" in finding.remedy
        monkeypatch.setattr("training.preflight.data._TRIED_S", 3600)
        REWARDS["slow"] = replace(REWARDS["slow"], timeout_s=0.2)
        (finding,) = found(sums(8), "rewards", rewards={"correctness": 1.0, "slow": 1.0})
        assert (finding.severity, finding.certain) == ("error", True)
    finally:
        for name in set(REWARDS) - known:
            del REWARDS[name]
