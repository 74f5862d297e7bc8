"""The doctor on real TRL runs of the demo model: a healthy one, and some that settings make sick.

    python -m tests.bench.doctor.trained --home runs

Trains each in turn, minutes apiece on a CPU, and prints what was found beside what should be. A run that is there
already is not trained again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tests.bench.runs_on_record import opened, run_named
from training.doctor.examination import examine
from training.doctor.signals import SIGNALS
from training.signal_names import SignalName

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
        run_id = run_named(store, home, title.replace(" ", "-").replace(",", ""), preset, settings).id
        health = examine(store, run_id)
        missed += len({*sick} - {*health.findings}) + len({*health.alarms} - {*sick} if not sick else ())
        found = ", ".join(f"{name} ({SIGNALS[name].level})" for name in health.findings) or "nothing"
        print(f"{run_id}: {title}: should be {', '.join(sick) or 'nothing'}; found {found}", flush=True)
    if missed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
