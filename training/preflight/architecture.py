"""What a config.json says of a model's parameters: how many there are, in which layers, of which shapes. No torch.

Counted exactly for the families in `FAMILIES`; another decoder is counted as if it were Llama's, and says so.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

_BLOCK = re.compile(r"(?:^|\.)(\d+)\.")
"""The number of a block in the name of one of its layers."""
_ATTENTION = ("q_proj", "k_proj", "v_proj")
_MLP = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Family:
    """In what models of one type differ from each other's parameters, beyond the sizes."""

    biases: Callable[[Mapping[str, Any]], tuple[str, ...]]
    """config.json -> the projections that have a bias."""
    head_norms: bool = False
    """Whether queries and keys are normalised in each head."""


def _llama_biases(config: Mapping[str, Any]) -> tuple[str, ...]:
    attention = (*_ATTENTION, "o_proj") if config.get("attention_bias") else ()
    return (*attention, *(_MLP if config.get("mlp_bias") else ()))


FAMILIES: dict[str, Family] = {
    "llama": Family(_llama_biases),
    "mistral": Family(lambda config: ()),
    "qwen2": Family(lambda config: _ATTENTION),
    "qwen3": Family(_llama_biases, head_norms=True),
}
"""`model_type` -> family, from the model classes of transformers 5.17."""

_QWEN25: dict[str, Any] = {"model_type": "qwen2", "vocab_size": 151_936, "num_key_value_heads": 2, "tie_word_embeddings": True}

PUBLISHED: dict[str, dict[str, Any]] = {
    "meta-llama/Llama-3.1-8B": {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128_256,
    },
    "Qwen/Qwen2.5-0.5B": _QWEN25
    | {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
    "Qwen/Qwen2.5-1.5B": _QWEN25
    | {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12},
    "Qwen/Qwen2.5-3B": _QWEN25
    | {"hidden_size": 2048, "intermediate_size": 11_008, "num_hidden_layers": 36, "num_attention_heads": 16},
}
"""Sizes of the presets' models as their config.json on the Hub gives them, for where the Hub cannot be asked."""


@dataclass(frozen=True)
class Architecture:
    """The sizes of a decoder with grouped-query attention and a gated MLP."""

    family: str
    exact: bool
    """Whether the family is known; otherwise the counts are those of a Llama of these sizes."""
    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_value_heads: int
    head_dim: int
    vocabulary: int
    context: int
    """Positions the model was made for, 0 where config.json does not say."""
    is_tied: bool
    """Whether the output layer is the input embeddings."""
    biases: tuple[str, ...]
    head_norms: bool

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        """The linear layers of each block: name -> (inputs, outputs)."""
        queries, keys = self.heads * self.head_dim, self.key_value_heads * self.head_dim
        return {
            "q_proj": (self.hidden, queries),
            "k_proj": (self.hidden, keys),
            "v_proj": (self.hidden, keys),
            "o_proj": (queries, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def block_parameters(self) -> int:
        """The weights of all blocks' linear layers: what 4-bit loading quantises."""
        return self.layers * sum(prod(shape) for shape in self.projections.values())

    @property
    def parameters(self) -> int:
        """All parameters, the tied embeddings once."""
        embeddings = self.vocabulary * self.hidden * (1 if self.is_tied else 2)
        biases = sum(self.projections[name][1] for name in self.biases)
        norms = 2 * self.hidden + (2 * self.head_dim if self.head_norms else 0)
        return self.block_parameters + embeddings + self.layers * (biases + norms) + self.hidden

    def adapter_parameters(self, rank: int, targets: tuple[str, ...]) -> int:
        """What LoRA of this rank trains: rank x (inputs + outputs) for each targeted layer (Hu et al. 2021)."""
        once = {"embed_tokens": (self.vocabulary, self.hidden), "lm_head": (self.hidden, self.vocabulary)}
        in_blocks = sum(self._blocks_with(name, targets) * sum(shape) for name, shape in self.projections.items())
        outside = sum(sum(shape) for name, shape in once.items() if any(_last_part(target) == name for target in targets))
        return rank * (in_blocks + outside)

    def _blocks_with(self, name: str, targets: tuple[str, ...]) -> int:
        """In how many blocks a linear layer is targeted: by `gate_proj` in all, by `layers.3.mlp.gate_proj` in one."""
        numbers = [_BLOCK.search(target) for target in targets if _last_part(target) == name]
        if None in numbers:
            return self.layers
        return len({int(number[1]) for number in numbers if number is not None} & {*range(self.layers)})


def _last_part(target: str) -> str:
    return target.rpartition(".")[2]


def parse_architecture(config: Mapping[str, Any]) -> Architecture | None:
    """The sizes in a config.json; `None` where it lacks one that has no default."""
    family = str(config.get("model_type", ""))
    known = FAMILIES.get(family)
    try:
        hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        return Architecture(
            family=family,
            exact=known is not None,
            layers=int(config["num_hidden_layers"]),
            hidden=hidden,
            intermediate=int(config["intermediate_size"]),
            heads=heads,
            key_value_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=int(config.get("head_dim") or hidden // heads),
            vocabulary=int(config["vocab_size"]),
            context=int(config.get("max_position_embeddings") or 0),
            is_tied=bool(config.get("tie_word_embeddings", False)),
            biases=(known or FAMILIES["llama"]).biases(config),
            head_norms=known is not None and known.head_norms,
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def published_architecture(name: str) -> Architecture | None:
    """The sizes of a model known by its Hub name, an -Instruct one by its base's; `None` for others."""
    config = PUBLISHED.get(name.removesuffix("-Instruct"))
    return parse_architecture(config) if config else None
