"""Memory by part: parameters counted as published and as built, bytes against what PyTorch keeps."""

import math
from math import ceil
from typing import Any

import pytest
from safetensors import safe_open

from training.config import PROJECTIONS, RunConfig
from training.data.problems import load_problems
from training.home import DEMO_MODEL
from training.machines import Machine
from training.preflight import preflight
from training.preflight.architecture import PUBLISHED, Architecture, parse_architecture, published_architecture
from training.preflight.memory import block_activation_bytes, checkpoint_gib, estimate_memory, number_formats
from training.preflight.model_files import find_model
from training.preflight.placement import placement
from training.presets import load_preset, preset_paths
from training.store import Store

GIB = 2**30


def architecture(name: str = "meta-llama/Llama-3.1-8B") -> Architecture:
    found = published_architecture(name)
    assert found is not None
    return found


def config(**settings: Any) -> RunConfig:
    return RunConfig(model="x", **settings)


def parts(settings: RunConfig, **where: Any) -> dict[str, float]:
    where = {"prompt_tokens": 100, "on_gpu": True} | where
    return {part.name: part.gib for part in estimate_memory(settings, architecture(), **where).parts}


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 8_030_261_248),
        ("Qwen/Qwen2.5-0.5B", 494_032_768),
        ("Qwen/Qwen2.5-1.5B-Instruct", 1_543_714_304),
        ("Qwen/Qwen2.5-3B", 3_085_938_688),
    ],
)
def test_parameters_are_those_that_the_hub_publishes(name: str, published: int) -> None:
    assert architecture(name).parameters == published


def test_the_demo_models_parameters_are_those_in_its_file() -> None:
    model = find_model("demo")
    assert model is not None
    demo = parse_architecture(model.config)
    assert demo is not None
    assert demo.exact
    with safe_open(DEMO_MODEL / "model.safetensors", framework="np") as file:
        assert demo.parameters == sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


@pytest.mark.parametrize(
    "change",
    [{"model_type": "llama", "attention_bias": True, "mlp_bias": True}, {"model_type": "qwen3"}, {"model_type": "qwen2"}],
)
def test_every_known_family_counts_as_transformers_builds_it(change: dict[str, Any]) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "vocab_size": 64,
    }
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**sizes | change))
    found = parse_architecture(sizes | change)
    assert found is not None
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`")
@pytest.mark.parametrize(
    "targets",
    [
        PROJECTIONS,
        ("q_proj", "v_proj"),
        ("self_attn.o_proj", "lm_head"),
        load_preset("demo").lora_targets,
        ("layers.1.mlp.up_proj", "model.layers.3.mlp.up_proj", "up_proj"),
        ("layers.1.mlp.up_proj", "model.layers.3.mlp.up_proj", "layers.1.self_attn.q_proj"),
    ],
)
def test_the_adapters_parameters_are_those_that_peft_makes(targets: tuple[str, ...]) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL)
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=8, target_modules=list(targets)))
    demo = parse_architecture(model.config.to_dict())
    assert demo is not None
    assert demo.adapter_parameters(8, targets) == adapted.get_nb_trainable_parameters()[0]


@pytest.mark.parametrize("rank", [0, 4])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_blocks_activations_are_within_a_tenth_of_what_pytorch_keeps(rank: int, precision: str) -> None:
    settings = config(precision=precision, lora_rank=rank)
    sizes = {"model_type": "llama", "hidden_size": 128, "intermediate_size": 512, "num_attention_heads": 8}
    sizes |= {"num_key_value_heads": 2, "vocab_size": 64, "num_hidden_layers": 2}
    found = parse_architecture(sizes)
    assert found is not None
    kept = kept_bytes(sizes | {"num_hidden_layers": 4}, settings) - kept_bytes(sizes, settings)
    assert block_activation_bytes(settings, found, number_formats(settings, on_gpu=False)) == pytest.approx(kept / 2, rel=0.1)


def kept_bytes(sizes: dict[str, Any], settings: RunConfig) -> float:
    """Bytes a token that a forward pass keeps for the backward pass, weights and autocast's copies of them left out."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    batch, length = 4, 64
    is_bfloat16 = settings.precision == "bfloat16"
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**sizes))
    if settings.lora_rank:
        model = model.to(torch.bfloat16 if is_bfloat16 else torch.float32)
        model = get_peft_model(
            model, LoraConfig(task_type="CAUSAL_LM", r=settings.lora_rank, target_modules=list(settings.lora_targets))
        )
    weights = {tuple(sorted(parameter.shape)) for parameter in model.parameters()}
    storages: dict[int, int] = {}
    alive: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        alive.append(tensor)  # a freed storage's address would be given out again
        if tuple(sorted(tensor.shape)) not in weights:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    backbone = model.base_model.model.model if settings.lora_rank else model.model
    ids = torch.zeros(batch, length, dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[0, :3] = 0  # as prompts are padded
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=is_bfloat16),
    ):
        backbone(input_ids=ids, attention_mask=mask, use_cache=False)
    return sum(storages.values()) / (batch * length)


def test_trained_weights_are_float32_and_frozen_ones_16_bits_on_a_gpu() -> None:
    full, adapter = parts(config()), parts(config(lora_rank=16))
    assert full["Weights"] == pytest.approx(8_030_261_248 * 4 / GIB)
    assert full["Optimiser"] == pytest.approx(2 * full["Weights"])
    assert full["Gradients"] == pytest.approx(full["Weights"])
    assert adapter["Weights"] == pytest.approx(full["Weights"] / 2)
    assert adapter["Optimiser"] == pytest.approx(2 * adapter["LoRA adapter"])
    assert "Weights in 16 bits" not in adapter


def test_four_bits_are_for_the_blocks_only() -> None:
    embeddings = 2 * 128_256 * 4096 + 65 * 4096  # with the norms
    expected = ((8_030_261_248 - embeddings) * 4.127 / 8 + embeddings * 2) / GIB
    assert parts(config(lora_rank=16, load_in_4bit=True))["Weights"] == pytest.approx(expected)


def test_eight_bit_moments_take_a_quarter_of_float32_ones() -> None:
    assert parts(config(optim="adamw_8bit"))["Optimiser"] == pytest.approx(parts(config())["Optimiser"] / 4)


def test_only_full_fine_tuning_with_a_kl_term_holds_a_reference_model() -> None:
    assert "Reference model" not in parts(config())
    assert "Reference model" in parts(config(beta=0.04))
    assert "Reference model" not in parts(config(beta=0.04, lora_rank=16))


def test_checkpointing_keeps_little_of_the_activations() -> None:
    assert parts(config(gradient_checkpointing=True))["Activations"] < parts(config())["Activations"] / 8


def test_the_kv_cache_is_that_of_all_completions_of_a_step() -> None:
    settings = config(per_device_train_batch_size=8, gradient_accumulation_steps=4, max_completion_length=156)
    # Llama 3.1 8B: 32 layers x 8 heads x 128 x (keys and values) x 2 bytes = 128 KiB a token.
    assert parts(settings)["KV cache"] == pytest.approx(32 * 256 * 131_072 / GIB)


def test_vllm_takes_its_share_and_unsloth_shares_the_weights_with_it() -> None:
    vllm = {"use_vllm": True, "vllm_gpu_memory_utilization": 0.5, "lora_rank": 16}
    assert parts(config(**vllm), gpu_gib=80.0)["vLLM"] == pytest.approx(40)
    shared = parts(config(engine="unsloth", **vllm), gpu_gib=80.0)
    assert shared["vLLM"] + shared["Weights"] == pytest.approx(40)


def test_vllm_on_a_cpu_has_weights_of_its_own_beside_its_share() -> None:
    here = parts(config(use_vllm=True, vllm_gpu_memory_utilization=0.5), on_gpu=False, machine_gib=64.0)
    assert here["vLLM"] == pytest.approx(32 + here["Weights"])


def test_a_vllm_on_a_gpu_of_its_own_takes_nothing_here() -> None:
    here = parts(config(use_vllm=True, vllm_server="http://127.0.0.1:8000"), gpu_gib=80.0)
    assert not {"vLLM", "KV cache"} & set(here)


def test_generating_and_learning_take_turns() -> None:
    found = estimate_memory(config(), architecture(), prompt_tokens=100, on_gpu=True)
    turns = {phase: sum(part.gib for part in found.parts if part.phase == phase) for phase in ("generating", "learning")}
    assert found.peak_gib == pytest.approx(found.fixed_gib + max(turns.values()))
    assert found.peak_phase == max(turns, key=lambda phase: turns[phase])


def test_a_checkpoint_of_an_adapter_holds_the_adapter_alone() -> None:
    assert checkpoint_gib(config(), architecture()) == pytest.approx(8_030_261_248 * 12 / GIB)
    assert checkpoint_gib(config(lora_rank=16), architecture()) < 1


def test_sizes_that_are_missing_leave_the_architecture_unknown() -> None:
    assert parse_architecture({"model_type": "gpt2", "n_embd": 768}) is None
    strange = parse_architecture(PUBLISHED["Qwen/Qwen2.5-0.5B"] | {"model_type": "strange"})
    assert strange is not None
    assert not strange.exact


@pytest.mark.parametrize("preset", [name for name in preset_paths() if not name.startswith("demo") and "0.5b" not in name])
@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_card_of_a_preset_and_its_preflight_without_a_gpu_name_the_same_figure(
    preset: str, elsewhere: bool, store: Store
) -> None:
    config = load_preset(preset)
    here = None if elsewhere else Machine((), memory_gib=8.0, disk_free_gib=100.0, has_cuda_torch=False)
    memory = preflight(config, load_problems("demo"), store, here, ask_hub=False).memory
    assert memory is not None
    assert memory.is_smallest
    assert placement(config) == f"one GPU, about {memory.gpu_gib:.0f} GiB"
    assert memory.gpu_gib == ceil(memory.peak_gib)
