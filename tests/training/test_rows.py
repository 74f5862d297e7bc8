"""Reading rows that others wrote: each bad one is rejected with its reason, and nothing hangs or raises otherwise."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

from analysis.verifier import check_problems
from tests.hostile import (
    BAD_COLUMNS,
    BAD_LINES,
    DIGITS,
    GOOD,
    GOOD_LINE,
    NO_FILES,
    NO_PATHS,
    deep_parquet,
    questions_of,
    write_parquet,
)
from training.__main__ import main
from training.allowed import allowed_embedding, allowed_model, allowed_source
from training.data import rows
from training.data.problems import load_problems
from training.data.reader import parse_problem
from training.errors import AtlasError, HomeError, SourceError
from training.home import Home
from training.preflight.model_files import find_model
from training.rewards import score_completion
from training.store import Store


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_rejected_with_its_place_and_reason_and_the_rest_loads(name: str, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes(b"\n".join([GOOD_LINE, BAD_LINES[name].replace(b"\n", b""), GOOD_LINE]))
    problem_set = load_problems(str(tmp_path))
    assert [problem.id for problem in problem_set.problems] == ["train-0", "train-2"]
    (rejection,) = problem_set.rejected
    assert (rejection.file, rejection.line) == ("train.jsonl", 2)
    assert 0 < len(rejection.reason) < 300


def test_the_same_rows_are_rejected_however_deep_the_caller_stands(tmp_path: Path) -> None:
    levels = [
        b'{"question": "q", "answer": "#### 1", "more": ' + b"[" * depth + b"]" * depth + b"}" for depth in (50, 98, 120, 400)
    ]
    (tmp_path / "train.jsonl").write_bytes(b"\n".join(levels))

    def load(frames: int) -> list[int]:
        return load(frames - 1) if frames else [row.line for row in load_problems(str(tmp_path)).rejected]

    assert load(0) == load(500) == [3, 4]


def test_a_gigantic_line_is_rejected_without_being_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LINE_BYTES", 1000)
    long = [b"x" * 999, b"x" * 1001, b"x" * 5000, json.dumps(GOOD | {"more": "x" * 3000}).encode()]
    (tmp_path / "train.jsonl").write_bytes(b"\n".join([GOOD_LINE, *long, GOOD_LINE]))
    problem_set = load_problems(str(tmp_path))
    assert len(problem_set.problems) == 2
    assert [(row.line, "longer than" in row.reason) for row in problem_set.rejected] == [
        (2, False),
        (3, True),
        (4, True),
        (5, True),
    ]


def test_what_other_columns_of_parquet_hold_spoils_no_row(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", deep_parquet())
    problem_set = load_problems(str(tmp_path))
    assert len(problem_set.problems) == 2
    assert problem_set.rejected == ()


@pytest.mark.parametrize("name", BAD_COLUMNS)
def test_a_question_of_another_kind_is_rejected_by_row(name: str, tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", questions_of(BAD_COLUMNS[name]()))
    (tmp_path / "test.jsonl").write_bytes(GOOD_LINE)
    problem_set = load_problems(str(tmp_path))
    assert [problem.id for problem in problem_set.problems] == ["test-0"]
    assert [(row.file, row.line) for row in problem_set.rejected] == [("train.parquet", 1)]


def test_one_bad_value_in_a_batch_of_parquet_costs_one_row(tmp_path: Path) -> None:
    offsets = b"".join(number.to_bytes(4, "little") for number in (0, 1, 3, 4))
    column = pa.Array.from_buffers(pa.string(), 3, [None, pa.py_buffer(offsets), pa.py_buffer(b"a\xff\xfeb")])
    write_parquet(tmp_path / "train.parquet", questions_of(column))
    problem_set = load_problems(str(tmp_path))
    assert [problem.question for problem in problem_set.problems] == ["a", "b"]
    assert [row.line for row in problem_set.rejected] == [2]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff" * 1000 + b"PAR1", b"{}"])
def test_a_broken_parquet_file_is_a_source_that_cannot_be_read(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(content)
    with pytest.raises(SourceError, match=r"train\.parquet"):
        load_problems(str(tmp_path))


def test_a_parquet_file_that_is_cut_off_is_a_source_that_cannot_be_read(tmp_path: Path) -> None:
    whole = write_parquet(tmp_path / "train.parquet", deep_parquet()).read_bytes()
    (tmp_path / "train.parquet").write_bytes(whole[: len(whole) // 2] + whole[-8:])
    with pytest.raises(SourceError):
        load_problems(str(tmp_path))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
def test_a_table_as_spreadsheets_save_it_is_read(encoding: str, tmp_path: Path) -> None:
    table = "question\tanswer\nWieviel wiegt ein Kätzchen?\t2\n"
    (tmp_path / "train.tsv").write_bytes(table.encode(encoding))
    (problem,) = load_problems(str(tmp_path)).problems
    assert (problem.question, problem.gold) == ("Wieviel wiegt ein Kätzchen?", "2")


def test_a_table_in_another_encoding_says_how_to_save_it(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes("question,answer\nKätzchen?,2\n".encode("latin-1"))
    with pytest.raises(SourceError, match="UTF-8") as raised:
        load_problems(str(tmp_path))
    assert "CSV UTF-8" in raised.value.remedy


def test_parquet_without_the_columns_rejects_every_row(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", pa.table({"prompt": ["a", "b"]}))
    with pytest.raises(SourceError, match="no columns that are known: 'prompt'"):
        load_problems(str(tmp_path))


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", NO_FILES)
@pytest.mark.parametrize("as_folder", [True, False])
def test_what_is_no_file_is_named_and_nobody_waits_for_it(name: str, ending: str, as_folder: bool, tmp_path: Path) -> None:
    NO_FILES[name](tmp_path / f"train.{ending}")
    with pytest.raises(SourceError):
        load_problems(str(tmp_path if as_folder else tmp_path / f"train.{ending}"))


@pytest.mark.parametrize("name", NO_FILES)
def test_a_source_may_be_no_such_thing_itself(name: str, tmp_path: Path) -> None:
    NO_FILES[name](tmp_path / "source")
    with pytest.raises(SourceError):
        load_problems(str(tmp_path / "source"))


@pytest.mark.parametrize("path", NO_PATHS)
def test_what_is_no_path_is_an_error_wherever_paths_are_asked_for(path: str, store: Store, home: Home) -> None:
    for ask in (
        lambda: load_problems(path or "/nowhere", home),
        lambda: allowed_source(path, home),
        lambda: allowed_model(path, store, home),
        lambda: allowed_embedding(path, home),
        lambda: find_model(path, ask_hub=False) if path else allowed_source(path, home),
    ):
        with pytest.raises(AtlasError) as raised:
            ask()
        assert len(str(raised.value)) < 1000


def test_a_folder_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "train.jsonl").write_bytes(GOOD_LINE)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SourceError, match="Permission denied"):
        load_problems(str(tmp_path))
    monkeypatch.undo()
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(SourceError, match="Permission denied"):
        load_problems(str(tmp_path))


@pytest.mark.parametrize(
    "variable", ["GRPO_ATLAS_HOME", "GRPO_ATLAS_DATA", "GRPO_ATLAS_REWARDS", "GRPO_ATLAS_FOLDERS", "GRPO_ATLAS_BACKENDS"]
)
@pytest.mark.parametrize("value", ["~nosuchuser/x", "x" * 5000, "half\udc80"])
def test_a_variable_that_holds_no_path_is_named(variable: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(HomeError, match=variable):
        Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path), variable: value})


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%41b", "a@b:c", "a b", "ünï", "line\nbreak"])
def test_a_home_of_any_name_keeps_its_store_in_it(name: str, tmp_path: Path) -> None:
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path / name)})
    Store.open(home.store_url).close()
    assert (tmp_path / name / "store.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", NO_FILES)
def test_own_problems_that_are_no_file_are_an_error_of_the_source(name: str, home: Home, tmp_path: Path) -> None:
    NO_FILES[name](tmp_path / "data")
    with pytest.raises(SourceError):
        load_problems("auto", Home(home.root, home.store_url, data=tmp_path / "data"))


def test_gold_answers_and_equations_of_any_size_are_checked_and_scored() -> None:
    deep = "(" * 5000 + "1" + ")" * 5000
    answers = [f"<<1+{DIGITS}={DIGITS}>>{DIGITS}\n#### {DIGITS}", f"<<{deep}=1>>1\n#### 1", "<<9**9**9**9=1>>1\n#### 1"]
    lines = [json.dumps({"question": "\0 ?", "answer": answer}) for answer in answers]
    problems = [parse_problem(rows.parse_json(line.encode()), "train-0", "train") for line in lines]
    report = check_problems(problems)
    assert report.problems == 3
    assert score_completion(f"<answer>{DIGITS}</answer>", problems[0].gold)["value_correctness"] == 1.0


@pytest.mark.parametrize("split", [b"[" * 60 + b"]" * 60, b"{}", b"NaN", b"1e999", b'"extra"', b"null"])
def test_a_split_of_any_kind_is_rejected(split: bytes, tmp_path: Path) -> None:
    (tmp_path / "all.jsonl").write_bytes(GOOD_LINE + b"\n" + GOOD_LINE[:-1] + b', "split": ' + split + b"}")
    problem_set = load_problems(str(tmp_path / "all.jsonl"))
    assert [row.line for row in problem_set.rejected] == [2]
    assert len(problem_set.rejected[0].reason) < 100


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_to_score_is_told_in_its_place(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "completions.jsonl"
    file.write_bytes(b'{"completion": "1", "answer": "1"}\n' + BAD_LINES[name].replace(b"\n", b"") + b"\n")
    assert main(["score", "--jsonl", str(file)]) == 2
    printed = capsys.readouterr()
    good, bad = map(json.loads, printed.out.splitlines())
    assert (good["line"], "error" in good, bad["line"]) == (1, False, 2)
    assert 0 < len(bad["error"]) < 300
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("name", ["folder", "socket", "link to itself", "link to nothing"])
def test_a_file_to_score_that_is_none_is_one_line_of_error(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    NO_FILES[name](tmp_path / "completions.jsonl")
    assert main(["score", "--jsonl", str(tmp_path / "completions.jsonl")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
