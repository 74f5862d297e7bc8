"""Runs that begin with another run's checkpoint: what its name means, and that they keep what they began with."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.tiny_runs import few_problems, go_on, rewarding_length, run_to_the_end, tiny
from training.allowed import allowed_model
from training.config import RunConfig
from training.engines import hugging_face
from training.errors import AtlasError, CheckpointError, ModelError, StoreError
from training.home import Home
from training.jobs.job_process import job_process
from training.jobs.output import output_folder, output_spec, produce
from training.models.beginnings import kept_model, parse_beginning, pinned_model, readable_model, recorded_model
from training.preflight import preflight
from training.runs.launch import narrow_run
from training.store import Store

LORA = tiny(lora_rank=4, lora_targets=("q_proj",))


@pytest.fixture
def first(store: Store, home: Home) -> Iterator[str]:
    """A run with a checkpoint of step 2."""
    with rewarding_length():
        yield run_to_the_end(store, home, LORA).id


@pytest.mark.parametrize(
    ("name", "found"), [("run:demo-1@40", ("demo-1", 40)), ("run:demo-1", ("demo-1", None)), ("demo", None), ("a/b", None)]
)
def test_a_name_says_which_run_and_step(name: str, found: tuple[str, int | None] | None) -> None:
    beginning = parse_beginning(name)
    assert (beginning and (beginning.run, beginning.step)) == found
    assert beginning is None or str(beginning) == name


@pytest.mark.parametrize(
    "name", ["run:", "run:@4", "run:demo-1@", "run:demo-1@x", "run:demo-1@-4", "run:demo-1@0", "run:demo-1@²"]
)
def test_a_name_that_is_none_is_refused_with_the_form(name: str) -> None:
    with pytest.raises(ModelError, match="run:demo-1@40"):
        parse_beginning(name)


@pytest.mark.parametrize(("name", "error"), [("run:gone-1", StoreError), ("run:tiny-1@40", CheckpointError)])
def test_what_is_not_there_is_an_error_everywhere(
    first: str, name: str, error: type[AtlasError], store: Store, home: Home
) -> None:
    for ask in (pinned_model, recorded_model, readable_model):
        with pytest.raises(error):
            ask(name, store)
    with pytest.raises(error):
        allowed_model(name, store, home)
    found = preflight(tiny(model=name), few_problems(), store, None)
    assert [(finding.severity, finding.about) for finding in found.errors] == [("error", "model")]


def test_the_latest_checkpoint_is_named_by_its_step_when_a_run_is_launched(first: str, store: Store, home: Home) -> None:
    config, _ = narrow_run(store, tiny(model=f"run:{first}"), few_problems())
    assert config.model == allowed_model(f"run:{first}", store, home) == f"run:{first}@2"
    assert preflight(config, few_problems(), store, None).errors == ()


def test_a_run_keeps_what_it_began_with(first: str, store: Store, home: Home) -> None:
    config = LORA.model_copy(update={"model": f"run:{first}@2"})
    second = begin(store, home, config)
    base = home.job_folder(second) / "base"
    assert (base / "adapter_model.safetensors").is_file()
    assert not (base / "optimizer.pt").exists()
    before = logits(home.job_folder(second) / "checkpoint-2")

    shutil.rmtree(home.job_folder(first))
    store.forget_checkpoint(first, 2)
    assert torch.equal(logits(home.job_folder(second) / "checkpoint-2"), before)
    assert kept_model(config.model, store, home, second) == str(base)

    folder = merge(store, home, second)
    torch.testing.assert_close(logits(folder), before, rtol=1e-3, atol=1e-3)


def merge(store: Store, home: Home, run_id: str) -> Path:
    """The run's latest checkpoint as a whole model, as its own job makes it."""
    spec = output_spec(store, home, run_id, "merge")
    job_id = store.create_job("output", "merge", spec.model_dump(mode="json"))[0].id
    with job_process(store, job_id) as process:
        produce(process, home, spec)
    return output_folder(home, spec)


def begin(store: Store, home: Home, config: RunConfig) -> str:
    """Train as a run's own process does, which looks for its model first."""
    job_id = store.create_job("train", "tiny", config.model_dump(mode="json"), total=config.max_steps)[0].id
    here = config.model_copy(update={"model": kept_model(config.model, store, home, job_id)})
    return go_on(store, home, job_id, here).id


def logits(model: Path) -> torch.Tensor:
    loaded, tokenizer = hugging_face.load_model(str(model))
    with torch.inference_mode():
        return loaded(**tokenizer("Three boxes hold 12 apples.", return_tensors="pt")).logits
