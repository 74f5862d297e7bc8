"""Tables and figures of evaluations, and their names, against small known evaluations."""

import pandas as pd
import pytest

from dashboard.evaluation_catalogue import catalogue, default_ids, first_job, model_title, short_titles
from dashboard.evaluation_figures import (
    SMALLEST_CLUSTER,
    changes_frame,
    clusters_caption,
    clusters_figure,
    clusters_frame,
    groups_figure,
    measure_frame,
    measure_rows,
    measures_figure,
)
from training.data.reader import parse_problem
from training.evaluation.comparison import paired_differences, scores_by_group
from training.evaluation.evaluate import ARTICLE_FIGURES, ARTICLE_TABLE, evaluation_table
from training.groups import Verifier
from training.rewards import REWARDS
from training.store import Job
from training.store.evaluations import Evaluation, EvaluationItem, Heading

ZERO = dict.fromkeys(("correctness", "soft_correctness", "integer", "soft_format", "strict_format"), 0.0)


def evaluation(marks: str, samples: int = 1) -> Evaluation:
    """Problems test-0, test-1, ...; each `samples` marks of one problem, right where the mark is 1."""
    items = tuple(
        EvaluationItem(
            f"test-{place // samples}",
            f"<answer>{mark}</answer>",
            ZERO | {"correctness": float(mark), "soft_correctness": 1.0},
            5,
        )
        for place, mark in enumerate(marks)
    )
    return Evaluation("x", 0, "test", 0.0, items)


def job(seq: int, job_id: str, kind: str = "train", **spec: object) -> Job:
    return Job(seq, job_id, kind, "x", "local", spec, "finished", "", "", 0, 0, "", "", 0.0, None, None, 0.0)  # type: ignore[arg-type]


def test_the_table_is_the_articles_in_its_order_with_intervals() -> None:
    frame = measure_frame({"before": evaluation_table(evaluation("1000"))}, article=True)
    assert frame["measure"].tolist() == [title for title, _ in ARTICLE_TABLE.values()]
    assert frame.iloc[0].tolist() == ["Hard correctness", "1.0", "0.250 (0.046 to 0.699)", "0.287", "0.785"]
    assert set(ARTICLE_FIGURES) == set(ARTICLE_TABLE)
    rows = measure_rows({"before": evaluation_table(evaluation("1000"))})
    assert (rows["value"][0], rows["maximum"][2]) == (0.25, 0.5)


def test_each_figure_has_a_point_with_its_interval_for_every_evaluation() -> None:
    tables = {"before": evaluation_table(evaluation("1000")), "<b>after</b>": evaluation_table(evaluation("1111"))}
    before, after = measures_figure(tables).data
    assert (before.x[0], after.x[0]) == (0.25, 1.0)
    assert before.error_x.array[0] == pytest.approx(0.449, abs=1e-3)
    assert before.y[0] > after.y[0], "the first one stands above"
    assert after.name == "&lt;b&gt;after&lt;/b&gt;", "plotly reads names as markup"

    steps = {"test-0": 2, "test-1": 2, "test-2": 3}
    scores = {"before": scores_by_group(evaluation("100"), steps)}
    figure = groups_figure(scores, {2: "2", 3: "3"}, "hard", "steps")
    assert list(figure.data[0].y) == [0.5, 0.0]
    assert figure.layout.xaxis.ticktext == ("2<br>n = 2", "3<br>n = 1")


def test_clusters_are_compared_by_their_share_right() -> None:
    groups = {f"test-{n}": n % 2 for n in range(2 * SMALLEST_CLUSTER)} | {"test-99": 7}
    before, after = evaluation("1" * 6), evaluation("101010")
    frame = clusters_frame(scores_by_group(before, groups), scores_by_group(after, groups), {0: "a <b>", 1: "b"})
    assert frame.to_dict("list") == {
        "cluster": ["a <b>", "b"],
        "problems": [3, 3],
        "before": [1.0, 1.0],
        "after": [1.0, 0.0],
        "change": [0.0, -1.0],
        "before interval": ["44% to 100%", "44% to 100%"],
        "after interval": ["44% to 100%", "0% to 56%"],
    }
    figure = clusters_figure(frame, ["x", "y"])
    assert figure.layout.yaxis.ticktext == ("b (3)", "a &lt;b&gt; (3)"), "most gained at the top, as text"
    assert list(figure.data[-1].x) == [0.0, 1.0]


def test_clusters_too_small_to_say_anything_are_not_drawn() -> None:
    frame = pd.DataFrame(
        {"cluster": ["a"], "problems": [SMALLEST_CLUSTER - 1], "before": [1.0], "after": [0.0], "change": [-1.0]}
        | {"before interval": [""], "after interval": [""]}
    )
    assert len(clusters_figure(frame, ["x", "y"]).data[-1].x) == 0


@pytest.mark.parametrize(("clusters", "said"), [(4, "4 clusters with at least"), (20, "The 12 largest of 20 clusters with")])
def test_the_caption_says_how_many_clusters_there_are(clusters: int, said: str) -> None:
    groups = {f"test-{n}": n % clusters for n in range(3 * clusters)}
    scores = scores_by_group(evaluation("1" * 3 * clusters), groups)
    assert clusters_caption(clusters_frame(scores, scores, {})).startswith(said)


def test_equal_values_before_and_after_are_both_seen() -> None:
    scores = scores_by_group(evaluation("1100"), dict.fromkeys((f"test-{n}" for n in range(4)), 0))
    before, after = (
        trace for trace in clusters_figure(clusters_frame(scores, scores, {}), ["x", "y"]).data if trace.mode == "markers"
    )
    assert before.x == after.x
    assert (before.marker.symbol, before.marker.size > after.marker.size) == ("circle-open", True)


def test_a_column_of_paired_differences_stands_beside_the_evaluations() -> None:
    before, after = evaluation("1000"), evaluation("1110")
    tables = {"before": evaluation_table(before), "after": evaluation_table(after)}
    differences = {"after − before": paired_differences(before, after)}
    frame = measure_frame(tables, differences, article=False)
    assert list(frame) == ["measure", "maximum", "before", "after", "after − before"]
    assert frame["after − before"][0].startswith("+0.500 (")
    rows = measure_rows(tables, differences)
    assert rows["evaluation"].unique().tolist() == ["before", "after", "after − before"]


def test_a_reward_is_called_alike_everywhere() -> None:
    assert [title for title, _ in ARTICLE_TABLE.values()] == [REWARDS[reward].title for _, reward in ARTICLE_TABLE.values()]


def test_one_evaluation_alone_has_its_clusters_too() -> None:
    scores = scores_by_group(evaluation("1100"), dict.fromkeys((f"test-{n}" for n in range(4)), 0))
    figure = clusters_figure(clusters_frame(scores, scores, {0: "a"}), ["alone"])
    assert [list(trace.x) for trace in figure.data if trace.mode == "markers"] == [[0.5]]


def test_what_became_of_each_problem() -> None:
    problem = parse_problem({"question": "How many?", "answer": "x\n#### 1"}, "test-0", "test")
    frame = changes_frame(evaluation("0110"), evaluation("1010"), Verifier(), {"test-0": problem})
    assert dict(zip(frame["problem"], frame["change"], strict=True)) == {
        "test-0": "gained",
        "test-1": "lost",
        "test-2": "right",
        "test-3": "wrong",
    }
    assert frame.iloc[0][["steps", "gold", "answer before", "answer after"]].tolist() == [1, "1", "0", "1"]


def test_of_several_completions_the_share_right_decides() -> None:
    frame = changes_frame(evaluation("10001000", samples=4), evaluation("11000100", samples=4), Verifier(), {})
    assert frame["change"].tolist() == ["gained", "mixed"]
    assert frame["right after"].tolist() == [0.5, 0.25]


def test_evaluations_have_names_for_people() -> None:
    checkpoints = {"/runs/demo-1/checkpoint-50": ("demo-1", 50)}
    jobs = {
        "demo-1": job(1, "demo-1", source="demo", evaluation_samples=1),
        "evaluate-1": job(2, "evaluate-1", "evaluate", source="demo", model="/runs/demo-1/checkpoint-50", temperature=1.0),
        "evaluate-2": job(3, "evaluate-2", "evaluate", source="hub", model="owner/name", system_prompt="Count."),
    }
    headings = [
        Heading(1, "demo-1", "before", 0, "test"),
        Heading(2, "demo-1", "step-1000", 1000, "test"),
        Heading(3, "evaluate-1", "test", 0, "test"),
        Heading(4, "evaluate-2", "test", 0, "test"),
        Heading(5, "deleted-1", "after", 0, "test"),
    ]
    found = catalogue(headings, jobs, checkpoints)
    assert [measured.title for measured in found] == [
        "demo-1 before",
        "demo-1 step 1,000",
        "evaluate-2: owner/name",
        "evaluate-1: demo-1, step 50",
    ]
    assert [measured.subject for measured in found] == ["demo-1", "demo-1", "evaluate-2", "demo-1"]
    assert default_ids(found, "demo-1") == ("demo-1:before", "demo-1:step-1000")
    assert first_job(found[2:] + found[:2]) == "demo-1", "which has something to compare"
    assert first_job(found[1:]) == "demo-1", "where nothing has, the first"
    assert list(short_titles(found[:2]).values()) == ["before", "step 1,000"]
    assert list(short_titles(found[1:3]).values()) == ["demo-1 step 1,000", "evaluate-2: owner/name"]
    assert "another system prompt" in found[2].settings
    assert "temperature 1" in found[3].settings
    assert model_title("/a/b/c", checkpoints) == "b/c"
