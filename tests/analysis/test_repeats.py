"""Problems that repeat an earlier one of their split: found, counted, and left out of what they would spoil."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from analysis import report as reports
from analysis.atlas import AtlasParameters, open_atlas
from analysis.cache import Cache
from analysis.clusters import Clusters
from analysis.embed import unit_rows
from analysis.neighbors import nearest_neighbors
from analysis.repeats import Duplicates, describe_repeats, distinct, find_repeats, without_repeats
from analysis.report import Report, make_report
from training.data.problem import Problem, Split
from training.data.problems import load_problems
from training.data.reader import parse_problem
from training.home import Home


def problem(number: int, question: str, split: Split = "train", steps: int = 1) -> Problem:
    answer = "Some more.\n" * (steps - 1) + "1+1=<<1+1=2>>2\n#### 2"
    return parse_problem({"question": question, "answer": answer}, f"{split}-{number}", split)


PROBLEMS = [
    problem(0, "Ann has 3 hats. How many?"),
    problem(1, "Trains leave at noon?"),
    problem(2, "ann has 3 hats: how many"),
    problem(3, "Ann has 1,200 hats. How many?"),
    problem(4, "Trains go at noon?"),
    problem(0, "Ann has 3 hats. How many?", "test"),
    problem(1, "Trains leave at 12 - 3?", "test"),
    problem(2, "Trains leave at 12 + 3?", "test"),
]


def test_a_problem_repeats_the_first_of_its_split_in_the_first_way_that_fits() -> None:
    angles = np.array([0, 1, 0, 0.5, 1.1, 0, 2, 3])
    embeddings = np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)
    found = find_repeats(PROBLEMS, nearest_neighbors(embeddings, 7))
    assert {repeat.problem_id: (repeat.original_id, repeat.kind) for repeat in found.values()} == {
        "train-2": ("train-0", "question"),
        "train-3": ("train-0", "template"),
        "train-4": ("train-1", "near"),
    }
    assert set(find_repeats(PROBLEMS)) == {"train-2", "train-3"}
    duplicates = describe_repeats(PROBLEMS, found, 0)
    assert duplicates is not None
    assert duplicates.problems == {"train": 5, "test": 3}
    assert duplicates.counts == {kind: {"train": 1, "test": 0} for kind in ("question", "template", "near")}
    assert duplicates.answer == "Yes."
    assert duplicates.numbers.startswith(
        "3 of 5 train problems repeat an earlier one: 1 word for word, 1 but for the numbers, 1 nearly"
    )
    adapter = TypeAdapter(Duplicates)
    assert adapter.validate_json(adapter.dump_json(duplicates)) == duplicates


def test_dropping_takes_the_kinds_that_are_asked_for_and_keeps_the_order() -> None:
    found = find_repeats(PROBLEMS)
    kept = [problem.id for problem in without_repeats(PROBLEMS, found, ["question"])]
    assert kept == ["train-0", "train-1", "train-3", "train-4", "test-0", "test-1", "test-2"]
    assert len(without_repeats(PROBLEMS, found, ["question", "template"])) == 6
    assert without_repeats(PROBLEMS, found, []) == tuple(PROBLEMS)


def copied(copies: int) -> tuple[list[Problem], np.ndarray]:
    """120 train problems with steps at random, the last ones copies of the first thirty, and thirty test problems."""
    random = np.random.default_rng(0)
    steps, places = random.integers(1, 9, 120), random.normal(size=(150, 12))
    originals = np.concatenate([np.arange(120 - copies), np.arange(copies) % 30, np.arange(120, 150)])
    problems = [
        problem(row, f"Question {'x' * (1 + int(original))}", "train" if row < 120 else "test", int(steps[original % 120]))
        for row, original in enumerate(originals)
    ]
    return problems, unit_rows(places[originals].astype(np.float32))


def report_of(problems: Sequence[Problem], embeddings: np.ndarray) -> Report:
    clusters = Clusters((np.arange(len(problems)) % 2).astype(np.int16), ("a", "b"), (0, 1), "the map", {"the map": 0.1})
    kept = np.full(len(problems), 0.5, np.float32)
    return make_report(problems, embeddings, nearest_neighbors(embeddings, 50), clusters, kept, [], None)


def test_copies_do_not_make_position_tell_difficulty() -> None:
    problems, embeddings = copied(90)
    found = report_of(problems, embeddings)
    assert found.difficulty is not None
    assert found.mixing is not None
    assert found.duplicates is not None
    indices = nearest_neighbors(embeddings, 15).indices
    steps = np.array([len(problem.steps) for problem in problems])
    with_copies = reports.findings.measure_difficulty(steps, indices, {})
    assert with_copies is not None
    assert with_copies.r_squared > 0.2 > 0.1 > found.difficulty.r_squared
    assert found.difficulty.left_out == found.mixing.left_out == found.duplicates.left_out == 90
    assert found.mixing.base_rate == 0.5
    assert "90 problems that repeat another are left out." in found.difficulty.reading
    assert "measured without those word for word" in found.duplicates.reading
    assert found.explained["duplicates"].address == f"/?problem={found.duplicates.pairs[0].problem_id}"


def test_a_single_copy_changes_nothing() -> None:
    problems, embeddings = copied(1)
    found = report_of(problems, embeddings)
    assert found.duplicates is not None
    assert found.duplicates.counts["question"]["train"] == 1
    assert found.duplicates.left_out == 0
    assert found.difficulty is not None
    assert found.difficulty.left_out == 0


def test_a_problem_a_hundred_times_has_no_neighbours_of_its_own() -> None:
    problems = [problem(row, "The same?") for row in range(100)]
    embeddings = np.tile(np.eye(1, 4, dtype=np.float32), (100, 1))
    basis = distinct(problems, find_repeats(problems), embeddings, nearest_neighbors(embeddings, 15).indices)
    assert (basis.rows.tolist(), basis.indices.shape, basis.left_out) == ([0], (1, 0), 99)
    found = report_of(problems, embeddings)
    assert (found.mixing, found.difficulty) == (None, None)
    assert found.duplicates is not None
    assert found.duplicates.numbers.startswith("99 of 100 train problems repeat an earlier one: 99 word for word.")


def test_the_first_pairs_are_kept_and_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.repeats.MAX_PAIRS", 3)
    problems = [replace(problem(row, f"Number {row}?"), question=f"Number {row}?") for row in range(10)]
    duplicates = describe_repeats(problems, find_repeats(problems), 9)
    assert duplicates is not None
    assert describe_repeats(problems[:1], {}, 0) is None
    assert [pair.problem_id for pair in duplicates.pairs] == ["train-1", "train-2", "train-3"]
    assert duplicates.counts["template"]["train"] == 9


def test_gsm8k_repeats_nothing_word_for_word(gsm8k_home: Home) -> None:
    atlas = open_atlas(load_problems("auto", gsm8k_home), AtlasParameters(), Cache.from_home(gsm8k_home))
    assert atlas is not None
    assert atlas.report is not None
    assert atlas.report.duplicates is not None
    counts = atlas.report.duplicates.counts
    assert counts["question"] == {"train": 0, "test": 0}
    assert counts["template"] == {"train": 1, "test": 0}
    assert counts["near"] == {"train": 2, "test": 0}
    assert atlas.report.duplicates.left_out == 0
