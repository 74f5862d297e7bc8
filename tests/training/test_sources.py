"""Sources: one line that is read again, names that are kept, what is held out and sampled, and content that must not change."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import full_demo_run
from training.data.columns import Columns
from training.data.files import SplitNames
from training.data.problem import Problem
from training.data.problems import load_problems, needs_fetch, source_place
from training.data.sample import sample, stated
from training.data.sources import (
    BUILT_IN,
    NAMED_SOURCES_FILE,
    HoldOut,
    Source,
    forget_source,
    keep_source,
    named_sources,
    parse_source,
    with_options,
)
from training.errors import SourceError
from training.home import Home
from training.jobs.evaluate import EVALUATE, evaluated_problems, evaluation_spec
from training.runs.launch import prepare_run, queue_job, resume_run
from training.store import Store

COLUMNS = Columns(
    question="{Body} {Question} & more?",
    solution="a.b",
    gold="täglich",
    found=r"/(\d+)% = #? (a|b)/",
    split="part",
    id="name",
    steps="latex",
    decimal="comma",
    cut=r"^Q\+\s*",
)

SETTINGS = {"split": "train", "fraction": 1.0, "temperature": 0.0, "samples": 1, "max_completion_length": 40}


def write(file: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def sums(number: int, **more: Any) -> list[dict[str, Any]]:
    """Rows of which each has another question."""
    return [{"question": f"{_LETTERS[row]} has {row} plus 1?", "answer": f"#### {row + 1}"} | more for row in range(number)]


_LETTERS = [a + b + c for a in "abcde" for b in "fghij" for c in "klmno"]


@pytest.mark.parametrize(
    "source",
    [
        Source("/data/all.jsonl"),
        Source("/data/all.jsonl", COLUMNS),
        Source("/data/wh?t & = #.jsonl", Columns(gold="key")),
        Source("/data/wh?t.jsonl"),
        Source("hub:owner/name", splits=SplitNames("all", "validation"), config="main", revision="v1.0"),
        Source("/data/a", hold_out=HoldOut(0.1)),
        Source("/data/a", hold_out=HoldOut(200, 7, "template")),
        Source("demo"),
    ],
)
def test_a_source_is_read_again_from_its_line(source: Source, home: Home) -> None:
    assert parse_source(str(source), home) == source
    assert str(parse_source(str(source), home)) == str(source)


def test_options_may_be_written_as_a_person_would(home: Home) -> None:
    source = parse_source(r"/data/a.csv?question={Body} {Question}&found=/= (\d+)?/&gold=key&hold_out=0.1", home)
    assert source.columns == Columns(question="{Body} {Question}", found=r"/= (\d+)?/", gold="key")
    assert source.hold_out == HoldOut(0.1)
    assert str(parse_source("/data/a.csv?gold=key&question=prompt", home)) == "/data/a.csv?question=prompt&gold=key"


def test_options_go_over_those_of_the_line(home: Home) -> None:
    source = with_options(parse_source("/data/a.csv?question=prompt&gold=key", home), ["gold=label", r"found=/x=(\d+)/"])
    assert source.columns == Columns(question="prompt", gold="label", found=r"/x=(\d+)/")


def test_a_file_whose_name_has_a_question_mark_is_one(tmp_path: Path, home: Home) -> None:
    file = write(tmp_path / "what?.jsonl", sums(2))
    problem_set = load_problems(str(file), home)
    assert len(problem_set.problems) == 2
    assert load_problems(problem_set.source, home).content_hash == problem_set.content_hash


@pytest.mark.parametrize(
    "options",
    [
        "colour=red",
        "question=",
        "question",
        "=x",
        "found=nowhere",
        "found=/(/",
        "cut=(",
        "steps=words",
        "decimal=dot",
        "hold_out=-1",
        "hold_out=1.5",
        "hold_out=many",
        "hold_out=nan",
        "hold_out=0.1&seed=-1",
        "hold_out=0.1&seed=x",
    ],
)
def test_an_option_that_says_nothing_of_a_source_is_refused_with_what_does(options: str, home: Home) -> None:
    with pytest.raises(SourceError) as raised:
        parse_source(f"/data/a.jsonl?{options}", home)
    assert raised.value.remedy


@pytest.mark.parametrize("source", ["demo?gold=key", "auto?hold_out=0.1", "hub?test=train"])
def test_the_sources_that_everybody_has_take_no_options(source: str, home: Home) -> None:
    with pytest.raises(SourceError, match="takes no options"):
        load_problems(source, home)


@pytest.mark.parametrize("name", ["hub:../x", "hub:", "hub:a b/c", "hub:a/b?config=../..", "hub:a/b?revision=a%00b"])
def test_what_is_no_data_set_of_the_hub_is_refused_before_anybody_asks(name: str, home: Home) -> None:
    with pytest.raises(SourceError):
        load_problems(name, home)


def test_a_data_set_of_the_hub_is_to_be_fetched_until_its_snapshot_is_there(home: Home) -> None:
    assert needs_fetch("hub:owner/name?config=main", home)
    folder = home.cache / "hub" / "owner--name--main"
    folder.mkdir(parents=True)
    write(folder / "train.jsonl", sums(2))
    assert not needs_fetch("hub:owner/name?config=main", home)
    assert source_place("hub:owner/name?config=main", home) == folder
    assert needs_fetch("hub:owner/name?config=other", home)
    assert len(load_problems("hub:owner/name?config=main", home, fetch=False).problems) == 2


def test_a_named_source_is_kept_with_its_mapping_listed_and_forgotten(tmp_path: Path, home: Home) -> None:
    file = write(tmp_path / "all.jsonl", [{"alpha": "?", "beta": "1,5"}])
    keep_source(home, "exam", parse_source(f"{file}?question=alpha&gold=beta&decimal=comma", home))
    problem_set = load_problems("exam", home)
    assert (problem_set.name, problem_set.problems[0].gold) == ("exam", "1.5")
    assert problem_set.source == named_sources(home)["exam"]
    assert str(with_options(parse_source("exam", home), ["decimal=point"])).endswith("decimal=point")
    forget_source(home, "exam")
    assert named_sources(home) == {}
    with pytest.raises(SourceError):
        forget_source(home, "exam")
    with pytest.raises(SourceError, match="There is no source 'exam'"):
        load_problems("exam", home)
    assert load_problems(problem_set.source, home).content_hash == problem_set.content_hash


@pytest.mark.parametrize("name", [*BUILT_IN, "", "a/b", "../x", "a b", "x" * 200])
def test_a_source_cannot_be_called_anything(name: str, home: Home) -> None:
    with pytest.raises(SourceError):
        keep_source(home, name, Source("/data/a"))


@pytest.mark.parametrize("content", [b"exam = ", b"\xff\xfe", b"[exam"])
def test_a_broken_file_of_sources_is_named(content: bytes, home: Home) -> None:
    home.root.mkdir(parents=True, exist_ok=True)
    (home.root / NAMED_SOURCES_FILE).write_bytes(content)
    for ask in (lambda: named_sources(home), lambda: load_problems("exam", home)):
        with pytest.raises(SourceError, match=NAMED_SOURCES_FILE):
            ask()
    assert load_problems("demo", home).problems


def held(problems: Sequence[Problem]) -> list[str]:
    return [problem.id for problem in problems if problem.split == "test"]


def test_a_share_or_a_number_is_held_out_by_a_seed_and_ids_stay(tmp_path: Path, home: Home) -> None:
    file = write(tmp_path / "all.jsonl", sums(100))
    sets = {said: load_problems(f"{file}?hold_out={said}", home) for said in ("0.1", "10", "20", "10&seed=1")}
    ids = {said: held(problem_set.problems) for said, problem_set in sets.items()}
    assert ids["0.1"] == ids["10"]
    assert len(ids["10"]) == 10
    assert set(ids["10"]) < set(ids["20"])
    assert ids["10&seed=1"] != ids["10"]
    for problem_set in sets.values():
        assert {problem.id for problem in problem_set.problems} == {f"train-{row}" for row in range(100)}
        assert [problem.split for problem in problem_set.problems] == sorted(
            (problem.split for problem in problem_set.problems), reverse=True
        )
    assert len({problem_set.content_hash for problem_set in sets.values()}) == 3


def test_what_is_held_out_does_not_depend_on_the_order_of_rows(tmp_path: Path, home: Home) -> None:
    rows = sums(50)
    questions = []
    for place, order in enumerate((rows, rows[::-1])):
        file = write(tmp_path / f"{place}.jsonl", order)
        held_out = load_problems(f"{file}?hold_out=0.2", home).of_split("test")
        questions.append({problem.question for problem in held_out})
    assert questions[0] == questions[1]


def test_problems_of_the_same_words_or_template_stay_together(tmp_path: Path, home: Home) -> None:
    rows = [
        {"question": text.format(row // 2), "answer": "#### 1"} for row in range(40) for text in ("Is {} more?", "is {} MORE")
    ]
    file = write(tmp_path / "all.jsonl", [*rows, *sums(40)])
    by_words, by_template = (load_problems(f"{file}?hold_out=0.3&together={said}", home) for said in ("question", "template"))
    for split in ("train", "test"):
        others = "test" if split == "train" else "train"
        questions = {p.question.casefold().strip("?") for p in by_words.of_split(split)}
        assert not questions & {p.question.casefold().strip("?") for p in by_words.of_split(others)}
    of_template = {p.split for p in by_template.problems if "more" in p.question.casefold()}
    assert len(of_template) == 1


def test_problems_with_the_same_value_of_a_column_stay_together(tmp_path: Path, home: Home) -> None:
    rows = [row | {"original_id": number % 10} for number, row in enumerate(sums(40))]
    file = write(tmp_path / "all.jsonl", [*rows, *sums(4)])
    problems = load_problems(f"{file}?hold_out=0.3&together=original_id", home)
    held_out, kept = ({p.columns.get("original_id") for p in problems.of_split(split)} for split in ("test", "train"))
    assert held_out - {None}
    assert not (held_out & kept) - {None}


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (sums(4), "hold_out=0.5&together=colour", "No problem has the column 'colour'"),
        ([*sums(3), sums(1, split="test")[0]], "hold_out=0.5", "has a test split"),
        (sums(3), "hold_out=3", "leaves no problem"),
        (sums(3), "hold_out=0.01", "leaves no problem"),
        (sums(1) * 5, "hold_out=0.2", "leaves no problem"),
    ],
)
def test_a_hold_out_that_cannot_be_is_refused(
    rows: list[dict[str, Any]], options: str, message: str, tmp_path: Path, home: Home
) -> None:
    file = write(tmp_path / "all.jsonl", rows)
    with pytest.raises(SourceError, match=message):
        load_problems(f"{file}?{options}", home)


def test_a_sample_is_seeded_nested_and_keeps_the_order() -> None:
    problems = load_problems("demo").of_split("test")
    ids = [problem.id for problem in problems]
    small, large = ([problem.id for problem in sample(problems, number)] for number in (20, 60))
    assert (len(small), len(large)) == (20, 60)
    assert set(small) < set(large)
    assert [name for name in ids if name in large] == large
    assert small != ids[:20]
    assert [problem.id for problem in sample(problems, 20)] == small
    assert sample(problems, 10_000) == problems
    assert sample(problems, 0) == ()
    assert "drawn with seed 0" in stated(problems, 20, "test")
    assert stated(problems, 400, "test") == "all 400 test problems"


def test_a_run_whose_problems_changed_does_not_go_on(tmp_path: Path, store: Store, home: Home) -> None:
    rows = sums(8)
    file = write(tmp_path / "train.jsonl", rows)
    config, _ = prepare_run(store, home, full_demo_run(source=str(file), evaluation_problems=0))
    job, _ = store.create_job("train", "run", config.model_dump(mode="json"))
    write(file, [{"question": "First?", "answer": "#### 0"}, *rows])
    with pytest.raises(SourceError, match="are others than when this was begun"):
        resume_run(store, home, job.id)
    write(file, rows)
    load_problems(config.source, home).require_content(config.content_hash)


def test_an_evaluation_of_problems_that_changed_is_another(tmp_path: Path, store: Store, home: Home) -> None:
    file = write(tmp_path / "train.jsonl", sums(8))
    first = evaluation_spec("demo", before := load_problems(str(file), home), **SETTINGS)
    write(file, sums(7))
    second = evaluation_spec("demo", load_problems(str(file), home), **SETTINGS)
    assert queue_job(store, home, EVALUATE, first)[0].id != queue_job(store, home, EVALUATE, second)[0].id
    assert evaluated_problems(first, before) == before.problems
    with pytest.raises(SourceError):
        evaluated_problems(first, load_problems(str(file), home))


@pytest.mark.parametrize("changed", [{"question": "Other?"}, {"answer": "2\n#### 1"}, {"answer": "#### 2"}])
def test_the_content_s_hash_is_of_questions_answers_and_golds(changed: dict[str, str], tmp_path: Path, home: Home) -> None:
    row = {"question": "One?", "answer": "#### 1", "level": 1}
    file = tmp_path / "train.jsonl"
    kept = load_problems(str(write(file, [row])), home).content_hash
    assert load_problems(str(write(file, [row | {"level": 2}])), home).has_content(kept)
    assert not load_problems(str(write(file, [row | changed])), home).has_content(kept)


def test_another_gold_of_the_same_answer_is_another_content(tmp_path: Path, home: Home) -> None:
    file = write(tmp_path / "train.jsonl", [{"question": "One?", "solution": "It is 1 or 2.", "a": "1", "b": "2"}])
    hashes = {load_problems(f"{file}?gold={gold}", home).content_hash for gold in ("a", "b")}
    assert len(hashes) == 2


def test_ids_of_one_s_own_are_taken_and_repeated_ones_rejected(tmp_path: Path, home: Home) -> None:
    names: list[object] = ["sum-a", 7, "sum-a", "", None, 1.5]
    rows = [row | {"name": name} for row, name in zip(sums(6), names, strict=True)]
    problem_set = load_problems(f"{write(tmp_path / 'train.jsonl', rows)}?id=name", home)
    assert [problem.id for problem in problem_set.problems] == ["sum-a", "7"]
    assert [rejection.line for rejection in problem_set.rejected] == [3, 4, 5, 6]


def test_ids_that_differ_late_are_not_the_same(tmp_path: Path, home: Home) -> None:
    rows = [row | {"name": "x" * 250 + str(place)} for place, row in enumerate(sums(3))]
    problem_set = load_problems(f"{write(tmp_path / 'train.jsonl', rows)}?id=name", home)
    assert len({problem.id for problem in problem_set.problems}) + len(problem_set.rejected) == 3
    assert all(len(problem.id) <= 200 for problem in problem_set.problems)
