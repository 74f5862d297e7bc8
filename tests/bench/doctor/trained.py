"""The doctor on real TRL runs of the demo model: a healthy one, and some that settings make sick.

    python -m tests.bench.doctor.trained --home runs

Trains each in turn, minutes apiece on a CPU, and prints what was found beside what should be. A run of the same settings
that is there already is not trained again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tests.bench.runs_on_record import opened
from training.command_line.stores import wait_for
from training.doctor.examination import examine
from training.doctor.signals import SIGNALS
from training.home import Home
from training.presets import load_preset
from training.runs.launch import launch_run
from training.signal_names import SignalName
from training.store import Store

RUNS: Mapping[str, tuple[str, Sequence[str], tuple[SignalName, ...]]] = {
    "as the preset has it": ("demo", (), ()),
    "another seed": ("demo", ("seed=7",), ()),
    "reward without skill": ("demo-collapse", (), ("reward_without_skill",)),
    "a learning rate 10,000 times too low": ("demo", ("learning_rate=2e-7", "max_steps=40"), ("rate_too_low",)),
    "a learning rate 100 times too high": ("demo", ("learning_rate=0.2", "max_steps=40"), ("rate_too_high",)),
    "a length limit that cuts most off": ("demo", ("max_completion_length=32", "max_steps=30"), ("cut_off",)),
    "a reward that sees no answer": ("demo", ("rewards={ soft_format = 1 }", "max_steps=30"), ("flat_same",)),
}
"""What is done -> preset, settings, and what has to be found."""


def main(folder: Annotated[Path, typer.Option("--home", help="where the runs are kept")]) -> None:
    """Train what is missing, and print what the doctor finds beside what it should."""
    home, store = opened(folder)
    missed = 0
    for title, (preset, settings, sick) in RUNS.items():
        run_id = trained(home, store, preset, settings)
        health = examine(store, run_id)
        missed += len({*sick} - {*health.findings}) + len({*health.alarms} - {*sick} if not sick else ())
        found = ", ".join(f"{name} ({SIGNALS[name].level})" for name in health.findings) or "nothing"
        print(f"{run_id}: {title}: should be {', '.join(sick) or 'nothing'}; found {found}", flush=True)
    if missed:
        raise typer.Exit(1)


def trained(home: Home, store: Store, preset: str, settings: Sequence[str]) -> str:
    """A run of these settings that has ended, by id."""
    config = load_preset(preset, list(settings))
    asked = _told(config.model_dump(mode="json"))
    known = [job for job in store.jobs() if job.status == "finished" and _told(job.spec) == asked]
    run_id = known[0].id if known else launch_run(store, home, config)
    if not known:
        wait_for(store, home, run_id)
    return run_id


def _told(spec: Mapping[str, object]) -> dict[str, object]:
    """What a run was told, without what its launch wrote down."""
    return {name: value for name, value in spec.items() if name != "content_hash"}


if __name__ == "__main__":
    typer.run(main)
