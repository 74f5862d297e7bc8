"""What is told of a run of supervised fine-tuning from its records: the commands, the report, the model card. No TRL here."""

import json
from pathlib import Path

import pytest

from tests.fakes import record_evaluation
from tests.tiny_runs import tiny_sft
from training.command_line import launching, looking
from training.data.problems import load_problems
from training.errors import ConfigError
from training.home import Home
from training.insight.counterfactuals import reweigh
from training.insight.report import report_html
from training.jobs.model_card import model_card
from training.rewards import score_completion
from training.store import Store
from training.store.evaluations import EvaluationItem, complete_evaluations
from training.stored_config import generates_completions, rollout_config, stage_of, stored_config

CONFIG = tiny_sft(max_steps=3, evaluation_problems=4)


@pytest.fixture
def run_id(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished run, in the home that commands of this process use."""
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    job, _ = store.create_job("sft", "demo-sft", CONFIG.model_dump(mode="json"), total=3)
    store.start(job.id)
    for step in (1, 2, 3):
        scalars = {"loss": 1 / step, "mean_token_accuracy": 0.9, "grad_norm": 1.0, "entropy": 0.1, "step_time": 0.5}
        store.record(job.id, scalars=[(step, scalars)])
    for label, step in (("before", 0), ("after", 3)):
        problems = load_problems("demo").of_split("test")[:4]
        items = [EvaluationItem(p.id, p.gold, score_completion(p.gold, p.gold), 3) for p in problems]
        record_evaluation(store, job.id, label, step, "test", items)
    store.end(job.id, "finished", "all 3 steps done")
    return job.id


def test_show_prints_the_loss_and_the_stage(run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    looking.show_run(run_id)
    said = capsys.readouterr().out
    assert "loss " in said
    assert "mean_token_accuracy" in said
    assert "reward" not in said
    looking.show_run(run_id, as_json=True)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["stage"], facts["follows"]) == ("sft", "")
    assert facts["latest"]["loss"] == pytest.approx(1 / 3)


def test_what_needs_completions_says_that_there_are_none(run_id: str, store: Store, tmp_path: Path) -> None:
    for ask in (
        lambda: looking.show_health(run_id),
        lambda: looking.write_rollouts(run_id, tmp_path / "rollouts.jsonl"),
        lambda: reweigh(store, run_id),
    ):
        with pytest.raises(ConfigError, match="generates no completions"):
            ask()


def test_the_report_has_the_loss_and_no_signals(run_id: str, store: Store, home: Home) -> None:
    text = report_html(store, home, run_id)
    assert "2 solutions" in text
    assert "Token" in text
    assert "generates no completions, so there are no signals to check" in text
    assert "Total reward" not in text


def test_the_model_card_names_the_method_and_what_was_learnt_from(run_id: str, store: Store) -> None:
    card = model_card(store.job(run_id), CONFIG, 3, complete_evaluations(store, run_id))
    assert "Trained with supervised fine-tuning by" in card
    assert "- sft\n" in card
    assert "| Learnt from | reference solutions, answers marked by tags |" in card
    assert "Rewards" not in card


def test_a_run_without_completions_cannot_be_calibrated(run_id: str) -> None:
    with pytest.raises(ConfigError, match="a run of stage sft generates none"):
        launching.check_run("demo-sft", calibrate=True)


def test_the_stored_spec_tells_the_stage(run_id: str, store: Store) -> None:
    spec = store.job(run_id).spec
    assert stored_config(spec) == CONFIG
    assert (stage_of(spec), stage_of({}), stage_of({"layout": "TRL"})) == ("sft", "grpo", "")
    assert [generates_completions(kept) for kept in (spec, {}, {"layout": "TRL"})] == [False, True, True]
    with pytest.raises(ConfigError):
        rollout_config(spec)
