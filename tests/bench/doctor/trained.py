"""The doctor on real TRL runs of the demo model: a healthy one, and some that settings make sick.

    python -m tests.bench.doctor.trained --home runs

Trains each in turn, minutes apiece on a CPU, and prints what was found beside what should be. A run of the same settings
that is there already is not trained again.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    options = parser.parse_args()
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(options.home)})
    store = Store.open(home.store_url)
    missed = 0
    for title, (preset, settings, sick) in RUNS.items():
        run_id = trained(home, store, preset, settings)
        health = examine(store, run_id)
        missed += len({*sick} - {*health.findings}) + len({*health.alarms} - {*sick} if not sick else ())
        found = ", ".join(f"{name} ({SIGNALS[name].level})" for name in health.findings) or "nothing"
        print(f"{run_id}: {title}: should be {', '.join(sick) or 'nothing'}; found {found}", flush=True)
    return 1 if missed else 0


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
    sys.exit(main())
