"""Checkpoints: what is on record, what is on the disk, and what a resume says when they differ."""

from pathlib import Path

import pytest

from training.__main__ import main
from training.errors import CheckpointError
from training.home import Home
from training.jobs.train.resuming import saving
from training.models.checkpoints import checkpoint_to_resume, delete_unrecorded, keep_newest
from training.runs.launch import resume_run
from training.store import Store
from training.terminal import EXIT_ERROR

FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


@pytest.fixture
def run_id(store: Store) -> str:
    return store.create_job("train", "demo", {})[0].id


def save(store: Store, run_id: str, folder: Path, step: int) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    for name in FILES:
        (path / name).write_text("something")
    store.add_checkpoint(run_id, step, str(path))
    return path


def test_the_latest_checkpoint_is_resumed_unless_one_is_chosen(store: Store, run_id: str, tmp_path: Path) -> None:
    assert checkpoint_to_resume(store, run_id) is None
    paths = [str(save(store, run_id, tmp_path, step)) for step in (50, 100)]
    chosen = [checkpoint_to_resume(store, run_id, step) for step in (None, 50, 0)]
    assert [checkpoint and checkpoint.path for checkpoint in chosen] == [paths[1], paths[0], None]


def test_a_step_without_checkpoint_names_those_with_one(store: Store, run_id: str, tmp_path: Path) -> None:
    for step in (50, 100):
        save(store, run_id, tmp_path, step)
    with pytest.raises(CheckpointError, match=r"no checkpoint of step 70\. Choose another with --checkpoint: 50, 100, or 0"):
        checkpoint_to_resume(store, run_id, 70)


def test_a_checkpoint_whose_folder_is_gone_names_those_left(store: Store, run_id: str, tmp_path: Path) -> None:
    save(store, run_id, tmp_path, 50)
    path = save(store, run_id, tmp_path, 100)
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(
        CheckpointError,
        match=r"step 100 of demo-1 .* cannot be used: its folder is not there.*Choose another with --checkpoint: 50, or 0",
    ):
        checkpoint_to_resume(store, run_id)


@pytest.mark.parametrize("missing", FILES)
def test_a_checkpoint_that_is_not_complete_is_not_resumed(store: Store, run_id: str, tmp_path: Path, missing: str) -> None:
    path = save(store, run_id, tmp_path, 50)
    (path / missing).write_text("")
    with pytest.raises(CheckpointError, match=r"cannot be used: .* is missing\. Begin again with --checkpoint 0"):
        checkpoint_to_resume(store, run_id)


def test_a_run_with_a_bad_checkpoint_is_not_queued(store: Store, home: Home, run_id: str, tmp_path: Path) -> None:
    path = save(store, run_id, tmp_path, 50)
    store.end(run_id, "failed", "no room")
    (path / "optimizer.pt").unlink()
    with pytest.raises(CheckpointError, match=r"optimizer\.pt is missing"):
        resume_run(store, home, run_id)
    assert store.job(run_id).status == "failed"


def test_the_command_line_names_the_checkpoints_there_are(
    store: Store, home: Home, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(home.root))
    monkeypatch.delenv("GRPO_ATLAS_STORE", raising=False)
    save(store, run_id, tmp_path, 50)
    store.end(run_id, "stopped", "on request")
    assert main(["resume", run_id, "--checkpoint", "70"]) == EXIT_ERROR
    assert "demo-1 has no checkpoint of step 70. Choose another with --checkpoint: 50, or 0" in capsys.readouterr().err


def test_only_the_newest_checkpoints_are_kept(store: Store, run_id: str, tmp_path: Path) -> None:
    for step in (50, 100, 150):
        save(store, run_id, tmp_path, step)
    keep_newest(store, run_id, 2, tmp_path)
    assert [checkpoint.step for checkpoint in store.checkpoints(run_id)] == [100, 150]
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-100", "checkpoint-150"]


def test_what_a_killed_process_left_of_a_checkpoint_is_deleted(store: Store, run_id: str, tmp_path: Path) -> None:
    kept = save(store, run_id, tmp_path, 50)
    (tmp_path / "checkpoint-100").mkdir()
    (tmp_path / "checkpoint-100" / "model.safetensors").write_text("half of")
    (tmp_path / "log.txt").write_text("stays")
    delete_unrecorded(store, run_id, tmp_path)
    assert sorted(tmp_path.glob("[cl]*")) == [kept, tmp_path / "log.txt"]


def test_a_checkpoint_recorded_by_another_name_of_its_folder_is_kept(store: Store, run_id: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    path = save(store, run_id, folder, 50)
    (tmp_path / "link").symlink_to(folder)
    delete_unrecorded(store, run_id, tmp_path / "link")
    assert path.is_dir()


def test_a_save_that_fails_otherwise_leaves_nothing_and_keeps_its_error(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-50"
    folder.mkdir()
    with pytest.raises(ZeroDivisionError), saving(folder):
        _ = 1 / 0
    assert not folder.exists()
