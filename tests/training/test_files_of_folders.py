"""Which files of a folder are a data set, in which split, and what is left out by name."""

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.errors import SourceError


def write(file: Path, rows: int = 1) -> Path:
    """A file with rows of our own, in the form and compression that its name says; a question tells its file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    table = [{"question": f"{file.name}: what is {row} + 1?", "answer": f"#### {row + 1}"} for row in range(rows)]
    lines = "".join(json.dumps(row) + "\n" for row in table).encode()
    if file.name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(table), file)
    elif file.name.endswith(".arrow"):
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, pa.Table.from_pylist(table).schema) as stream:
            stream.write_table(pa.Table.from_pylist(table))
    elif file.name.endswith(".zst"):
        with pa.output_stream(str(file), compression="zstd") as sink:
            sink.write(lines)
    elif file.name.endswith(".gz"):
        file.write_bytes(gzip.compress(lines))
    elif file.name.endswith(".json"):
        file.write_text(json.dumps(table))
    elif file.name.endswith((".csv", ".tsv")):
        mark = "," if file.name.endswith(".csv") else "\t"
        file.write_text(
            "\n".join(["question" + mark + "answer", *(f"{row['question']}{mark}{row['answer']}" for row in table)])
        )
    else:
        file.write_bytes(lines)
    return file


def splits(problem_set: ProblemSet) -> dict[str, list[str]]:
    """Split -> the files that its problems come from."""
    found: dict[str, list[str]] = {}
    for problem in problem_set.problems:
        files = found.setdefault(problem.split, [])
        if (name := problem.question.partition(":")[0]) not in files:
            files.append(name)
    return found


def left_out(problem_set: ProblemSet) -> list[str]:
    return [line.partition(":")[0] for line in problem_set.left_out]


@pytest.mark.parametrize(
    ("files", "train", "test"),
    [
        (["train.jsonl", "test.jsonl"], ["train.jsonl"], ["test.jsonl"]),
        (["main/train.jsonl", "main/test.jsonl", "README.md"], ["train.jsonl"], ["test.jsonl"]),
        (["data/train-00000-of-00001.parquet"], ["train-00000-of-00001.parquet"], []),
        (["default/test.csv"], [], ["test.csv"]),
        (["algebra/train.jsonl", "algebra/test.jsonl"], ["train.jsonl"], ["test.jsonl"]),
        (["data/algebra/train.jsonl"], ["train.jsonl"], []),
        (["train/0000.jsonl", "test/0000.json"], ["0000.jsonl"], ["0000.json"]),
        (["data/train/part-0.parquet", "data/test/part-0.parquet"], ["part-0.parquet"], ["part-0.parquet"]),
        (["train/data-00000-of-00001.arrow", "train/state.json"], ["data-00000-of-00001.arrow"], []),
        (["train.jsonl.gz", "test.jsonl.zst"], ["train.jsonl.gz"], ["test.jsonl.zst"]),
        (["train.csv", "test.tsv"], ["train.csv"], ["test.tsv"]),
        (["TRAIN.JSONL", "Test.jsonl"], ["TRAIN.JSONL"], ["Test.jsonl"]),
        (["gsm8k_train.jsonl", "gsm8k_test.jsonl"], ["gsm8k_train.jsonl"], ["gsm8k_test.jsonl"]),
        (["training.jsonl", "validation.jsonl"], ["training.jsonl"], ["validation.jsonl"]),
        (["train.jsonl", "valid.jsonl"], ["train.jsonl"], ["valid.jsonl"]),
        (["train.jsonl", "dev.jsonl"], ["train.jsonl"], ["dev.jsonl"]),
        (["train.jsonl", "dataset_info.json", "dataset_dict.json", ".hidden.jsonl"], ["train.jsonl"], []),
        (["problems.jsonl"], ["problems.jsonl"], []),
        (["data/problems.jsonl", "dataset_info.json"], ["problems.jsonl"], []),
    ],
)
def test_a_folder_of_any_form_is_read_and_its_splits_are_its_names(
    files: Sequence[str], train: list[str], test: list[str], tmp_path: Path
) -> None:
    for file in files:
        write(tmp_path / file)
    problem_set = load_problems(str(tmp_path))
    assert splits(problem_set) == {name: found for name, found in (("train", train), ("test", test)) if found}
    assert problem_set.left_out == ()


def test_shards_are_one_split_in_their_order(tmp_path: Path) -> None:
    shards = [f"train-0000{place}-of-00003.parquet" for place in range(3)]
    for shard in [*reversed(shards), "test-00000-of-00001-0123456789abcdef.parquet"]:
        write(tmp_path / "data" / shard, 2)
    problem_set = load_problems(str(tmp_path))
    assert splits(problem_set)["train"] == shards
    assert [problem.id for problem in problem_set.problems][:6] == [f"train-{row}" for row in range(6)]


@pytest.mark.parametrize(
    "others",
    [
        ["testmini.jsonl"],
        ["test_socratic.jsonl", "train_socratic.jsonl"],
        ["test_results.jsonl", "training_log.jsonl"],
        ["dev.jsonl", "validation.jsonl"],
        ["test.parquet", "train.csv"],
        ["extra_train.jsonl"],
        ["examples.json"],
    ],
)
def test_what_is_passed_over_beside_train_and_test_is_named(others: list[str], tmp_path: Path) -> None:
    for file in ("train.jsonl", "test.jsonl", *others):
        write(tmp_path / file)
    problem_set = load_problems(str(tmp_path))
    assert splits(problem_set) == {"train": ["train.jsonl"], "test": ["test.jsonl"]}
    assert sorted(left_out(problem_set)) == others
    assert Counter(problem.split for problem in problem_set.problems) == {"train": 1, "test": 1}


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (["a.jsonl", "b.jsonl"], "a.jsonl, b.jsonl"),
        (["a_train.jsonl", "b_train.jsonl"], "a_train.jsonl, b_train.jsonl"),
        (["algebra/train.jsonl", "geometry/train.jsonl"], "algebra, geometry"),
        (["README.md", "dataset_info.json"], "no train or test file"),
        ([f"{place}.csv" for place in "abcdefgh"], "and 2 more"),
    ],
)
def test_a_folder_that_does_not_say_what_is_meant_is_refused_with_what_is_there(
    files: Sequence[str], named: str, tmp_path: Path
) -> None:
    for file in files:
        write(tmp_path / file)
    with pytest.raises(SourceError, match=named) as raised:
        load_problems(str(tmp_path))
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("gsm8k_test.jsonl", "test"),
        ("test.jsonl", "test"),
        ("train-00000-of-00002.parquet", "train"),
        ("dev.json", "test"),
        ("all.csv", "train"),
    ],
)
def test_a_file_alone_is_of_the_split_that_its_name_says(file: str, split: str, tmp_path: Path) -> None:
    assert splits(load_problems(str(write(tmp_path / file)))) == {split: [file]}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("test=validation", {"train": ["train.jsonl"], "test": ["validation.jsonl"]}),
        ("train=all", {"train": ["all.jsonl"], "test": ["test.jsonl"]}),
        ("train=all&test=dev", {"train": ["all.jsonl"], "test": ["dev.jsonl"]}),
    ],
)
def test_a_source_may_call_its_splits_otherwise(options: str, found: dict[str, list[str]], tmp_path: Path) -> None:
    for name in ("train", "test", "validation", "dev", "all"):
        write(tmp_path / f"{name}.jsonl")
    assert splits(load_problems(f"{tmp_path}?{options}")) == found


def test_one_file_may_hold_several_splits_of_which_one_is_measured_on(tmp_path: Path) -> None:
    rows = [{"question": f"{said}?", "answer": "#### 1", "split": said} for said in ("train", "validation", "dev", "train")]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    problem_set = load_problems(str(tmp_path / "all.jsonl"))
    assert [(problem.id, problem.question) for problem in problem_set.problems] == [
        ("train-0", "train?"),
        ("train-1", "train?"),
        ("test-0", "validation?"),
    ]
    assert [rejection.line for rejection in problem_set.rejected] == [3]
    chosen = load_problems(f"{tmp_path / 'all.jsonl'}?test=dev&train=train")
    assert [problem.question for problem in chosen.of_split("test")] == ["dev?"]


@pytest.mark.parametrize("name", ["train.jsonl.gz", "train.jsonl.zst", "train.csv.gz", "train.parquet.zst"])
def test_a_file_that_is_not_compressed_as_it_says_is_a_source_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b'{"question": "?", "answer": "#### 1"}\n')
    with pytest.raises(SourceError, match=name):
        load_problems(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "golds"),
    [
        ("a.csv", "question;answer\nSeven halves?;3\nTwo?;2\n", ["3", "2"]),
        ("a.csv", "question\tanswer\nThree, at most?\t3\n", ["3"]),
        ("a.csv", '\ufeffquestion,answer\n"Two, or ""2""\nthen?",2\n', ["2"]),
        ("a.tsv", "One?\t1\nTwo?\t2\n", ["1", "2"]),
        ("a.json", '{"version": 1, "data": [{"question": "?", "answer": "1"}]}', ["1"]),
        ("a.json", '{"test": [{"question": "?", "answer": "1"}], "train": [{"question": "?", "answer": "2"}]}', ["2", "1"]),
        ("a.json", '{"question": {"0": "?", "1": "?"}, "answer": {"0": "1", "1": "2"}}', ["1", "2"]),
        ("a.json", '{"question": ["?", "?"], "answer": ["1", "2"]}', ["1", "2"]),
        ("a.json", '{"question": "?", "answer": "1"}\n{"question": "?", "answer": "2"}\n', ["1", "2"]),
        ("a.jsonl", '[{"question": "?", "answer": "1"}, {"question": "?", "answer": "2"}]\n', ["1", "2"]),
    ],
)
def test_tables_of_other_writers_are_read(name: str, content: str, golds: list[str], tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert [problem.gold for problem in load_problems(str(tmp_path / name)).problems] == golds


@pytest.mark.parametrize("content", ["", "question,answer\n", "question,answer\n\n"])
def test_a_table_without_rows_holds_no_problem(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(SourceError, match="no usable problem"):
        load_problems(str(tmp_path / "a.csv"))
