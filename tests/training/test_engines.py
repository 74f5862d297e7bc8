"""Engines: what they load and train, for real with transformers, PEFT and TRL on the demo model."""

import importlib.util
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from pydantic import ValidationError

from tests.tiny_runs import NO_SYSTEM_TURN, few_problems, rewarding_length, tiny, trainer_of, whole_and_resumed
from training.config import EngineName, RunConfig
from training.engines import ENGINES, PACKAGES, engine_named, hugging_face, install_command, missing_packages
from training.engines.vllm_server import check_vllm_server
from training.errors import ConfigError, ModelError
from training.groups import Method
from training.home import DEMO_MODEL, Home
from training.jobs.train.grpo import _trl_config
from training.jobs.train.stage import load
from training.prompts import SYSTEM_PROMPT

LORA = tiny(lora_rank=4, lora_targets=("q_proj", "down_proj"))


@pytest.fixture(autouse=True)
def length_is_rewarded() -> Iterator[None]:
    with rewarding_length():
        yield


@pytest.fixture(scope="module")
def adapter_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, torch.Tensor]]:
    """A trainer after two LoRA steps, and the base weights as they were before."""
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("home"))})
    with rewarding_length():
        trainer = trainer_of(LORA, home)
        before = {name: value.clone() for name, value in trainer.model.state_dict().items() if "lora_" not in name}
        trainer.train()
    return trainer, before


@pytest.fixture(scope="module")
def checkpoint(adapter_run: tuple[Any, Any]) -> Path:
    return Path(adapter_run[0].args.output_dir) / "checkpoint-2"


def test_every_engine_of_the_configuration_has_a_module_and_an_install_command() -> None:
    assert set(ENGINES) == set(PACKAGES) == set(get_args(EngineName))
    assert all(importlib.util.find_spec(module) for module in ENGINES.values())
    assert {install_command(engine) for engine in ENGINES} == {"pip install .", "pip install '.[gpu]'"}


def test_an_unknown_engine_is_an_error_that_names_those_there_are() -> None:
    for ask in (engine_named, missing_packages, install_command):
        with pytest.raises(ConfigError, match=r"no engine 'jax'\. Use one of transformers, unsloth"):
            ask("jax")


def test_a_page_may_ask_what_an_engine_needs_without_torch() -> None:
    code = "import sys, training.engines as e; print(e.missing_packages('transformers')); print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split("\n")[:2] == ["()", "False"]


@pytest.mark.skipif(importlib.util.find_spec("unsloth") is not None, reason="Unsloth is installed")
def test_an_engine_that_is_not_installed_says_what_installs_it() -> None:
    assert missing_packages("unsloth") == ("unsloth",)
    with pytest.raises(ModelError, match=r"pip install '\.\[gpu\]'"):
        engine_named("unsloth")


def test_lora_trains_the_adapter_and_nothing_else(adapter_run: tuple[Any, dict[str, torch.Tensor]]) -> None:
    trainer, before = adapter_run
    weights = trainer.model.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in before.items())
    trained = {name for name, parameter in trainer.model.named_parameters() if parameter.requires_grad}
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in trained} == {"q_proj", "down_proj"}
    assert all(weights[name].abs().sum() > 0 for name in weights if "lora_B" in name)


def test_a_lora_checkpoint_holds_the_adapter_alone(checkpoint: Path) -> None:
    assert (checkpoint / "adapter_model.safetensors").stat().st_size < 200_000
    assert not (checkpoint / "model.safetensors").exists()
    adapter = json.loads((checkpoint / "adapter_config.json").read_text())
    assert (adapter["r"], adapter["lora_alpha"], sorted(adapter["target_modules"])) == (4, 32.0, ["down_proj", "q_proj"])


def test_a_resumed_lora_run_goes_on_as_if_it_had_not_stopped(home: Home) -> None:
    whole, resumed = whole_and_resumed(LORA, home)
    assert resumed == [rollout for rollout in whole if rollout.step > 2]
    assert len(resumed) == 8


def test_an_adapter_folder_is_evaluated_on_its_base_model(adapter_run: tuple[Any, Any], checkpoint: Path) -> None:
    trained = adapter_run[0].model
    model, tokenizer = hugging_face.load_model(str(checkpoint))
    assert not model.training
    ids = tokenizer("Three boxes hold 12 apples.", return_tensors="pt")
    with torch.inference_mode():
        loaded = model(**ids).logits
        expected = trained.eval()(**ids).logits
        with trained.disable_adapter():
            base = trained(**ids).logits
    torch.testing.assert_close(loaded, expected)
    assert not torch.allclose(loaded, base)


def test_an_adapter_whose_base_is_gone_says_which(checkpoint: Path, tmp_path: Path) -> None:
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    adapter = json.loads((checkpoint / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(adapter | {"base_model_name_or_path": "/no/such/base"}))
    with pytest.raises(ModelError, match="'/no/such/base' cannot be loaded"):
        hugging_face.load_model(str(tmp_path))


def test_a_run_may_begin_with_an_adapter_which_is_merged_in_memory(checkpoint: Path, home: Home) -> None:
    begun = LORA.model_copy(update={"model": str(checkpoint)})
    whole, resumed = whole_and_resumed(begun, home)
    assert resumed == [rollout for rollout in whole if rollout.step > 2]
    assert len(resumed) == 8
    own = home.runs / "trainer" / "checkpoint-2"
    assert json.loads((own / "adapter_config.json").read_text())["base_model_name_or_path"] == str(checkpoint)
    model, tokenizer = hugging_face.load_model(str(own))
    first, _ = hugging_face.load_model(str(checkpoint))
    ids = tokenizer("Three boxes hold 12 apples.", return_tensors="pt")
    with torch.inference_mode():
        assert not torch.allclose(model(**ids).logits, first(**ids).logits)
        with model.disable_adapter():
            torch.testing.assert_close(model(**ids).logits, first(**ids).logits, rtol=1e-4, atol=1e-4)


def test_an_adapter_in_four_bits_is_refused(checkpoint: Path) -> None:
    with pytest.raises(ModelError, match="cannot be merged without loss"):
        load(LORA.model_copy(update={"model": str(checkpoint), "load_in_4bit": True}), few_problems())


@pytest.mark.parametrize("kind", ["no template", "no system turn"])
def test_a_model_of_another_template_trains_is_resumed_and_measured_as_it_was_asked(
    kind: str, home: Home, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(DEMO_MODEL, model)
    (model / "chat_template.jinja").unlink()
    settings: dict[str, Any] = {"chat_template": "plain"}
    if kind == "no system turn":
        (model / "chat_template.jinja").write_text(NO_SYSTEM_TURN)
        settings = {"system_turn": "user"}
    whole, resumed = whole_and_resumed(tiny(model=str(model), **settings), home)
    assert resumed == [rollout for rollout in whole if rollout.step > 2]
    saved = hugging_face.load_tokenizer(str(home.runs / "trainer" / "checkpoint-2"))
    asked = saved.apply_chat_template(
        tiny(**settings).prompting.messages("How many?"), tokenize=False, add_generation_prompt=True
    )
    assert asked.index(SYSTEM_PROMPT) < asked.index("How many?")


def test_a_model_without_a_template_says_what_gives_it_one(tmp_path: Path) -> None:
    shutil.copytree(DEMO_MODEL, tmp_path / "base", ignore=shutil.ignore_patterns("chat_template.jinja"))
    with pytest.raises(ModelError, match="chat_template=plain"):
        hugging_face.load_tokenizer(str(tmp_path / "base"))


def test_an_unknown_target_names_the_layers_that_the_model_has() -> None:
    with pytest.raises(ModelError, match=r"no layer 'qkv'; its layers are down_proj, embed_tokens, gate_proj, k_proj"):
        load(tiny(lora_rank=4, lora_targets=("q_proj", "qkv")), few_problems())


@pytest.mark.parametrize(
    ("changes", "kept", "calculated"),
    [
        ({}, torch.float32, torch.float32),
        ({"precision": "bfloat16"}, torch.float32, torch.bfloat16),
        ({"precision": "bfloat16", "lora_rank": 4}, torch.bfloat16, torch.bfloat16),
    ],
)
def test_weights_that_are_trained_are_kept_in_float32(
    changes: dict[str, Any], kept: torch.dtype, calculated: torch.dtype, home: Home
) -> None:
    config = tiny(**changes)
    trainer = trainer_of(config, home)
    assert {p.dtype for p in trainer.model.parameters() if p.requires_grad} == {torch.float32}
    assert trainer.model.get_input_embeddings().weight.dtype == kept
    assert hugging_face.calculation_dtype(config.precision) == calculated
    assert (trainer.args.bf16, trainer.args.fp16) == (calculated == torch.bfloat16, False)


def test_float16_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="precision = float16 needs a GPU"):
        load(tiny(precision="float16"), few_problems())


def test_auto_is_what_the_device_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for has_bfloat16, expected in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, found=has_bfloat16: found)
        assert hugging_face.calculation_dtype("auto") == expected


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed")
def test_four_bits_without_bitsandbytes_say_what_installs_it() -> None:
    with pytest.raises(ModelError, match=r"bitsandbytes.* Install it with pip install '\.\[gpu\]'"):
        load(tiny(load_in_4bit=True, lora_rank=4), few_problems())


def test_four_bits_and_vllm_need_unsloth() -> None:
    with pytest.raises(ConfigError, match="Set engine=unsloth"):
        load(tiny(load_in_4bit=True, lora_rank=4, use_vllm=True), few_problems())


class _Healthy(BaseHTTPRequestHandler):
    """A vLLM as `vllm serve` starts it by itself."""

    there: tuple[str, ...] = ("/health",)

    def do_GET(self) -> None:
        self.send_response(200 if self.path in self.there else 404)
        self.end_headers()


class _TakingWeights(_Healthy):
    there = ("/health", "/get_world_size")


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address at which it answers meanwhile."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_vllm_that_takes_no_weights_or_stands_where_no_gpu_trains_is_refused() -> None:
    with serving(_Healthy) as address, pytest.raises(ConfigError, match=r"takes no weights.* trl vllm-serve --model demo"):
        check_vllm_server(address, "demo")
    if torch.cuda.is_available():
        return
    with serving(_TakingWeights) as address, pytest.raises(ConfigError, match="from GPU to GPU"):
        load(tiny(use_vllm=True, vllm_server=address), few_problems())


def test_a_vllm_on_another_gpu_is_asked_for_before_anything_is_loaded(tmp_path: Path) -> None:
    with serving(_TakingWeights) as address:
        check_vllm_server(address, "demo")
    with pytest.raises(ConfigError, match=r"No vLLM answers at http.* trl vllm-serve --model demo"):
        load(tiny(use_vllm=True, vllm_server=address), few_problems())
    trl_config = _trl_config(
        tiny(use_vllm=True, vllm_server=f"{address}/"), engine_named("transformers").trainer_classes()[1], 300, tmp_path
    )
    assert (trl_config.vllm_mode, trl_config.vllm_server_base_url) == ("server", address)
    colocated = _trl_config(tiny(use_vllm=True), engine_named("transformers").trainer_classes()[1], 300, tmp_path)
    assert (colocated.vllm_mode, colocated.vllm_server_base_url) == ("colocate", None)


@pytest.mark.parametrize("address", ["8000", "file:///etc/passwd", "http://a b", "http://user:word@host:8000", "http://host/x"])
def test_the_address_of_a_vllm_is_a_host_and_a_port(address: str) -> None:
    with pytest.raises(ValidationError, match="is an address with a host and a port"):
        tiny(use_vllm=True, vllm_server=address)


CHANGED = {
    "num_generations": 3,
    "per_device_train_batch_size": 6,
    "gradient_accumulation_steps": 5,
    "max_completion_length": 77,
    "temperature": 0.7,
    "top_p": 0.9,
    "top_k": 40,
    "min_p": 0.05,
    "num_iterations": 2,
    "mask_truncated_completions": True,
    "beta": 0.04,
    "sync_ref_model": True,
    "ref_model_mixup_alpha": 0.5,
    "ref_model_sync_steps": 3,
    "epsilon": 0.1,
    "epsilon_high": 0.3,
    "optim": "adamw_torch_fused",
    "learning_rate": 1e-4,
    "lr_scheduler_type": "linear",
    "weight_decay": 0.1,
    "adam_beta1": 0.8,
    "adam_beta2": 0.95,
    "max_grad_norm": 0.2,
    "max_steps": 9,
    "save_steps": 4,
    "seed": 7,
    "gradient_checkpointing": True,
}
"""Settings that carry TRL's or transformers' own name, each other than its default."""

OF_METHOD: dict[Method, dict[str, Any]] = {
    "grpo": {
        "vllm_importance_sampling_mode": "token_truncate",
        "vllm_importance_sampling_clip_max": 2.0,
        "vllm_importance_sampling_clip_min": 0.5,
        "importance_sampling_level": "sequence",
        "loss_type": "luspo",
        "delta": 3.0,
        "sapo_temperature_pos": 1.5,
        "sapo_temperature_neg": 1.6,
        "vespo_k_pos": 1.1,
        "vespo_lambda_pos": 1.2,
        "vespo_k_neg": 1.3,
        "vespo_lambda_neg": 1.4,
        "off_policy_mask_threshold": 0.5,
        "top_entropy_quantile": 0.2,
        "entropy_coef": 0.01,
        "use_adaptive_entropy": True,
        "entropy_target": 0.9,
        "entropy_coef_delta": 0.001,
        "entropy_coef_min": 0.002,
        "entropy_coef_max": 0.5,
        "multi_objective_aggregation": "normalize_then_sum",
        "scale_rewards": "batch",
    },
    "rloo": {"normalize_advantages": True},
}
"""The same of one method alone."""


@pytest.mark.parametrize("method", OF_METHOD)
def test_settings_reach_trl_under_their_own_names(method: Method, tmp_path: Path) -> None:
    changed = CHANGED | OF_METHOD[method]
    config = RunConfig(model="demo", method=method, **changed)
    trl_config = _trl_config(config, engine_named("transformers").trainer_classes(method)[1], 300, tmp_path)
    assert type(trl_config).__name__ == f"{method.upper()}Config"
    for name, value in changed.items():
        assert getattr(RunConfig(model="demo"), name) != value, f"{name} is not changed"
        assert getattr(trl_config, name) == value, name


def test_nothing_is_what_0_means_to_trl(tmp_path: Path) -> None:
    trl_config = _trl_config(
        tiny(vllm_importance_sampling_clip_max=0.0), engine_named("transformers").trainer_classes()[1], 300, tmp_path
    )
    none = (
        "min_p",
        "delta",
        "off_policy_mask_threshold",
        "vllm_importance_sampling_clip_max",
        "vllm_importance_sampling_clip_min",
    )
    assert [getattr(trl_config, name) for name in none] == [None] * len(none)


def test_what_trl_calls_a_default_is_one_here(tmp_path: Path) -> None:
    for method, named in OF_METHOD.items():
        trl_config = _trl_config(tiny(method=method), engine_named("transformers").trainer_classes(method)[1], 300, tmp_path)
        fields = type(trl_config).__dataclass_fields__
        for name in (*named, "min_p", "sync_ref_model", "ref_model_mixup_alpha", "ref_model_sync_steps", "num_iterations"):
            assert getattr(trl_config, name) == fields[name].default, name


def test_an_upper_clipping_range_of_0_is_the_lower_one(tmp_path: Path) -> None:
    trl_config = _trl_config(tiny(epsilon=0.1), engine_named("transformers").trainer_classes()[1], 300, tmp_path)
    assert trl_config.epsilon_high == 0.1


def test_every_token_that_the_model_declares_ends_a_completion() -> None:
    model, tokenizer = hugging_face.load_model("demo")
    assert hugging_face.eos_token_ids(model, tokenizer) == [1]
    for declared, expected in (([1, 9], [1, 9]), (9, [1, 9]), (None, [1])):
        model.generation_config.eos_token_id = declared
        assert hugging_face.eos_token_ids(model, tokenizer) == expected


@pytest.mark.parametrize("training", [True, False])
def test_completing_leaves_the_model_in_its_mode(training: bool) -> None:
    model, tokenizer = hugging_face.load_model("demo")
    model.train(training)
    question = [{"role": "user", "content": "How many is 2 and 3?"}]
    first, second = hugging_face.complete(model, tokenizer, [question, question], 12, 0.0)
    assert first == second
    assert 0 < first[1] <= 12
    assert model.training is training


def test_equal_seeds_begin_with_equal_adapters(home: Home) -> None:
    first, second, other = (
        {name: value for name, value in trainer_of(config, home).model.state_dict().items() if "lora_A" in name}
        for config in (LORA, LORA, LORA.model_copy(update={"seed": 7}))
    )
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not any(torch.equal(value, other[name]) for name, value in first.items())


def test_gradient_checkpointing_changes_no_gradient(home: Home) -> None:
    norms = []
    for checkpointing in (False, True):
        trainer = trainer_of(LORA.model_copy(update={"max_steps": 1, "gradient_checkpointing": checkpointing}), home)
        trainer.train()
        norms.append(next(log["grad_norm"] for log in trainer.state.log_history if "grad_norm" in log))
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)
    assert norms[0] > 0


def test_a_models_own_sampling_habits_do_not_change_an_evaluation() -> None:
    model, tokenizer = hugging_face.load_model("demo")
    prompt = [[{"role": "user", "content": "Ada has 4 apples. She buys 3 more. How many apples does she have?"}]]
    plain = hugging_face.complete(model, tokenizer, prompt, 24, 0.0)
    model.generation_config.repetition_penalty = 5.0
    assert hugging_face.complete(model, tokenizer, prompt, 24, 0.0) == plain


def test_weights_that_are_cut_short_are_an_error_that_says_so(tmp_path: Path) -> None:
    for file in Path(hugging_face.resolve_model("demo")).iterdir():
        whole = file.read_bytes()
        (tmp_path / file.name).write_bytes(whole[:1000] if file.suffix == ".safetensors" else whole)
    with pytest.raises(ModelError, match="cannot be loaded"):
        hugging_face.load_model(str(tmp_path))


TEXTS = ["Question: Ann has 3 apples and buys 4. How many?\nAnswer:", "Question: 2 pens cost $8. What does one cost?\nAnswer:"]


def test_a_completion_ends_before_the_text_that_stops_it_and_counts_what_led_there() -> None:
    model, tokenizer = hugging_face.load_model("demo", None)
    whole = hugging_face.complete(model, tokenizer, TEXTS, 40, 0.0)
    stop = whole[0][0][12:15]
    assert stop
    stopped = hugging_face.complete(model, tokenizer, TEXTS, 40, 0.0, stop=(stop, "<|end|>"))
    assert [text for text, _ in stopped] == [text.split(stop)[0] for text, _ in whole]
    written = tokenizer(whole[0][0])["input_ids"]
    assert stop in tokenizer.decode(written[: stopped[0][1]])
    assert stop not in tokenizer.decode(written[: stopped[0][1] - 1])


def test_a_text_is_completed_by_a_model_without_a_template(tmp_path: Path) -> None:
    shutil.copytree(DEMO_MODEL, tmp_path / "base", ignore=shutil.ignore_patterns("chat_template.jinja"))
    model, tokenizer = hugging_face.load_model(str(tmp_path / "base"), None)
    assert hugging_face.complete(model, tokenizer, TEXTS, 8, 0.0) == hugging_face.complete(
        *hugging_face.load_model("demo"), TEXTS, 8, 0.0
    )


def test_a_model_says_how_long_a_text_it_was_made_for(checkpoint: Path) -> None:
    assert hugging_face.context_length("demo") == 512
    assert hugging_face.context_length(str(checkpoint)) == 512
