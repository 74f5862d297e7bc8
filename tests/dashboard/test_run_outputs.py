"""What a run's page makes of a checkpoint: a merged model, a push, a GGUF file; each a job, and for those who may act alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.components.run import outputs
from tests.app_testing import follow, run_app, words
from training.home import Home
from training.jobs.output import merged_folder
from training.presets import load_preset
from training.store import Store

pytestmark = pytest.mark.usefixtures("dashboard_home")

STARTED = ("Merge and save", "Push step 5", "Export step 5")


@pytest.fixture(autouse=True)
def unsloth_and_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
    for module in ("dashboard.components.run.outputs", "training.jobs.output"):
        monkeypatch.setattr(f"{module}.missing_packages", lambda engine: ())
    monkeypatch.setattr("training.backends.local.LocalBackend.submit", lambda self, job, command: None)


@pytest.fixture
def run_id(store: Store, tmp_path: Path) -> str:
    """A finished run with checkpoints of steps 5 and 10."""
    job, _ = store.create_job("train", "demo", load_preset("demo").model_dump(mode="json"), total=10)
    store.start(job.id)
    for step in (5, 10):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"):
            (folder / name).write_text("x")
        store.add_checkpoint(job.id, step, str(folder))
    store.end(job.id, "finished", "all 10 steps done")
    return job.id


def opened(run_id: str) -> AppTest:
    """The page with everything filled in for step 5."""
    test = run_app("runs", run=run_id, tab="Checkpoints")
    next(box for box in test.selectbox if box.label == "Checkpoint").select(5)
    next(field for field in test.text_input if field.label == "Repository").input(" ada/counts ")
    return test.run()


def press(test: AppTest, label: str) -> AppTest:
    return next(button for button in test.button if button.label == label).click().run()


@pytest.mark.parametrize(
    ("label", "spec"),
    [
        ("Merge and save", {"action": "merge"}),
        ("Push step 5", {"action": "push", "repository": "ada/counts", "public": False}),
        ("Export step 5", {"action": "export", "quantization": "q4_k_m"}),
    ],
)
def test_each_is_a_job_of_the_chosen_checkpoint(label: str, spec: dict[str, object], run_id: str, store: Store) -> None:
    test = press(opened(run_id), label)
    assert not test.exception
    (job,) = store.jobs("output")
    assert job.spec == job.spec | spec | {"run": run_id, "step": 5}
    assert f"{label.split()[0]}, step 5, queued" in words(test)


def test_what_is_missing_is_said_before_anything_is_pressed(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(outputs, "missing_packages", lambda engine: ("unsloth",))
    test = run_app("runs", run=run_id, tab="Checkpoints")
    assert "Start the dashboard with HF_TOKEN" in words(test)
    assert "pip install '.[gpu]'" in [code.value for code in test.code]
    assert not [button for button in test.button if button.label.startswith(("Push", "Export"))]


def test_a_merged_model_is_taken_to_the_form_that_measures(run_id: str, store: Store, home: Home, tmp_path: Path) -> None:
    spec = {"run": run_id, "action": "merge", "step": 5}
    for where in ({}, {"out": str(tmp_path)}):  # pages may not name the second one's folder
        job, _ = store.create_job("output", "merge", spec | where)
        store.end(job.id, "finished", "the model of step 5 is there")
    assert "Measure it" not in [button.label for button in opened(run_id).button]
    merged_folder(home, run_id, 5).mkdir(parents=True)
    test = press(opened(run_id), "Measure it")
    assert not test.exception
    arrived = follow(test)
    assert arrived.query_params == {"part": "measure"}
    assert str(merged_folder(home, run_id, 5)) in [field.value for field in arrived.text_input]


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The server listens on all addresses, and nobody can sign in."""
    for name in ("GRPO_ATLAS_TOKEN", "GRPO_ATLAS_USERS"):
        monkeypatch.delenv(name, raising=False)
    before = st.config.get_option("server.address")
    st.config.set_option("server.address", "0.0.0.0")
    yield
    st.config.set_option("server.address", before)


@pytest.mark.parametrize("label", STARTED)
def test_those_who_look_on_make_nothing(
    label: str, public: None, run_id: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(button.disabled for button in opened(run_id).button if button.label in STARTED)
    monkeypatch.setattr(outputs, "acts", lambda *, disabled=False, help=None: {})
    assert "You are looking on" in words(press(opened(run_id), label))
    assert store.jobs("output") == []
