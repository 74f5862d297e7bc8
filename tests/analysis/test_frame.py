"""The table of problems: what is counted of each, and what the atlas adds."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.atlas import Atlas, AtlasParameters, build_atlas
from analysis.cache import Cache
from analysis.clusters import Clusters
from analysis.frame import atlas_frame, categories, cluster_frame, cluster_titles, further_columns, problem_frame
from tests.fakes import FakeEmbedder
from training.data.problem import Problem, ProblemSet, Value
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


def with_columns(*rows: dict[str, Value]) -> list[Problem]:
    plain = parse_problem({"question": "Q?", "answer": "#### 1"}, "train-0", "train")
    return [replace(plain, id=f"train-{number}", columns=row) for number, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("gold", "magnitude"), [("-7/2", 3.5), ("x^2+1", math.nan), ("", math.nan), ("B", math.nan), ("9" * 400, math.nan)]
)
def test_a_gold_answer_that_is_no_number_has_no_magnitude(gold: str, magnitude: float) -> None:
    one = replace(with_columns({})[0], gold=gold)
    assert problem_frame([one])["magnitude"].tolist() == pytest.approx([magnitude], nan_ok=True)


def test_columns_of_the_data_stand_beside_its_own() -> None:
    frame = problem_frame(
        with_columns(
            {"level": "Level 2", "rate": 0.5, "tries": 8, "solved": True, "steps": "many", "cluster": 3, "mixed": 1},
            {"level": "Level 10", "rate": 1, "tries": 9, "solved": False, "mixed": "a"},
            {"tries": 7, "mixed": 2},
        )
    )
    assert further_columns(frame) == ["level", "rate", "tries", "solved", "mixed"]
    assert frame["steps"].tolist() == [0, 0, 0]
    assert frame["level"].tolist() == ["Level 2", "Level 10", ""]
    assert frame["rate"].tolist() == pytest.approx([0.5, 1.0, math.nan], nan_ok=True)
    assert (frame["tries"].tolist(), str(frame["tries"].dtype)) == ([8, 9, 7], "int64")
    assert frame["solved"].tolist() == ["yes", "no", ""]
    assert frame["mixed"].tolist() == ["1", "a", "2"]


def test_categories_are_a_few_texts_in_the_order_in_which_people_count() -> None:
    frame = problem_frame(with_columns({"level": "Level 10"}, {"level": "Level 9"}, {"level": "level 1"}, {}))
    assert categories(frame["level"]) == ["level 1", "Level 9", "Level 10"]
    many = problem_frame(with_columns(*({"id2": f"x{number}", "one": "same", "n": number} for number in range(51))))
    assert [categories(many[column]) for column in ("id2", "one", "n")] == [[], [], []]
    assert len(categories(many["id2"].head(50))) == 50


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
