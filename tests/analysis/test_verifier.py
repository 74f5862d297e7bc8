"""What speaks against a solution, and GSM8K's figures."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import TypeAdapter

from analysis import verifier
from analysis.verifier import (
    REMARK_KINDS,
    VerifierReport,
    check_problem,
    check_problems,
)
from training.data.problem import Problem
from training.data.problems import load_problems
from training.data.reader import parse_problem
from training.rewards import REWARDS


def problem(answer: str, index: int = 0) -> Problem:
    return parse_problem({"question": "How many?", "answer": answer}, f"train-{index}", "train")


def kinds(answer: str) -> list[str]:
    return [remark.kind for remark in check_problem(problem(answer))]


def test_a_solution_that_holds_has_no_failure() -> None:
    assert kinds("48/2=<<48/2=24>>24\n#### 24") == []
    assert kinds("1/2 of $2,000 is $<<2000/2=1000>>1,000\n#### $1,000") == []
    assert kinds("Each gets <<3/4*100=75%>>75%\n#### 75") == []


def test_a_gold_answer_that_rounds_the_last_equation_is_its_end() -> None:
    assert kinds("768/50=<<768/50=15.36>>15.36, so 15 whole bags\n#### 15") == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("48/2=<<48/2=25>>25\n#### 25", ["wrong_equation"]),
        ("<<a+b=25>>25\n#### 25", ["unreadable_equation"]),
        ("<<no sign>>25\n#### 25", ["unreadable_equation", "gold_not_last"]),
        ("He has <<2+2=4>>4\n#### 5", ["gold_absent"]),
        ("He has <<2+2=4>>4, and 1 more is 5\n#### 5", ["gold_not_last"]),
        ("He has 5\n#### 5", ["no_equations"]),
        ("He paid $17 000\n#### 17000", ["no_equations"]),
        ("#### 5", ["no_equations", "gold_absent"]),
        ("2-9=<<2-9=-7>>-7\n#### -7", ["reward"]),
        ("5/2=<<5/2=2.5>>2.5\n#### 2.5", ["reward"]),
        ("Of these <<40/160=0.25>>0.25 are red\n#### 25", ["hundredfold"]),
        ("It is <<12/15=.8>>.8, so 80%\n#### 80", ["hundredfold"]),
        ("It costs <<30+20=50>>50 cents\n#### 0.5", ["hundredfold", "reward"]),
    ],
)
def test_each_kind_of_failure_is_found(answer: str, expected: list[str]) -> None:
    assert kinds(answer) == expected


def test_notes_are_no_failures() -> None:
    noted = check_problems([problem("Of these <<40/160=0.25>>0.25 are red\n#### 25"), problem("He has 5\n#### 5", 1)])
    assert [remark.is_failure for remark in noted.remarks] == [False, False]
    assert (noted.failing, noted.answer) == (0, "Yes.")
    assert noted.numbers.endswith("Noted, and no failure: percent against fraction 1, no equations 1.")


def test_what_cannot_be_checked_is_not_said_to_hold() -> None:
    assert check_problems([]).answer == "They cannot be checked."


def test_failures_tell_what_was_found() -> None:
    [wrong] = check_problem(problem("10/3=<<10/3=4>>4\n#### 4"))
    assert wrong.detail == "10/3 = 4, but it is 3.33333."
    [absent] = check_problem(problem("He has <<2+2=4>>4\n#### 5"))
    assert absent.detail == "The gold answer is 5; the last equation gives 4."
    [reward] = check_problem(problem("2-9=<<2-9=-7>>-7\n#### -7"))
    assert reward.detail == "For the gold answer -7: Soft correctness gives 0 of 1, Integer gives 0 of 0.5."


def test_a_reward_that_cannot_be_computed_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = type(REWARDS["integer"])("integer", "Integer", 0.5, lambda completion, gold: None)
    monkeypatch.setitem(REWARDS, "integer", unknown)
    [failure] = check_problem(problem("48/2=<<48/2=24>>24\n#### 24"))
    assert failure.detail == "For the gold answer 24: Integer cannot be computed."


def test_hostile_solutions_are_checked() -> None:
    million = "1" * 1_000_000
    assert kinds(f"It is <<{million}=1>>1 or {million}\n#### {million}") == ["unreadable_equation", "gold_not_last"]
    assert kinds("</reasoning>\n<answer>\n" * 10_000 + "<<1+1=2>>2\n#### 2") == ["reward"]
    assert kinds("<script>\u202e\x00 … 2\n" * 1000 + "<<1+1=2>>2\n#### 2") == []


def test_a_report_counts_problems_by_kind_and_equations_by_verdict() -> None:
    answers = ["<<1+1=3>>3 <<1+1=4>>4\n#### 4", "<<10/3=3.3>>3.3 <<x=3>>3 <<3=3>>3\n#### 3"]
    report = check_problems([problem(answer, index) for index, answer in enumerate(answers)])
    assert (report.problems, report.equations) == (2, 5)
    assert report.counts == dict.fromkeys(REMARK_KINDS, 0) | {"wrong_equation": 1, "unreadable_equation": 1}
    assert report.verdicts == {"exact": 1, "rounded": 1, "wrong": 2, "unreadable": 1}
    assert len(report.remarks) == 3
    assert report.numbers.startswith("1 of 5 equations are exact, 1 rounded, 2 wrong, 1 unreadable; 0 gold answers")


def from_rows(tmp_path: Path, *rows: dict[str, object]) -> Sequence[Problem]:
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_problems(str(file)).problems


BOXED = (
    (r"So $x = \frac{7}{3}$, that is $\boxed{\dfrac{7}{3}}$.", "7/3"),
    (r"Hence $\left( 3, \frac{\pi}{2} \right)$.", r"\left(3,\frac{\pi}{2}\right)"),
    ("Of these only (C) holds.", "C"),
    ("In all $10{,}500$ ways.", "10500"),
    ("It is an odd function.", "odd"),
    (r"Its rows are $\begin{pmatrix} 1 \\\\ 4 \end{pmatrix}$.", r"\begin{pmatrix} 1 \\\\ 4 \end{pmatrix}"),
)


def test_gold_answers_of_any_kind_are_looked_for_and_compared_by_what_they_mean(tmp_path: Path) -> None:
    rows = [{"problem": f"Question {n}?", "solution": text, "answer": gold} for n, (text, gold) in enumerate(BOXED)]
    report = check_problems(from_rows(tmp_path, *rows, {**rows[0], "problem": "Other?", "answer": "\\sqrt{5}"}))
    assert report.checked == {"equations": 0, "gold": 7, "rewards": 1, "symbolic": 6}
    [absent] = report.remarks
    assert (absent.problem_id, absent.kind) == ("train-6", "gold_absent")
    assert absent.detail == r"The gold answer is \sqrt{5}, which stands nowhere in the solution."
    assert report.answer == "No: 1 of 7 does not."
    assert report.numbers == (
        "No solution has an equation to recompute; 1 gold answers stand nowhere in the steps and 0 of 1 solutions with a "
        "number miss part of a reward, 0 of 6 gold answers that are no plain numbers cannot be compared by math-verify."
    )


def test_a_gold_answer_that_cannot_be_compared_with_itself_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(completions: Sequence[str], golds: Sequence[str]) -> list[float | None]:
        assert list(completions) == [f"\\boxed{{{gold}}}" for gold in golds]
        return [1.0, None, 0.0]

    monkeypatch.setattr(verifier, "SYMBOLIC_REWARD", SimpleNamespace(score_all=judge))
    rows = [{"question": f"Q{n}?", "answer": gold} for n, gold in enumerate(("x^2", "12", "y^2", "1/2"))]
    report = check_problems(from_rows(tmp_path, *rows))
    assert report.checked == {"equations": 0, "gold": 0, "rewards": 1, "symbolic": 3}
    assert [(remark.problem_id, remark.kind) for remark in report.remarks] == [("train-2", "reward"), ("train-3", "reward")]
    assert report.uncompared == report.counts["reward"] == 2


def test_bare_answers_and_programs_have_no_solution_to_check(tmp_path: Path) -> None:
    bare = check_problems(from_rows(tmp_path, *({"question": f"Q{n}?", "answer": str(n)} for n in range(1, 4))))
    assert (bare.remarks, bare.equations, bare.checked["gold"]) == ((), 0, 0)
    programs = [{"input": f"Q{n}?", "code": f"def solution():\n    return {n} + 1\n", "target": n + 1} for n in range(5)]
    report = check_problems(from_rows(tmp_path, *programs))
    assert (report.remarks, report.checked["gold"], report.checked["rewards"]) == ((), 0, 5)
    assert "solutions do not state their gold answers" in report.reading


def test_a_solution_that_is_only_a_sum_is_recomputed_against_the_gold_answer(tmp_path: Path) -> None:
    rows = [
        {"Body": "Kim has 8 pens.", "Question": f"How many for {n}?", "Equation": "( 8.0 / 2.0 )", "Answer": answer}
        for n, answer in enumerate((4.0, 4.0, 6.0))
    ]
    report = check_problems(from_rows(tmp_path, *rows))
    assert report.verdicts == {"exact": 2, "rounded": 0, "wrong": 1, "unreadable": 0}
    [wrong] = report.remarks
    assert (wrong.problem_id, wrong.detail) == ("train-2", "( 8.0 / 2.0 ) = 6, but it is 4.")


def test_a_rule_instead_of_a_gold_answer_is_nothing_to_check(tmp_path: Path) -> None:
    report = check_problems(from_rows(tmp_path, {"target": 7, "nums": [3, 4]}))
    assert (report.remarks, set(report.checked.values())) == ((), {0})


def test_a_report_survives_json_and_an_empty_set_has_one() -> None:
    adapter = TypeAdapter(VerifierReport)
    for report in (check_problems([problem("<<1+1=3>>3\n#### 4")]), check_problems([])):
        assert adapter.validate_json(adapter.dump_json(report)) == report


def test_the_demo_has_no_failure() -> None:
    report = check_problems(load_problems("demo").problems)
    assert report.remarks == ()
    assert report.verdicts["exact"] == report.equations > 0


def test_gsm8k_equations_are_exact_and_some_gold_answers_are_doubtful(gsm8k: Path) -> None:
    report = check_problems(load_problems(str(gsm8k)).problems)
    assert report.verdicts == {"exact": 27_998, "rounded": 0, "wrong": 0, "unreadable": 0}
    assert report.counts == {
        "wrong_equation": 0,
        "unreadable_equation": 0,
        "gold_absent": 11,
        "hundredfold": 14,
        "gold_not_last": 438,
        "no_equations": 113,
        "reward": 5,
    }
    of_kind = {kind: [f.problem_id for f in report.remarks if f.kind == kind] for kind in REMARK_KINDS}
    assert of_kind["reward"] == ["train-5715", "train-5844", "train-6189", "test-489", "test-1113"]
    assert report.answer == "Nearly all: 16 of 8,792 do not."


def test_mathematics_is_checked_without_noise(shared_datasets: Path) -> None:
    report = check_problems(load_problems(str(shared_datasets / "math-sampled-8.jsonl")).problems)
    assert report.checked == {"equations": 0, "gold": 100, "rewards": 77, "symbolic": 23}
    assert (report.counts["no_equations"], report.counts["gold_absent"], report.uncompared) == (0, 1, 0)


def test_one_sum_of_svamp_is_not_its_gold_answer(shared_datasets: Path) -> None:
    report = check_problems(load_problems(str(shared_datasets / "svamp.jsonl")).problems)
    assert (report.verdicts["exact"], report.verdicts["wrong"]) == (998, 1)
    assert [remark.problem_id for remark in report.remarks] == ["train-351"]
