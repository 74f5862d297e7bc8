"""An evaluation as a file, read by pandas."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from tests.fakes import record_evaluation
from training.__main__ import main
from training.data.problems import load_problems
from training.home import Home
from training.jobs.evaluate import asked_prompts, evaluated_problems, evaluation_spec, shown_examples
from training.presets import load_preset
from training.rewards import score_completion, score_completions
from training.store import Store
from training.store.evaluations import EvaluationItem, evaluation_headings
from training.store.judgements import add_judgements, unjudged_items

SETTINGS = {"split": "test", "fraction": 0.01, "temperature": 1.0, "samples": 2, "max_completion_length": 40}
DEMO = load_problems("demo")


@pytest.fixture
def measured(store: Store) -> str:
    """An evaluation of four problems with an example each, of two completions: one right, one wrong."""
    spec = evaluation_spec("demo", DEMO, **SETTINGS, prompt_style="question-answer", shots=1, seed=7)
    job, _ = store.create_job("evaluate", "evaluate", spec.model_dump(mode="json"), total=4)
    items = []
    for problem in evaluated_problems(spec, DEMO):
        for text in (f" so.\n#### {problem.gold}", " 0 left"):
            rewards = score_completions([text], [problem.gold], form=spec.form, required=spec.style.measures)[0]
            items.append(EvaluationItem(problem.id, text, rewards, 9))
    record_evaluation(store, job.id, "test", 0, "test", items)
    store.end(job.id, "finished", "done")
    return job.id


@pytest.fixture(autouse=True)
def own_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(home.root))


def test_both_files_hold_each_completion_with_all_that_decided_it(measured: str, tmp_path: Path) -> None:
    frames = []
    read_lines = partial(pd.read_json, lines=True, dtype={"gold": str})
    for name, read in (("rows.jsonl", read_lines), ("rows.parquet", pd.read_parquet)):
        assert main(["evaluation", measured, "--out", str(tmp_path / name)]) == 0
        frames.append(read(tmp_path / name))
    lines, table = frames
    assert list(lines) == list(table)
    for frame in frames:
        assert frame["sample"].tolist() == [0, 1] * 4
        assert frame["right"].tolist() == [True, False] * 4
        assert frame["gold"][0] == next(problem.gold for problem in DEMO.problems if problem.id == frame["problem_id"][0])
        assert (frame["model"][0], frame["shots"][0], frame["seed"][0], frame["tokens"][0]) == ("demo", 1, 7, 9)
        assert frame["extracted"][1] == {"answer": "0 left", "strict-match": "[invalid]", "flexible-extract": "0"}
        assert frame["rewards"][0]["strict_match"] == 1.0
        assert frame["rewards"][0]["xml_count"] is None
        assert [len(shown) for shown in frame["examples"]] == [1] * 8


def test_the_examples_named_are_those_that_were_shown() -> None:
    spec = evaluation_spec("demo", DEMO, **SETTINGS, prompt_style="question-answer", shots=1, seed=7)
    prompts, shown = asked_prompts(spec, DEMO), shown_examples(spec, DEMO)
    assert len(prompts) == len(shown) == 4
    for prompt, (example,) in zip(prompts, shown, strict=True):
        assert example.question in prompt


def test_what_judges_said_stands_beside_each_completion(measured: str, store: Store, tmp_path: Path) -> None:
    (heading,) = evaluation_headings(store)
    items = unjudged_items(store, heading.key, "demo", "")
    add_judgements(store, "demo", "", {one.item: [0.5, 0.25] if place else [] for place, one in enumerate(items)})
    add_judgements(store, "half", "", {items[0].item: [0.1]})
    for name, read in (("rows.jsonl", partial(pd.read_json, lines=True)), ("rows.parquet", pd.read_parquet)):
        assert main(["evaluation", measured, "--out", str(tmp_path / name)]) == 0
        judged = read(tmp_path / name)["judged"]
        assert [set(row) for row in judged] == [{"demo"}] * 8, "one that did not score all is left out"
        assert [list(row["demo"]) for row in judged] == [[], *[[0.5, 0.25]] * 7]


def test_of_a_run_the_label_says_which(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job, _ = store.create_job("train", "demo", load_preset("demo").model_dump(mode="json"))
    for label, step in (("before", 0), ("after", 5)):
        record_evaluation(store, job.id, label, step, "test", [EvaluationItem("test-1", "4", score_completion("4", "4"), 2)])
    out = tmp_path / "rows.parquet"
    assert main(["evaluation", job.id, "--out", str(out)]) == 2
    assert "before, after" in capsys.readouterr().err
    assert main(["evaluation", job.id, "--evaluation", "after", "--out", str(out)]) == 0
    row = pd.read_parquet(out).iloc[0]
    assert (row["evaluation"], row["step"], row["shots"], row["prompt_style"]) == ("after", 5, 0, "chat")
    assert row["model"] == f"run:{job.id}@5", "what was measured, and not what the run began with"
    assert main(["evaluation", job.id, "--evaluation", "before", "--out", str(out)]) == 0
    assert pd.read_parquet(out).iloc[0]["model"] == "demo"


def test_a_source_that_is_gone_leaves_questions_out(measured: str, store: Store, home: Home, tmp_path: Path) -> None:
    spec = store.job(measured).spec | {"source": "/gone"}
    job, _ = store.create_job("evaluate", "evaluate", spec)
    record_evaluation(store, job.id, "test", 0, "test", [EvaluationItem("test-1", "4", score_completion("4", "4"), 2)])
    assert main(["evaluation", job.id, "--out", str(tmp_path / "rows.parquet")]) == 0
    row = pd.read_parquet(tmp_path / "rows.parquet").iloc[0]
    assert row[["question", "gold", "examples"]].isna().all()


def test_another_ending_is_refused(measured: str, tmp_path: Path) -> None:
    assert main(["evaluation", measured, "--out", str(tmp_path / "rows.csv")]) == 2
