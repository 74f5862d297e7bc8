"""Completions for evaluations from vLLM, which batches them itself; on a GPU of this machine, or with its build for CPUs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.engines import SeededComplete, vllm_on_cpu
from training.engines.hugging_face import adapter_base, first_line, load_tokenizer, prompt_tokens, resolve_model
from training.errors import ModelError
from training.prompts import ChatTemplate, Prompt

_MAX_LORA_RANK = 256

_CPU_MEMORY_SHARE = 0.1

_AS_LONG_AS_FITS = -1
"""The longest sequence, in tokens: what the model was made for, or less where the memory holds less."""


def load_completer(name: str, template: ChatTemplate | None, stop: Sequence[str] = ()) -> SeededComplete:
    """vLLM with a model by Hub name, folder or checkpoint loaded; an adapter folder is put on its base model.

    Args:
        template: as of `load_tokenizer`.
        stop: texts that end a completion and are no part of it.

    Raises:
        ModelError: vLLM is not installed, or cannot load the model.
    """
    try:
        from vllm import LLM, SamplingParams
        from vllm.lora.request import LoRARequest
    except ImportError as error:
        raise ModelError(
            f"vLLM is not there ({first_line(error)}).", "Install it with pip install '.[gpu]', or evaluate without it."
        ) from error
    tokenizer = load_tokenizer(name, template)
    path = resolve_model(name)
    base = adapter_base(name)
    if base is not None and adapter_base(base) is not None:
        raise ModelError(
            f"vLLM takes one adapter on a whole model, and {name!r} is trained on another adapter.",
            "Evaluate without vLLM, or merge it first (`python -m training merge`).",
        )
    options = vllm_on_cpu.engine_options(_CPU_MEMORY_SHARE) if vllm_on_cpu.is_installed() else {}
    if base is not None:
        options |= {"enable_lora": True, "max_lora_rank": _MAX_LORA_RANK}
    try:
        llm = LLM(model=base or path, tokenizer=path, max_model_len=_AS_LONG_AS_FITS, **options)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"vLLM cannot load {name!r}: {first_line(error)}", "Evaluate without vLLM.") from error
    adapter = LoRARequest(Path(path).name, 1, path) if base else None
    known = tokenizer.get_vocab()
    settings: dict[str, Any] = {"top_p": 1.0, "top_k": -1, "stop": list(stop)}
    settings["stop_token_ids"] = [known[end] for end in stop if end in known]  # a special token is in no text

    def complete(
        prompts: Sequence[Prompt], max_new_tokens: int, temperature: float, seed: int | None = None
    ) -> list[tuple[str, int]]:
        asked = [{"prompt_token_ids": ids} for ids in prompt_tokens(tokenizer, prompts)]
        drawn = {"temperature": temperature, "max_tokens": max_new_tokens, **settings}
        sampling = [SamplingParams(**drawn, seed=own) for own in _seeds(seed, len(asked))]
        answers = llm.generate(asked, sampling, lora_request=adapter, use_tqdm=False)
        return [(answer.outputs[0].text, len(answer.outputs[0].token_ids)) for answer in answers]

    return complete


def _seeds(seed: int | None, number: int) -> list[int] | list[None]:
    """One for each prompt, as equal ones would draw the same completion from one seed."""
    return [None] * number if seed is None else np.random.SeedSequence(seed).generate_state(number).tolist()
