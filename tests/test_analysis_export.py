"""Exported problems: JSON Lines come back as they were, CSV keeps every character."""

import csv
import io
from pathlib import Path

from analysis.export import FORMATS
from training.problems import load_problems, parse_problem

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
