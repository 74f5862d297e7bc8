"""Two models that score the same tokens. Where both are one model with different adapters, its weights are loaded once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from training.engines import hugging_face
from training.prompts import ChatTemplate
from training.tokens.scores import Precision

Forward = Callable[[Sequence[int], Any], Any]
"""(token ids, what was read before) -> the model's output, with logits and what was read now."""


@dataclass(frozen=True)
class Pair:
    """Two models, ready to score."""

    names: tuple[str, str]
    forward: Forward
    tokenizer: Any
    against_forward: Forward
    against_tokenizer: Any


def load_pair(model: str, against: str, template: ChatTemplate = "model", precision: Precision = "auto") -> Pair:
    """Load two models by Hub name, folder, checkpoint, adapter folder, or "demo"; equal ones are loaded once.

    Raises:
        ModelError: one of them cannot be loaded.
    """
    tokenizers = [hugging_face.load_tokenizer(name, template) for name in (model, against)]
    dtype = torch.float32 if precision == "float32" else hugging_face.calculation_dtype("auto")
    forward, other = _forwards(model, against, dtype)
    return Pair((model, against), forward, tokenizers[0], other, tokenizers[1])


def _forwards(model: str, against: str, dtype: torch.dtype) -> tuple[Forward, Forward]:
    base, mine, other = _shared_base(model, against)
    if not base:
        return _forward(hugging_face.load_to_read(model, dtype)), _forward(hugging_face.load_to_read(against, dtype))
    adapters = {name: folder for name, folder in (("model", mine), ("against", other)) if folder}
    shared = hugging_face.load_with_adapters(base, adapters, dtype)
    if not adapters:
        return _forward(shared), _forward(shared)
    chosen = _chosen(shared, "model" if mine else ""), _chosen(shared, "against" if other else "")
    return _forward(shared, chosen[0]), _forward(shared, chosen[1])


def _shared_base(model: str, against: str) -> tuple[str, str, str]:
    """The model behind both and the adapter folder of each, empty for none; no base where they have not one in common."""
    mine, other = (hugging_face.resolve_model(name) for name in (model, against))
    my_base, other_base = (
        hugging_face.resolve_model(base) if (base := hugging_face.adapter_base(name)) else "" for name in (model, against)
    )
    if mine == other:
        return mine, "", ""
    if my_base == other:
        return other, mine, ""
    if other_base == mine:
        return mine, "", other
    return (my_base, mine, other) if my_base and my_base == other_base else ("", "", "")


def _forward(model: Any, within: Callable[[], AbstractContextManager[None]] = nullcontext) -> Forward:
    """A model's forward pass of one sequence, within a context."""

    def forward(ids: Sequence[int], cache: Any) -> Any:
        read = torch.tensor([ids], device=model.device)
        with within():
            return model(input_ids=read, past_key_values=cache, use_cache=True)

    return forward


def _chosen(model: Any, adapter: str) -> Callable[[], AbstractContextManager[None]]:
    """What puts one of a model's adapters to use, or none."""

    @contextmanager
    def within() -> Iterator[None]:
        if adapter:
            model.set_adapter(adapter)
            yield
        else:
            with model.disable_adapter():
                yield

    return within
