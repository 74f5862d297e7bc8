"""What becomes of a trained model: `merge`, `push`, `export`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from training.command_line.parameters import Checkpoint, RunId
from training.command_line.stores import open_here
from training.errors import StoreError
from training.home import Home
from training.jobs.output import OUTPUT, QUANTIZATIONS, OutputSpec, output_spec
from training.jobs.running import run_job
from training.runs.launch import queue_job
from training.store import Store


def merge_run(
    run_id: RunId,
    checkpoint: Checkpoint = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="a new folder; in the run's own if not given")] = None,
) -> int:
    """Save a run's checkpoint as a whole model with a model card: an adapter is merged into its base."""
    home, store = open_here()
    return _make(store, home, output_spec(store, home, run_id, "merge", checkpoint, out=str(out or "")))


def export_run(
    run_id: RunId,
    checkpoint: Checkpoint = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="the folder for the file; in the run's own if not given")
    ] = None,
    quantization: Annotated[str, typer.Option(metavar="|".join(QUANTIZATIONS), help="the number format")] = QUANTIZATIONS[0],
) -> int:
    """Save a run's checkpoint as a GGUF file for llama.cpp and Ollama, by Unsloth."""
    home, store = open_here()
    spec = output_spec(store, home, run_id, "export", checkpoint, out=str(out or ""), quantization=quantization)
    return _make(store, home, spec)


def push_run(
    run_id: RunId,
    repository: Annotated[str, typer.Option(metavar="OWNER/NAME", help="made if it is not there, private then")],
    checkpoint: Checkpoint = None,
    public: Annotated[bool, typer.Option("--public", help="make it for everybody to see")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="push without asking")] = False,
) -> int:
    """Merge a run's checkpoint and push it to the Hugging Face Hub."""
    home, store = open_here()
    spec = output_spec(store, home, run_id, "push", checkpoint, repository=repository, public=public)
    if not yes and not _confirmed(spec):
        print("Nothing was pushed.")
        return 1
    return _make(store, home, spec)


def _make(store: Store, home: Home, spec: OutputSpec) -> int:
    job, waits = queue_job(store, home, OUTPUT, spec, name=spec.action)
    if not waits:
        raise StoreError(f"{job.id} is making exactly this.", "Wait for it.")
    print(run_job(store, home, job.id).reason)
    return 0


def _confirmed(spec: OutputSpec) -> bool:
    seen = "everybody can see" if spec.public else "is private unless it is there already"
    print(f"Step {spec.step:,} of {spec.run}, merged, goes to {spec.repository} on the Hugging Face Hub, which {seen}.")
    if not sys.stdin.isatty():
        print("Confirm with --yes.")
        return False
    return input("Push? [y/N] ").strip().lower() in ("y", "yes")
