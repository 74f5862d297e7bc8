"""A model small enough to convert and run in a test."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from analysis import embed


def make_tiny_model(folder: Path, fill: float | None = None) -> Path:
    """Write a random BERT of one layer and width 16 with the default model's tokenizer; `fill` overwrites every weight."""
    import torch
    from transformers import BertConfig, BertModel

    spec = importlib.util.find_spec(embed.OFFLINE_PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip(f"{embed.OFFLINE_DISTRIBUTION} is not installed")
    torch.manual_seed(0)
    model = BertModel(
        BertConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_position_embeddings=128
        )
    )
    if fill is not None:
        for weights in model.parameters():
            weights.data.fill_(fill)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copy(Path(spec.submodule_search_locations[0]) / "model" / name, folder)
    return folder
