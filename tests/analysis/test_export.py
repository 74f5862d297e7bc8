"""Exported problems: JSON Lines come back as they were, CSV keeps every character and has nothing calculated."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.export import FORMATS, csv_text
from analysis.frame import problem_frame
from training.data.problems import load_problems
from training.data.reader import parse_problem
from training.data.rows import spreadsheet_text

STRANGE = 'Tab\there, "quoted", line\nbreak, <b>markup</b>, =1+1, ünïcödé 日本 \u2028 \U0001f600?'


def strange_problems() -> list:
    rows = [("train", STRANGE), ("test", "Plain?"), ("train", "Last?")]
    answer = "She adds <<1+1=2>>2,\nso 2.\n#### 2"
    return [
        parse_problem({"question": question, "answer": answer}, f"{split}-{number}", split)  # type: ignore[arg-type]
        for number, (split, question) in enumerate(rows)
    ]


def test_json_lines_are_a_source_again(tmp_path: Path) -> None:
    problems = strange_problems()
    (tmp_path / "mine.jsonl").write_bytes(FORMATS["jsonl"](problems))
    loaded = load_problems(str(tmp_path / "mine.jsonl"))
    assert [(p.split, p.question, p.answer) for p in loaded.problems] == [
        (p.split, p.question, p.answer) for p in sorted(problems, key=lambda p: p.split != "train")
    ]
    assert loaded.rejected == ()


SOURCES: Mapping[str, Sequence[dict[str, object]]] = {
    "gsm8k": (
        {"question": STRANGE, "answer": "She adds <<1+1=2>>2,\nso 2.\n#### 2"},
        {"question": "-7 + 9?", "answer": "No sum.\n#### $1,200"},
    ),
    "math": (
        {
            "problem": "Find $x$.",
            "level": "Level 5",
            "type": "Algebra",
            "solution": "It is $x$. So\n\\[x = 1\\]\nand $\\boxed{1}$.",
        },
        {
            "problem": "=Which two?",
            "level": "Level 1",
            "type": "Algebra",
            "solution": "By $\\frac12$, $\\boxed{3,5}$. It is so.",
        },
        {"problem": "And?", "level": "Level 2", "type": "Sets, maps", "solution": "Hence $\\boxed{\\text{(E)}}$, $a_1$."},
        {"problem": "Half?", "level": "Level 2", "type": "Geometry", "solution": "Then $\\boxed{\\dfrac{\\pi}{2}}$."},
        {"problem": "Who?", "level": "Level 2", "type": "Geometry", "solution": "Then $\\boxed{\\text{Evelyn}}$."},
    ),
    "bare": (
        {"question": "How many?", "answer": "1,200", "rate": 0.5, "hard": True},
        {"question": "And?", "answer": "-3.50", "rate": 1},
    ),
    "apart": (
        {"question": "Q?", "solution": "One. Two. Three.", "answer": "7/2", "output": "x"},
        {"question": "R?", "solution": "R.", "answer": "B"},
    ),
    "sums": ({"Body": "A pen.", "Question": "How many?", "Equation": "( 8.0 / 2.0 )", "Answer": 4.0, "ID": "x-1"},),
    "programs": ({"input": "Q?", "code": "def solution():\n    return 1\n\n", "target": -1.5},),
    "commas": ({"question": "Wie viel?", "answer": "3,5"}, {"question": "Und?", "answer": "1.200"}),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", SOURCES)
def test_what_is_written_is_read_as_the_same_problems(name: str, form: str, tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in SOURCES[name]))
    problems = load_problems(f"{file}?decimal=comma" if name == "commas" else str(file)).problems
    (tmp_path / f"mine.{form}").write_bytes(FORMATS[form](problems))
    loaded = load_problems(str(tmp_path / f"mine.{form}"))
    assert loaded.rejected == ()
    assert len(problems) == len(SOURCES[name])
    for before, after in zip(problems, loaded.problems, strict=True):
        assert (after.split, after.question, after.steps, after.equations) == (
            before.split, before.question, before.steps, before.equations
        )  # fmt: skip
        assert (after.gold, after.gold_kind) == (before.gold, before.gold_kind)
        assert after.answer == (before.answer if before.steps else before.gold)
    before, after = (problem_frame(found).drop(columns="id") for found in (problems, loaded.problems))
    pd.testing.assert_frame_equal(after.rename(columns={"output_": "output"}), before, check_dtype=False)


@pytest.mark.parametrize("form", FORMATS)
def test_gsm8k_is_read_back_from_an_export(form: str, gsm8k: Path, tmp_path: Path) -> None:
    problems = load_problems(str(gsm8k)).problems
    (tmp_path / f"mine.{form}").write_bytes(FORMATS[form](problems))
    loaded = load_problems(str(tmp_path / f"mine.{form}"))
    assert loaded.rejected == ()
    assert [replace(problem, columns={}) for problem in loaded.problems] == list(problems)


def test_csv_keeps_every_character() -> None:
    text = FORMATS["csv"](strange_problems()).decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header[:3] == ["id", "split", "steps"]
    assert [row[header.index("question")] for row in rows] == [STRANGE, "Plain?", "Last?"]
    assert rows[0][header.index("answer")] == "She adds <<1+1=2>>2,\nso 2.\n#### 2"


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://evil.example")',
        "=1+1",
        "+1",
        "+ − ×",
        "-1+1",
        "-cmd|'/C calc'!A0",
        "@SUM(1)",
        " =1",
        "\t=1",
        "\r\n=1",
        "＝1",
    ],
)
def test_a_text_that_would_be_calculated_is_shown(text: str) -> None:
    assert spreadsheet_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "plain", "1=1", "-5", "-1,200.5", "-1e-3", "a@b.org", "'=1", "−5"])
def test_any_other_text_is_left_as_it_is(text: str) -> None:
    assert spreadsheet_text(text) == text


def test_no_cell_of_a_table_is_calculated_and_numbers_stay_numbers() -> None:
    table = pd.DataFrame({"=a": ["=1", "x;=1", None], "b": [-1.5, float("nan"), 2.0], "c": pd.Categorical(["@x", "y", "@x"])})
    rows = list(csv.reader(io.StringIO(csv_text(table), newline="")))
    assert rows == [["'=a", "b", "c"], ["'=1", "-1.5", "'@x"], ["x;=1", "", "y"], ["", "2.0", "'@x"]]
    assert '"x;=1"' in csv_text(table)  # where semicolons part cells, quotes keep this one whole
    assert list(csv.reader(io.StringIO(csv_text(table.iloc[:0])))) == rows[:1]


def test_a_hostile_problem_is_exported_as_it_reads() -> None:
    hostile = parse_problem({"question": "=1+1?", "answer": "@SUM(1)\n#### -5"}, "train-0", "train")
    header, row = csv.reader(io.StringIO(FORMATS["csv"]([hostile]).decode(), newline=""))
    cells = dict(zip(header, row, strict=True))
    assert (cells["question"], cells["answer"], cells["gold"]) == ("'=1+1?", "'@SUM(1)\n#### -5", "-5")
