"""The figures of a run on the map, and what the browser puts its steps together from."""

import base64
import json
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from analysis.atlas import AtlasParameters, open_atlas
from analysis.cache import Cache
from analysis.compute import spent
from analysis.outcomes import OF_TRAINING
from dashboard import training_map_figure
from dashboard.changed_problems import changed_problems
from dashboard.components.map.place_on_map import small_map
from dashboard.evaluation_figures import CHANGES
from training.data.problems import load_problems
from training.home import Home
from training.store.evaluations import Evaluation, EvaluationItem

POSITIONS = np.array([[0, 0], [1, 0], [0, 1], [3, 2]], np.float32)
ROWS = {"train-0": 0, "train-1": 1, "test-0": 2, "train-2": 3}


def frame() -> pd.DataFrame:
    return pd.DataFrame({"id": list(ROWS), "question": "How many?"})


def groups() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "problem": ["train-2", "train-0", "elsewhere", "train-2"],
            "step": [1, 1, 2, 3],
            "tokens": [100, 300, 50, 50],
            "pass_rate": [0.5, 1.0, 0.0, np.nan],
            "mean_reward": [1.0, 2.0, -0.3, 1.5],
            "reward_variance": [0.26, 0.0, 0.0, 0.1],
            "times_seen": 1.0,
            "flat": [False, True, True, False],
        }
    )


def test_the_timeline_holds_each_group_and_each_place_once() -> None:
    sent = json.loads(training_map_figure.timeline(groups(), ROWS, POSITIONS, "pass_rate").json)
    assert sent["rows"] == [0, 3]
    assert (sent["x"], sent["y"]) == ([0.0, 3.0], [0.0, 2.0])
    assert (sent["problems"], sent["steps"], sent["values"]) == ([1, 0], [1, 1], [0.5, 1.0])
    assert sent["combine"] == "mean"
    seen = json.loads(training_map_figure.timeline(groups(), ROWS, POSITIONS, "times_seen").json)
    assert seen["combine"] == "sum"
    assert seen["steps"] == [1, 1, 3]


@pytest.mark.parametrize("measure", OF_TRAINING)
def test_a_colour_means_the_same_at_every_step(measure: str) -> None:
    whole = training_map_figure.colouring_of(measure, groups(), 4.0)
    figure = training_map_figure.timeline_figure(frame(), POSITIONS, whole, dark=False, view="a")
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == whole.span
    assert figure.data[0].customdata.tolist() == [0, 1, 2, 3]
    assert figure.data[-1].uid == training_map_figure.TIMELINE_TRACE
    assert len(figure.data[-1].x) == 0
    assert figure.layout.xaxis.range[0] < 0 < 3 < figure.layout.xaxis.range[1]


def test_spans_are_round_and_reach_the_rewards() -> None:
    spans = {measure: training_map_figure.colouring_of(measure, groups(), 4.0).span for measure in OF_TRAINING}
    assert spans == {"pass_rate": (0, 1), "mean_reward": (-0.5, 4), "reward_variance": (0, 0.5), "times_seen": (0, 2)}
    assert [training_map_figure.rounded_up(number) for number in (0, 0.3, 0.02, 7, 100, 101)] == [1, 0.5, 0.02, 10, 100, 200]


def test_the_bar_is_whole_and_hatches_what_taught_nothing() -> None:
    figure = training_map_figure.spent_figure(spent(groups()))
    bars = {bar.name: (bar.x[0], bar.marker.pattern.shape) for bar in figure.data}
    assert sum(share for share, _ in bars.values()) == pytest.approx(1)
    assert bars["All right, taught nothing"] == (pytest.approx(0.6), "/")
    assert bars["Some right"] == (pytest.approx(0.2), "")
    assert len(training_map_figure.spent_figure(spent(groups().iloc[:0])).data) == 0


def test_what_changed_lies_above_what_did_not() -> None:
    values = pd.Series(["gained", "", "right", "lost"])
    drawn = training_map_figure.by_change(CHANGES).groups(values, POSITIONS, False)
    assert [(group.name, group.rows.tolist()) for group in drawn] == [
        ("not evaluated", [1]),
        ("Right in both", [2]),
        ("Gained", [0]),
        ("Lost", [3]),
    ]


def evaluation(label: str, step: int, right: dict[str, float]) -> Evaluation:
    items = tuple(EvaluationItem(problem, "x", {"correctness": score}, 1) for problem, score in right.items())
    return Evaluation(label, step, "test", 0.0, items)


def test_a_test_problem_stands_with_the_nearest_of_what_was_trained_on(home: Home) -> None:
    atlas = open_atlas(load_problems("demo", home), AtlasParameters(), Cache.from_home(home))
    assert atlas is not None
    rows = {problem.id: row for row, problem in enumerate(atlas.problem_set.problems)}
    tests = [problem.id for problem in atlas.problem_set.of_split("test")[:2]]
    trained = [problem.id for problem in atlas.problem_set.of_split("train")[:20]]
    met = pd.DataFrame(
        {"problem": [*trained, trained[0]], "pass_rate": [1.0] * 20 + [0.0], "mean_reward": 1.0, "reward_variance": 0.0}
    ).assign(times_seen=1.0)
    before, after = (
        evaluation(label, step, dict.fromkeys(tests, float(step > 0))) for label, step in (("before", 0), ("after", 9))
    )
    found = changed_problems(before, after, atlas, rows, met)
    assert found["change"].tolist() == ["gained", "gained"]
    for test, nearest, cosine in zip(tests, found["nearest"], found["cosine"], strict=True):
        cosines = {problem: float(atlas.embeddings[rows[test]] @ atlas.embeddings[rows[problem]]) for problem in trained}
        assert nearest == max(cosines, key=lambda problem: cosines[problem])
        assert cosine == pytest.approx(cosines[nearest], abs=1e-5)
    nothing = changed_problems(before, after, atlas, rows, met.iloc[:0])
    assert nothing["nearest"].isna().all()
    assert nothing["cosine"].isna().all()


def test_the_small_map_is_small_and_escapes_its_words() -> None:
    many = np.random.default_rng(0).normal(size=(20_000, 2)).astype(np.float32)
    drawn = small_map(many, 7, 'Where "<b>" lies')
    assert len(drawn) < 40_000
    assert "<b>" not in drawn
    picture = ElementTree.fromstring(base64.b64decode(drawn.partition("base64,")[2].partition('"')[0]))
    assert [element.tag.rpartition("}")[2] for element in picture] == ["path", "circle", "circle"]
