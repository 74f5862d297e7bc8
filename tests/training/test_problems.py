"""Problems: parsing, sources, and how bad rows are reported."""

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from training.data import hub
from training.data.problem import Equation
from training.data.problems import load_problems
from training.data.reader import parse_problem
from training.errors import HomeError, SourceError
from training.home import Home

GOOD = {
    "question": "Tom has 3 apples and buys 4 times 2 more. How many?",
    "answer": "4*2=<<4*2=8>>8\n3+8=<<3+8=11>>11\n#### 11",
}


def write_jsonl(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_problem_has_steps_equations_and_gold() -> None:
    problem = parse_problem(GOOD, "train-0", "train")
    assert problem.steps == ("4*2=<<4*2=8>>8", "3+8=<<3+8=11>>11")
    assert problem.equations == (Equation("4*2", "8"), Equation("3+8", "11"))
    assert problem.gold == "11"


@pytest.mark.parametrize(("written", "gold"), [("1,234", "1234"), ("$57", "57"), ("-8", "-8"), (" 2.5 ", "2.5")])
def test_gold_loses_commas_and_dollars(written: str, gold: str) -> None:
    assert parse_problem(GOOD | {"answer": f"so\n#### {written}"}, "train-0", "train").gold == gold


def test_bad_rows_are_reported_with_file_line_and_reason_and_the_rest_loads(tmp_path: Path) -> None:
    lines = [
        json.dumps(GOOD).encode(),
        b'{"question": "no answer key"}',
        json.dumps(GOOD | {"answer": "no mark"}).encode(),
        json.dumps(GOOD | {"answer": "#### 3,5"}).encode(),
        b'{"question": "\xff\xfe", "answer": "#### 1"}',
        b"not json",
        b"[1, 2]",
        b'{"question": 5, "answer": "#### 1"}',
        b"",
        json.dumps(GOOD).encode(),
    ]
    (tmp_path / "train.jsonl").write_bytes(b"\n".join(lines))
    problem_set = load_problems(str(tmp_path))
    assert [problem.id for problem in problem_set.problems] == ["train-0", "train-8"]
    assert [str(rejection) for rejection in problem_set.rejected] == [
        "train.jsonl:2: the key 'answer' is missing",
        "train.jsonl:3: there is no #### with an answer",
        "train.jsonl:4: the gold answer may be one number or another; decimal=comma says which ('3,5')",
        "train.jsonl:5: the line is not UTF-8",
        "train.jsonl:6: the line is not JSON (Expecting value at column 1)",
        "train.jsonl:7: the row is not an object",
        "train.jsonl:8: 'question' is not text",
    ]


def test_parquet_and_jsonl_of_equal_rows_have_equal_content(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b" / "main").mkdir(parents=True)
    write_jsonl(tmp_path / "a" / "train.jsonl", [GOOD, GOOD])
    write_jsonl(tmp_path / "a" / "test.jsonl", [GOOD])
    pd.DataFrame([GOOD, GOOD]).to_parquet(tmp_path / "b" / "main" / "train-00000-of-00001.parquet")
    pd.DataFrame([GOOD]).to_parquet(tmp_path / "b" / "main" / "test-00000-of-00001.parquet")
    a, b = load_problems(str(tmp_path / "a")), load_problems(str(tmp_path / "b"))
    assert [problem.id for problem in a.problems] == ["train-0", "train-1", "test-0"]
    assert a.content_hash == b.content_hash


def test_content_hash_changes_with_any_text(tmp_path: Path) -> None:
    hashes = set()
    for question in ("one?", "two?"):
        file = write_jsonl(tmp_path / "train.jsonl", [GOOD | {"question": question}])
        hashes.add(load_problems(str(file)).content_hash)
    assert len(hashes) == 2


def test_a_single_file_takes_splits_from_its_rows(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "all.jsonl", [GOOD | {"split": "test"}, GOOD, GOOD | {"split": "extra"}])
    problem_set = load_problems(str(file))
    assert [problem.id for problem in problem_set.problems] == ["train-0", "test-0"]
    assert str(problem_set.rejected[0]) == "all.jsonl:3: its split is neither train nor test ('extra')"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nowhere", "There is no source"),
        (lambda folder: folder, "no train or test file"),
        (lambda folder: write_jsonl(folder / "train.jsonl", []), "no usable problem (0 rows rejected)"),
        (
            lambda folder: write_jsonl(folder / "train.jsonl", [{}]),
            "The first reason: train.jsonl:1: the key 'question' is missing",
        ),
        (lambda folder: write_jsonl(folder / "train.parquet", []), "not a readable Parquet file"),
        (lambda folder: write_jsonl(folder / "train.txt", []), "no file of rows"),
    ],
)
def test_an_unusable_source_says_what_and_what_to_do(tmp_path: Path, make, message: str) -> None:
    with pytest.raises(SourceError) as raised:
        load_problems(str(make(tmp_path)))
    assert message in str(raised.value)
    assert raised.value.remedy


def test_auto_takes_the_configured_folder(tmp_path: Path, home: Home) -> None:
    write_jsonl(tmp_path / "train.jsonl", [GOOD])
    configured = Home(home.root, home.store_url, data=tmp_path)
    assert load_problems("auto", configured).source == str(tmp_path)


def test_auto_without_hub_is_the_demo_and_says_so(home: Home) -> None:
    problem_set = load_problems("auto", home)
    assert problem_set.source == "demo"
    assert problem_set.notice is not None
    assert "did not answer" in problem_set.notice


def test_hub_without_network_fails_clearly(home: Home) -> None:
    with pytest.raises(SourceError, match="did not answer within 3 s"):
        load_problems("hub", home)


def test_a_hub_shaped_data_set_is_loaded_by_datasets_and_read_from_its_snapshot_later(tmp_path: Path, home: Home) -> None:
    published = tmp_path / "gsm8k"
    (published / "main").mkdir(parents=True)
    for split in ("train", "test"):
        pd.DataFrame([GOOD]).to_parquet(published / "main" / f"{split}-00000-of-00001.parquet")
    card = "---\nconfigs:\n- config_name: main\n  data_files:\n"
    card += "".join(f"  - split: {split}\n    path: main/{split}-*\n" for split in ("train", "test"))
    (published / "README.md").write_text(card + "---\n")
    hub.save_splits(hub.GSM8K, hub.GSM8K.folder(home.cache), str(published))
    problem_set = load_problems("hub", home)
    assert problem_set.name == "GSM8K"
    assert [problem.id for problem in problem_set.problems] == ["train-0", "test-0"]


def test_a_data_set_that_datasets_cannot_load_leaves_nothing_behind(tmp_path: Path, home: Home) -> None:
    with pytest.raises(SourceError, match="cannot be loaded"):
        hub.save_splits(hub.GSM8K, hub.GSM8K.folder(home.cache), str(tmp_path / "missing"))
    assert hub.snapshot(hub.GSM8K, home.cache) is None


def test_an_unwritable_home_names_the_folder_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HomeError, match="GRPO_ATLAS_HOME"):
        Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path / "file" / "home")})


def test_gsm8k_has_the_published_counts(gsm8k: Path) -> None:
    problem_set = load_problems(str(gsm8k))
    assert not problem_set.rejected
    assert Counter(problem.split for problem in problem_set.problems) == {"train": 7473, "test": 1319}
    steps = Counter(len(problem.steps) for problem in problem_set.problems)
    assert steps == {2: 2287, 3: 2520, 4: 1956, 5: 1130, 6: 506, 7: 267, 8: 110, 9: 15, 11: 1}
    assert sum(len(problem.equations) for problem in problem_set.problems) == 27_998


def test_ids_count_rows_whatever_the_rows_call_themselves(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl", [GOOD | {"id": "same"}, GOOD | {"id": "same"}])
    assert [problem.id for problem in load_problems(str(tmp_path)).problems] == ["train-0", "train-1"]


def test_half_a_character_becomes_a_mark_and_whole_ones_stay(tmp_path: Path) -> None:
    rows = [GOOD | {"question": text} for text in ("half \ud800?", "whole \U0001f600 日本\u2028\t?")]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    questions = [problem.question for problem in load_problems(str(tmp_path)).problems]
    assert questions == ["half \ufffd?", "whole \U0001f600 日本\u2028\t?"]
