"""A model's small files: in a folder, in the Hub's cache, or refused by a Hub that answers; all without torch."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest

from training.data.problems import load_problems
from training.errors import ModelError
from training.home import DEMO_MODEL
from training.preflight.model_files import UnreachableError, find_model, prompt_lengths
from training.prompts import Prompting


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the demo model to break."""
    return Path(shutil.copytree(DEMO_MODEL, tmp_path / "model"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type["Hub"]]:
    """A Hub of one's own with an empty cache, which answers as `Hub.answer` says."""
    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    Hub.refusal = None
    yield Hub
    server.shutdown()
    server.server_close()


class Hub(BaseHTTPRequestHandler):
    """Serves the demo model's small files under any name, or refuses."""

    refusal: tuple[int, str] | None = None
    """Status and `X-Error-Code`."""

    def do_HEAD(self) -> None:
        self._serve(body=False)

    def do_GET(self) -> None:
        self._serve(body=True)

    def _serve(self, *, body: bool) -> None:
        file = DEMO_MODEL / self.path.rpartition("/")[2]
        if self.refusal is not None or not file.is_file():
            status, code = self.refusal or (404, "EntryNotFound")
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{file.name}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_the_demo_model_is_found_with_template_and_weights() -> None:
    model = find_model("demo")
    assert model is not None
    assert model.has_weights
    assert model.chat_template
    assert model.config["model_type"] == "llama"


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "has no config.json"),
        ("tokenizer.json", "has no tokenizer"),
        ("model.safetensors", "has no weights"),
    ],
)
def test_a_folder_that_lacks_a_file_is_named_with_it(folder: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=message):
        find_model(str(folder))


@pytest.mark.parametrize(("content", "message"), [(slice(0, 6), "begin with a header"), (slice(0, 100_000), "100,000 of ")])
def test_damaged_weights_are_seen_without_loading_them(folder: Path, content: slice, message: str) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[content])
    with pytest.raises(ModelError, match=f"are damaged .*{message}"):
        find_model(str(folder))


def test_weights_in_parts_must_all_be_there(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="not all of them"):
        find_model(str(folder))
    shutil.copy(folder / "model-1.safetensors", folder / "model-2.safetensors")
    assert find_model(str(folder)) is not None


def test_an_adapter_is_known_by_its_base_and_its_own_template(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="does not name its base"):
        find_model(str(folder))
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(DEMO_MODEL)}))
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    found, demo = find_model(str(folder)), find_model("demo")
    assert found is not None
    assert demo is not None
    assert (found.name, found.chat_template, found.config) == (str(folder), "{{ messages }}", demo.config)


def test_a_config_that_is_not_json_is_an_error_with_its_path(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        find_model(str(folder))


def test_a_template_in_the_tokenizers_settings_is_found_too(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    for template in ("{{ messages }}", [{"name": "tools", "template": "x"}, {"name": "default", "template": "{{ messages }}"}]):
        (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": template}))
        model = find_model(str(folder))
        assert model is not None
        assert model.chat_template == "{{ messages }}"


def test_a_path_that_is_not_there_is_no_hub_name() -> None:
    with pytest.raises(ModelError, match="There is no folder '/nowhere/model'"):
        find_model("/nowhere/model")


def test_offline_says_what_forbids_fetching() -> None:
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE"):
        find_model("someone/something-that-is-nowhere")


def test_the_hubs_small_files_are_fetched_and_the_weights_are_not(hub: type[Hub]) -> None:
    model = find_model("someone/model")
    assert model is not None
    assert not model.has_weights
    assert model.chat_template
    assert model.config["hidden_size"] == 192
    assert not list(model.folder.glob("*.safetensors"))


def test_the_hub_is_not_asked_against_ones_will(hub: type[Hub]) -> None:
    hub.refusal = (500, "asked")
    assert find_model("someone/model", ask_hub=False) is None


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        ((401, "GatedRepo"), "is gated, and this machine has no access.*set HF_TOKEN"),
        ((401, "RepoNotFound"), "The Hub knows no model"),
        ((404, "EntryNotFound"), "has no config.json"),
    ],
)
def test_what_the_hub_refuses_is_told_with_the_remedy(hub: type[Hub], refusal: tuple[int, str], message: str) -> None:
    hub.refusal = refusal
    with pytest.raises(ModelError, match=message) as refused:
        find_model("someone/model")
    assert not isinstance(refused.value, UnreachableError)


def test_a_token_without_access_is_said_to_have_none(hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    hub.refusal = (403, "GatedRepo")
    monkeypatch.setenv("HF_TOKEN", "hf_none")
    with pytest.raises(ModelError, match="the token in use has no access"):
        find_model("someone/model")


def test_a_hub_that_is_down_may_be_up_later(hub: type[Hub]) -> None:
    hub.refusal = (503, "")
    with pytest.raises(UnreachableError, match="did not answer"):
        find_model("someone/model")


def test_prompt_lengths_are_the_tokenizers_own() -> None:
    from transformers import AutoTokenizer

    model = find_model("demo")
    assert model is not None
    questions = [problem.question for problem in load_problems("demo").of_split("test")[:20]]
    lengths, counted = prompt_lengths(model, questions, Prompting())
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    prompts = [Prompting().messages(question) for question in questions]
    ids = tokenizer.apply_chat_template(prompts, add_generation_prompt=True, return_dict=False)
    assert (lengths, counted) == ([len(row) for row in ids], True)


@pytest.mark.parametrize("broken", ["no tokenizer", "template"])
def test_without_tokenizer_or_with_a_template_of_another_kind_lengths_are_estimated(folder: Path, broken: str) -> None:
    if broken == "template":
        (folder / "chat_template.jinja").write_text("{% generation %}x{% endgeneration %}")
    else:
        (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    model = find_model(str(folder))
    assert model is not None
    assert prompt_lengths(model, ["a" * 30], Prompting("")) == ([10], False)


def test_a_template_cannot_reach_outside_its_sandbox(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ messages.__class__.__mro__ }}{{ ''.__class__.__subclasses__() }}")
    model = find_model(str(folder))
    assert model is not None
    assert prompt_lengths(model, ["a" * 30], Prompting("")) == ([10], False)
