"""The Unsloth engine: its loader and its adapters for one GPU, its replacement of TRL's trainer, its vLLM if asked.

Unsloth also runs without a GPU, slowly and without vLLM; the tests use that.
"""

from collections.abc import Sequence
from typing import Any

try:
    # Before TRL and transformers, parts of which it replaces.
    from unsloth import FastLanguageModel  # isort: skip
except ImportError as error:
    from training.engines import install_command
    from training.errors import ModelError

    raise ModelError(
        f"engine = unsloth cannot be used: {error}.",
        f"Install it with {install_command('unsloth')} in the project's folder, or set engine=transformers.",
    ) from error

import torch

from training.config import RunConfig
from training.engines import Loaded, hugging_face
from training.errors import ConfigError, ModelError
from training.groups import Method
from training.prompts import Prompt


def load_for_training(config: RunConfig, max_length: int) -> Loaded:
    """A run's model with its adapter on it, or all of it to be trained when `lora_rank` is 0.

    Args:
        max_length: the longest prompt and completion together, in tokens.

    Raises:
        ModelError: the model cannot be loaded, has no chat template, or has no layer of a name in `lora_targets`.
        ConfigError: float32 on a GPU; Unsloth would calculate in 16 bits all the same.
    """
    if hugging_face.adapter_base(config.model) is not None:
        raise ModelError(
            f"{config.model!r} is an adapter, and engine = unsloth begins with a whole model.",
            "Set engine=transformers, or merge the adapter first (`python -m training merge`) and name that folder.",
        )
    if config.precision == "float32" and torch.cuda.is_available():
        raise ConfigError(
            "engine = unsloth cannot calculate in precision = float32 on a GPU.", "Set engine=transformers, or precision=auto."
        )
    vllm: dict[str, Any] = {}
    if config.use_vllm:
        vllm = {"gpu_memory_utilization": config.vllm_gpu_memory_utilization, "max_lora_rank": max(config.lora_rank, 1)}
    try:
        model, tokenizer = FastLanguageModel.from_pretrained(
            model_name=hugging_face.resolve_model(config.model),
            max_seq_length=max_length,
            dtype=hugging_face.weights_dtype(config),
            load_in_4bit=config.load_in_4bit,
            full_finetuning=config.lora_rank == 0,
            fast_inference=config.use_vllm,
            random_state=config.seed,
            **vllm,
        )
    except (OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise ModelError(
            f"The model {config.model!r} cannot be loaded by Unsloth: {hugging_face.first_line(error)}",
            "Check its name and the settings, or set engine=transformers.",
        ) from error
    tokenizer = hugging_face.ready_tokenizer(tokenizer, config.model, config.chat_template)
    if config.lora_rank:
        hugging_face.check_targets(model, config.lora_targets)
        model = FastLanguageModel.get_peft_model(
            model,
            r=config.lora_rank,
            target_modules=list(config.lora_targets),
            lora_alpha=config.lora_alpha,
            lora_dropout=config.lora_dropout,
            use_gradient_checkpointing="unsloth" if config.gradient_checkpointing else False,
            random_state=config.seed,
        )
    return Loaded(model, tokenizer)


def trainer_classes(method: Method = "grpo") -> tuple[type, type]:
    """The trainer of a method and its configuration as Unsloth left them in TRL."""
    return hugging_face.trainer_classes(method)


def complete(
    model: Any, tokenizer: Any, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
) -> list[tuple[str, int]]:
    """(completion, tokens) a prompt, in one batch, by Unsloth's own generation; the model is left in its mode."""
    was_training = model.training
    FastLanguageModel.for_inference(model)
    try:
        return hugging_face.generate(model, tokenizer, prompts, max_new_tokens, temperature)
    finally:
        if was_training:
            FastLanguageModel.for_training(model)
