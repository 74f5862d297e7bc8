"""`score` on what people and trainers write: every line is scored or told, and the status says whether all were."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.__main__ import main
from training.rewards import REWARDS

RIGHT = "<reasoning>\n3 * 8 = 24\n</reasoning>\n<answer>\n24\n</answer>\n"
Score = Any


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(tmp_path / "home"))
    before = dict(REWARDS)
    yield
    REWARDS.clear()
    REWARDS.update(before)


@pytest.fixture
def score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Score:
    """Rows or raw lines, and options -> (status, what is printed of each line, the summary)."""

    def run(rows: Sequence[Mapping[str, Any] | bytes], *options: str) -> tuple[int, list[dict[str, Any]], str]:
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        (tmp_path / "logged.jsonl").write_bytes(b"\n".join(lines))
        return score_file(tmp_path / "logged.jsonl", capsys, *options)

    return run


def score_file(file: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[dict[str, Any]], str]:
    status = main(["score", "--jsonl", str(file), *options])
    printed = capsys.readouterr()
    return status, [json.loads(line) for line in printed.out.splitlines()], printed.err


@pytest.mark.parametrize(
    "row",
    [
        {"completion": RIGHT, "answer": "24"},
        {"completion": RIGHT, "answer": 24},
        {"completion": RIGHT, "answer": 24.0},
        {"completion": [{"role": "assistant", "content": RIGHT}], "answer": "24"},
        {"completions": [{"role": "user", "content": "?"}, {"role": "assistant", "content": RIGHT}], "gt": "24"},
        {"prompt": "?", "response": RIGHT, "gold": "24"},
        {"input": "?", "output": RIGHT, "ground_truth": "24", "score": 1.0},
        {"generated_text": RIGHT, "label": 24},
        {"completion": RIGHT, "reward_model": {"ground_truth": "24", "style": "rule"}},
        {"completion": RIGHT, "answer": None, "gold": "24"},
    ],
)
def test_completion_and_gold_are_found_under_the_names_that_trainers_give(row: dict[str, Any], score: Score) -> None:
    status, (facts,), _ = score([row])
    assert status == 0
    assert (facts["line"], facts["answer"], facts["answer_block"]) == (1, "24", True)
    assert (facts["rewards"]["correctness"], facts["rewards"]["strict_format"]) == (1.0, 0.5)


def test_what_is_taken_for_the_answer_is_shown_in_the_form_that_is_asked_for(score: Score) -> None:
    rows = [{"completion": f"so\n{text}", "answer": "24"} for text in ("#### 24", "\\boxed{24}", "24")]
    for form, answer in (("hashes", "24"), ("boxed", "24"), ("/so\\s+(\\S+)/", "####")):
        status, found, summary = score(rows, "--answer-form", form)
        assert status == 0
        assert answer in [facts["answer"] for facts in found if facts["answer_block"]]
        unmarked = sum(not facts["answer_block"] for facts in found)
        assert ("without an answer" in summary) == bool(unmarked)


@pytest.mark.parametrize(
    "bad",
    [
        b"not json",
        b"[1, 2]",
        b'"text"',
        b"\xff\xfe",
        b'{"completion": "no gold"}',
        b'{"answer": "no completion"}',
        b'{"completion": 5, "answer": "5"}',
        b'{"completion": [], "answer": "5"}',
        b'{"completion": "5", "answer": true}',
        b'{"completion": "5", "answer": ["5"]}',
    ],
)
def test_a_bad_line_is_told_with_its_number_and_all_others_are_scored(bad: bytes, score: Score) -> None:
    status, found, summary = score([{"completion": RIGHT, "answer": "24"}, bad, b"", {"completion": "24", "answer": "24"}])
    assert status == 2
    assert [(facts["line"], "error" in facts) for facts in found] == [(1, False), (2, True), (4, False)]
    assert [facts["answer"] for facts in found if "answer" in facts] == ["24", "24"]
    assert summary.count("\n") == 1
    assert "2 scored" in summary
    assert "1 not read" in summary


def test_golds_that_are_no_numbers_are_judged_by_what_they_mean_and_by_no_number(score: Score) -> None:
    golds = {r"\sqrt{2}": ("2", 0.0), "x+1": ("1+x", 1.0), r"\frac{1}{2}": ("0.5", 1.0)}
    _, found, _ = score([{"completion": f"<answer>{answer}</answer>", "answer": gold} for gold, (answer, _) in golds.items()])
    assert [facts["rewards"]["value_correctness"] for facts in found] == [None] * 3
    assert [facts["rewards"]["math"] for facts in found] == [value for _, value in golds.values()]


@pytest.mark.parametrize("name", ["completions_00010.parquet", "logged.csv", "logged.jsonl.gz", "logged.json"])
def test_what_a_trainer_logged_is_read_in_its_format(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"step": 10, "prompt": "?", "completion": text, "answer": "24", "reward": 1.0, "reward_accuracy": 1.0, "advantage": 0.5}
        for text in (RIGHT, "no")
    ]
    table = pa.Table.from_pylist(rows)
    file = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(table, file)
    elif name.endswith("csv"):
        table.to_pandas().to_csv(file, index=False)
    elif name.endswith("gz"):
        with pa.output_stream(str(file), compression="gzip") as sink:
            sink.write("\n".join(map(json.dumps, rows)).encode())
    else:
        file.write_text(json.dumps(rows))
    status, found, summary = score_file(file, capsys)
    assert status == 0
    assert [facts["rewards"]["correctness"] for facts in found] == [1.0, 0.0]
    assert [facts["answer_block"] for facts in found] == [True, False]
    assert summary.startswith("2 scored, 1 of them without an answer")


def test_conversations_of_parquet_are_read_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turns = [{"role": "assistant", "content": RIGHT}]
    pq.write_table(pa.Table.from_pylist([{"completion": turns, "answer": 24}]), tmp_path / "c.parquet")
    assert score_file(tmp_path / "c.parquet", capsys)[1][0]["rewards"]["correctness"] == 1.0


def test_lines_come_from_standard_input_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    line = json.dumps({"completion": RIGHT, "answer": "24"}).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line)))
    assert main(["score", "--jsonl", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["rewards"]["correctness"] == 1.0


OWN = """
from training.rewards import Reward

def near(completion, problem):
    return 1.0 if abs(float(completion) - float(problem["gold"])) <= problem["within"] else 0.0

REWARDS = [Reward("near", "Near", 1.0, near)]
"""


def test_own_functions_score_too_and_what_one_cannot_is_told_with_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, score: Score
) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    monkeypatch.setenv("GRPO_ATLAS_REWARDS", str(tmp_path / "mine.py"))
    status, found, summary = score([{"completion": text, "answer": "5", "within": 1} for text in ("6", "no", "9")])
    assert status == 2
    assert [facts["rewards"]["near"] for facts in found] == [1.0, None, 0.0]
    assert [len(facts.get("failed", [])) for facts in found] == [0, 1, 0]
    assert "near raised ValueError" in found[1]["failed"][0]
    assert "1 values not computed" in summary


@pytest.mark.parametrize(
    "arguments", [["score"], ["score", "--adversarial", "--jsonl", "x"], ["score", "--jsonl", "/nowhere/x"]]
)
def test_what_cannot_be_scored_is_refused(arguments: list[str]) -> None:
    assert main(arguments) == 2


def test_a_form_that_there_is_not_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.jsonl").write_text("")
    assert main(["score", "--jsonl", str(tmp_path / "c.jsonl"), "--answer-form", "spoken"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
