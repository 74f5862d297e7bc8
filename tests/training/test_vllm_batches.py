"""Evaluations through vLLM, against a stand-in for the package: what is asked of it. `tests/vllm_engine` has the real one."""

import json
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from training.engines.hugging_face import chat_ids, load_tokenizer
from training.engines.vllm_batches import load_completer
from training.errors import ModelError
from training.home import DEMO_MODEL


class FakeVllm:
    """Records what the model was loaded with and what was asked."""

    def __init__(self) -> None:
        self.loaded: dict[str, Any] = {}
        self.asked: dict[str, Any] = {}
        self.prompts: list[list[int]] = []
        self.seeds: list[int | None] = []

    def modules(self) -> dict[str, ModuleType]:
        vllm, lora, request = ModuleType("vllm"), ModuleType("vllm.lora"), ModuleType("vllm.lora.request")
        vars(vllm).update(LLM=self._load, SamplingParams=lambda **settings: settings)
        vars(request).update(LoRARequest=lambda name, number, path: path)
        return {"vllm": vllm, "vllm.lora": lora, "vllm.lora.request": request}

    def _load(self, **settings: Any) -> SimpleNamespace:
        self.loaded = settings
        return SimpleNamespace(generate=self._generate)

    def _generate(self, prompts: list[Any], sampling: list[dict[str, Any]], **settings: Any) -> list[SimpleNamespace]:
        self.asked = sampling[0] | settings
        self.prompts, self.seeds = [prompt["prompt_token_ids"] for prompt in prompts], [each["seed"] for each in sampling]
        return [SimpleNamespace(outputs=[SimpleNamespace(text="72", token_ids=(7, 2, 1))]) for _ in prompts]


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> FakeVllm:
    fake = FakeVllm()
    for name, module in fake.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    return fake


QUESTION = [{"role": "user", "content": "How many?"}]


def test_prompts_are_completed_in_one_batch_with_the_temperature_and_length_asked_for(vllm: FakeVllm) -> None:
    complete = load_completer("demo", "model")
    assert complete([QUESTION, QUESTION], 40, 0.5) == [("72", 3), ("72", 3)]
    assert (vllm.loaded["model"], "enable_lora" in vllm.loaded) == (str(DEMO_MODEL), False)
    assert (vllm.asked["temperature"], vllm.asked["max_tokens"], vllm.asked["lora_request"]) == (0.5, 40, None)


def test_an_adapter_is_put_on_its_base_model(vllm: FakeVllm, tmp_path: Path) -> None:
    for file in DEMO_MODEL.glob("*token*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").write_bytes((DEMO_MODEL / "chat_template.jinja").read_bytes())
    adapter = {"peft_type": "LORA", "base_model_name_or_path": str(DEMO_MODEL), "r": 4, "task_type": "CAUSAL_LM"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(adapter))
    load_completer(str(tmp_path), "model")([QUESTION], 40, 0.0)
    assert (vllm.loaded["model"], vllm.loaded["enable_lora"]) == (str(DEMO_MODEL), True)
    assert vllm.asked["lora_request"] == str(tmp_path)


def test_without_vllm_the_error_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModelError, match=r"pip install '\.\[gpu\]'"):
        load_completer("demo", "model")


def test_a_base_models_conversations_are_written_by_the_template_chosen(vllm: FakeVllm) -> None:
    load_completer("demo", "plain")([QUESTION], 40, 0.0)
    assert vllm.prompts == chat_ids(load_tokenizer("demo", "plain"), [QUESTION])


def test_a_text_is_completed_as_it_is_up_to_what_ends_it(vllm: FakeVllm) -> None:
    load_completer("demo", None, ("Question:", "<|end|>"))(["How many?"], 40, 0.0)
    tokenizer = load_tokenizer("demo")
    assert vllm.prompts == [tokenizer("How many?")["input_ids"]]
    assert (vllm.asked["stop"], vllm.asked["stop_token_ids"]) == (["Question:", "<|end|>"], [tokenizer.eos_token_id])


def test_of_one_seed_equal_prompts_draw_by_seeds_of_their_own_and_again_alike(vllm: FakeVllm) -> None:
    complete = load_completer("demo", "model")
    complete([QUESTION, QUESTION], 40, 1.0)
    assert vllm.seeds == [None, None]
    complete([QUESTION, QUESTION], 40, 1.0, 7)
    first = vllm.seeds
    assert len(set(first)) == 2
    complete([QUESTION, QUESTION], 40, 1.0, 7)
    assert vllm.seeds == first


def test_an_adapter_on_an_adapter_is_refused_with_what_merges_it(vllm: FakeVllm, tmp_path: Path) -> None:
    for name, base in (("first", str(DEMO_MODEL)), ("second", str(tmp_path / "first"))):
        shutil.copytree(DEMO_MODEL, tmp_path / name, ignore=shutil.ignore_patterns("*.safetensors"))
        (tmp_path / name / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    with pytest.raises(ModelError, match="merge"):
        load_completer(str(tmp_path / "second"), "model")
