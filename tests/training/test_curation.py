"""Subsets, cluster names and verdicts: kept in the store, tied to the data they were made from."""

from dataclasses import replace

import pytest

from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.errors import ConfigError
from training.home import Home
from training.presets import load_preset
from training.runs.launch import launch_run
from training.store import Store, curation
from training.store.curation import Subset, SubsetError

pytestmark = pytest.mark.both_databases


@pytest.fixture
def store(home: Home) -> Store:
    return Store.open(home.store_url, lambda: 1000.0)


@pytest.fixture(scope="module")
def demo() -> ProblemSet:
    return load_problems("demo")


def test_saving_under_a_name_again_makes_its_next_version(store: Store, demo: ProblemSet) -> None:
    first = curation.save_subset(store, "hard ones", demo, ["train-7", "test-1", "train-3"], "steps 6")
    second = curation.save_subset(store, " hard ones ", demo, ["train-4"], "steps 7")
    assert (first.reference, second.reference) == ("hard ones@1", "hard ones@2")
    assert curation.subset_ids(store, first) == ("train-3", "train-7", "test-1")
    assert curation.find_subset(store, "hard ones") == second
    assert curation.find_subset(store, "hard ones@1") == first
    assert first == Subset("hard ones", 1, "demo", demo.content_hash, 3, "steps 6", 1000.0)


def test_subsets_are_listed_by_data_set_newest_first(store: Store, demo: ProblemSet) -> None:
    other = replace(demo, problems=demo.problems[:5])
    curation.save_subset(store, "a", demo, ["train-0"], "")
    curation.save_subset(store, "b", other, ["train-1"], "")
    curation.save_subset(store, "c", demo, ["train-2"], "")
    assert [subset.name for subset in curation.list_subsets(store)] == ["c", "b", "a"]
    assert [subset.name for subset in curation.list_subsets(store, demo.content_hash)] == ["c", "a"]


@pytest.mark.parametrize("name", ["", "  ", "a@2", "x" * 61, "two\nlines"])
def test_a_name_that_cannot_be_written_down_is_refused(store: Store, demo: ProblemSet, name: str) -> None:
    with pytest.raises(SubsetError, match="cannot be named"):
        curation.save_subset(store, name, demo, ["train-0"], "")


def test_nothing_and_strange_problems_are_refused(store: Store, demo: ProblemSet) -> None:
    with pytest.raises(SubsetError, match="no problem to save"):
        curation.save_subset(store, "a", demo, [], "")
    with pytest.raises(SubsetError, match="train-99999"):
        curation.save_subset(store, "a", demo, ["train-0", "train-99999"], "")
    assert curation.list_subsets(store) == []


def test_a_subset_narrows_training_and_leaves_the_test_split(store: Store, demo: ProblemSet) -> None:
    curation.save_subset(store, "two", demo, ["train-3", "train-5", "test-0"], "")
    narrowed = curation.restrict(demo, store, "two@1")
    assert [problem.id for problem in narrowed.of_split("train")] == ["train-3", "train-5"]
    assert narrowed.of_split("test") == demo.of_split("test")


def test_a_subset_of_other_data_is_refused(store: Store, demo: ProblemSet) -> None:
    curation.save_subset(store, "a", demo, ["train-0", "test-0"], "")
    with pytest.raises(SubsetError, match="other data"):
        curation.restrict(replace(demo, problems=demo.problems[1:]), store, "a@1")
    with pytest.raises(SubsetError, match="no subset 'b'"):
        curation.restrict(demo, store, "b")
    curation.save_subset(store, "tests only", demo, ["test-0"], "")
    with pytest.raises(SubsetError, match="no train problem"):
        curation.restrict(demo, store, "tests only")


def test_a_run_on_a_subset_is_checked_before_it_is_queued(home: Home, demo: ProblemSet) -> None:
    store = Store.open(home.store_url)
    curation.save_subset(store, "two", demo, ["train-3", "train-5"], "")
    config = load_preset("demo", ["source=demo", "subset=two"])
    with pytest.raises(ConfigError, match=r"needs 4 problems.*two@1 has 2"):
        launch_run(store, home, config)
    assert store.jobs() == []


def test_a_cluster_keeps_the_name_that_it_was_given(store: Store) -> None:
    curation.name_cluster(store, "hash", "train-8", "ages")
    curation.name_cluster(store, "hash", "train-8", " years and ages ")
    curation.name_cluster(store, "other", "train-8", "money")
    assert curation.named_clusters(store, "hash") == {"train-8": "years and ages"}
    curation.name_cluster(store, "hash", "train-8", " ")
    assert curation.named_clusters(store, "hash") == {}


def test_a_verdict_on_a_pair_lasts_until_it_is_taken_back(store: Store) -> None:
    one, other = ("test-1", "train-2"), ("test-1", "train-9")
    curation.judge_pairs(store, "hash", {one: True, other: False})
    curation.judge_pairs(store, "hash", {one: False})
    assert curation.judged_pairs(store, "hash") == {one: False, other: False}
    curation.judge_pairs(store, "hash", {one: None})
    assert curation.judged_pairs(store, "hash") == {other: False}
    assert curation.judged_pairs(store, "other") == {}
