"""Checkpoints that were damaged on the disk: found before they are used, with the file's name."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from training.errors import CheckpointError
from training.home import Home
from training.models.checkpoints import checkpoint_to_resume, model_on_this_disk, on_this_disk
from training.models.checksums import FOR_RESUMING_ALONE, NAME, find_damage, write_checksums
from training.store import Store

Damage = Callable[[Path], object]


def flip(path: Path) -> None:
    """Change a bit in the middle, the size stays."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


DAMAGES: dict[str, Damage] = {
    "cut": cut,
    "emptied": lambda path: path.write_bytes(b""),
    "grown": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "deleted": Path.unlink,
    "bit flipped": flip,
    "a folder instead": lambda path: (path.unlink(), path.mkdir()),
}
FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


def save(folder: Path, step: int = 50) -> Path:
    """A checkpoint in the formats of the real ones, without a list."""
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    save_file({"weight": torch.arange(100.0)}, path / "model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({"state": torch.arange(1000.0)}, path / name)
    (path / "trainer_state.json").write_text(json.dumps({"global_step": step, "log_history": list(range(50))}))
    return path


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_any_damage_to_any_file_is_found(damage: str, name: str, tmp_path: Path) -> None:
    path = save(tmp_path)
    write_checksums(path)
    assert find_damage(path, contents=True) is None
    DAMAGES[damage](path / name)
    assert (find_damage(path, contents=True) or "").startswith(f"{name} ")
    assert (find_damage(path) is None) == (damage == "bit flipped")  # only contents show it


@pytest.mark.parametrize("listed", [b"", b"[]", b'{"optimizer.pt": 3}', b"\xff\x00", b"{" * 100_000])
def test_a_damaged_list_is_damage(listed: bytes, tmp_path: Path) -> None:
    path = save(tmp_path)
    (path / NAME).write_bytes(listed)
    assert (find_damage(path) or "").startswith(NAME)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["cut", "emptied", "deleted"])
def test_without_a_list_the_formats_tell(damage: str, name: str, tmp_path: Path) -> None:
    path = save(tmp_path)
    assert find_damage(path, contents=True) is None
    DAMAGES[damage](path / name)
    assert find_damage(path, contents=True) is not None


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_without_a_list_a_flipped_bit_in_an_archive_is_found(name: str, tmp_path: Path) -> None:
    path = save(tmp_path)
    flip(path / name)
    assert (find_damage(path, contents=True) or "").startswith(f"{name} ")


def test_a_model_can_be_measured_although_its_optimiser_is_damaged(home: Home, tmp_path: Path) -> None:
    path = save(tmp_path)
    write_checksums(path)
    cut(path / "optimizer.pt")
    assert model_on_this_disk(str(path), home) == str(path)
    assert find_damage(path, contents=True, without=FOR_RESUMING_ALONE) is None
    flip(path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"checkpoint-50 is damaged: model\.safetensors "):
        model_on_this_disk(str(path), home)


def test_what_people_and_uploads_add_is_no_damage(tmp_path: Path) -> None:
    path = save(tmp_path)
    (path / "README.md").write_text("a card")
    write_checksums(path)
    (path / "README.md").write_text("a better card")
    (path / "manifest.json").write_text("{}")
    assert find_damage(path, contents=True) is None


def test_the_reason_names_the_file_the_checkpoint_and_the_earlier_one(store: Store, tmp_path: Path) -> None:
    run_id = store.create_job("train", "demo", {})[0].id
    for step in (50, 100):
        write_checksums(save(tmp_path, step))
        store.add_checkpoint(run_id, step, str(tmp_path / f"checkpoint-{step}"))
    flip(tmp_path / "checkpoint-100" / "optimizer.pt")
    latest = checkpoint_to_resume(store, run_id)
    assert latest is not None
    with pytest.raises(CheckpointError) as caught:
        on_this_disk(store, run_id, latest, tmp_path)
    assert all(word in caught.value.problem for word in ("step 100", "checkpoint-100", "optimizer.pt"))
    assert "50" in caught.value.remedy
