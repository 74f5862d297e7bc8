"""The plain engine: transformers on whatever device there is, in float32 on a CPU and bfloat16 on a GPU."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from training.errors import ModelError
from training.home import DEMO_MODEL


def resolve_model(name: str) -> str:
    """The Hub name or folder behind a configured model; "demo" is the one that ships with the program."""
    return str(DEMO_MODEL) if name == "demo" else str(Path(name).expanduser())


def load_model(name: str) -> tuple[Any, Any]:
    """(model, tokenizer) by Hub name, folder, or "demo".

    Raises:
        ModelError: neither the Hub nor the disk has it, or it has no chat template.
    """
    path = resolve_model(name)
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
    except (OSError, ValueError) as error:
        first = str(error).strip().split("\n")[0]
        raise ModelError(
            f"The model {name!r} cannot be loaded: {first}", 'Use "demo", a local folder, or check the network.'
        ) from error
    if not tokenizer.chat_template:
        raise ModelError(
            f"The model {name!r} has no chat template.", "Use an instruct model, or add a template to its tokenizer."
        )
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if torch.cuda.is_available():
        model = model.to("cuda")
    return model, tokenizer
