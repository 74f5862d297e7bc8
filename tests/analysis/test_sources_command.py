"""`problems` and `sources`: how a source is read, in words and for programs, and names that are kept."""

import json
from pathlib import Path

import pytest

from analysis.__main__ import main
from training.data.problems import load_problems

KEYS = ["layout", "columns", "splits", "rejected", "gold_kinds", "duplicates", "first"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GRPO_ATLAS_DATA", raising=False)
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Six rows under names that nobody knows, one of them twice and one without an answer."""
    rows = [
        ("Two plus 1?", "3"),
        ("two plus 1", "3"),
        ("Half of 1?", "1/2"),
        ("Which?", "B"),
        ("Root?", "\\sqrt{2}"),
        ("No?", None),
    ]
    file = tmp_path / "exam.jsonl"
    file.write_text("".join(json.dumps({"alpha": question, "beta": gold, "level": 1}) + "\n" for question, gold in rows))
    return file


def test_how_a_source_is_read_is_said_for_programs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["problems", "--source", str(file), "--columns", "question=alpha", "gold=beta", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts) == KEYS
    assert facts["layout"] == "a mapping"
    assert {name: facts["columns"][name] for name in ("question", "gold")} == {"question": "alpha", "gold": "beta"}
    assert facts["splits"] == {"train": 5, "test": 0}
    assert facts["rejected"] == {"there is no gold answer": 1}
    assert facts["gold_kinds"] == {"number": 3, "choice": 1, "expression": 1}
    assert facts["duplicates"] == 1
    assert facts["first"][0] == {
        "id": "train-0",
        "split": "train",
        "question": "Two plus 1?",
        "gold": "3",
        "gold_kind": "number",
    }


def test_how_a_source_is_read_is_said_in_words(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["problems", "--source", f"{file}?question=alpha&gold=beta"]) == 0
    said = capsys.readouterr().out
    for part in (
        "exam.jsonl: 5 problems (5 train, 0 test)",
        "question from `alpha`",
        "3 number",
        "1 of 6 train rows",
        "train-0",
    ):
        assert part in said


def test_a_source_that_nothing_maps_is_one_line_of_error(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["problems", "--source", str(file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "alpha, beta, level" in printed.err


@pytest.mark.parametrize("columns", [["colour=red"], ["question"], ["question=alpha", "gold=gamma"], ["found=/(/"]])
def test_a_mapping_that_does_not_fit_is_one_line_of_error(
    columns: list[str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["problems", "--source", str(file), "--columns", *columns]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_source_is_kept_used_by_its_name_and_forgotten(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--source", str(file), "--columns", "question=alpha", "gold=beta", "hold_out=1"]
    assert main(["sources", "--keep", "exam", *asked]) == 0
    line = f"{file}?question=alpha&gold=beta&hold_out=1"
    assert capsys.readouterr().out == f"exam  {line}\n"
    assert main(["problems", "--source", "exam", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"]["test"] > 0
    assert load_problems("exam").source == line
    assert main(["sources", "--keep", "other", "--source", "exam", "--columns", "hold_out=2"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("hold_out=2")
    assert main(["sources", "--forget", "exam"]) == 0
    assert [row.partition(" ")[0] for row in capsys.readouterr().out.splitlines()] == ["other"]
    assert main(["sources", "--forget", "exam"]) == 2


def test_what_cannot_be_read_is_not_kept(file: Path, home: Path) -> None:
    assert main(["sources", "--keep", "exam", "--source", str(file)]) == 2
    assert main(["sources", "--keep", "demo", "--source", "demo"]) == 2
    assert not (home / "sources.toml").exists()
