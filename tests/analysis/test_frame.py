"""The table of problems: what is counted of each, and what the atlas adds."""

from pathlib import Path

import numpy as np
import pytest

from analysis.atlas import Atlas, AtlasParameters, build_atlas
from analysis.cache import Cache
from analysis.clusters import Clusters
from analysis.frame import atlas_frame, cluster_frame, cluster_titles, problem_frame
from tests.fakes import FakeEmbedder
from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.data.reader import parse_problem


def problem(question: str, answer: str) -> object:
    return parse_problem({"question": question, "answer": answer}, "train-0", "train")


def test_a_row_counts_what_a_problem_is_made_of() -> None:
    one = problem("How many are  there?", "It is <<-3*2=-6>>-6.\nSo <<-6-1,000/4=-256>>-256.\n#### -$1,256")
    row = problem_frame([one]).iloc[0]  # type: ignore[list-item]
    assert (row["steps"], row["equations"], row["length"]) == (2, 2, 4)
    assert (row["gold"], row["magnitude"], row["operations"]) == ("-1256", 1256.0, "− × ÷")


def test_a_problem_without_equations_uses_no_operations() -> None:
    assert problem_frame([problem("Q?", "No sum.\n#### 1")])["operations"].tolist() == ["none"]  # type: ignore[list-item]


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    def row(number: int) -> object:
        theme = ("Apples", "Trains", "Ages")[number % 3]
        text = {"question": f"{theme} are counted {number} times. How many?", "answer": f"<<{number}+1={number + 1}>>\n#### 1"}
        split = "test" if number % 5 == 0 else "train"
        return parse_problem(text, f"{split}-{number}", split)

    problems = ProblemSet("themes", "themes", tuple(row(number) for number in range(90)))  # type: ignore[misc]
    cache = Cache(tmp_path_factory.mktemp("cache"))
    model = tmp_path_factory.mktemp("model")
    Path(model / "config.json").write_text("{}")
    return build_atlas(problems, AtlasParameters(model=str(model)), cache, lambda progress: None, FakeEmbedder())


def test_the_atlas_adds_its_columns_in_the_order_of_the_problems(atlas: Atlas) -> None:
    frame = atlas_frame(atlas)
    assert list(frame["id"]) == [problem.id for problem in atlas.problem_set.problems]
    assert {"cluster", "nearest_test", "kept"} <= set(frame.columns)
    assert atlas.clusters is not None
    assert frame["cluster"].tolist() == atlas.clusters.labels.tolist()
    assert frame["kept"].between(0, 1).all()
    assert np.allclose(frame["nearest_test"], atlas.nearest_test)


def test_every_cluster_has_its_row(atlas: Atlas) -> None:
    assert atlas.clusters is not None
    table = cluster_frame(atlas)
    assert table["problems"].tolist() == list(atlas.clusters.sizes)
    assert len(table) == 3
    assert table["isolation"].between(0, 1).all()
    questions = [problem.question for problem in atlas.problem_set.problems]
    assert table["typical problem"].isin(questions).all()


def test_a_name_given_by_hand_stays_with_the_problems_of_the_cluster() -> None:
    ids = ["a", "b", "c", "d"]
    before = Clusters(np.array([0, 0, 1, -1], np.int16), ("x", "y"), (0, 2), "", {})
    after = Clusters(np.array([1, 1, 0, -1], np.int16), ("y2", "x2"), (2, 1), "", {})
    named = {"a": "ages", "d": "nowhere now", "gone": "no such problem"}
    assert cluster_titles(before, ids, named) == {0: "ages", 1: "y", -1: "unclustered"}
    assert cluster_titles(after, ids, named) == {0: "y2", 1: "ages", -1: "unclustered"}
    assert cluster_titles(after, ids, {"a": "old name", "b": "new name"})[1] == "new name"


def test_the_demo_has_every_column() -> None:
    frame = problem_frame(load_problems("demo").problems)
    assert len(frame) == 2400
    assert set(frame["operations"].str.split().explode()) == {"+", "−", "×", "÷"}
