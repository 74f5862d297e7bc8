"""A run's checkpoints: which there are, how good each is, and what can be done with one."""

import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dashboard import data, run_data
from dashboard.access import acts
from dashboard.actions import launch_evaluation, resume_run
from dashboard.addresses import LAUNCH
from dashboard.components.run.outputs import render_outputs
from dashboard.components.shared.errors import boundary
from dashboard.components.shared.going import Page, go_to
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import plain
from training.artefacts import is_url
from training.config import StageConfig
from training.evaluation.evaluate import evaluation_table
from training.jobs.evaluate import evaluation_spec
from training.models.beginnings import Beginning
from training.models.checkpoints import damage_of
from training.store import Checkpoint, Job
from training.store.evaluations import Evaluation
from training.store.job_search import jobs_with
from training.text import count, size_text, with_interval

_LARGEST_DOWNLOAD = 500 * 2**20
"""Bytes: a download passes through the memory of the dashboard."""


def render_checkpoints(run: Job, config: StageConfig) -> None:
    """One row a checkpoint, the newest first."""
    known = data.store().checkpoints(run.id)
    if not known:
        st.caption(f"A checkpoint is saved every {config.save_steps:,} steps, and when the run is stopped.")
        return
    if not run.active and run.status == "finished":
        st.caption("A finished run cannot be resumed; another one can begin with its checkpoint.")
    for checkpoint in reversed(known):
        with st.container(border=True):
            jobs = list(jobs_with(data.store(), ("evaluate",), model=checkpoint.path))
            _render_checkpoint(run, config, checkpoint, jobs)
    st.caption(f"The newest {config.save_total_limit:,} are kept.")
    render_outputs(run, known)


def _render_checkpoint(run: Job, config: StageConfig, checkpoint: Checkpoint, jobs: Sequence[Job]) -> None:
    facts, figures, actions = st.columns([2, 4, 5], vertical_alignment="center")
    elsewhere = is_url(checkpoint.path)
    size = None if elsewhere else run_data.folder_size(Path(checkpoint.path))
    with facts:
        saved = time.strftime("%d %b %H:%M", time.localtime(checkpoint.created_at))
        st.markdown(f"**Step {checkpoint.step:,}**")
        st.caption(f"{saved}, {_state(checkpoint, size)}")
    with figures:
        _render_evaluations(run, checkpoint, jobs)
    if not elsewhere and (size is None or damage_of(checkpoint)):
        return
    with actions, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        _render_actions(run, config, checkpoint, size)


def _state(checkpoint: Checkpoint, size: int | None) -> str:
    if is_url(checkpoint.path):
        return "uploaded"
    damage = damage_of(checkpoint)
    return plain(f"damaged: {damage}") if damage or size is None else size_text(size)


def _render_evaluations(run: Job, checkpoint: Checkpoint, jobs: Sequence[Job]) -> None:
    found = [evaluation for evaluation in run_data.evaluations_of(run.id) if evaluation.step == checkpoint.step]
    found += [evaluation for job in jobs if job.status == "finished" for evaluation in run_data.evaluations_of(job.id)]
    for evaluation in found:
        st.caption(plain(evaluation_line(evaluation)))
    for job in jobs:
        if job.status != "finished":
            st.caption(f"{job.status}: {plain(job.message or job.reason or 'waiting for its turn')}")
    if not found and not jobs:
        st.caption("Not evaluated.")


def evaluation_line(evaluation: Evaluation) -> str:
    """`100 test problems: hard correctness 0.61 (0.51 to 0.70), soft correctness 0.66 (0.56 to 0.75)`."""
    table = evaluation_table(evaluation)
    figures = [
        f"{table[key].title.lower()} {with_interval(table[key].value, table[key].low, table[key].high, '.2f')}"
        for key in ("hard", "soft")
        if key in table
    ]
    return f"{count(evaluation.problems, f'{evaluation.split} problem')}: {', '.join(figures)}"


def _render_actions(run: Job, config: StageConfig, checkpoint: Checkpoint, size: int | None) -> None:
    key = f"{Keys.CHECKPOINT} {checkpoint.step}"
    if not run.active and run.status != "finished":
        with st.popover("Resume from here"):
            later = f"What the run did after step {checkpoint.step:,} is forgotten, later checkpoints included."
            st.caption(later if run.done > checkpoint.step else "The run goes on where it stood.")
            if st.button(f"Resume from step {checkpoint.step:,}", key=f"{key} resume", type="primary", **acts()):
                with boundary():
                    resume_run(data.store(), data.home(), run.id, checkpoint.step)
                    st.rerun()
    if st.button("Begin a run", key=f"{key} begin", help="Opens the launch form with this checkpoint as the model."):
        State().launch.origin, State().launch.changes = run.id, {"model": str(Beginning(run.id, checkpoint.step))}
        go_to(Page.LAUNCH, LAUNCH)
    measures = acts(help="Measures it as the run measures itself, in a process of its own.")
    if st.button("Evaluate", key=f"{key} evaluate", **measures):
        with boundary():
            _evaluate(config, checkpoint)
            st.rerun()
    if size is None or size > _LARGEST_DOWNLOAD:
        with st.popover("Download"):
            uploaded = "It lies where the run's artefacts go, complete with its manifest:"
            st.caption(
                uploaded if size is None else f"{size_text(size)} are too much for a download from a page. Copy the folder:"
            )
            st.code(checkpoint.path, language=None)
    else:
        st.download_button(
            "Download",
            data.file_queue().making(lambda: zipped(Path(checkpoint.path))),
            file_name=f"{run.id}-step-{checkpoint.step}.zip",
            mime="application/zip",
            key=f"{key} download",
            on_click="ignore",
        )


def _evaluate(config: StageConfig, checkpoint: Checkpoint) -> None:
    problem_set = data.problem_set(config.source)
    tests = len(problem_set.of_split("test"))
    spec = evaluation_spec(
        checkpoint.path,
        problem_set,
        split="test",
        fraction=min(1.0, config.evaluation_problems / tests) if tests and config.evaluation_problems else 1.0,
        temperature=config.evaluation_temperature,
        samples=config.evaluation_samples,
        max_completion_length=config.max_completion_length,
        system_prompt=config.system_prompt,
        system_turn=config.system_turn,
        answer_form=config.answer_form,
    )
    launch_evaluation(data.store(), data.home(), spec)


def zipped(folder: Path) -> bytes:
    """The folder as a zip file, uncompressed: weights hardly shrink."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(path, Path(folder.name) / path.relative_to(folder))
        file.seek(0)
        return file.read()
