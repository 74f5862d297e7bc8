"""Artefacts: copies that are complete or absent, uploads beside the training, and what is done with an uploaded checkpoint."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.tiny_runs import few_problems, go_on, rewarding_length, run_to_the_end, tiny
from training import artefacts
from training.allowed import allowed_model
from training.artefacts import MANIFEST, VARIABLE, Artefacts, check_url, fetch, is_complete, is_url, remove, stands_for
from training.errors import ArtefactError, CheckpointError, ModelError
from training.home import Home
from training.jobs import evaluate
from training.jobs.evaluate import EVALUATE, evaluation_spec
from training.jobs.running import run_job
from training.models.checkpoints import checkpoint_to_resume, delete_unrecorded, model_on_this_disk, on_this_disk
from training.models.checksums import write_checksums
from training.models.uploads import Uploads
from training.preflight.settings import check_artefacts
from training.runs.deletion import delete_job
from training.runs.launch import check_run, queue_job
from training.store import Store
from training.store.evaluations import complete_evaluations

FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "part/inner.bin")


@pytest.fixture(autouse=True)
def memory() -> Iterator[dict[str, Any]]:
    """What lies under memory://, emptied."""
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    yield MemoryFileSystem.store
    MemoryFileSystem.store.clear()


@pytest.fixture
def run_id(store: Store) -> str:
    return store.create_job("train", "demo", {})[0].id


@pytest.fixture(params=["memory://bucket/atlas", "folder", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Artefacts:
    shared = tmp_path / "shared"
    return Artefacts({"folder": str(shared), "file": f"file://{shared}"}.get(request.param, request.param))


def save(folder: Path, step: int, text: str = "something") -> Path:
    path = folder / f"checkpoint-{step}"
    for name in FILES:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(f"{text} {name}")
    write_checksums(path)
    return path


def break_at(monkeypatch: pytest.MonkeyPatch, name: str, times: int = 1_000_000) -> None:
    """Have the memory file system fail on files whose name ends so, as often as told."""
    whole, left = MemoryFileSystem.put_file, [times]

    def put_file(self: MemoryFileSystem, local: str, target: str, **options: Any) -> None:
        if target.endswith(name) and left[0] > 0:
            left[0] -= 1
            raise ConnectionError("https://key:secret@host/bucket?X-Amz-Signature=abc was reset")
        whole(self, local, target, **options)

    monkeypatch.setattr(MemoryFileSystem, "put_file", put_file)


def test_a_copy_comes_back_as_it_was_sent(place: Artefacts, tmp_path: Path) -> None:
    folder = save(tmp_path, 50)
    url = place.upload("demo-1", folder)
    assert is_url(url)
    assert is_complete(url)
    assert stands_for(folder, url)
    fetched = fetch(url, tmp_path / "elsewhere" / "checkpoint-50")
    assert {name: (fetched / name).read_text() for name in FILES} == {name: f"something {name}" for name in FILES}
    assert stands_for(fetched, url)
    assert place.copies("demo-1") == [url]
    remove(url)
    remove(url)
    assert not is_complete(url)
    assert place.copies("demo-1") == []


def test_an_upload_that_fails_half_way_leaves_nothing_and_no_credential_in_its_message(
    memory: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_at(monkeypatch, "scheduler.pt")
    with pytest.raises(ArtefactError, match=r"cannot be written \(https://host/bucket was reset\)") as caught:
        Artefacts("memory://bucket").upload("demo-1", save(tmp_path, 50))
    assert "secret" not in str(caught.value)
    assert not memory


def test_a_copy_without_its_manifest_is_no_copy(memory: dict[str, Any], tmp_path: Path) -> None:
    url = Artefacts("memory://bucket").upload("demo-1", save(tmp_path, 50))
    fsspec.filesystem("memory").rm_file(f"{url}/{MANIFEST}")
    assert not is_complete(url)
    with pytest.raises(ArtefactError, match="cut short"):
        fetch(url, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_download_that_is_cut_off_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = Artefacts("memory://bucket").upload("demo-1", save(tmp_path, 50))
    target = save(tmp_path / "other", 50, "older")
    whole = MemoryFileSystem.get_file

    def get_file(self: MemoryFileSystem, source: str, local: str, **options: Any) -> None:
        whole(self, source, local, **options)
        Path(local).write_text("cut")

    monkeypatch.setattr(MemoryFileSystem, "get_file", get_file)
    with pytest.raises(ArtefactError, match="other sizes"):
        fetch(url, target)
    assert (target / "optimizer.pt").read_text() == "older optimizer.pt"
    monkeypatch.undo()
    assert (fetch(url, target) / "optimizer.pt").read_text() == "something optimizer.pt"
    assert [path.name for path in target.parent.glob(".partial*")] == []


def test_a_missing_driver_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    present = artefacts.importlib.util.find_spec
    monkeypatch.setattr(artefacts.importlib.util, "find_spec", lambda name: None if name == "s3fs" else present(name))
    url = "s3://bucket/atlas"
    with pytest.raises(ArtefactError, match=r"driver of s3:// is not installed. .*pip install 'fsspec\[s3\]==20"):
        Artefacts.from_environment({VARIABLE: url})
    (here,) = check_artefacts(SimpleNamespace(artefacts=url, machine="this one"))  # type: ignore[arg-type]
    assert (here.severity, here.certain) == ("error", True)
    (elsewhere,) = check_artefacts(SimpleNamespace(artefacts=url, machine=None))  # type: ignore[arg-type]
    assert (elsewhere.severity, elsewhere.certain) == ("warning", False)


def test_where_checkpoints_go_is_checked_for_the_backend_that_runs_them(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = '[cluster]\nkind = "ray"\naddress = "http://127.0.0.1:9"\n'
    (home.root / "backends.toml").write_text(f'{cluster}artefacts = "yy://bucket"\n')

    def told(backend: str) -> list[str]:
        found = check_run(store, home, tiny(), few_problems(), backend, ask_hub=False)
        return [finding.text for finding in found.findings if finding.about == "artefacts"]

    monkeypatch.setenv(VARIABLE, "zz://bucket")
    assert (len(told("cluster")), "'yy://bucket'" in told("cluster")[0]) == (1, True)
    assert (len(told("local")), "'zz://bucket'" in told("local")[0]) == (1, True)
    monkeypatch.delenv(VARIABLE)
    assert told("local") == []
    monkeypatch.setenv(VARIABLE, "zz://bucket")
    (home.root / "backends.toml").write_text(cluster)
    assert told("cluster") == []


@pytest.mark.parametrize(("url", "told"), [("zz://a/b", "unknown kind"), ("s3://key:secret@bucket/b", "carries credentials")])
def test_a_url_that_cannot_be_used_says_why(url: str, told: str) -> None:
    with pytest.raises(ArtefactError, match=told) as caught:
        check_url(url)
    assert "secret" not in str(caught.value)


def uploads(store: Store, run_id: str, kept: int, told: list[str], retries_s: tuple[float, ...] = (0.0,)) -> Uploads:
    return Uploads(Artefacts("memory://bucket"), store, run_id, kept, told.append, retries_s)


def test_the_record_names_the_url_once_the_copy_is_complete_and_old_ones_go_everywhere(
    store: Store, run_id: str, tmp_path: Path
) -> None:
    told: list[str] = []
    for step in (50, 100, 150):
        with uploads(store, run_id, 2, told) as uploading:
            folder = save(tmp_path, step)
            store.add_checkpoint(run_id, step, str(folder))
            uploading.add(step, folder)
    found = store.checkpoints(run_id)
    assert [(checkpoint.step, is_complete(checkpoint.path)) for checkpoint in found] == [(100, True), (150, True)]
    assert sorted(Artefacts("memory://bucket").copies(run_id)) == sorted(checkpoint.path for checkpoint in found)
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-100", "checkpoint-150"]
    assert not uploading.problem


def test_a_copy_that_is_forgotten_takes_what_stands_for_it_here_along(
    store: Store, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Uploads, "_delete_old_folders", lambda self, folder: None)  # as where it came too late
    for step in (50, 100, 150):
        with uploads(store, run_id, 2, []) as uploading:
            folder = save(tmp_path, step)
            store.add_checkpoint(run_id, step, str(folder))
            uploading.add(step, folder)
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-100", "checkpoint-150"]


def test_an_upload_in_trouble_is_told_tried_again_and_ends_no_run(
    store: Store, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    break_at(monkeypatch, "optimizer.pt", times=3)
    folder = save(tmp_path, 50)
    store.add_checkpoint(run_id, 50, str(folder))
    with uploads(store, run_id, 2, told, retries_s=()) as uploading:
        uploading.add(50, folder)
        assert "the checkpoint of step 50 is not uploaded" in uploading.finish()
    assert [checkpoint.path for checkpoint in store.checkpoints(run_id)] == [str(folder)]
    with uploads(store, run_id, 2, told) as uploading:
        uploading.add(50, folder)
        assert uploading.finish() == ""
    assert is_url(store.checkpoints(run_id)[0].path)
    assert sum("is not uploaded" in line for line in told) >= 1


def test_training_is_not_kept_waiting_by_a_slow_upload(
    store: Store, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, may_go_on, begun = MemoryFileSystem.put_file, threading.Event(), threading.Event()

    def put_file(self: MemoryFileSystem, *arguments: Any, **options: Any) -> None:
        begun.set()
        assert may_go_on.wait(300)
        whole(self, *arguments, **options)

    monkeypatch.setattr(MemoryFileSystem, "put_file", put_file)
    with uploads(store, run_id, 1, []) as uploading:
        for step in (50, 100, 150):
            folder = save(tmp_path, step)
            store.add_checkpoint(run_id, step, str(folder))
            uploading.add(step, folder)
            assert begun.wait(300)
        assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-150", "checkpoint-50"]
        may_go_on.set()
    found = store.checkpoints(run_id)
    assert found[-1].step == 150
    assert is_complete(found[-1].path)
    assert [checkpoint.step for checkpoint in found] == [150]


def test_copies_that_nobody_has_on_record_are_deleted_at_the_next_start(store: Store, run_id: str, tmp_path: Path) -> None:
    place = Artefacts("memory://bucket")
    place.upload(run_id, save(tmp_path, 50))
    with uploads(store, run_id, 2, []):
        pass
    assert place.copies(run_id) == []


def test_a_copy_that_is_gone_is_not_resumed_but_one_that_lies_here_needs_no_asking(
    store: Store, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(tmp_path, 50)
    url = Artefacts("memory://bucket").upload(run_id, folder)
    store.add_checkpoint(run_id, 50, url)
    remove(url)
    with pytest.raises(CheckpointError, match="not there any more"):
        checkpoint_to_resume(store, run_id)
    found = checkpoint_to_resume(store, run_id, folder=tmp_path)
    assert found is not None
    assert on_this_disk(store, run_id, found, tmp_path) == str(folder)
    delete_unrecorded(store, run_id, tmp_path)
    assert folder.is_dir()


def test_a_page_may_name_an_uploaded_checkpoint_and_no_other_url(store: Store, home: Home, run_id: str) -> None:
    store.add_checkpoint(run_id, 50, "memory://bucket/demo-1/checkpoint-50-aa")
    assert allowed_model("memory://bucket/demo-1/checkpoint-50-aa", store, home) == "memory://bucket/demo-1/checkpoint-50-aa"
    with pytest.raises(ModelError):
        allowed_model("memory://bucket/demo-1/checkpoint-50-bb", store, home)


def test_only_some_fetched_models_are_kept(home: Home, tmp_path: Path) -> None:
    place = Artefacts("memory://bucket")
    for step in range(6):
        model_on_this_disk(place.upload("demo-1", save(tmp_path, step)), home)
    assert len(list((home.cache / "artefacts").glob("[!.]*"))) == 4


Trained = Callable[..., Any]


def test_a_run_goes_on_on_another_machine_and_its_checkpoint_is_measured_there(
    store: Store, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other machine is the same one without the run's folder."""
    monkeypatch.setenv(VARIABLE, f"file://{tmp_path}/shared")
    config = tiny(max_steps=2, save_steps=1, save_total_limit=1, evaluate_before=False, evaluate_after=False)
    with rewarding_length():
        job = run_to_the_end(store, home, config)
        assert job.reason == "all 2 steps done"
        (checkpoint,) = store.checkpoints(job.id)
        assert checkpoint.path.startswith(f"file://{tmp_path}/shared/{job.id}/checkpoint-2-")
        assert len(list((tmp_path / "shared" / job.id).iterdir())) == 1
        shutil.rmtree(home.job_folder(job.id))
        store.end(job.id, "failed", "its machine burnt")
        store.requeue(job.id)
        longer = config.model_copy(update={"max_steps": 3})
        assert go_on(store, home, job.id, longer).reason == "all 3 steps done"
    assert {rollout.step for rollout in store.rollouts(job.id)} == {1, 2, 3}

    shutil.rmtree(home.job_folder(job.id))
    url = store.checkpoints(job.id)[-1].path
    spec = evaluation_spec(url, few_problems(), split="test", fraction=1.0, temperature=0, samples=1, max_completion_length=4)
    monkeypatch.setattr(evaluate, "load_problems", lambda source, home: few_problems())
    measured, _ = queue_job(store, home, EVALUATE, spec)
    run_job(store, home, measured.id)
    (evaluation,) = complete_evaluations(store, measured.id)
    assert len(evaluation.items) == 4
    delete_job(store, home, job.id)
    assert list((tmp_path / "shared").rglob("*.safetensors")) == []
    assert json.dumps([found.id for found in store.jobs("train")]) == "[]"
