"""R1-Zero's question on the demo: a raw base trained with GRPO, or fine-tuned on reference solutions first, seed by seed.

`python -m tests.bench.stages --home FOLDER [--seeds 3] [--longer 90]`

The arms are the presets `demo-raw` (GRPO alone), the same with more steps, and `demo-sft` with `demo-raw` behind it. Each is a
run of its own per seed, on record in FOLDER, and one that is there already is not made again. Printed are the means over the
seeds with their 95% intervals (Student's t), what each arm took, and the mean of the differences to GRPO alone.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer

from tests.bench.runs_on_record import finished, mean_told, opened, run_named
from training.evaluation.evaluate import evaluation_table
from training.home import Home
from training.presets import load_preset
from training.runs.launch import launch_stages
from training.store import Job, Store
from training.store.evaluations import complete_evaluations

_MEASURES = ("hard", "soft", "strict_format")
_DIGITS = ".3f"


@dataclass(frozen=True)
class Came:
    """What one seed of an arm came to."""

    before: dict[str, float]
    after: dict[str, float]
    middle: dict[str, float] | None
    """Between the stages, where there are two."""
    learning_s: float
    """Of all steps, generation included."""


def came_to(store: Store, stages: list[Job]) -> Came:
    """By the first and the last evaluation of the stages, and the seconds of their steps."""
    scores = [
        [{key: table[key].value for key in _MEASURES} for table in map(evaluation_table, complete_evaluations(store, job.id))]
        for job in stages
    ]
    times = [scalar.value or 0.0 for job in stages for scalar in store.scalars(job.id) if scalar.name == "step_time"]
    middle = scores[0][-1] if len(stages) > 1 else None
    return Came(scores[0][0], scores[-1][-1], middle, sum(times))


def stages_of(store: Store, home: Home, arm: str, seed: int, longer: int) -> list[Job]:
    """The runs of an arm, made now if they are not there."""
    if arm != "both":
        steps = [f"max_steps={longer}"] if arm == "longer" else []
        return [run_named(store, home, f"{arm}-{seed}", "demo-raw", [f"seed={seed}", *steps])]
    names = [f"{arm}-sft-{seed}", f"{arm}-{seed}"]
    known = {job.name: job.id for job in store.jobs() if job.name in names}
    if len(known) < len(names):
        presets = [
            load_preset(preset, [f"seed={seed}"]).model_copy(update={"preset": name})
            for preset, name in zip(("demo-sft", "demo-raw"), names, strict=True)
        ]
        known = dict(zip(names, launch_stages(store, home, *presets), strict=True))
    return [finished(store, known[name]) for name in names]


def main(
    home: Annotated[Path, typer.Option(help="where the runs are kept")],
    seeds: int = 3,
    longer: Annotated[int, typer.Option(help="steps of the longer run with GRPO alone")] = 90,
    arms: str = "grpo,longer,both",
) -> None:
    """Run what is missing, and compare."""
    here, store = opened(home)
    found: dict[str, list[Came]] = {}
    for seed in range(1, seeds + 1):
        for arm in arms.split(","):
            found.setdefault(arm, []).append(came_to(store, stages_of(store, here, arm, seed, longer)))
            came = found[arm][-1]
            print(f"seed {seed}, {arm}: hard {came.before['hard']:{_DIGITS}} to {came.after['hard']:{_DIGITS}}", flush=True)
    print(f"{seeds} seeds, greedy, means over the seeds with 95% intervals")
    for arm, came in found.items():
        print(f"{arm}, {fmean(each.learning_s for each in came):,.0f} s of steps")
        for key in _MEASURES:
            between = [each.middle[key] for each in came if each.middle is not None]
            before, middle = (
                fmean(each.before[key] for each in came),
                f", between the stages {mean_told(between)}" if between else "",
            )
            print(f"  {key:<14} {before:{_DIGITS}}{middle}, after {mean_told([each.after[key] for each in came])}")
    for arm, came in found.items():
        if arm != "grpo" and "grpo" in found:
            differences = [mine.after["hard"] - alone.after["hard"] for mine, alone in zip(came, found["grpo"], strict=True)]
            print(f"{arm} - grpo, hard: {mean_told(differences)}")


if __name__ == "__main__":
    typer.run(main)
