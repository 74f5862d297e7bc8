"""Small stand-ins at the edges of unit tests."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.embed import unit_rows
from training.config import RunConfig
from training.presets import load_preset
from training.store import Store
from training.store.evaluations import EvaluationItem, add_items, complete_evaluation, open_evaluation


class FakeEmbedder:
    """Vectors of 8 numbers: texts with the same first word lie together. Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, texts: Sequence[str], model: str, report: Callable[[int], None]) -> NDArray[np.float32]:
        self.calls += 1
        report(len(texts))
        vectors = [_direction(text.partition(" ")[0]) + 0.3 * _direction(text) for text in texts]
        return unit_rows(np.stack(vectors).astype(np.float32))


def _direction(text: str) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:4], "big")
    direction = np.random.default_rng(seed).normal(size=8)
    return direction / np.linalg.norm(direction)


def record_evaluation(store: Store, job_id: str, label: str, step: int, split: str, items: Iterable[EvaluationItem]) -> None:
    """Keep an evaluation that is complete from the start; one of equal label is replaced."""
    evaluation = open_evaluation(store, job_id, label, step, split)
    add_items(store, evaluation, items)
    complete_evaluation(store, evaluation)


class Clock:
    """A time that stands still until a test moves it, in Unix seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def full_demo_run(**settings: Any) -> RunConfig:
    """100 steps on the demo that train every weight, with these settings changed."""
    whole = {"lora_rank": 0, "learning_rate": 5e-5, "max_steps": 100, "evaluation_problems": 100}
    whole |= {"save_steps": 50, "save_total_limit": 2}
    return RunConfig.model_validate(load_preset("demo").model_dump() | whole | settings)
