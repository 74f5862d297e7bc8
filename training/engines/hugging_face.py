"""The transformers engine: models and tokenizers by transformers, adapters by PEFT, 4 bits by bitsandbytes.

Also what any engine shares: how numbers are kept, which tokens end a completion, and plain batched generation. Evaluations
outside a run load every model here, whichever engine trained it.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, StopStringCriteria
from transformers.utils import logging

from training.config import RunConfig, StageConfig
from training.engines import Loaded, install_command
from training.engines.decoding import decode_unfinished
from training.engines.vllm_server import check_vllm_server
from training.errors import ConfigError, ModelError
from training.groups import Method
from training.home import DEMO_MODEL
from training.models import model_names
from training.paths import parse_path
from training.prompts import CHAT_TEMPLATES, NO_TEMPLATE_REMEDY, ChatTemplate, Message, Prompt

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_LINEAR_LAYERS = (torch.nn.Linear, torch.nn.Embedding)
_REMEDY = 'Use "demo", a local folder, or check the network.'


def resolve_model(name: str) -> str:
    """The Hub name or folder behind a configured model; "demo" is the one that ships with the program."""
    return str(DEMO_MODEL) if name == "demo" else str(parse_path(name, ModelError)) if name.startswith("~") else name


def calculation_dtype(precision: str) -> torch.dtype:
    """The number format of a run's calculation, "auto" decided for this machine.

    Raises:
        ConfigError: float16 without a GPU; accelerate would train in float32 and say nothing.
    """
    on_gpu = torch.cuda.is_available()
    if precision == "float16" and not on_gpu:
        raise ConfigError("precision = float16 needs a GPU.", "Use float32 or bfloat16 on a CPU.")
    if precision != "auto":
        return _DTYPES[precision]
    if not on_gpu:
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def weights_dtype(config: StageConfig) -> torch.dtype:
    """The number format in which the base model's weights are kept.

    Weights that are trained stay in float32 (the calculation is cast): at a learning rate of 5e-6 an update is mostly
    smaller than the spacing of bfloat16, and would be lost. Frozen ones are kept as they are calculated with.

    Raises:
        ConfigError: as `calculation_dtype`.
    """
    calculated = calculation_dtype(config.precision)
    return calculated if config.lora_rank else torch.float32


def load_tokenizer(name: str, template: ChatTemplate | None = "model") -> Any:
    """The tokenizer of a model, padding on the left as generation needs it, and with this chat template.

    Args:
        template: `None` where no conversation is to be written.

    Raises:
        ModelError: neither the Hub nor the disk has it, or it has no chat template of its own and is to use that.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(resolve_model(name))
    except (OSError, ValueError) as error:
        raise _cannot_load(name, error) from error
    return ready_tokenizer(tokenizer, name, template)


def ready_tokenizer(tokenizer: Any, name: str, template: ChatTemplate | None) -> Any:
    """A tokenizer set up for batched prompts; what it is saved with has the same template.

    Raises:
        ModelError: it has no chat template of its own, and is to use that.
    """
    if template is not None and template != "model":
        tokenizer.chat_template = CHAT_TEMPLATES[template]
    if template is not None and not tokenizer.chat_template:
        raise ModelError(f"The model {name!r} has no chat template.", NO_TEMPLATE_REMEDY)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(name: str, template: ChatTemplate | None = "model") -> tuple[Any, Any]:
    """(model, tokenizer) for evaluation by Hub name, folder, checkpoint, adapter folder, or "demo"; `template` as of
    `load_tokenizer`.

    An adapter folder, such as a checkpoint of a LoRA run, is put on the model that it was trained on.

    Raises:
        ModelError: neither the Hub nor the disk has the model or its adapter's base, or it has no chat template.
    """
    tokenizer = load_tokenizer(name, template)
    return load_to_read(name, calculation_dtype("auto")), tokenizer


def load_to_read(name: str, dtype: torch.dtype) -> Any:
    """As `load_model` the model alone, its weights kept so, on the GPU where there is one, in evaluation mode.

    Raises:
        ModelError: as of `load_model`.
    """
    base = adapter_base(name)
    model = _load_weights(name, dtype=dtype) if base is None else _with_adapter(_load_whole(base, dtype=dtype), name)
    return _placed(model)


def load_with_adapters(base: str, adapters: Mapping[str, str], dtype: torch.dtype) -> Any:
    """A model with several adapters, of which one at a time, or none, is put to use; without any, the model as it is.

    Args:
        base: that they were all trained on.
        adapters: name -> folder.

    Raises:
        ModelError: as of `load_model`.
    """
    model = _load_whole(base, dtype=dtype)
    for place, (name, folder) in enumerate(adapters.items()):
        model = _with_adapter(model, folder, name) if place == 0 else _with_further_adapter(model, folder, name)
    return _placed(model)


def _placed(model: Any) -> Any:
    return (model.to("cuda") if torch.cuda.is_available() else model).eval()


def chat_ids(tokenizer: Any, conversations: Sequence[list[Message]]) -> list[list[int]]:
    """The tokens of each conversation up to where the model's turn begins, as TRL's trainers make them."""
    if not conversations:
        return []
    found: list[list[int]] = tokenizer.apply_chat_template(list(conversations), add_generation_prompt=True, return_dict=False)
    return found


def context_length(name: str) -> int | None:
    """The longest prompt and completion together that a model was made for, in tokens; `None` where it does not say.

    Raises:
        ModelError: neither the Hub nor the disk has the model, or its adapter's base.
    """
    base = adapter_base(name)
    try:
        config = AutoConfig.from_pretrained(resolve_model(base or name)).get_text_config()
    except (OSError, ValueError) as error:
        raise _cannot_load(name, error) from error
    return getattr(config, "max_position_embeddings", None)


def prompt_tokens(tokenizer: Any, prompts: Sequence[Prompt]) -> list[list[int]]:
    """The tokens of prompts of one kind: of conversations as `chat_ids`, of texts with what the tokenizer puts first."""
    texts = [prompt for prompt in prompts if isinstance(prompt, str)]
    if not texts:
        return chat_ids(tokenizer, [prompt for prompt in prompts if not isinstance(prompt, str)])
    found: list[list[int]] = tokenizer(texts)["input_ids"]
    return found


def save_whole(name: str, base: str, folder: Path) -> None:
    """Save a checkpoint as a whole model with its tokenizer: an adapter merged into its base, anything else as it is.

    Numbers are kept as the base, or the checkpoint, has them.

    Args:
        base: the model that an adapter was trained on, as its run names it; an adapter may name a 4-bit copy, or a folder
            of another machine.

    Raises:
        ModelError: the model cannot be loaded, or its base is kept in 4 bits, in which merging would lose the training.
    """
    tokenizer = load_tokenizer(name)
    is_adapter = adapter_base(name) is not None
    model = _merged(_load_whole(base, dtype="auto"), name) if is_adapter else _load_weights(name, dtype="auto")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_for_training(config: StageConfig, max_length: int) -> Loaded:
    """A run's model and tokenizer, with the adapter that TRL is to put on the model.

    Args:
        max_length: the longest prompt and completion together, in tokens; this engine needs no telling.

    Raises:
        ModelError: the model cannot be loaded, or has no layer of a name in `lora_targets`.
        ConfigError: the settings do not work together on this machine, or no vLLM answers where one is named.
    """
    if config.load_in_4bit and adapter_base(config.model) is not None:
        raise ModelError(
            f"{config.model!r} is an adapter, and load_in_4bit keeps weights into which it cannot be merged without loss.",
            "Set load_in_4bit=false, or merge the adapter first (`python -m training merge`) and name that folder.",
        )
    if isinstance(config, RunConfig):
        _check_vllm(config)
    tokenizer = load_tokenizer(config.model, config.chat_template)
    options: dict[str, Any] = {"dtype": weights_dtype(config)}
    if config.load_in_4bit:
        options["quantization_config"] = _four_bits(calculation_dtype(config.precision))
        if torch.cuda.is_available():
            options["device_map"] = {"": torch.cuda.current_device()}
    model = _load_whole(config.model, **options)
    return Loaded(model, tokenizer, _adapter(config, model) if config.lora_rank else None)


def _check_vllm(config: RunConfig) -> None:
    if config.load_in_4bit and config.use_vllm:
        raise ConfigError(
            "use_vllm = true cannot generate from load_in_4bit = true with engine = transformers: TRL cannot hand 4-bit "
            "weights to vLLM (huggingface/trl issue 4973).",
            "Set engine=unsloth, or one of the two to false.",
        )
    if config.vllm_server:
        check_vllm_server(config.vllm_server, config.model)
        if not torch.cuda.is_available():
            raise ConfigError(
                "vllm_server: TRL hands the weights to it from GPU to GPU, by NCCL, and this process has none.",
                "Leave vllm_server empty, or train on a machine with a GPU.",
            )


def trainer_classes(method: Method = "grpo") -> tuple[type, type]:
    """TRL's trainer of a method and its configuration."""
    import trl

    return {"grpo": (trl.GRPOTrainer, trl.GRPOConfig), "rloo": (trl.RLOOTrainer, trl.RLOOConfig)}[method]


def complete(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    max_new_tokens: int,
    temperature: float,
    seed: int | None = None,
    *,
    stop: Sequence[str] = (),
) -> list[tuple[str, int]]:
    """(completion, tokens) a prompt, in one batch; what ends the completion counts as tokens, padding does not.

    The model generates in evaluation mode and is left in the mode in which it was.

    Args:
        seed: of torch's generators, set for good; `None` leaves them as they are.
        stop: texts that end a completion, as the end-of-turn token does, and are no part of it.
    """
    was_training = model.training
    model.eval()
    if seed is not None:
        torch.manual_seed(seed)
    try:
        return generate(model, tokenizer, prompts, max_new_tokens, temperature, stop)
    finally:
        model.train(was_training)


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    max_new_tokens: int,
    temperature: float,
    stop: Sequence[str] = (),
) -> list[tuple[str, int]]:
    """As `complete`, in the mode in which the model is."""
    inputs = tokenizer.pad({"input_ids": prompt_tokens(tokenizer, prompts)}, return_tensors="pt").to(model.device)
    ends = eos_token_ids(model, tokenizer)
    stopping = {"stopping_criteria": [StopStringCriteria(tokenizer, list(stop))]} if stop else {}
    sampling: dict[str, Any] = {"do_sample": False}
    if temperature:
        sampling = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
    with torch.inference_mode():
        output = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=ends,
            repetition_penalty=1.0,  # not what the model's own files say: Qwen2.5's would change the likeliest token
            **sampling,
            **stopping,
        )
    rows = output[:, inputs["input_ids"].shape[1] :].tolist()
    return [_decode(tokenizer, row, ends, stop) for row in rows]


def eos_token_ids(model: Any, tokenizer: Any) -> list[int]:
    """Every token that ends a completion: the tokenizer's, and those that the model declares (Llama 3 has three)."""
    declared = model.generation_config.eos_token_id
    found = declared if isinstance(declared, list) else [] if declared is None else [declared]
    return [*found] if tokenizer.eos_token_id in found else [tokenizer.eos_token_id, *found]


def check_targets(model: Any, targets: Sequence[str]) -> None:
    """Raise `ModelError` unless the model has a layer for every name; PEFT would leave the missing ones out silently."""
    layers = {name.rpartition(".")[2]: name for name, module in model.named_modules() if isinstance(module, _LINEAR_LAYERS)}
    names = [name for name, module in model.named_modules() if isinstance(module, _LINEAR_LAYERS)]
    missing = [target for target in targets if not any(name == target or name.endswith(f".{target}") for name in names)]
    if missing:
        raise ModelError(
            f"lora_targets: the model has no layer {missing[0]!r}; its layers are {', '.join(sorted(layers))}.",
            "Name layers that it has.",
        )


def _load_whole(name: str, **options: Any) -> Any:
    """A model's weights; of an adapter folder those of its base with the adapter merged into them, in memory.

    What is trained on it names the adapter's folder as its base.
    """
    base = adapter_base(name)
    if base is None:
        return _load_weights(name, **options)
    model = _merged(_load_whole(base, **options), name)
    model.name_or_path = model.config._name_or_path = resolve_model(name)
    return model


def _with_adapter(model: Any, folder: str, name: str = "default") -> Any:
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(model, resolve_model(folder), adapter_name=name)
    except (OSError, ValueError, RuntimeError) as error:
        raise _cannot_load(folder, error) from error


def _with_further_adapter(model: Any, folder: str, name: str) -> Any:
    try:
        model.load_adapter(resolve_model(folder), adapter_name=name)
    except (OSError, ValueError, RuntimeError) as error:
        raise _cannot_load(folder, error) from error
    return model


def _merged(model: Any, name: str) -> Any:
    if getattr(model.config, "quantization_config", None) is not None:
        raise ModelError(
            f"The base of {name!r} is published in few bits, and an adapter merged into those would be lost in part.",
            "Use the adapter as it is, on its base model.",
        )
    return _with_adapter(model, name).merge_and_unload()


def _load_weights(name: str, **options: Any) -> Any:
    logging.disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(resolve_model(name), **options)
    except ImportError as error:
        raise ModelError(f"The model {name!r} cannot be loaded: {first_line(error)}", _install_remedy()) from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _cannot_load(name, error) from error
    model.generate = partial(model.generate, custom_generate=decode_unfinished)  # TRL and PEFT's wrapper call it too
    return model


def adapter_base(name: str) -> str | None:
    """The model that an adapter folder belongs to; `None` for whole models and Hub names.

    Raises:
        ModelError: its settings cannot be read, or name no base.
    """
    return model_names.adapter_base(Path(resolve_model(name)))


def _adapter(config: StageConfig, model: Any) -> Any:
    from peft import LoraConfig

    check_targets(model, config.lora_targets)
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=list(config.lora_targets),
    )


def _four_bits(dtype: torch.dtype) -> BitsAndBytesConfig:
    """QLoRA's format (Dettmers et al. 2023): NF4 with doubly quantised constants."""
    try:
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    except ImportError as error:
        raise ModelError(f"load_in_4bit needs bitsandbytes: {first_line(error)}", _install_remedy()) from error


def _decode(tokenizer: Any, row: list[int], ends: Sequence[int], stop: Sequence[str]) -> tuple[str, int]:
    length = next((place + 1 for place, token in enumerate(row) if token in ends), len(row))
    if stop:
        length = 1 + bisect_left(range(1, length), True, key=lambda size: _holds(tokenizer, row[:size], stop))
    text: str = tokenizer.decode(row[:length], skip_special_tokens=True)
    for end in stop:
        text = text.split(end)[0]
    return text, length


def _holds(tokenizer: Any, row: list[int], stop: Sequence[str]) -> bool:
    text = tokenizer.decode(row)
    return any(end in text for end in stop)


def _cannot_load(name: str, error: Exception) -> ModelError:
    return ModelError(f"The model {name!r} cannot be loaded: {first_line(error)}", _REMEDY)


def first_line(error: Exception) -> str:
    """The first line of an error's text; libraries follow it with pages of advice."""
    return str(error).strip().split("\n")[0]


def _install_remedy() -> str:
    return f"Install it with {install_command('unsloth')} in the project's folder."
