"""Explore and Insights run without a browser: what they say when there is a map, none, or an error."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from analysis.atlas import Atlas, AtlasParameters
from analysis.neighbors import nearest_neighbors
from dashboard import data
from tests.app_testing import run_app, words
from training.problems import ProblemSet
from training.store import Store

Open = Callable[..., AppTest]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of problems with characters that markup would eat, and one row that is left out."""
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = [
        {
            "question": f"Ann has {n} <b>apples</b> at $5 and eats $2. How many?",
            "answer": "She counts.\n" * (n % 3) + f"{n}-2=<<{n}-2={n - 2}>>{n - 2}\n#### {n - 2}",
        }
        for n in range(3, 43)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "not json\n")
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:10]))
    return folder


@pytest.fixture
def open_app(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """`open_app(page, source="…")` runs a page with a fresh home, whose source `auto` is the folder."""
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRPO_ATLAS_DATA", str(source))
    monkeypatch.delenv("GRPO_ATLAS_STORE", raising=False)
    st.cache_resource.clear()

    return run_app


@pytest.fixture
def with_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every problem set has a map, without a model."""

    def fake_open_atlas(problem_set: ProblemSet, parameters: AtlasParameters, cache: object) -> Atlas:
        embeddings = np.random.default_rng(0).normal(size=(len(problem_set.problems), 8)).astype(np.float32)
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        neighbors = nearest_neighbors(embeddings, 5, lambda done: None)
        return Atlas(problem_set, parameters, embeddings, neighbors, embeddings[:, :2])

    monkeypatch.setattr(data, "open_atlas", fake_open_atlas)


def test_a_source_without_a_map_offers_to_build_it(open_app: Open) -> None:
    test = open_app()
    assert "mine has 50 problems and no map yet" in words(test)
    assert [button.label for button in test.button] == ["Build the map"]


def test_rejected_rows_are_counted_and_listed(open_app: Open) -> None:
    test = open_app()
    assert [expander.label for expander in test.expander] == ["1 row left out"]
    assert "train.jsonl:41: the line is not JSON" in words(test)


def test_a_running_build_shows_what_it_does(open_app: Open, source: Path) -> None:
    open_app()
    job, _ = data.store().create_job("build", "map of mine", {"source": str(source)})
    data.store().start(job.id)
    data.store().progress(job.id, 20, 50, "embedding 20 of 50 questions")
    test = open_app()
    assert "Build the map" not in [button.label for button in test.button]
    assert any("embedding 20 of 50 questions" in progress.proto.text for progress in test.get("progress"))


def test_a_failed_build_says_why_and_offers_another_try(open_app: Open, source: Path) -> None:
    open_app()
    store: Store = data.store()
    job, _ = store.create_job("build", "map of mine", {"source": str(source)})
    store.end(job.id, "failed", "The disk is full. Free some space.")
    test = open_app()
    assert "The disk is full. Free some space." in words(test)
    assert [button.label for button in test.button] == ["Try again"]


@pytest.mark.usefixtures("with_map")
def test_the_map_comes_with_a_table_of_everything(open_app: Open) -> None:
    test = open_app()
    assert not test.exception
    assert "All 50 problems, 20% test" in words(test)
    assert len(test.dataframe[0].value) == 50


@pytest.mark.usefixtures("with_map")
def test_a_shared_link_shows_the_problem_and_the_colours(open_app: Open) -> None:
    test = open_app(problem="test-3", colour="steps")
    assert "Ann has 6 <b>apples</b> at $5 and eats $2. How many?" in [element.value for element in test.text]
    assert dict(test.query_params) == {"problem": "test-3", "colour": "steps"}


@pytest.mark.usefixtures("with_map")
def test_a_neighbor_is_one_click_away(open_app: Open) -> None:
    test = open_app(problem="test-3")
    neighbor = next(button for button in test.button if button.key.startswith("neighbor"))
    neighbor.click().run()
    assert test.query_params["problem"] == neighbor.key.removeprefix("neighbor ")


@pytest.mark.usefixtures("with_map")
def test_a_selection_is_kept_when_the_colours_change(open_app: Open) -> None:
    test = open_app()
    test.session_state["selected"] = ("train-0", "train-1", "test-0")
    test.run()
    assert "3 selected, 33% test" in words(test)
    test.segmented_control[0].select("steps").run()
    assert "3 selected, 33% test" in words(test)
    assert len(test.dataframe[0].value) == 3


@pytest.mark.usefixtures("with_map")
@pytest.mark.parametrize("address", [{"problem": "train-999"}, {"colour": "<b>"}])
def test_a_link_to_something_that_is_not_there_does_no_harm(open_app: Open, address: dict[str, str]) -> None:
    assert not open_app(**address).exception


def test_a_link_to_a_missing_folder_is_an_error_with_a_remedy(open_app: Open) -> None:
    test = open_app(source="/no/such/folder")
    assert not test.exception
    assert "There is no source '/no/such/folder'" in words(test)
    assert "path of a folder or file" in words(test)


@pytest.mark.usefixtures("with_map")
def test_a_bad_path_keeps_the_map(open_app: Open) -> None:
    test = open_app()
    test.selectbox[0].select("folder").run()
    test.text_input[0].input("/no/such/folder").run()
    assert "There is no source" in words(test)
    assert "All 50 problems" in words(test)


def test_a_home_that_cannot_be_written_is_said_instead_of_everything_else(
    open_app: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(tmp_path / "file" / "home"))
    test = open_app()
    assert not test.exception
    assert "Set GRPO_ATLAS_HOME to a folder that you may write to." in words(test)


@pytest.mark.usefixtures("with_map")
def test_insights_says_what_each_finding_is_and_means(open_app: Open) -> None:
    test = open_app("insights")
    assert not test.exception
    assert [element.value for element in test.subheader] == [
        "Are the splits mixed",
        "Does train leak into test",
        "Does position tell difficulty",
    ]
    assert "Of the neighbours of test problems" in words(test)
    assert len(test.dataframe[0].value) == 10


def test_insights_offers_to_build_a_missing_map(open_app: Open) -> None:
    assert [button.label for button in open_app("insights").button] == ["Build the map"]
