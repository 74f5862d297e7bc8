"""Explore and Insights run without a browser: what they say when there is a map, none, or an error."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from analysis.atlas import AtlasParameters, build_atlas, map_sample, stage_keys
from analysis.cache import Cache
from dashboard import data
from dashboard.components.map.findings import report_command
from dashboard.keys import Keys
from tests.app_testing import run_app, words
from tests.fakes import FakeEmbedder, record_evaluation
from training.data.problems import load_problems
from training.groups import Rollout
from training.store import Store, curation
from training.store.evaluations import EvaluationItem

Open = Callable[..., AppTest]


@pytest.fixture(scope="module")
def rows_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 50 problems of three topics, with characters that markup would eat, and one row that is left out."""
    folder = tmp_path_factory.mktemp("source") / "mine"
    folder.mkdir()
    rows = [
        {
            "question": f"{('Ann', 'Trains', 'Pens')[n % 3]} has {n} <b>apples</b> at $5 and eats $2. How many?",
            "level": f"Level {n % 3}",
            "answer": "She counts.\n" * (n % 3) + f"{n}-2=<<{n}-2={n - 2}>>{n - 2}\n#### {n - 2}",
        }
        for n in range(3, 43)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "not json\n")
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:10]))
    return folder


@pytest.fixture(scope="module")
def built(rows_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache with that folder's finished map, its embeddings made up."""
    cache = Cache(tmp_path_factory.mktemp("cache"))
    build_atlas(load_problems(str(rows_folder)), AtlasParameters(), cache, lambda progress: None, FakeEmbedder())
    return cache.root


@pytest.fixture
def source(tmp_path: Path, rows_folder: Path) -> Path:
    """The folder, for one test to change."""
    return Path(shutil.copytree(rows_folder, tmp_path / "mine"))


@pytest.fixture
def open_app(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """`open_app(page, source="…")` runs a page with a fresh home, whose source `auto` is the folder."""
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRPO_ATLAS_DATA", str(source))
    monkeypatch.delenv("GRPO_ATLAS_STORE", raising=False)
    st.cache_resource.clear()

    return run_app


@pytest.fixture
def with_map(tmp_path: Path, built: Path) -> Path:
    """The finished map lies in the home; its folder."""
    return Path(shutil.copytree(built, tmp_path / "home" / "cache" / "atlas"))


def spec(source: Path, parameters: AtlasParameters = AtlasParameters()) -> dict[str, object]:  # noqa: B008
    """What the build of a source's map is recorded with."""
    return {"source": str(source)} | asdict(parameters)


def problems_in_table(test: AppTest) -> list[str]:
    return list(test.dataframe[0].value["id"])


def pick(test: AppTest, label: str, value: object) -> AppTest:
    """Choose in the widget with this label."""
    for kind in ("selectbox", "segmented_control", "button_group", "pills", "multiselect"):
        for widget in test.get(kind):
            if widget.label == label:
                widget.set_value(value)
                return test.run()
    raise AssertionError(f"there is no {label}")


def test_a_source_without_a_map_offers_to_build_it(open_app: Open) -> None:
    test = open_app()
    assert "mine has 50 problems and no map yet" in words(test)
    assert "Build the map" in [button.label for button in test.button]
    assert "Until then the demo's map stands here" in words(test)


def test_rejected_rows_are_counted_and_listed(open_app: Open) -> None:
    test = open_app()
    assert [expander.label for expander in test.expander] == ["1 row left out"]
    assert "train.jsonl:41: the line is not JSON" in words(test)


def test_a_running_build_shows_what_it_does(open_app: Open, source: Path) -> None:
    open_app()
    job, _ = data.store().create_job("build", "map of mine", spec(source))
    data.store().start(job.id)
    data.store().progress(job.id, 20, 50, "embedding 20 of 50 questions")
    test = open_app()
    assert "Build the map" not in [button.label for button in test.button]
    assert any("embedding 20 of 50 questions" in progress.proto.text for progress in test.get("progress"))


def test_a_failed_build_says_why_and_offers_another_try(open_app: Open, source: Path) -> None:
    open_app()
    store: Store = data.store()
    job, _ = store.create_job("build", "map of mine", spec(source))
    store.end(job.id, "failed", "The disk is full. Free some space.")
    test = open_app()
    assert "The disk is full. Free some space." in words(test)
    assert "Try again" in [button.label for button in test.button]


@pytest.mark.usefixtures("with_map")
def test_the_map_comes_with_a_table_of_everything(open_app: Open) -> None:
    test = open_app()
    assert not test.exception
    assert "All 50 problems, 20% test" in words(test)
    assert not [element.value for element in test.markdown if "address" in element.value], "no docstring on the page"
    assert len(test.dataframe[0].value) == 50


@pytest.mark.usefixtures("with_map")
def test_a_shared_link_shows_the_same(open_app: Open) -> None:
    address = {"problem": "test-3", "colour": "steps", "split": "test", "steps": "2,3", "q": "apples", "view": "3-D"}
    test = open_app(**address)
    assert not test.exception
    assert "Ann has 6 <b>apples</b> at $5 and eats $2. How many?" in [element.value for element in test.text]
    assert dict(test.query_params) == address
    assert "Only split test · steps 2, 3 · words “apples”" in words(test).replace("\\", "")
    assert set(problems_in_table(test)) == {f"test-{n}" for n in range(10) if (n + 3) % 3}


@pytest.mark.usefixtures("with_map")
def test_a_neighbor_is_one_click_away(open_app: Open) -> None:
    test = open_app(problem="test-3")
    neighbor = next(button for button in test.button if button.key.startswith("neighbor"))
    neighbor.click().run()
    assert test.query_params["problem"] == neighbor.key.removeprefix("neighbor ")


@pytest.mark.usefixtures("with_map")
def test_a_selection_is_kept_when_the_colours_change(open_app: Open) -> None:
    test = open_app()
    test.session_state["selection_rows"] = (0, 1, 40)
    test.run()
    assert "3 selected, 33% test" in words(test)
    pick(test, "Colour by", "steps")
    assert "3 selected, 33% test" in words(test)
    assert problems_in_table(test) == ["train-0", "train-1", "test-0"]


@pytest.mark.usefixtures("with_map")
def test_filters_and_selection_narrow_each_other(open_app: Open) -> None:
    test = open_app(split="train")
    assert "40 found, 0% test" in words(test)
    test.session_state["selection_rows"] = (0, 1, 40)
    test.run()
    assert problems_in_table(test) == ["train-0", "train-1"]
    next(button for button in test.button if button.label == "Clear filters").click().run()
    assert problems_in_table(test) == ["train-0", "train-1", "test-0"]
    next(button for button in test.button if button.label == "Clear selection").click().run()
    assert "All 50 problems" in words(test)


@pytest.mark.usefixtures("with_map")
@pytest.mark.parametrize(
    ("query", "mode", "found"),
    [("apples 17", "words", ["train-14"]), (r"has (7|8) ", "regex", ["train-4", "train-5", "test-4", "test-5"])],
)
def test_a_search_finds_what_it_says(open_app: Open, query: str, mode: str, found: list[str]) -> None:
    test = open_app(q=query, search=mode)
    assert problems_in_table(test) == found


@pytest.mark.usefixtures("with_map")
def test_a_pattern_that_cannot_be_read_is_explained_and_filters_nothing(open_app: Open) -> None:
    test = open_app(q="(apples", search="regex")
    assert "Only" not in words(test), "nothing was asked that could be applied"
    assert not test.exception
    assert "cannot be read at character 1" in words(test)
    assert len(problems_in_table(test)) == 50


@pytest.mark.usefixtures("with_map")
def test_search_by_meaning_waits_politely_for_its_model(open_app: Open) -> None:
    open_app()
    job, _ = data.store().create_job("prepare", "search by meaning", {"model": "all-MiniLM-L6-v2"})
    test = open_app(q="fruit", search="meaning")
    assert not test.exception
    assert "Preparing the model for search by meaning" in words(test)
    data.store().end(job.id, "failed", "The model is not on this machine. Install it.")
    assert "The model is not on this machine. Install it." in words(open_app(q="fruit", search="meaning"))


@pytest.mark.usefixtures("with_map")
def test_a_saved_selection_is_a_filter_a_link_and_something_to_train_on(open_app: Open, source: Path) -> None:
    test = open_app(steps="2")
    next(field for field in test.text_input if field.label == "Name").input("two steps")
    next(button for button in test.button if button.label == "Save subset").click().run()
    (subset,) = curation.list_subsets(data.store())
    assert (subset.reference, subset.source, subset.how) == ("two steps@1", str(source), "steps 2")
    again = open_app(subset="two steps@1")
    assert problems_in_table(again) == list(curation.subset_ids(data.store(), subset))
    launch = run_app("launch", train_on="two steps@1")
    assert not launch.exception
    assert "steps 2" in words(launch)
    assert "Source" not in [field.label for field in launch.text_input]


@pytest.mark.usefixtures("with_map")
def test_a_subset_without_a_name_is_refused_in_place(open_app: Open) -> None:
    test = open_app()
    next(button for button in test.button if button.label == "Save subset").click().run()
    assert "A subset cannot be named ''" in words(test).replace("\\", "")
    assert curation.list_subsets(data.store()) == []


@pytest.mark.usefixtures("with_map")
def test_a_link_to_a_subset_that_is_not_there_says_so(open_app: Open) -> None:
    test = open_app(subset="gone@1")
    assert not test.exception
    assert "There is no subset 'gone@1'" in words(test).replace("\\", "")


@pytest.mark.usefixtures("with_map")
def test_a_subset_of_other_data_is_not_applied(open_app: Open) -> None:
    open_app()
    curation.save_subset(data.store(), "demo's", load_problems("demo"), ["train-3"], "")
    test = open_app(subset="demo's@1")
    assert "was taken from other data than mine holds now" in words(test)
    assert len(problems_in_table(test)) == 50


@pytest.mark.usefixtures("with_map")
def test_a_model_that_is_not_there_keeps_the_usual_map_and_says_why_it_cannot_be_built(open_app: Open, source: Path) -> None:
    test = open_app(model="no-such-model")
    assert not test.exception
    assert "no map with the model no-such-model yet" in words(test)
    assert len(problems_in_table(test)) == 50
    job, _ = data.store().create_job("build", "map of mine", spec(source, AtlasParameters(model="no-such-model")))
    data.store().end(job.id, "failed", "The model cannot be fetched. Check the name.")
    assert "The model cannot be fetched. Check the name." in words(open_app(model="no-such-model"))


def test_a_subset_of_a_sampled_map_can_be_trained_on(
    open_app: Open, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = map_sample(load_problems(str(source)), limit=20)
    monkeypatch.setattr(data, "map_sample", lambda problems: map_sample(problems, limit=20))
    cache = Cache(tmp_path / "home" / "cache" / "atlas")
    build_atlas(sample, AtlasParameters(), cache, lambda progress: None, FakeEmbedder())
    test = open_app()
    next(field for field in test.text_input if field.label == "Name").input("of the sample")
    next(button for button in test.button if button.label == "Save subset").click().run()
    (subset,) = curation.list_subsets(data.store())
    assert subset.size == 20
    restricted = curation.restrict(load_problems(str(source)), data.store(), subset.reference)
    assert len(restricted.of_split("test")) == 10


@pytest.mark.usefixtures("with_map")
def test_a_renamed_cluster_keeps_its_name(open_app: Open) -> None:
    test = open_app(cluster="0")
    test.session_state[Keys.SELECTION_TABS] = "Clusters"
    test.run()
    next(field for field in test.text_input if field.label == "Name of this cluster").input("what Ann has")
    next(button for button in test.button if button.label == "Rename").click().run()
    assert "what Ann has" in words(open_app(cluster="0"))


@pytest.mark.usefixtures("with_map")
def test_outcomes_of_runs_can_colour_the_map_and_stand_beside_the_problem(open_app: Open, source: Path) -> None:
    open_app()
    store = data.store()
    run = store.create_job("train", "demo", {"source": str(source)})[0].id
    scores = [1.0, 0.0, 0.0, 0.0]
    store.record(
        run,
        rollouts=[
            Rollout(1, 0, n, "train-4", "", {"correctness": score}, score, 0.0, 5, "stop") for n, score in enumerate(scores)
        ],
    )
    record_evaluation(store, run, "before", 0, "test", [EvaluationItem("train-4", "", {"correctness": 0.0}, 5)])
    test = open_app(problem="train-4", colour=f"pass_rate:{run}")
    assert not test.exception
    assert test.query_params["colour"] == f"pass_rate:{run}"
    assert "4 completions in 1 group · 25% right · mean reward 0.25 · before: wrong" in words(test)
    offered = next(box for box in test.selectbox if box.label == "Colour by").options
    assert f"Right in evaluation before in {run}" in offered


@pytest.mark.usefixtures("with_map")
def test_another_map_shows_components_until_its_layout_is_there(open_app: Open, source: Path) -> None:
    open_app()
    wanted = AtlasParameters(seed=7)
    job, _ = data.store().create_job("build", "map of mine", spec(source, wanted))
    data.store().start(job.id)
    data.store().progress(job.id, 0.7, 1, "laying out 50 questions")
    test = open_app(seed="7")
    assert not test.exception
    assert "first principal components" in words(test)
    assert "All 50 problems" in words(test)


@pytest.mark.usefixtures("with_map")
def test_a_damaged_part_of_the_map_offers_to_be_built_again(open_app: Open, source: Path, with_map: Path) -> None:
    key = stage_keys(load_problems(str(source)), AtlasParameters())["layout"]
    file = with_map / f"{key}.npz"
    file.write_bytes(file.read_bytes()[:100])
    test = open_app()
    assert not test.exception
    assert "Finish the map" in [button.label for button in test.button]


@pytest.mark.usefixtures("with_map")
@pytest.mark.parametrize(
    "address",
    [
        {"problem": "train-999"},
        {"colour": "<b>"},
        {"colour": "pass_rate:gone-1"},
        {"view": "5-D"},
        {"steps": "many"},
        {"cluster": "a,b"},
        {"cluster": "999"},
        {"seed": "x"},
        {"neighbors": "9999"},
        {"split": "validation"},
        {"search": "<script>", "q": "a"},
        {"cosine": "high"},
        {"rank": "mood"},
    ],
)
def test_a_link_to_something_that_is_not_there_does_no_harm(open_app: Open, address: dict[str, str]) -> None:
    assert not open_app(**address).exception


def test_a_link_to_a_missing_folder_is_an_error_with_a_remedy(open_app: Open, source: Path) -> None:
    test = open_app(source=str(source / "nothing"))
    assert not test.exception
    assert f"There is no source '{source}/nothing'" in words(test)
    assert "path of a folder or file" in words(test)


@pytest.mark.usefixtures("with_map")
def test_a_bad_path_keeps_the_map(open_app: Open, source: Path) -> None:
    test = open_app()
    next(box for box in test.selectbox if box.label == "Data set").select("folder").run()
    next(field for field in test.text_input if field.label == "Path").input(str(source / "nothing")).run()
    assert "There is no source" in words(test)
    assert "All 50 problems" in words(test)


def test_a_home_that_cannot_be_written_is_said_instead_of_everything_else(
    open_app: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(tmp_path / "file" / "home"))
    test = open_app()
    assert not test.exception
    assert "Set GRPO_ATLAS_HOME to a folder that you may write to" in words(test)


@pytest.mark.usefixtures("with_map")
def test_columns_of_the_data_colour_filter_and_stand_beside_the_problem(open_app: Open) -> None:
    test = open_app(colour="column:level", where="level:Level 1,level:Level 2", problem="train-2")
    assert not test.exception
    assert "Only level Level 1 or Level 2: " in words(test)
    assert "level: Level 2" in words(test)
    [colour] = [box for box in test.selectbox if box.label == "Colour by"]
    assert (colour.value, colour.options[-1]) == ("column:level", "level")
    [columns] = [box for box in test.multiselect if box.label == "Columns of the data"]
    assert columns.options == ["level: Level 0", "level: Level 1", "level: Level 2"]
    columns.set_value(["level:Level 0"]).run()
    assert dict(test.query_params)["where"] == "level:Level 0"
    assert "level" in test.dataframe[0].value.columns
    assert set(test.dataframe[0].value["level"]) == {"Level 0"}


@pytest.mark.usefixtures("with_map")
def test_insights_says_what_each_finding_is_and_means(open_app: Open) -> None:
    test = open_app("insights")
    assert not test.exception
    assert [element.value for element in test.subheader] == [
        "Are the splits mixed?",
        "Which topics are there?",
        "Does position predict difficulty?",
        "Does train leak into test?",
        "Does a split repeat itself?",
        "Do the reference solutions hold?",
        "Is the map honest?",
    ]
    said = words(test).replace("\\", "")
    for sentence in (
        "Of the neighbours of test problems",
        "of problems are in a cluster",
        "R-squared",
        "**Yes.** Of 10 test problems, 10 have a near copy among train: ",
        "10 verbatim",
        "equations are exact",
        "train problems repeat an earlier one",
    ):
        assert sentence in said
    assert {code.value for code in test.code} == {"python -m analysis report --source auto"}


@pytest.mark.usefixtures("with_map")
def test_a_finding_names_the_command_that_computes_it_with_its_map_settings(open_app: Open, source: Path) -> None:
    found = report_command(str(source), AtlasParameters(model="my model", min_dist=0.2))
    assert found == f"python -m analysis report --source {source} --model 'my model' --min-dist 0.2"


@pytest.mark.usefixtures("with_map")
def test_topics_are_kept_and_near_copies_dropped_unless_told_otherwise(open_app: Open) -> None:
    test = open_app("insights")
    (kinds,) = [pills for pills in test.get("button_group") if pills.label == "Pairs to drop"]
    assert kinds.value == ["verbatim", "template", "paraphrase"]
    assert set(test.dataframe[0].value["kind"]) <= set(kinds.value)
    kinds.set_value(["topic"]).run()
    assert "have a near problem among train" in words(test) or "none has a near problem among train" in words(test)
    kinds.set_value([]).run()
    assert "Of 10 test problems, none has a near copy among train." in words(test)
    assert "Dropping 0 train problems leaves 40 train and 10 test." in words(test)


@pytest.mark.usefixtures("with_map")
def test_near_copies_are_dropped_from_train_unless_kept(open_app: Open) -> None:
    test = open_app("insights", kinds="verbatim", cosine="0.99")
    assert "Dropping 10 train problems leaves 30 train and 10 test." in words(test)
    content_hash = data.problem_set("auto").content_hash
    curation.judge_pairs(data.store(), content_hash, {("test-0", "train-0"): False})
    test.run()
    assert "Dropping 9 train problems leaves 31 train and 10 test." in words(test)
    next(button for button in test.button if button.label == "Save as a subset").click().run()
    (subset,) = curation.list_subsets(data.store())
    assert (subset.name, subset.size) == ("cleaned", 41)


@pytest.mark.usefixtures("with_map")
def test_repeats_are_dropped_from_the_data_as_a_subset(open_app: Open) -> None:
    test = open_app("insights")
    [drop] = [pills for pills in test.get("button_group") if pills.label == "Drop problems that repeat another"]
    assert drop.options == ["but for the numbers"]
    assert "leaves 3 train and 3 test" in words(test)
    next(button for button in test.button if button.key == "save distinct").click().run()
    (subset,) = curation.list_subsets(data.store())
    assert (subset.name, subset.size) == ("distinct", 6)


def test_insights_offers_to_build_a_missing_map(open_app: Open) -> None:
    assert [button.label for button in open_app("insights").button] == ["Build the map"]


def test_a_single_problem_has_a_page_without_findings(
    open_app: Open, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "test.jsonl").unlink()
    (source / "train.jsonl").write_text('{"question": "One?", "answer": "#### 1"}\n')
    cache = Cache(tmp_path / "home" / "cache" / "atlas")
    build_atlas(load_problems(str(source)), AtlasParameters(), cache, lambda progress: None, FakeEmbedder())
    test = open_app(problem="train-0", colour="kept")
    assert not test.exception
    assert "All 1 problem, 0% test" in words(test)
    insights = open_app("insights")
    assert not insights.exception
    assert [element.value for element in insights.subheader] == ["Do the reference solutions hold?"]


def test_a_doubtful_solution_is_marked_beside_its_problem(open_app: Open, source: Path, tmp_path: Path) -> None:
    rows = [
        {"question": "Wrong sum?", "answer": "It is <<3+4=8>>8.\n#### 8"},
        {"question": "Gold nowhere?", "answer": "It is <<3+4=7>>7.\n#### 12"},
    ]
    (source / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cache = Cache(tmp_path / "home" / "cache" / "atlas")
    build_atlas(load_problems(str(source)), AtlasParameters(), cache, lambda progress: None, FakeEmbedder())
    assert "✗  3+4 = 8, is 7" in words(open_app(problem="train-0"))
    doubted = words(open_app(problem="train-1"))
    assert "✓  3+4 = 7" in doubted
    assert "✗  The gold answer" in doubted
