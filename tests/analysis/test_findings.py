"""Findings on sets whose answer is known, and GSM8K's figures."""

from collections.abc import Sequence
from dataclasses import replace
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter

from analysis.atlas import AtlasParameters, open_atlas
from analysis.cache import Cache
from analysis.clusters import Clusters
from analysis.embed import unit_rows
from analysis.finding import TOO_FEW
from analysis.findings import (
    Difficulty,
    Mixing,
    correlate,
    describe_topics,
    measure_difficulty,
    measure_mixing,
    step_features,
    steps_and_pass_rate,
)
from analysis.neighbors import nearest_neighbors
from training.data.problem import Problem
from training.data.problems import load_problems
from training.data.reader import parse_problem
from training.home import Home

HALVES = Clusters(
    labels=np.repeat([0, 1], 100).astype(np.int16),
    names=("kites, wind, string", "bread, jam, knife"),
    typical=(3, 150),
    space="8-D",
    modularity={"8-D": 0.5},
)
IDS = [f"train-{row}" for row in range(200)]


def two_groups() -> NDArray[np.int32]:
    """(200, 15) neighbours: the first hundred problems have each other, the others too."""
    rows = np.random.default_rng(0).normal(scale=0.1, size=(200, 8))
    rows[:100, 0] += 1
    rows[100:, 1] += 1
    return nearest_neighbors(unit_rows(rows.astype(np.float32)), 15).indices


def halves(value: object, other: object) -> NDArray:
    return np.array([value] * 100 + [other] * 100)


def in_turn(*values: object) -> NDArray:
    return np.array(values * (200 // len(values)))


def problem(index: int, steps: Sequence[str]) -> Problem:
    answer = "".join(f"{step}\n" for step in steps) + "#### 7"
    return parse_problem({"question": f"What is question {index}?", "answer": answer}, f"train-{index}", "train")


def test_splits_in_two_places_are_found_to_differ_and_so_are_their_clusters() -> None:
    mixing = measure_mixing(halves(True, False), two_groups(), HALVES)
    assert mixing is not None
    assert (mixing.test_share, mixing.base_rate) == (1.0, 0.5)
    assert mixing.chance[1] < 0.6
    assert [cluster.number for cluster in mixing.outlying] == [0, 1]
    assert mixing.outlying[0].test_share == 1.0
    assert mixing.outlying[0].chance[1] < 0.6
    assert mixing.answer == "No: test problems keep to themselves."
    assert "2 have more or fewer" in mixing.reading


def test_alternating_splits_are_found_to_be_mixed_in_every_cluster() -> None:
    mixing = measure_mixing(in_turn(True, False), two_groups(), HALVES)
    assert mixing is not None
    assert mixing.outlying == ()
    assert mixing.answer == "Yes."
    assert "None of 2 clusters" in mixing.reading


def test_the_interval_of_a_cluster_is_exact_and_wider_for_more_clusters() -> None:
    is_test = np.zeros(200, bool)
    is_test[:10] = True
    few = measure_mixing(is_test, two_groups(), HALVES)
    labels = np.concatenate([np.zeros(10), np.repeat(np.arange(1, 20), 10)]).astype(np.int16)
    names = tuple(f"name {number}" for number in range(20))
    many = measure_mixing(is_test, two_groups(), Clusters(labels, names, tuple(range(20)), "8-D", {}))
    assert few is not None
    assert many is not None
    assert [cluster.number for cluster in few.outlying] == [0, 1]
    assert few.outlying[0].chance == (0.02, 0.08)
    assert chance_of_fewer(2, draw=100) <= 0.025 / 2 < chance_of_fewer(3, draw=100)
    assert chance_of_fewer(8, draw=100) < 1 - 0.025 / 2 <= chance_of_fewer(9, draw=100)
    assert [cluster.number for cluster in many.outlying] == [0]
    assert many.outlying[0].chance == (0.0, 0.3)
    assert chance_of_fewer(3, draw=10) < 1 - 0.025 / 20 <= chance_of_fewer(4, draw=10)


def chance_of_fewer(limit: int, draw: int) -> float:
    """That among `draw` of 200 problems, 10 of them test, fewer than `limit` are test."""
    return sum(comb(10, count) * comb(190, draw - count) for count in range(limit)) / comb(200, draw)


def test_one_split_has_no_mixing() -> None:
    assert measure_mixing(np.zeros(200, bool), two_groups(), HALVES) is None
    assert measure_mixing(np.ones(1, bool), np.empty((1, 0), np.int32)) is None


def test_topics_tell_each_clusters_figures_and_name_the_island() -> None:
    labels = np.where(np.arange(200) < 90, 0, np.where(np.arange(200) < 100, -1, 1)).astype(np.int16)
    clusters = Clusters(labels, HALVES.names, HALVES.typical, "8-D", {"8-D": 0.5, "layout": 0.3})
    topics = describe_topics(clusters, two_groups(), halves(True, False), halves(2, 6), IDS)
    assert topics is not None
    first, second = topics.topics
    assert (first.size, first.test_share, first.mean_steps, first.typical_id) == (90, 1.0, 2.0, "train-3")
    assert (second.size, second.isolation) == (100, 1.0)
    assert first.isolation < 1.0
    assert topics.unclustered == 0.05
    assert topics.island == second
    assert "bread, jam, knife" in topics.reading


def test_the_largest_of_equally_isolated_topics_is_the_island() -> None:
    topics = describe_topics(HALVES, two_groups(), halves(True, False), halves(2, 6), IDS)
    assert topics is not None
    assert topics.island.number == 0


def test_no_cluster_has_no_topics() -> None:
    none = Clusters(np.full(200, -1, np.int16), (), (), "8-D", {"8-D": 0.0})
    assert describe_topics(none, two_groups(), halves(True, False), halves(2, 6), IDS) is None
    mixing = measure_mixing(halves(True, False), two_groups(), none)
    assert mixing is not None
    assert mixing.outlying == ()


def test_steps_that_follow_position_are_predicted_and_others_are_not() -> None:
    following = measure_difficulty(halves(2, 6), two_groups(), {})
    unrelated = measure_difficulty(in_turn(2, 6), two_groups(), {})
    assert following is not None
    assert unrelated is not None
    assert following.r_squared == 1.0
    assert following.answer == "Yes."
    assert unrelated.r_squared < 0.1
    assert unrelated.interval[0] < unrelated.r_squared < unrelated.interval[1]
    assert unrelated.answer == "No."


def test_steps_are_correlated_with_features_that_change() -> None:
    steps = in_turn(2, 3, 4, 5)
    features = {"length": steps**2.0, "noise": np.random.default_rng(0).normal(size=200), "constant": np.ones(200)}
    difficulty = measure_difficulty(steps, two_groups(), features)
    assert difficulty is not None
    length, noise = difficulty.correlations
    assert length.rho == pytest.approx(1.0)
    assert noise.interval[0] < 0 < noise.interval[1]
    assert "length +1.00" in difficulty.reading


def test_a_rank_correlation_agrees_with_scipy_and_its_interval_covers_the_truth() -> None:
    from scipy.stats import spearmanr

    random = np.random.default_rng(0)
    truth, covered = 0.5, 0
    for _ in range(200):
        one, noise = random.normal(size=(2, 300))
        # The Pearson correlation whose Spearman correlation is 0.5, for normal values.
        pearson = 2 * np.sin(np.pi * truth / 6)
        found = correlate("x", one, pearson * one + np.sqrt(1 - pearson**2) * noise)
        assert found is not None
        covered += found.interval[0] < truth < found.interval[1]
    assert 180 <= covered <= 198
    steps, values = random.integers(2, 9, 100).astype(float), random.integers(0, 5, 100).astype(float)
    tied = correlate("x", steps, values)
    assert tied is not None
    assert tied.rho == pytest.approx(spearmanr(steps, values).statistic)


def test_features_of_steps_count_words_equations_and_operations() -> None:
    few = problem(0, ["<<1+2*3=7>>7", "<<-4//(2-1)=-4>>", "no equation"])
    features = step_features([few, problem(1, ["x"])])
    assert {name: values.tolist() for name, values in features.items()} == {
        "question length": [4, 4],
        "number of equations": [2, 0],
        "number of operations": [4, 0],
    }


def test_pass_rates_are_correlated_over_the_problems_that_have_one() -> None:
    problems = [problem(index, ["step"] * (1 + index % 5)) for index in range(50)]
    rates = {f"train-{index}": 1 - (index % 5) / 5 for index in range(30)} | {"train-999": 0.0}
    found = steps_and_pass_rate(problems, rates)
    assert found is not None
    assert (found.problems, found.name) == (30, "pass rate")
    assert found.rho == pytest.approx(-1.0)
    assert steps_and_pass_rate(problems, {"train-1": 0.5}) is None


@pytest.mark.parametrize("count", [1, 2, 30])
def test_what_the_data_cannot_tell_is_none(count: int) -> None:
    indices = nearest_neighbors(unit_rows(np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)), 15).indices
    assert measure_mixing(np.zeros(count, bool), indices) is None
    assert measure_difficulty(np.full(count, 2), indices, {}) is None


def test_two_problems_of_either_split_are_mixed() -> None:
    mixing = measure_mixing(np.array([True, False]), np.array([[1], [0]], np.int32))
    assert mixing is not None
    assert mixing.test_share == 0.0


def test_few_problems_are_too_few_for_an_answer() -> None:
    indices = nearest_neighbors(unit_rows(np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)), 15).indices
    is_test, steps = np.arange(30) < 15, np.arange(30) % 4
    clusters = Clusters(np.zeros(30, np.int16), ("kites",), (0,), "8-D", {})
    for found in (
        measure_mixing(is_test, indices),
        measure_difficulty(steps, indices, {}),
        describe_topics(clusters, indices, is_test, steps, IDS[:30]),
    ):
        assert found is not None
        assert found.answer == TOO_FEW
        assert found.reading.startswith(f"{TOO_FEW} ")


def test_a_wide_interval_gives_no_answer() -> None:
    difficulty = Difficulty(0.3, (0.05, 0.55), (), problems=60)
    assert difficulty.answer == TOO_FEW
    assert replace(difficulty, interval=(0.2, 0.4)).answer == "In part."


def test_a_difference_that_is_certain_but_small_is_called_so() -> None:
    mixing = Mixing(0.17, 0.15, (0.145, 0.155), clusters=0, outlying=(), problems=90_000)
    assert mixing.answer == "Nearly: test problems keep to themselves a little."


def test_findings_repeat_themselves_and_come_back_from_json() -> None:
    indices, steps = two_groups(), in_turn(2, 3, 4, 5)
    for make in (
        lambda: measure_mixing(halves(True, False), indices, HALVES),
        lambda: describe_topics(HALVES, indices, halves(True, False), steps, IDS),
        lambda: measure_difficulty(steps, indices, {"length": steps**2.0}),
    ):
        found = make()
        adapter = TypeAdapter(type(found))
        assert found is not None
        assert adapter.validate_json(adapter.dump_json(found)) == found == make()


def test_gsm8k_has_mixed_splits_and_no_difficulty_by_position(gsm8k_home: Home) -> None:
    atlas = open_atlas(load_problems("auto", gsm8k_home), AtlasParameters(), Cache.from_home(gsm8k_home))
    assert atlas is not None
    problems, indices = atlas.problem_set.problems, atlas.neighbors.first(15).indices
    mixing = measure_mixing(np.array([problem.split == "test" for problem in problems]), indices)
    steps = np.array([len(problem.steps) for problem in problems])
    difficulty = measure_difficulty(steps, indices, step_features(problems))
    assert mixing is not None
    # Processors calculate embeddings in different number formats, so a neighbour in a hundred is another one.
    assert mixing.test_share == pytest.approx(0.143, abs=0.002)
    assert mixing.base_rate == pytest.approx(0.150, abs=0.0005)
    assert difficulty is not None
    assert difficulty.r_squared == pytest.approx(0.024, abs=0.002)
    assert {found.name: round(found.rho, 2) for found in difficulty.correlations} == {
        "question length": 0.38,
        "number of equations": 0.77,
        "number of operations": 0.68,
    }
