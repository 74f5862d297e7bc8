"""Test-time scaling on Evaluate without a browser: empty and full, chosen by rewards and judges, and figures of it."""

import json
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.components.shared.completions import scored_html
from dashboard.scaling_figures import Line, curves_figure, curves_frame, groups_frame, largest_frame, problems_frame, thirds
from tests.app_testing import run_app, words
from tests.fakes import record_evaluation
from training.__main__ import main
from training.evaluation.scaling import Sample, scaling_curves
from training.home import Home
from training.presets import load_preset
from training.rewards import score_completion
from training.store import Store
from training.store.evaluations import EvaluationItem, evaluation_headings
from training.store.judgements import add_judgements, unjudged_items

pytestmark = pytest.mark.usefixtures("dashboard_home")

PROBLEMS, SAMPLES = 6, 4
RIGHT = "<reasoning>\nfirst {0}\nthen\n</reasoning>\n<answer>\n{0}\n</answer>\n"


@pytest.fixture
def run_id(store: Store) -> str:
    """A finished run with four completions a problem, one of them right before and three after."""
    config = load_preset("demo", ["source=demo", "max_steps=10", "evaluation_samples=4", "evaluation_temperature=1"])
    job, _ = store.create_job("train", "demo", config.model_dump(mode="json"), total=10)
    problems = data.problem_set("demo").of_split("test")[:PROBLEMS]
    for label, step, right in (("before", 0, 1), ("after", 10, 3)):
        texts = [RIGHT.format(problem.gold if n < right else "0") for problem in problems for n in range(SAMPLES)]
        golds = [problem for problem in problems for _ in range(SAMPLES)]
        items = [
            EvaluationItem(problem.id, text, score_completion(text, problem.gold), 9)
            for problem, text in zip(golds, texts, strict=True)
        ]
        record_evaluation(store, job.id, label, step, "test", items)
    store.end(job.id, "finished", "done")
    return job.id


def judge_all(store: Store) -> None:
    """A judge finds each first completion of a problem the best."""
    for heading in evaluation_headings(store):
        found = unjudged_items(store, heading.key, "demo", "")
        scores = {one.item: [0.5, 0.9 if place % SAMPLES == 0 else 0.2] for place, one in enumerate(found)}
        add_judgements(store, "demo", "", scores)


def open_part(**address: str) -> AppTest:
    test = run_app("evaluate", part="scaling", **address)
    assert not test.exception
    return test


def test_an_empty_part_says_what_comes_here_and_leads_to_measuring() -> None:
    test = open_part()
    test.main.button[0].click().run()
    assert test.query_params["part"] == "measure"


def table_of(test: AppTest) -> pd.DataFrame:
    """What the page's table says, without what keeps its texts from being Markdown."""
    found: pd.DataFrame = test.main.table[0].value
    return found.map(lambda value: value.replace("\\", "") if isinstance(value, str) else value)


def test_without_a_judge_there_are_pass_and_majority_of_the_newest_run(run_id: str) -> None:
    test = open_part()
    table = test.main.table[0].value
    assert table.index.tolist() == ["before", "after"]
    assert table["k"].tolist() == [4, 4]
    assert {"pass@k", "majority@k"} <= set(table.columns)
    assert "best of k" not in table.columns
    table = open_part(scorer="integer").main.table[0].value
    assert "best of k" in table.columns, "a reward that does not know the gold answer may choose"


def asks_how_steps_make_a_score(test: AppTest) -> bool:
    return "A completion's score is" in [control.label for control in test.segmented_control]


def test_how_steps_make_a_score_is_asked_where_a_judge_scored_steps(store: Store, run_id: str) -> None:
    judge_all(store)
    assert asks_how_steps_make_a_score(open_part(scorer="demo"))
    assert not asks_how_steps_make_a_score(open_part(scorer="integer"))


def test_a_judge_on_record_chooses_and_its_scores_stand_on_the_lines(store: Store, run_id: str) -> None:
    judge_all(store)
    test = open_part(scorer="demo", over="tokens", of=f"{run_id}:before")
    table = table_of(test)
    assert table.loc["before", "best of k"].startswith("1.000")
    assert table.loc["before", "majority@k"].startswith("0.000")
    assert table.loc["before", "tokens a problem"] == "36"
    assert "before: best of 4 against majority@4 +100.0 points" in words(test)
    assert test.query_params["scorer"] == "demo"
    cards = next(element.proto.body for element in test.main.get("html") if "rollouts" in element.proto.body)
    assert "<b>0.90</b>" in cards


def test_a_search_alone_is_said_to_need_a_judge_and_is_not_what_the_part_opens_with(store: Store) -> None:
    problems = data.problem_set("demo").of_split("test")[:PROBLEMS]
    spec = {"model": "demo", "source": "demo", "content_hash": data.problem_set("demo").content_hash, "samples": SAMPLES}
    for search in ({}, {"search": "beam", "beam_width": 4, "judge": "demo"}):
        job, _ = store.create_job("evaluate", "evaluate", spec | search)
        items = [EvaluationItem(problem.id, "", {"correctness": 0.0}, 9) for problem in problems for _ in range(SAMPLES)]
        record_evaluation(store, job.id, "test", 0, "test", items)
        store.end(job.id, "finished", "done")
    alone = open_part(scaled=f"{job.id}:test")
    assert "ask one above" in words(alone)
    assert "ask one above" not in words(open_part())
    alone.multiselect[0].set_value([]).run()
    assert alone.multiselect[0].value == [f"{job.id}:test"], "an emptied choice stays with its job"
    assert "temperature 0, beam search" in words(run_app("evaluate", part="measure"))


def test_every_split_is_drawn(store: Store, run_id: str) -> None:
    for by in ("difficulty", "steps", "cluster"):
        assert "Problem by problem" in words(open_part(split_by=by))


def test_asking_a_judge_starts_a_job_for_each_evaluation(store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.backends.local.LocalBackend.submit", lambda self, job, command: None)
    test = open_part()
    next(button for button in test.main.button if button.label == "Judge").click().run()
    assert not test.exception
    assert sorted(job.spec["label"] for job in store.jobs("judge")) == ["after", "before"]


def test_an_imported_file_of_samples_is_chosen_from_by_its_own_scores(store: Store, home: Home, tmp_path: Path) -> None:
    rows = [
        {"question": f"What is {n} plus 1?", "gt": str(n + 1), "response": [rf"\boxed{{{n}}}", rf"\boxed{{{n + 1}}}"]}
        | {"pred": [str(n), str(n + 1)], "score": [False, True], "pred_score": [[-1.0], [2.0]]}
        for n in range(12)
    ]
    file = tmp_path / "samples.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert main(["import", str(file), "--source", f"{file}?question=question&gold=gt"]) == 0
    test = open_part()
    table = table_of(test)
    (shown,) = table.to_dict("records")
    assert (shown["best of k"][:5], shown["majority@k"][:5], shown["pass@k"][:5]) == ("1.000", "0.000", "1.000")
    assert "not on record" not in words(test)


SAMPLED = {
    "a": [Sample("7", True, 0.9, 0.9, 10), Sample("8", False, 0.2, 0.2, 12)],
    "b": [Sample("7", False, 0.5, 0.5, 10), Sample("7", False, 0.4, 0.4, 10)],
}
CURVES = scaling_curves(SAMPLED)


def test_curves_have_a_band_and_a_search_its_points() -> None:
    lines = [Line("samples", "samples", CURVES), Line("beam", "beam", scaling_curves(SAMPLED, (2,)))]
    figure = curves_figure(lines, "tokens", 0.0)
    named = {trace.name: trace for trace in figure.data if trace.name}
    assert list(named["best of k"].x) == [10.5, 21.0]
    assert list(named["beam search, best of k"].x) == [21.0]
    assert "beam search, pass@k" not in named
    assert len([trace for trace in figure.data if trace.fill]) == 4


def test_tables_have_every_figure() -> None:
    line = Line("samples", "samples", CURVES)
    assert curves_frame([line]).query("figure == 'best of 2'")["value"].tolist() == [0.5]
    assert largest_frame([line])["best of k"].tolist()[0].startswith("0.500")
    frame = groups_frame(SAMPLED, thirds(SAMPLED))
    assert frame["group"].unique().tolist() == ["hard: up to 1/3 right", "middling: up to 2/3"]
    shown = problems_frame(SAMPLED, {}).set_index("problem")
    assert shown.loc["a", ["right", "pass@k", "best of k"]].tolist() == [0.5, True, True]


def test_scores_stand_at_the_ends_of_the_lines_of_reasoning_alone() -> None:
    drawn = scored_html("<reasoning>\none <b>\n\ntwo\n</reasoning>\n<answer>\n2\n</answer>", [0.25, 1.0])
    assert drawn.count('class="step"') == 2
    assert "one &lt;b&gt; <b>0.25</b>" in drawn
    assert drawn.endswith('2\n<span class="tag">&lt;/answer&gt;</span>')
