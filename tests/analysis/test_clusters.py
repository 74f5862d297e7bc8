"""Clusters are found where there are some, named by what sets them apart, and never fail on what has none."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis import clusters
from analysis.atlas import AtlasParameters, open_atlas
from analysis.cache import Cache
from analysis.clusters import Clusters, find_clusters, modularity, name_clusters, pack_clusters, unpack_clusters
from analysis.embed import unit_rows
from analysis.layout import lay_out
from analysis.neighbors import nearest_neighbors
from training.data.problems import load_problems
from training.home import Home

TEXTS = (
    "Natalia has apples and {} pears. How much fruit does Natalia have?",
    "A train drives {} miles. How long does the train drive?",
    "{} years ago Tom was younger than Ann. How old is Tom?",
)


def groups(sizes: Sequence[int], noise: int = 0) -> tuple[NDArray[np.float32], list[str]]:
    """Embeddings around one axis a group, then some anywhere, and a question for each."""
    random = np.random.default_rng(0)
    rows = np.concatenate([random.normal(scale=0.05, size=(size, 8)) + np.eye(8)[axis] for axis, size in enumerate(sizes)])
    rows = np.concatenate([rows, random.normal(size=(noise, 8))])
    questions = [TEXTS[axis % 3].format(number) for axis, size in enumerate(sizes) for number in range(size)]
    return unit_rows(rows.astype(np.float32)), questions + ["Nothing in particular."] * noise


def found_in(embeddings: NDArray[np.float32], questions: Sequence[str], **spaces: NDArray[np.float32]) -> Clusters:
    return find_clusters(spaces or {"layout": embeddings[:, :3]}, embeddings, nearest_neighbors(embeddings, 50), questions)


def test_groups_are_found_and_numbered_by_falling_size() -> None:
    embeddings, questions = groups((30, 80, 50))
    found = found_in(embeddings, questions)
    assert found.sizes == (80, 50, 30)
    assert found.labels.dtype == np.int16
    assert np.array_equal(found.labels, [2] * 30 + [0] * 80 + [1] * 50)
    assert "miles" in found.names[0]
    assert "old" in found.names[1]
    assert "apples" in found.names[2]


def test_the_typical_problem_belongs_to_its_cluster_and_is_nearest_to_its_mean() -> None:
    embeddings, questions = groups((30, 80, 50))
    found = found_in(embeddings, questions)
    for number, row in enumerate(found.typical):
        members = embeddings[found.labels == number]
        assert found.labels[row] == number
        assert embeddings[row] @ members.mean(axis=0) == pytest.approx((members @ members.mean(axis=0)).max())


def test_the_space_that_agrees_better_with_the_neighbors_wins() -> None:
    embeddings, questions = groups((60, 60, 60))
    shuffled = np.random.default_rng(1).permutation(embeddings)[:, :3]
    found = found_in(embeddings, questions, shuffled=shuffled, true=embeddings[:, :3])
    assert found.space == "true"
    assert found.modularity["true"] == pytest.approx(2 / 3, abs=0.01)
    assert found.modularity["shuffled"] < 0.1


def test_modularity_of_two_cliques_is_a_half_and_of_one_cluster_or_none_is_about_zero() -> None:
    own_half = np.array([[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]], np.int32)
    assert modularity(np.array([0, 0, 0, 1, 1, 1]), own_half) == pytest.approx(0.5)
    assert modularity(np.zeros(6, np.int16), own_half) == pytest.approx(0.0)
    assert modularity(np.full(6, -1, np.int16), own_half) == pytest.approx(-1 / 6)
    assert modularity(np.zeros(1, np.int16), np.empty((1, 0), np.int32)) == 0.0


@pytest.mark.parametrize("total", [1, 2, 9, 10, 40])
def test_few_or_identical_problems_have_no_clusters(total: int) -> None:
    embeddings = np.tile(unit_rows(np.ones((1, 4), np.float32)), (total, 1))
    found = found_in(embeddings, ["Same?"] * total)
    assert np.array_equal(found.labels, np.full(total, -1))
    assert (found.names, found.typical, found.sizes) == ((), (), ())


def test_equal_points_in_several_places_and_no_space_at_all_do_not_fail() -> None:
    embeddings = np.repeat(np.eye(3, dtype=np.float32), 30, axis=0)
    assert len(found_in(embeddings, ["Same?"] * 90).labels) == 90
    none = find_clusters({}, embeddings, nearest_neighbors(embeddings, 15), ["Same?"] * 90)
    assert (none.space, none.names, dict(none.modularity)) == ("", (), {})


def test_more_problems_than_the_sample_are_all_labelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "SAMPLE", 60)
    embeddings, questions = groups((100, 80, 60))
    found = found_in(embeddings, questions)
    assert len(found.names) == 3
    assert (found.labels >= 0).mean() > 0.8
    for start, stop in ((0, 100), (100, 180), (180, 240)):
        assert len(set(found.labels[start:stop][found.labels[start:stop] >= 0])) == 1


def test_names_leave_out_persons_numbers_and_stop_words_but_keep_days() -> None:
    questions = ["On Monday Natalia gave Bob 12 kites. How many kites does Bob have on Monday?"] * 5
    others = ["Then Bob, a cook, bakes bread for Natalia."] * 5
    names = name_clusters(np.repeat([0, 1], 5), questions + others)
    assert set(names[0].split(", ")) == {"gave", "kites", "monday"}
    assert set(names[1].split(", ")) == {"bakes", "bread", "cook"}


def test_a_name_holds_no_two_forms_of_one_word() -> None:
    questions = ["one kite, two kites, a berry, berries, painted paint, a tree, trees"] * 5
    name = name_clusters(np.zeros(5, np.int16), questions)[0].split(", ")
    assert len({word[:4] for word in name}) == len(name) == 3


def test_clusters_of_equal_words_get_different_names() -> None:
    questions = ["red kites in the green park by the blue lake"] * 20
    names = name_clusters(np.repeat(np.arange(4), 5), questions)
    assert len(set(names)) == 4


@pytest.mark.parametrize("text", ["", "12 + 7 = ?", "<b>\x00\t\n", "二つのりんごがあります", "z" * 1000, "🙂"])
def test_questions_without_words_still_get_names(text: str) -> None:
    names = name_clusters(np.repeat([0, 1], 5), [text] * 10)
    assert len(set(names)) == 2
    assert all(names)


def test_commands_of_latex_name_no_cluster() -> None:
    text = r"Find the matrix $\begin{pmatrix} x & \frac{1}{2} \end{pmatrix}$. [asy] draw(unitcircle); [/asy]"
    (name,) = name_clusters(np.zeros(9, int), [text] * 9)
    assert set(name.split(", ")) == {"matrix"}


def test_one_long_question_does_not_name_its_cluster() -> None:
    questions = ["kites and balloons and boats"] * 9 + ["zebra tiger lion " * 1000] + ["bread with butter and jam"] * 9
    names = name_clusters(np.repeat([0, 1], [10, 9]), questions)
    assert set(names[0].split(", ")) == {"kites", "balloons", "boats"}


@pytest.mark.parametrize("sizes", [(60, 60, 60), (1,)])
def test_clusters_come_back_from_the_cache_as_they_were(sizes: tuple[int, ...], home: Home) -> None:
    found = found_in(*groups(sizes))
    cache = Cache.from_home(home)
    cache.write("clusters-test", pack_clusters(found))
    stored = cache.read("clusters-test")
    assert stored is not None
    back = unpack_clusters(stored)
    assert np.array_equal(back.labels, found.labels)
    assert back.labels.dtype == np.int16
    assert (back.names, back.typical, back.space) == (found.names, found.typical, found.space)
    assert dict(back.modularity) == dict(found.modularity)


def test_gsm8k_has_about_sixty_clusters_one_of_them_about_ages(gsm8k_home: Home) -> None:
    atlas = open_atlas(load_problems("auto", gsm8k_home), AtlasParameters(), Cache.from_home(gsm8k_home))
    assert atlas is not None
    embeddings, neighbors = atlas.embeddings, atlas.neighbors.first(15)
    space = lay_out(embeddings, neighbors, dimensions=clusters.SPACE_DIMENSIONS, min_dist=clusters.SPACE_MIN_DIST, seed=42)
    found = find_clusters({"8-D": space}, embeddings, neighbors, [problem.question for problem in atlas.problem_set.problems])
    assert 50 <= len(found.names) <= 90
    assert (found.labels < 0).mean() < 0.4
    assert found.modularity["8-D"] > 0.45
    ages = next(number for number, name in enumerate(found.names) if set(name.split(", ")) == {"years", "old", "age"})
    inside = found.labels == ages
    assert 230 <= inside.sum() <= 300
    assert inside[neighbors.indices[inside]].mean() > 0.95
