"""After a run: merged models are the trained ones, their cards tell what was measured and nothing of a machine, pushes ask."""

import io
import json
import sys
import threading
import types
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.fakes import record_evaluation
from tests.tiny_runs import rewarding_length, run_to_the_end, tiny
from training.__main__ import main
from training.engines import hugging_face
from training.errors import CheckpointError, ConfigError, HubError, ModelError, StoreError
from training.home import Home
from training.jobs import output as after_run
from training.jobs.output import OUTPUT, OutputSpec, merged_folder, output_spec, push_folder
from training.jobs.running import run_job
from training.runs.deletion import delete_job
from training.runs.launch import queue_job
from training.store import Job, Store
from training.store.evaluations import EvaluationItem

TOKEN = "hf_secretsecretsecret"
LORA = tiny(max_steps=1, save_steps=1, lora_rank=4, lora_targets=("q_proj", "down_proj"), precision="float32")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture(scope="module")
def store(home: Home) -> Store:
    return Store.open(home.store_url)


@pytest.fixture(scope="module")
def runs(store: Store, home: Home) -> dict[str, str]:
    """A run of an adapter, and one of every weight."""
    settings = {"evaluate_before": False, "evaluate_after": False}
    with rewarding_length():
        found = {
            "adapter": run_to_the_end(store, home, LORA.model_copy(update=settings)).id,
            "full": run_to_the_end(store, home, tiny(max_steps=1, save_steps=1, **settings)).id,
        }
    item = EvaluationItem("test-0", "72", {"correctness": 1.0, "soft_correctness": 1.0}, 3)
    record_evaluation(store, found["adapter"], "before", 0, "test", [item])
    return found


@pytest.fixture
def command(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What a stand-in for huggingface_hub's HfApi is asked."""
    asked: list[tuple[str, Any]] = []

    class FakeApi:
        endpoint = "https://hub.test"

        def __init__(self, token: str) -> None:
            asked.append(("token", token))

        def whoami(self) -> dict[str, str]:
            return {"name": "ada"}

        def create_repo(self, repository: str, *, private: bool, exist_ok: bool) -> str:
            asked.append(("create", (repository, private)))
            return f"https://hub.test/{repository}"

        def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> None:
            asked.append(("upload", sorted(path.name for path in folder_path.iterdir())))

    monkeypatch.setattr("huggingface_hub.HfApi", FakeApi)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return asked


def outputs(model: Any, tokenizer: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(**tokenizer("Ada has 4 apples.", return_tensors="pt")).logits


def made(store: Store, home: Home, spec: OutputSpec) -> Job:
    """Its job, done in this process."""
    return store.job(run_job(store, home, queue_job(store, home, OUTPUT, spec, name=spec.action)[0].id).job.id)


@pytest.mark.parametrize("kind", ["adapter", "full"])
def test_the_merged_model_is_the_trained_one_and_stands_alone(
    kind: str, runs: dict[str, str], store: Store, home: Home
) -> None:
    spec = output_spec(store, home, runs[kind], "merge")
    told = made(store, home, spec).reason
    folder = merged_folder(home, runs[kind], 1)
    assert told == f"the model of step 1 is in {folder}"
    checkpoint = store.checkpoints(runs[kind])[-1].path
    merged = hugging_face.load_model(str(folder))
    torch.testing.assert_close(outputs(*merged), outputs(*hugging_face.load_model(checkpoint)), rtol=1e-4, atol=1e-4)
    assert not torch.equal(outputs(*merged), outputs(*hugging_face.load_model("demo")))
    assert not (folder / "adapter_config.json").exists()
    assert [path.name for path in folder.parent.glob(".partial*")] == []


def test_no_file_of_a_merged_model_names_a_folder_of_this_machine(runs: dict[str, str], store: Store, home: Home) -> None:
    spec = output_spec(store, home, runs["adapter"], "merge")
    made(store, home, spec)
    folder = merged_folder(home, runs["adapter"], 1)
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix != ".safetensors"}
    here = (str(home.root), str(Path(__file__).resolve().parents[2]), str(Path.home()))
    assert [name for name, text in texts.items() for place in here if len(place) > 5 and place in text] == []
    assert load_file(next(folder.glob("*.safetensors")))
    card = texts["README.md"]
    assert runs["adapter"] in card
    assert "LoRA of rank 4, merged" in card
    assert "before, 1 test problem" in card
    assert "hf_" not in card


def test_what_is_on_the_disk_is_not_overwritten(runs: dict[str, str], store: Store, home: Home, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    spec = output_spec(store, home, runs["full"], "merge", out=str(tmp_path))
    with pytest.raises(ConfigError, match="is not empty"):
        made(store, home, spec)
    assert store.jobs("output", limit=1)[0].status == "failed"
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_what_cannot_be_made_says_why_before_anything_starts(
    runs: dict[str, str], store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(after_run, "missing_packages", lambda engine: ("unsloth",))
    with pytest.raises(CheckpointError, match="no checkpoint of step 7"):
        output_spec(store, home, runs["full"], "merge", 7)
    with pytest.raises(HubError, match="Set HF_TOKEN"):
        output_spec(store, home, runs["full"], "push", repository="ada/model")
    with pytest.raises(ConfigError, match="no repository's name"):
        output_spec(store, home, runs["full"], "push", repository="../model")
    with pytest.raises(ModelError, match=r"Install it with pip install '\.\[gpu\]'"):
        output_spec(store, home, runs["full"], "export", quantization="q8_0")
    with pytest.raises(ConfigError, match="Use one of q4_k_m"):
        output_spec(store, home, runs["full"], "export", quantization="q0")
    empty = store.create_job("train", "empty", {})[0].id
    with pytest.raises(CheckpointError, match="has no checkpoint"):
        output_spec(store, home, empty, "merge")


@pytest.mark.usefixtures("command")
def test_a_push_asks_first_and_the_token_goes_only_to_the_hub(
    runs: dict[str, str],
    store: Store,
    hub: list[tuple[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["push", runs["full"], "--repository", "ada/model"]) == 1
    assert "Confirm with --yes.\nNothing was pushed." in capsys.readouterr().out
    assert hub == []
    assert main(["push", runs["full"], "--repository", "ada/model", "--yes"]) == 0
    told = capsys.readouterr()
    assert "the model of step 1 is at https://hub.test/ada/model" in told.out
    assert hub[:2] == [("token", TOKEN), ("create", ("ada/model", True))]
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= set(hub[2][1])
    jobs = store.jobs("output")
    assert TOKEN not in f"{told.out}{told.err}{jobs}"


class Refusing(BaseHTTPRequestHandler):
    """A Hub that knows no token."""

    def do_GET(self) -> None:
        body = json.dumps({"error": f"Invalid {self.headers['authorization']}"}).encode()
        self.send_response(401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def refusing_hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("answers", [True, False])
def test_a_hub_that_refuses_or_is_not_there_is_told_without_the_token(
    answers: bool, refusing_hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import HfApi, constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.utils._http.constants.HF_HUB_OFFLINE", False)
    address = refusing_hub if answers else "http://127.0.0.1:9"
    monkeypatch.setattr("huggingface_hub.HfApi", lambda token: HfApi(address, token))
    with pytest.raises(HubError, match=r"refuses ada/model \(401" if answers else "could not be pushed") as caught:
        push_folder(tmp_path, "ada/model", TOKEN, public=False)
    assert TOKEN not in str(caught.value)


def test_a_gguf_file_is_made_by_unsloth_from_the_merged_model(
    runs: dict[str, str], store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unsloth is a stand-in here: the real one builds llama.cpp."""

    class Model:
        def save_pretrained_gguf(self, folder: str, tokenizer: Any, quantization_method: str, temporary_location: str) -> None:
            target = Path(f"{folder}_gguf")
            target.mkdir(parents=True)
            (target / f"model.{quantization_method.upper()}.gguf").write_bytes(b"GGUF")

    loaded: list[str] = []

    def from_pretrained(model_name: str, load_in_4bit: bool) -> tuple[Model, None]:
        loaded.append(model_name)
        return Model(), None

    fake = types.SimpleNamespace(FastLanguageModel=types.SimpleNamespace(from_pretrained=from_pretrained))
    monkeypatch.setitem(sys.modules, "unsloth", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(after_run, "engine_named", lambda name: None)
    monkeypatch.setattr(after_run, "missing_packages", lambda engine: ())
    spec = output_spec(store, home, runs["adapter"], "export", quantization="q8_0")
    made(store, home, spec)
    folder = merged_folder(home, runs["adapter"], 1)
    assert loaded == [str(folder)]
    assert [path.name for path in (folder.parent / "gguf-1").iterdir()] == [f"{runs['adapter']}-step-1-model.Q8_0.gguf"]
    assert not (folder.parent / ".gguf-1").exists()


def test_a_run_is_not_deleted_while_something_is_made_of_it(runs: dict[str, str], store: Store, home: Home) -> None:
    spec = OutputSpec(run=runs["full"], action="merge", step=1)
    job, _ = queue_job(store, home, OUTPUT, spec, name="merge")
    assert queue_job(store, home, OUTPUT, spec, name="merge") == (job, False)
    with pytest.raises(StoreError, match="Something is being made"):
        delete_job(store, home, runs["full"])
    store.end(job.id, "stopped", "")
