"""Findings on sets whose answer is known, and GSM8K's figures."""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.atlas import Atlas, AtlasParameters, open_atlas
from analysis.cache import Cache
from analysis.embed import unit_rows
from analysis.findings import Findings, findings
from analysis.neighbors import nearest_neighbors
from training.home import Home
from training.problems import Problem, ProblemSet, load_problems, parse_problem


def problem(index: int, split: str, steps: int) -> Problem:
    answer = "".join(f"step {step}\n" for step in range(steps)) + f"#### {index}"
    return parse_problem({"question": f"Question {index}?", "answer": answer}, f"{split}-{index}", split)


def atlas_of(embeddings: NDArray[np.float32], splits: Sequence[str], steps: Sequence[int]) -> Atlas:
    problems = tuple(problem(index, split, count) for index, (split, count) in enumerate(zip(splits, steps, strict=True)))
    rows = unit_rows(embeddings.astype(np.float32))
    layout = np.zeros((len(rows), 2), np.float32)
    return Atlas(ProblemSet("Few", "few", problems), AtlasParameters(), rows, nearest_neighbors(rows, 15), layout)


def two_groups(splits: Sequence[str], steps: Sequence[int]) -> Atlas:
    """200 problems, the first hundred around one direction and the others around another."""
    rows = np.random.default_rng(0).normal(scale=0.1, size=(200, 8))
    rows[:100, 0] += 1
    rows[100:, 1] += 1
    return atlas_of(rows, splits, steps)


def test_splits_in_two_places_are_found_to_differ() -> None:
    mixing = findings(two_groups(["test"] * 100 + ["train"] * 100, [2] * 200)).mixing
    assert mixing is not None
    assert (mixing.test_share, mixing.base_rate) == (1.0, 0.5)
    assert mixing.chance[1] < 0.6
    assert "the splits differ" in mixing.reading


def test_alternating_splits_are_found_to_be_mixed() -> None:
    mixing = findings(two_groups(["test", "train"] * 100, [2] * 200)).mixing
    assert mixing is not None
    assert "the splits are mixed" in mixing.reading


def test_steps_that_follow_position_are_predicted_and_others_are_not() -> None:
    splits = ["train"] * 200
    following = findings(two_groups(splits, [2] * 100 + [6] * 100)).difficulty
    unrelated = findings(two_groups(splits, [2, 6] * 100)).difficulty
    assert following is not None
    assert unrelated is not None
    assert following.r_squared == 1.0
    assert "says much" in following.reading
    assert unrelated.r_squared < 0.1
    assert unrelated.interval[0] < unrelated.r_squared < unrelated.interval[1]
    assert "almost nothing" in unrelated.reading


def test_a_copied_test_problem_is_the_nearest_pair() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 32))
    rows[50] = rows[7]
    leakage = findings(atlas_of(rows, ["train"] * 50 + ["test"] * 10, [2] * 60)).leakage
    assert leakage is not None
    assert (leakage.pairs[0].test_id, leakage.pairs[0].train_id) == ("test-50", "train-7")
    assert leakage.highest == pytest.approx(1.0)
    assert leakage.above == {0.80: 1, 0.85: 1}
    assert len(leakage.pairs) == leakage.tests == 10
    assert [pair.cosine for pair in leakage.pairs] == sorted((pair.cosine for pair in leakage.pairs), reverse=True)


@pytest.mark.parametrize("count", [1, 2, 30])
def test_what_the_data_cannot_tell_is_none(count: int) -> None:
    rows = np.random.default_rng(0).normal(size=(count, 8))
    found = findings(atlas_of(rows, ["train"] * count, [2] * count))
    assert found == Findings(mixing=None, difficulty=None, leakage=None)
    assert found.readings == ()


def test_two_problems_of_either_split_have_findings() -> None:
    found = findings(atlas_of(np.eye(2), ["train", "test"], [2, 3]))
    assert found.mixing is not None
    assert found.mixing.test_share == 0.0
    assert found.leakage is not None
    assert found.leakage.highest == 0.0


def test_findings_repeat_themselves_and_are_json() -> None:
    atlas = two_groups(["test", "train"] * 100, [2, 3, 4, 5] * 50)
    assert findings(atlas) == findings(atlas)
    assert json.loads(json.dumps(dataclasses.asdict(findings(atlas))))["leakage"]["tests"] == 100


def test_gsm8k_has_mixed_splits_no_difficulty_by_position_and_little_leakage(gsm8k_home: Home) -> None:
    atlas = open_atlas(load_problems("auto", gsm8k_home), AtlasParameters(), Cache.from_home(gsm8k_home))
    assert atlas is not None
    found = findings(atlas)
    assert found.mixing is not None
    assert found.mixing.test_share == pytest.approx(0.143, abs=0.0005)
    assert found.mixing.base_rate == pytest.approx(0.150, abs=0.0005)
    assert found.difficulty is not None
    assert found.difficulty.r_squared == pytest.approx(0.024, abs=0.0005)
    assert found.leakage is not None
    assert found.leakage.highest == pytest.approx(0.896, abs=0.0005)
    assert found.leakage.above == {0.80: 90, 0.85: 13}
