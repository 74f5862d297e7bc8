"""Whether the demo holds for any seed: the preset `demo` seed by seed, before and after.

`python -m tests.bench.demo_seeds --home FOLDER [--first 11] [--seeds 10] [--set KEY=VALUE ...]`

Each seed is a run on record in FOLDER, and one that is there already is not made again. A seed holds if hard correctness is at
least 0.9 of soft correctness after the run, and soft correctness at most 0.03 below what it was before. Printed are the means
over the seeds with their 95% intervals (Student's t).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from tests.bench.runs_on_record import mean_told, opened, run_named
from training.evaluation.evaluate import evaluation_table
from training.store import Job, Store
from training.store.evaluations import complete_evaluations

HARD_OF_SOFT = 0.9
SOFT_LOST = 0.03


@dataclass(frozen=True)
class Outcome:
    """The article's table of one seed, metric -> mean, and how long the run took from its start to its end."""

    before: dict[str, float]
    after: dict[str, float]
    minutes: float

    @property
    def holds(self) -> bool:
        return self.after["hard"] >= HARD_OF_SOFT * self.after["soft"] and self.after["soft"] >= self.before["soft"] - SOFT_LOST


def outcome_of(store: Store, job: Job) -> Outcome:
    tables = [evaluation_table(evaluation) for evaluation in complete_evaluations(store, job.id)]
    before, after = ({key: found.value for key, found in table.items()} for table in (tables[0], tables[-1]))
    assert job.started_at is not None
    assert job.ended_at is not None
    return Outcome(before, after, (job.ended_at - job.started_at) / 60)


def main(
    home: Annotated[Path, typer.Option(help="where the runs are kept")],
    first: Annotated[int, typer.Option(help="the first seed")] = 11,
    seeds: int = 10,
    preset: str = "demo",
    changed: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE")] = None,
) -> None:
    """Run what is missing, and print what holds."""
    here, store = opened(home)
    found: dict[int, Outcome] = {}
    for seed in range(first, first + seeds):
        job = run_named(store, here, f"{preset}-{seed}", preset, [*(changed or []), f"seed={seed}"])
        found[seed] = outcome = outcome_of(store, job)
        print(
            f"seed {seed}: hard {outcome.before['hard']:.3f} to {outcome.after['hard']:.3f}, "
            f"soft {outcome.before['soft']:.3f} to {outcome.after['soft']:.3f}, {outcome.minutes:.1f} min, "
            f"{'holds' if outcome.holds else 'DOES NOT HOLD'}",
            flush=True,
        )
    print(f"{sum(outcome.holds for outcome in found.values())} of {seeds} seeds hold; means with 95% intervals:")
    for key in next(iter(found.values())).before:
        before, after = ([getattr(outcome, when)[key] for outcome in found.values()] for when in ("before", "after"))
        print(
            f"{key:<14} {mean_told(before)} to {mean_told(after)}, {min(after):.3f} at the least, {max(after):.3f} at the most"
        )


if __name__ == "__main__":
    typer.run(main)
