"""Exported problems: JSON Lines come back as they were, CSV keeps every character and has nothing calculated."""

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from analysis.export import FORMATS, csv_text, spreadsheet_text
from training.data.problems import load_problems
from training.data.reader import parse_problem

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
