"""A model small enough to convert and run in a test, and what is promised of vectors on any processor.

Processors differ in the precision that they calculate in (float32, bfloat16) and in the order in which they add. What holds on
all of them is the direction of a vector: its cosine with the one that float32 gives is at least `LOWEST_COSINE`.
"""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis import embed
from analysis.convert import LOWEST_COSINE

DTYPES = ("float32", "bfloat16")
"""What torch calculates in on one processor or another; on one without bfloat16 it emulates it, slowly."""


def same_direction(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether the rows of two (N, D) arrays are as near to each other as two ways to calculate them may bring them."""
    assert one.shape == other.shape
    return bool(((embed.unit_rows(one) * embed.unit_rows(other)).sum(axis=1) > LOWEST_COSINE).all())


def calculate_in(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have torch embed in a precision whatever the processor."""
    import torch

    monkeypatch.setattr(embed, "compute_dtype", lambda: getattr(torch, dtype))


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
