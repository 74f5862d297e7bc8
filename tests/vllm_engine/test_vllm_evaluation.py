"""Evaluations through a real vLLM; `make test-vllm` runs this in an environment that has its build for CPUs."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.vllm_engine.models import write_adapter, write_smollm2, write_tiny
from training.data.problems import load_problems
from training.engines import hugging_face
from training.home import Home
from training.jobs.evaluate import EVALUATE, evaluation_spec
from training.jobs.running import run_job
from training.runs.launch import queue_job
from training.store import Store
from training.store.evaluations import EvaluationItem, complete_evaluations

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="vLLM is not installed; make test-vllm installs it beside"
)
TIE = 1e-3
"""The two likeliest tokens are tied where their logits, in float32, are less than so far apart."""

SETTINGS: dict[str, Any] = {
    "split": "test",
    "fraction": 0.04,
    "temperature": 0.0,
    "samples": 1,
    "max_completion_length": 24,
}


def measured(store: Store, home: Home, model: str, *, vllm: bool) -> list[EvaluationItem]:
    """What the job of an evaluation of the demo's problems put on record."""
    spec = evaluation_spec(model, load_problems("demo"), vllm=vllm, **SETTINGS)
    job = queue_job(store, home, EVALUATE, spec)[0]
    run_job(store, home, job.id)
    (evaluation,) = complete_evaluations(store, job.id)
    return list(evaluation.items)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    tiny = write_tiny(folder / "tiny")
    return {"SmolLM2": write_smollm2(folder / "smollm2"), "adapter": write_adapter(tiny, folder / "adapter")}


@pytest.mark.parametrize("name", ["SmolLM2", "adapter"])
def test_greedy_completions_are_those_of_transformers_but_for_ties(
    name: str, models: dict[str, Path], store: Store, home: Home
) -> None:
    model = str(models[name])
    by_vllm, by_transformers = (measured(store, home, model, vllm=vllm) for vllm in (True, False))
    assert len(by_vllm) == len(by_transformers) > 4
    different = [(one, other) for one, other in zip(by_vllm, by_transformers, strict=True) if one != other]
    assert len(different) < len(by_vllm) / 2
    for one, other in different:
        assert one.problem_id == other.problem_id
        assert gap_where_they_part(model, one, other) < TIE


def gap_where_they_part(name: str, one: EvaluationItem, other: EvaluationItem) -> float:
    """By how much transformers finds one token likelier than the next where two completions part, in logits."""
    model, tokenizer = hugging_face.load_model(name)
    problems = {problem.id: problem for problem in load_problems("demo").problems}
    spec = evaluation_spec(name, load_problems("demo"), **SETTINGS)
    messages = spec.prompting.messages(problems[one.problem_id].question)
    ids = tokenizer.apply_chat_template([messages], add_generation_prompt=True, return_dict=False)[0]
    first, second = (tokenizer(item.completion, add_special_tokens=False)["input_ids"] for item in (one, other))
    same = next((place for place, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]), None)
    common = first[: min(len(first), len(second)) if same is None else same]
    with torch.inference_mode():
        logits = model(torch.tensor([[*ids, *common]])).logits[0, -1]
    highest, next_highest = logits.topk(2).values.tolist()
    return float(highest - next_highest)
