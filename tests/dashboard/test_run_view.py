"""One run's page without a browser: its head and every tab. No training starts here."""

import gzip
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.components.run.checkpoints import zipped
from dashboard.components.run.header import _gzipped, evaluation_json, scalar_lines
from dashboard.curves import reward_scalar
from dashboard.memory import ShownRun
from dashboard.run_head import progress_line
from tests.app_testing import TIMEOUT_S, follow, run_app, words
from tests.fakes import record_evaluation
from training.doctor.signals import SIGNALS
from training.errors import StoreAwayError
from training.groups import Rollout
from training.home import Home
from training.insight.rollout_files import rollout_lines
from training.presets import load_preset
from training.rewards import score_completion
from training.store import Store
from training.store.evaluations import EvaluationItem

pytestmark = pytest.mark.usefixtures("dashboard_home")

RIGHT, WRONG = "<reasoning>\nx\n</reasoning>\n<answer>\n{}\n</answer>\n", "<answer>$1 <script></answer>"
STEPS = 12


def record_run(store: Store, steps: int = STEPS, *, flat: bool = False, wrong: bool = False) -> str:
    """A run under way: two groups of two completions a step, one right and one wrong, or both right, or both wrong."""
    config = load_preset("demo", ["num_generations=2", "per_device_train_batch_size=4", "max_steps=100", f"seed={int(flat)}"])
    job, _ = store.create_job("train", "demo", config.model_dump(mode="json"), total=100)
    store.start(job.id)
    problems = data.problem_set("demo").problems[:2]
    for step in range(1, steps + 1):
        rollouts = []
        for group, problem in enumerate(problems):
            right = RIGHT.format(problem.gold)
            texts = [WRONG if wrong else right, right if flat else WRONG]
            for position, text in enumerate(texts):
                rewards = score_completion(text, problem.gold)
                total = sum(value or 0.0 for value in rewards.values())
                rollouts.append(
                    Rollout(step, group, position, problem.id, text, rewards, total, 1.0 - 2 * position, 30, "stop")
                )
        means = {reward_scalar(name): value for name, value in rollouts[0].rewards.items()}
        scalars = means | {"reward": 2.0 + step / 10, "reward_std": 1.0, "step_time": 3.0, "entropy": 1.0}
        store.record(job.id, rollouts=rollouts, scalars=[(step, scalars)])
        store.progress(job.id, step, 100, "training", "training")
    return job.id


@pytest.fixture
def run_id(store: Store) -> str:
    return record_run(store)


def button(test: AppTest, label: str) -> object:
    return next(button for button in test.button if button.label == label)


def heads(test: AppTest) -> list[dict[str, Any]]:
    """What the browser gets of the line and of the figures."""
    found = [element.proto for element in test.get("bidi_component")]
    return [json.loads(proto.json) for proto in found if proto.component_name == "grpo_atlas_live_head"]


def cards(test: AppTest) -> str:
    return "".join(element.proto.body for element in test.get("html"))


def test_the_head_says_where_the_run_stands_with_its_figures(run_id: str) -> None:
    test = run_app("runs", run=run_id)
    assert not test.exception
    line, figures = heads(test)
    assert {figure["title"] for figure in figures["head"]["figures"]} >= {
        "Total reward",
        "Hard correctness",
        "Soft correctness",
    }
    assert line["head"]["line"] == "step 12 of 100, 3.00 s per step, 4 min 24 s left, training"
    assert line["head"]["fraction"] == pytest.approx(0.12)
    assert {"Stop", "Duplicate"} <= {button.label for button in test.button}
    assert "Every step is drawn." in words(test)


def test_stop_puts_the_request_into_the_store(run_id: str, store: Store) -> None:
    test = run_app("runs", run=run_id, tab="Configuration")
    button(test, "Stop").click().run()
    assert not test.exception
    assert store.job(run_id).status == "stopping"


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_an_ended_run_says_why_and_offers_to_resume(run_id: str, store: Store, status: str) -> None:
    store.end(run_id, status, "the disk is full")  # type: ignore[arg-type]
    test = run_app("runs", run=run_id, tab="Configuration")
    line, _ = heads(test)
    assert "the disk is full" in words(test) + line["head"]["line"]
    assert line["address"] is None
    assert "Resume" in [button.label for button in test.button]


def test_a_run_without_steps_says_what_comes_in_every_tab(store: Store) -> None:
    config = load_preset("demo", [])
    job, _ = store.create_job("train", "demo", config.model_dump(mode="json"), total=150)
    said = {tab: words(run_app("runs", run=job.id, tab=tab)) for tab in ("Curves", "Completions", "Health", "Checkpoints")}
    assert "appear with the first step" in said["Curves"]
    assert "appear with the first step" in said["Completions"]
    assert "checked from 10 steps on" in said["Health"]
    assert "A checkpoint is saved every" in said["Checkpoints"]


def test_a_link_opens_a_part_of_the_curves_and_the_whole_run_is_one_click_away(run_id: str) -> None:
    test = run_app("runs", run=run_id, window="3,9", smooth="0.9")
    assert "Steps 3 to 9 of 100." in words(test)
    button(test, "Whole run").click().run()
    assert "Drag over a curve" in words(test)
    assert dict(test.query_params) == {"run": run_id, "smooth": "0.9"}


def test_a_link_to_an_axis_or_panels_that_a_run_does_not_have_shows_steps_and_all_panels(run_id: str) -> None:
    test = run_app("runs", run=run_id, axis="tokens", panels="gone")
    assert not test.exception
    (axis,) = test.segmented_control
    assert (axis.value, "Tokens" in axis.options) == ("step", False)
    (panels,) = (group for group in test.pills if group.label == "Panels")
    assert len(panels.value) == len(panels.options) > 8
    assert "axis" not in test.query_params


def test_panels_are_left_out_and_come_back_at_the_end_and_the_address_says_which(run_id: str) -> None:
    test = run_app("runs", run=run_id, panels="against,entropy,reward")
    (panels,) = (group for group in test.pills if group.label == "Panels")
    assert panels.value == ["against", "entropy", "reward"]
    panels.set_value(["zero_variance", "reward", "against"]).run()
    assert test.query_params["panels"] == "against,reward,zero_variance"
    button(test, "As they were").click().run()
    assert "panels" not in test.query_params


@pytest.mark.parametrize("window", ["9,3", "3", "1,2,3", "a,b", "nan,5"])
def test_a_window_that_makes_no_sense_is_no_window(window: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        ShownRun.window.parse(window)


def test_completions_follow_the_latest_step_and_are_never_html(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Completions")
    assert not test.exception
    assert "Step 12, group 1 of 2, 2 completions" in words(test)
    assert "equals gold" in cards(test)
    assert "<script>" not in cards(test)


def test_a_link_opens_one_completion_of_a_step_with_its_differences_to_the_best(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Completions", step="5", group="2", completion="2", differences="True")
    assert "Step 5, group 2 of 2" in words(test)
    assert cards(test).count('class="rollout marked"') == 1
    assert "<ins>" in cards(test)


def test_a_chosen_step_that_a_resumed_run_went_back_behind_does_no_harm(run_id: str, store: Store) -> None:
    test = run_app("runs", run=run_id, tab="Completions")
    next(toggle for toggle in test.toggle if toggle.label == "Latest step").set_value(False).run()
    next(slider for slider in test.slider if slider.label == "Step").set_value(11).run()
    assert "Step 11, group 1 of 2" in words(test)
    store.truncate(run_id, after_step=2)
    test.run()
    assert not test.exception
    assert "Step 2, group 1 of 2" in words(test)


def test_a_step_without_rollouts_of_its_own_shows_those_it_learnt_from(run_id: str, store: Store) -> None:
    latest = store.rollouts(run_id, STEPS)
    store.record(run_id, rollouts=[replace(rollout, step=STEPS + 4) for rollout in latest])
    assert "Step 12, group 1 of 2" in words(run_app("runs", run=run_id, tab="Completions", step=str(STEPS + 2)))


def test_the_search_finds_by_outcome_and_leads_to_the_group(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Completions", browse="search", verdict="wrong")
    assert "Page 1: 24 completions, the last." in words(test) or "Page 1: 24 completions." in words(test)
    assert "equals gold" not in cards(test)
    next(button for button in test.button if button.label == "Open its group").click().run()
    assert not test.exception
    assert "Step 12, group 2 of 2" in words(test)
    assert cards(test).count('class="rollout marked"') == 1


def test_problems_whose_completions_agree_against_the_gold_are_listed_with_the_newest(store: Store) -> None:
    test = run_app("runs", run=record_run(store, wrong=True), tab="Completions", browse="gold")
    assert not test.exception
    assert "Of 2 problems with at least 4 completions, 2 have 75% or more that agree on another answer" in words(test)
    (table,) = (found.value for found in test.dataframe if "agreed answer" in found.value)
    assert table["agreeing"].tolist() == [1.0, 1.0]
    assert set(table["agreed answer"]) == {"$1 <script>"}
    assert "Step 12, group" in words(test)
    assert "<script>" not in cards(test)


def test_a_run_that_contradicts_no_gold_says_so(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Completions", browse="gold")
    assert "0 have 75% or more" in words(test)
    assert not test.dataframe


def test_the_pages_of_a_search_are_turned_and_begin_anew_with_another_question(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Completions", browse="search")
    button(test, "Next").click().run()
    assert "Page 2: 24 completions" in words(test)
    next(text for text in test.text_input if text.label == "Text").set_value("$1 <SCRIPT>").run()
    assert "Page 1: 24 completions" in words(test)
    next(text for text in test.text_input if text.label == "Text").set_value("100%").run()
    assert "No completion is like that." in words(test)


def test_a_signal_leads_to_the_completions_that_show_it(store: Store) -> None:
    test = run_app("runs", run=record_run(store, flat=True), tab="Health", bin="total,0.0,9.0", tokens="True")
    assert "Groups all right, nothing learnt" in words(test)
    evidence = next(button for button in test.button if button.label.startswith("step 12"))
    evidence.click().run()
    assert not test.exception
    assert "Step 12, group" in words(test)
    assert test.query_params["tab"] == "Completions"
    glance = next(toggle for toggle in test.toggle if toggle.label == "At a glance")
    assert glance.value is False, "what was asked for stands first"


def test_health_says_what_was_checked_and_passed(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Health")
    said = words(test).replace("*", "")
    assert "checks passed that could be made on 12 steps." in said
    assert "Completions cut off: passed. Fewer than 10% of the completions ran into the length limit." in said
    assert all(signal.title in said for signal in SIGNALS.values())


def test_the_first_signal_stands_above_the_curves(store: Store) -> None:
    assert "all completions earned the same" in words(run_app("runs", run=record_run(store, flat=True)))


def checkpoint(store: Store, run_id: str, step: int, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"):
        (folder / name).write_text("x")
    store.add_checkpoint(run_id, step, str(folder))
    return folder


def test_checkpoints_stand_with_their_evaluations_and_say_when_they_are_gone(run_id: str, store: Store, tmp_path: Path) -> None:
    checkpoint(store, run_id, 5, tmp_path / "checkpoint-5")
    store.add_checkpoint(run_id, 10, str(tmp_path / "checkpoint-10"))
    record_evaluation(store, run_id, "step-5", 5, "test", [EvaluationItem("test-0", "5", score_completion("5", "5"), 3)])
    test = run_app("runs", run=run_id, tab="Checkpoints")
    assert not test.exception
    said = words(test)
    assert "its folder is not there any more" in said
    assert "1 test problem: hard correctness 1.00" in said
    assert [button.label for button in test.button].count("Evaluate") == 1


def test_a_stopped_run_is_resumed_from_a_checkpoint(
    run_id: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[list[str]] = []
    monkeypatch.setattr("training.backends.local.LocalBackend.submit", lambda self, job, command: submitted.append(command))
    checkpoint(store, run_id, 5, tmp_path / "checkpoint-5")
    store.end(run_id, "stopped", "on request")
    test = run_app("runs", run=run_id, tab="Checkpoints")
    button(test, "Resume from step 5").click().run()
    assert not test.exception
    assert submitted == [["-m", "training.jobs", run_id]]
    assert store.last_rollout_step(run_id) == 5


def test_a_checkpoint_is_evaluated_by_a_job_of_its_own(
    run_id: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.backends.local.LocalBackend.submit", lambda self, job, command: None)
    folder = checkpoint(store, run_id, 5, tmp_path / "checkpoint-5")
    test = run_app("runs", run=run_id, tab="Checkpoints")
    button(test, "Evaluate").click().run()
    assert not test.exception
    (job,) = store.jobs("evaluate")
    assert job.spec["model"] == str(folder)
    assert "queued: waiting for its turn" in words(test)


def test_a_checkpoint_is_what_another_run_begins_with(run_id: str, store: Store, tmp_path: Path) -> None:
    checkpoint(store, run_id, 5, tmp_path / "checkpoint-5")
    test = run_app("runs", run=run_id, tab="Checkpoints")
    button(test, "Begin a run").click().run()
    assert test.session_state["launch_changes"] == {"model": f"run:{run_id}@5"}


def test_a_store_that_is_away_is_told_once_while_the_page_is_open(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def script() -> None:
        from dashboard.components.run import view

        for part in (view._render_progress, view._render_actions, view._render_below):
            view._render_part("demo-1", part, was="running")

    def away(self: Store, job_id: str) -> None:
        raise StoreAwayError("The run store cannot be reached (gone).", "Bring it back.")

    monkeypatch.setattr(Store, "job", away)
    test = AppTest.from_function(script, default_timeout=TIMEOUT_S).run()
    assert not test.exception
    (told,) = test.error
    assert told.value.replace("\\", "") == "The run store cannot be reached (gone).\n\nBring it back."


def test_the_log_and_the_configuration_are_shown(run_id: str, home: Home) -> None:
    folder = home.runs / run_id
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("loading <b>the model</b>\n")
    test = run_app("runs", run=run_id, tab="System and log", log="model")
    assert "loading &lt;b&gt;the <mark>model</mark>&lt;/b&gt;" in cards(test)
    assert "1 line of 1 in the log's last 25 characters." in words(test)
    next(widget for widget in test.text_input if widget.label == "Search in the log").set_value("nothing").run()
    assert "0 lines of 1" in words(test)
    assert test.query_params["log"] == "nothing"
    assert "0 lines of 1" in words(run_app("runs", run=run_id, tab="System and log", loglevel="error,warning"))
    test = run_app("runs", run=run_id, tab="Configuration")
    whole = test.main.dataframe[0].value.set_index("setting")
    assert whole.loc["num_generations", ["differs", "value", "in the preset"]].tolist() == ["≠", "2", "8"]
    assert "4 settings are not as in the preset demo" in words(test)
    next(toggle for toggle in test.toggle if toggle.label == "Only what differs").set_value(True).run()
    assert test.query_params["differing"] == "True"
    few = test.main.dataframe[0].value["setting"].tolist()
    assert few == [name for name in whole.index if whole.loc[name, "differs"]]


def test_another_run_opens_at_its_own_latest_step(run_id: str, store: Store) -> None:
    other = record_run(store, steps=3, flat=True)
    test = run_app("runs", run=run_id, tab="Completions", step="5")
    test.session_state["shownrun_run"] = other
    test.run()
    assert "Step 3, group 1 of 2" in words(test)


def test_duplicate_opens_the_launch_form_with_the_runs_configuration(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Configuration")
    button(test, "Duplicate").click().run()
    assert not test.exception
    arrived = follow(test)
    assert arrived.query_params == {"from": run_id}
    assert f"Begins with the configuration of {run_id}" in words(arrived).replace("*", "")


def test_downloads_hold_everything(run_id: str, store: Store) -> None:
    lines = gzip.decompress(_gzipped(scalar_lines(run_id))).decode().splitlines()
    assert lines[0] == "step,name,value,time"
    assert len(lines) == 1 + len(store.scalars(run_id))
    rollouts = [json.loads(line) for line in rollout_lines(store, run_id)]
    assert [Rollout(**row) for row in rollouts] == store.rollouts(run_id)
    record_evaluation(store, run_id, "before", 0, "test", [EvaluationItem("test-0", "5", {"integer": None}, 3)])
    (evaluation,) = json.loads(b"".join(evaluation_json(run_id)))
    assert evaluation["items"][0]["completion"] == "5"


def test_a_checkpoint_is_downloaded_as_a_zip_file_of_its_folder(run_id: str, store: Store, tmp_path: Path) -> None:
    folder = checkpoint(store, run_id, 5, tmp_path / "checkpoint-5")
    with zipfile.ZipFile(io.BytesIO(zipped(folder))) as archive:
        assert "checkpoint-5/model.safetensors" in archive.namelist()


def test_a_run_that_has_ended_says_why_once(store: Store) -> None:
    done = store.job(record_run(store, steps=3))
    store.end(done.id, "failed", "The model is gone.")
    assert "The model is gone." not in progress_line(store.job(done.id), 2.0)  # the red box below has it
    store.end(done.id, "stopped", "stopped on request")
    assert "stopped on request" in progress_line(store.job(done.id), 2.0)
