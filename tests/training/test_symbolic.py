"""The symbolic verifier: against labels of others, by kinds of mathematics, and with answers that never end."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from training.data.gold import parse_gold
from training.rewards import REWARDS, SYMBOLIC_REWARD, score_completions, symbolic
from training.rewards.forms import TAGS, form_named
from training.rewards.own import _symbolic_process

MATH = REWARDS["math"]
BOXED = form_named("boxed")


@pytest.fixture(autouse=True, scope="module")
def process() -> Iterator[None]:
    """The verifier's process is up before anything is timed, and ended after these tests."""
    assert MATH.score("2", "2") == 1.0
    yield
    if (connection := _symbolic_process()._connection) is not None:
        connection.end()
        _symbolic_process()._connection = None


def test_judgements_agree_with_the_labels_of_sampled_completions() -> None:
    file = Path(__file__).resolve().parents[3] / "shared" / "datasets" / "math-sampled-8.jsonl"
    if not file.is_file():
        pytest.skip(f"the labelled completions do not lie in {file}")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    labelled = [(text, row["gt"], label) for row in rows for text, label in zip(row["response"], row["score"], strict=True)]
    golds = [parse_gold(gold, latex=True).text for _, gold, _ in labelled]
    values = MATH.score_all([text for text, _, _ in labelled], golds, form=BOXED)
    assert len(values) == 800
    assert None not in values
    assert sum((value == 1.0) == label for value, (_, _, label) in zip(values, labelled, strict=True)) >= 0.985 * 800


SAME = [
    ("1/2", r"\frac{1}{2}"),
    ("0.5", "1/2"),
    (r"\dfrac12", r"\frac{1}{2}"),
    ("10{,}000", "10000"),
    ("72 apples", "72"),
    ("$72.00", "72"),
    ("−5", "-5"),
    ("٧٢", "72"),
    (r"2\pi", r"2 \pi"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    ("2^{10}", "1024"),
    ("1+2x", "2x+1"),
    ("(x+1)^2", "x^2+2x+1"),
    (r"\left( 1, 2 \right)", "(1,2)"),
    ("[0,1)", "[0,1)"),
    (r"(-\infty, 2]", r"(-\infty,2]"),
    (r"\{2,1\}", r"\{1,2\}"),
    ("2, 1", "1,2"),
    ("x=5", "5"),
    ("5", "x = 5"),
    ("y=2x+1", "y = 2x + 1"),
    (r"90^\circ", "90"),
    ("7:30", "7:30"),
    ("B", "B"),
    ("(B)", "B"),
    (r"\text{(B)}", "B"),
    (r"\textbf{B.}", "B"),
    ("Evelyn", r"\text{Evelyn}"),
    (r"\text{ evelyn }", "Evelyn"),
    (r"4:30 \text{ p.m.}", r"\text{4:30 p.m.}"),
    ("Yes.", "yes"),
]
OTHER = [
    ("0.333", "1/3"),
    ("1.41", r"\sqrt{2}"),
    ("3.14159", r"\pi"),
    ("2x", "2x+1"),
    ("(2,1)", "(1,2)"),
    ("(0,1)", "[0,1)"),
    (r"\{1,2,3\}", r"\{1,2\}"),
    ("x=6", "5"),
    ("7:45", "7:30"),
    ("A", "B"),
    ("A or B", "B"),
    ("Bob", "Evelyn"),
    ("no", "yes"),
    ("72 or 73", "72"),
    ("", "5"),
    ("I do not know", "0"),
    ("x" * 1_001, "x"),
]


@pytest.mark.parametrize("form", ["tags", "boxed", "hashes"])
def test_what_means_the_same_is_right_and_what_does_not_is_wrong_in_every_form(form: str) -> None:
    written = {"tags": "<answer>\n{}\n</answer>", "boxed": "so $\\boxed{{{}}}$.", "hashes": "so\n#### {}"}[form]
    pairs = [*SAME, *OTHER]
    completions = [written.format(answer) for answer, _ in pairs]
    values = MATH.score_all(completions, [gold for _, gold in pairs], form=form_named(form))
    wrong = [pair for pair, value in zip(pairs, values, strict=True) if value != (1.0 if pair in SAME else 0.0)]
    assert wrong == []


@pytest.mark.parametrize("gold", [r"\sqrt{2}", "x+1", r"\frac{\pi}{2}", r"2\pi", "1/2", "(1,2)", r"\text{Ann}", ""])
def test_the_value_of_what_is_more_or_less_than_a_number_is_judged_by_nobody_who_reads_numbers(gold: str) -> None:
    assert REWARDS["value_correctness"].score(f"<answer>{gold or 5}</answer>", gold) is None


def test_it_judges_in_any_thread() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda gold: MATH.score("0.5", gold), ["1/2", "1/3"])) == [1.0, 0.0]


def test_an_answer_that_takes_for_ever_is_judged_by_nobody_and_ends_nothing() -> None:
    impatient = replace(SYMBOLIC_REWARD, timeout_s=3.0)
    answers = ["1/2", "9^{9^{9^{9}}}", "0.5", "7"]
    assert impatient.score_all(answers, ["1/2"] * 4) == [1.0, None, 1.0, 0.0]
    assert MATH.score("0.5", "1/2") == 1.0


def test_what_math_verify_cannot_read_in_time_is_no_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbolic, "LIMIT_S", 1)  # reading the first takes more than ten seconds
    deep = "(" * 60 + "x" + ")" * 60
    assert [symbolic.symbolic_correctness(answer, "5", TAGS) for answer in (deep, "5")] == [None, 1.0]


@pytest.mark.parametrize("answer", ["\\frac{" * 100, "}" * 900, "\\boxed{" * 100, "\0", "\ud800", "日本", "\\", "$" * 99])
def test_an_answer_that_is_no_mathematics_is_wrong(answer: str) -> None:
    assert MATH.score(f"<answer>{answer}</answer>", r"\sqrt{2}") == 0.0


def test_it_is_asked_only_where_golds_are_no_numbers_or_it_is_wanted() -> None:
    assert "math" not in score_completions(["5"], ["5"])[0]
    assert score_completions(["5"], ["5"], required=("math",))[0]["math"] == 1.0
    mixed = score_completions(["5", r"\sqrt{2}", "7"], ["5", r"2^{1/2}", None])
    assert [scores["math"] for scores in mixed] == [1.0, 1.0, None]
