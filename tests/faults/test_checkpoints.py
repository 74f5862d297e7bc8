"""Checkpoints that the disk damaged: a run says which file of which checkpoint, and goes on from the one before."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Cli, wait_for_job
from training.store import Store


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("optimizer.pt", flip),
        ("adapter_model.safetensors", flip),
        ("trainer_state.json", lambda path: path.write_text("{")),
        ("rng_state.pth", lambda path: path.write_bytes(path.read_bytes()[:100])),
        ("checksums.json", lambda path: path.write_bytes(b"\x00")),
    ],
)
def test_a_run_with_a_damaged_checkpoint_names_the_file_and_goes_on_from_the_one_before(
    name: str, damage: Callable[[Path], object], launch: Callable[..., str], cli: Cli, store: Store
) -> None:
    run_id = launch(wait=True)
    before, last = store.checkpoints(run_id)
    store.end(run_id, "stopped", "as if it had been asked to")
    damage(Path(last.path) / name)

    cli("resume", run_id)  # refused at once where the size tells, else by the run's own process
    job = wait_for_job(store, run_id, lambda job: not job.active)
    reason = job.reason if job.status == "failed" else cli("resume", run_id).stderr
    assert all(word in reason for word in (name, "step 4", f"--checkpoint: {before.step}"))
    assert store.last_rollout_step(run_id) == 4

    assert cli("resume", run_id, "--checkpoint", str(before.step)).returncode == 0
    assert wait_for_job(store, run_id, lambda job: not job.active).status == "finished"
    assert sorted({rollout.step for rollout in store.rollouts(run_id)}) == [1, 2, 3, 4]
