"""The pages of a run of supervised fine-tuning, and the form that launches one, without a browser. No training starts here."""

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.curves import reward_scalar, run_curves
from dashboard.launch_changes import Base, batch_words
from tests.app_testing import APP, TIMEOUT_S, run_app, words
from tests.fakes import record_evaluation
from tests.tiny_runs import tiny_sft
from training.backends.local import LocalBackend
from training.config import SftConfig
from training.presets import load_preset
from training.rewards import score_completion
from training.rewards.forms import TAGS
from training.rewards.solutions import written_solution
from training.store import Store
from training.store.evaluations import EvaluationItem

pytestmark = pytest.mark.usefixtures("dashboard_home")

CONFIG = tiny_sft(max_steps=12, evaluation_problems=20)
TABS = ("Curves", "Completions", "Map", "Health", "Disagreement", "Checkpoints", "System and log", "Configuration")


def record_run(store: Store, *, steps: int = 12, evaluations: tuple[str, ...] = ("before", "after")) -> str:
    """A run whose loss falls; before it no answer is right, after it every second one."""
    job, _ = store.create_job("sft", "demo-sft", CONFIG.model_dump(mode="json"), total=12)
    store.start(job.id)
    for step in range(1, steps + 1):
        scalars = {"loss": 1 / step, "mean_token_accuracy": 0.9, "entropy": 0.2, "num_tokens": 100.0 * step, "step_time": 0.5}
        store.record(job.id, scalars=[(step, scalars)])
    for label in evaluations:
        items = []
        for row, problem in enumerate(data.problem_set("demo").of_split("test")[:20]):
            text = written_solution(problem, TAGS) if label == "after" and row % 2 else "I do not know."
            items.append(EvaluationItem(problem.id, text, score_completion(text, problem.gold), 30))
        record_evaluation(store, job.id, label, 12 if label == "after" else 0, "test", items)
    store.progress(job.id, steps, 12, "done", "training")
    return job.id


@pytest.fixture
def run_id(store: Store) -> str:
    run_id = record_run(store)
    store.end(run_id, "finished", "all 12 steps done")
    return run_id


def heads(test: AppTest) -> list[dict[str, Any]]:
    found = [element.proto for element in test.get("bidi_component")]
    return [json.loads(proto.json) for proto in found if proto.component_name == "grpo_atlas_live_head"]


def test_the_head_says_loss_accuracy_and_what_evaluations_came_to(run_id: str) -> None:
    test = run_app("runs", run=run_id)
    assert not test.exception
    _, figures = heads(test)
    shown = {figure["title"]: figure for figure in figures["head"]["figures"]}
    assert list(shown)[:3] == ["Loss", "Token accuracy", "Hard correctness"]
    assert shown["Token accuracy"]["value"] == "90.0%"
    assert shown["Hard correctness"]["value"] == "50.0%"
    assert "0.0% to 50.0% on the same 20 test problems" in shown["Hard correctness"]["basis"]
    assert "Every step is drawn." in words(test)


def test_the_curves_are_of_the_loss_and_of_evaluations() -> None:
    names = {"loss", "mean_token_accuracy", "entropy", "step_time"}
    curves = run_curves(CONFIG, names)
    assert [curve.key for curve in curves] == [
        "loss",
        "accuracy",
        "evaluated correctness",
        "evaluated soft_correctness",
        "evaluated strict_format",
        "entropy",
        "step_time",
    ]
    assert curves[2].name == reward_scalar("correctness")
    assert [curve.key for curve in run_curves(tiny_sft(), names)] == ["loss", "accuracy", "entropy", "step_time"]


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_of_a_run_says_something_and_nothing_fails(tab: str, run_id: str) -> None:
    test = run_app("runs", run=run_id, tab=tab)
    assert not test.exception
    assert not test.error
    assert words(test)


@pytest.mark.parametrize("tab", TABS)
def test_before_its_first_step_every_tab_says_what_comes(tab: str, store: Store) -> None:
    test = run_app("runs", run=record_run(store, steps=0, evaluations=()), tab=tab)
    assert not test.exception
    assert not test.error
    assert "completions appear" not in words(test)


def test_where_completions_would_stand_it_says_why_there_are_none_and_shows_what_is_taught(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Completions")
    assert "its training generates no completions" in words(test)
    [problem, *_] = data.problem_set("demo").of_split("train")
    assert test.code[0].value == written_solution(problem, TAGS).strip()
    assert "Open its evaluations" in [button.label for button in test.button]


def test_without_completions_there_are_no_signals(run_id: str) -> None:
    assert "no completions to check for signals" in words(run_app("runs", run=run_id, tab="Health"))


def test_the_map_waits_for_two_evaluations(store: Store) -> None:
    test = run_app("runs", run=record_run(store, evaluations=("before",)), tab="Map")
    assert "appear here after the second evaluation" in words(test)


def test_the_map_shows_test_problems_gained_and_lost(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Map")
    assert not test.exception
    assert "20 test problems from before" in words(test)
    assert "gained 10" in words(test)


def test_its_configuration_stands_beside_its_presets_without_settings_of_grpo(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Configuration")
    table = test.dataframe[0].value
    assert {"stage", "loss_type", "learning_rate"} <= set(table["setting"])
    assert {"num_generations", "beta", "rewards.integer"}.isdisjoint(table["setting"])


def test_the_list_of_runs_and_the_other_pages_take_it(run_id: str) -> None:
    for page in ("runs", "explore", "insights", "evaluate"):
        test = run_app(page)
        assert not test.exception, page
    assert test.dataframe or test.get("bidi_component")


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    jobs: list[str] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda self, job, command: jobs.append(job.id))
    return jobs


def open_launch(**address: str) -> AppTest:
    test = AppTest.from_file(str(APP), default_timeout=TIMEOUT_S)
    for name, value in address.items():
        test.query_params[name] = value
    return test.switch_page("app_pages/launch.py").run()


def asked_for(test: AppTest) -> set[str]:
    kinds = (test.number_input, test.text_input, test.text_area, test.toggle, test.selectbox, test.multiselect)
    keys = [str(widget.key) for widgets in kinds for widget in widgets]
    return {key.removeprefix("setting ") for key in keys if key.startswith("setting ")}


def test_the_form_asks_for_the_settings_of_the_stage() -> None:
    test = open_launch(preset="demo-sft", all="True")
    assert not test.exception
    elsewhere = {"preset", "content_hash", "stage", "subset"}
    assert asked_for(test) == set(SftConfig.model_fields) - elsewhere
    assert "32 solutions per step." in words(test)
    assert not any(key.startswith("weight ") for key in (str(field.key) for field in test.number_input))
    [problem, *_] = data.problem_set("demo").of_split("train")
    assert written_solution(problem, TAGS).strip() in [code.value for code in test.code]


def test_a_preset_of_the_stage_is_launched_as_its_kind(submitted: list[str], store: Store) -> None:
    test = open_launch(preset="demo-sft", set=json.dumps({"max_steps": 5}))
    assert "5 steps of 32 solutions, 160 solutions in all." in words(test)
    next(button for button in test.button if button.label == "Launch the run").click().run()
    assert not test.exception
    [job] = store.jobs()
    assert (job.id, job.kind, job.spec["stage"], job.spec["max_steps"]) == ("demo-sft-1", "sft", "sft", 5)
    assert submitted == ["demo-sft-1"]


def test_a_run_of_the_stage_is_duplicated(run_id: str) -> None:
    test = open_launch(**{"from": run_id})
    assert not test.exception
    assert f"Begins with the configuration of **{run_id}**." in words(test)


def test_links_hold_only_settings_of_the_stage() -> None:
    base = Base(load_preset("demo-sft"), "demo-sft")
    changes = {"num_generations": 4, "rewards.integer": 1.0, "max_steps": 7, "loss_type": "dapo"}
    assert base.valid(changes) == {"max_steps": 7}
    assert batch_words(base.values({"gradient_accumulation_steps": 2})) == "64 solutions per step."
