"""Weights & Biases beside the store: wandb itself, offline, and what happens when its server cannot be reached."""

from pathlib import Path
from typing import Any

import pytest

from training.config import RunConfig
from training.jobs.train import tracking
from training.jobs.train.tracking import tracked
from training.presets import load_preset
from training.store import Job, Store

KEY = "0" * 40


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture
def job(store: Store) -> Job:
    return store.create_job("train", "demo", {})[0]


@pytest.fixture
def config() -> RunConfig:
    return load_preset("demo", ["wandb=true"])


def test_without_a_key_the_run_is_kept_offline_in_its_folder_and_nobody_is_asked(
    config: RunConfig, store: Store, job: Job, tmp_path: Path
) -> None:
    import wandb

    with tracked(config, store, job, tmp_path):
        assert wandb.run is not None
        assert (wandb.run.id, wandb.run.project) == (job.id, "grpo-atlas")
        wandb.run.log({"reward": 1.0})
    folder = Path(store.job(job.id).tracker)
    assert folder.is_relative_to(tmp_path)
    assert list(folder.glob("*.wandb"))
    assert wandb.run is None


def test_a_server_that_does_not_answer_costs_the_connection_not_the_run(
    config: RunConfig,
    store: Store,
    job: Job,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(tracking, "_TIMEOUT_S", 2)
    with tracked(config, store, job, tmp_path):
        pass
    assert Path(store.job(job.id).tracker).is_relative_to(tmp_path)
    assert "cannot be reached" in capsys.readouterr().err


def test_with_a_key_the_runs_url_is_stored(
    config: RunConfig, store: Store, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    class Online:
        offline, url = False, "https://wandb.example/r/demo-1"
        exit_code = -1

        def finish(self, exit_code: int) -> None:
            self.exit_code = exit_code

    run, asked = Online(), {}

    def init(**settings: Any) -> Online:
        asked.update(settings)
        return run

    (tmp_path / "netrc").write_text(f"machine api.wandb.ai login user password {KEY}\n")
    monkeypatch.setattr(wandb, "init", init)
    with pytest.raises(KeyError), tracked(config, store, job, tmp_path):
        raise KeyError("the run fails")
    assert store.job(job.id).tracker == "https://wandb.example/r/demo-1"
    assert (asked["mode"], asked["resume"], run.exit_code) == ("online", "allow", 1)


def test_a_run_that_does_not_ask_for_it_has_no_tracker(store: Store, job: Job, tmp_path: Path) -> None:
    with tracked(load_preset("demo"), store, job, tmp_path):
        pass
    assert store.job(job.id).tracker == ""
