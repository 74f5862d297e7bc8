"""Completions for evaluations from vLLM, which batches them itself; on a GPU of this machine, or with its build for CPUs."""

from collections.abc import Sequence
from pathlib import Path

from training.engines import Complete, Message, vllm_on_cpu
from training.engines.hugging_face import adapter_base, first_line, load_tokenizer, resolve_model
from training.errors import ModelError
from training.prompts import CHAT_TEMPLATES, ChatTemplate

_MAX_LORA_RANK = 256

_CPU_MEMORY_SHARE = 0.1

_AS_LONG_AS_FITS = -1
"""The longest sequence, in tokens: what the model was made for, or less where the memory holds less."""


def load_completer(name: str, template: ChatTemplate) -> Complete:
    """vLLM with a model by Hub name, folder or checkpoint loaded; an adapter folder is put on its base model.

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
    load_tokenizer(name, template)  # its errors name what is missing
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
    chosen = CHAT_TEMPLATES.get(template)
    adapter = LoRARequest(Path(path).name, 1, path) if base else None

    def complete(prompts: Sequence[list[Message]], max_new_tokens: int, temperature: float) -> list[tuple[str, int]]:
        sampling = SamplingParams(temperature=temperature, top_p=1.0, top_k=-1, max_tokens=max_new_tokens)
        answers = llm.chat(list(prompts), sampling, lora_request=adapter, use_tqdm=False, chat_template=chosen)
        return [(answer.outputs[0].text, len(answer.outputs[0].token_ids)) for answer in answers]

    return complete
