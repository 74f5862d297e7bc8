"""Whether choosing problems helps: the demo drawn alike, by pools, and with groups replaced, at the same tokens, seed by seed.

`python -m tests.bench.sampling --home FOLDER [--seeds 5] [--steps 60] [--preset demo] [--harder] [--set KEY=VALUE ...]`

Each arm is a run of its own per seed, on record in FOLDER, and a run that is there already is not made again. Hard correctness
is measured on the same test problems along the way and taken at equal generated tokens (what is thrown away counts), between
two evaluations on the line between them. Printed are the means over the seeds and, against the runs that draw all problems
alike, the mean of the differences with its 95% interval (Student's t over the seeds).
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from tests.bench.harder_mix import harder_mix
from tests.bench.runs_on_record import mean_told, opened, run_named
from training.groups import right_share
from training.rewards import verifier_of
from training.store import Job, Store
from training.store.evaluations import complete_evaluations
from training.store.ledger import group_outcomes

ARMS: dict[str, list[str]] = {
    "uniform": [],
    "pools": ["sampling=pools"],
    "dynamic": ["dynamic_sampling_rounds=3"],
    "both": ["sampling=pools", "dynamic_sampling_rounds=3"],
}
_POINTS = 4
"""Token counts at which arms are compared, evenly apart."""


def course(store: Store, job: Job) -> tuple[list[float], list[float]]:
    """Tokens generated so far and the share that is right, at each evaluation of test problems."""
    verifier = verifier_of(job.spec)
    spent: dict[int, int] = {}
    for group in group_outcomes(store, job.id):
        spent[group.step] = spent.get(group.step, 0) + group.tokens
    tokens, shares = [], []
    for evaluation in complete_evaluations(store, job.id):
        share = right_share(((item.problem_id, item.rewards) for item in evaluation.items), verifier)
        assert share is not None
        at = float(sum(count for step, count in spent.items() if step <= evaluation.step))
        if not tokens or at > tokens[-1]:
            tokens.append(at)
            shares.append(share.value)
    return tokens, shares


def main(
    home: Annotated[Path, typer.Option(help="where the runs are kept")],
    seeds: int = 5,
    steps: int = 60,
    preset: str = "demo",
    arms: str = ",".join(ARMS),
    harder: Annotated[bool, typer.Option(help="problems of which most are too hard, tests/bench/harder_mix.py")] = False,
    changed: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="for all arms")] = None,
) -> None:
    """Run what is missing, and compare."""
    here, store = opened(home)
    common = [f"max_steps={steps}", f"evaluation_steps={max(1, steps // 4)}", *(changed or [])]
    if harder:
        common.append(f"source={harder_mix(store, here)}")
    courses: dict[str, list[tuple[list[float], list[float]]]] = {}
    for seed in range(1, seeds + 1):
        for arm in arms.split(","):
            changes = [*common, f"seed={seed}", *ARMS[arm]]
            courses.setdefault(arm, []).append(course(store, run_named(store, here, f"{arm}-{seed}", preset, changes)))
    # Each seed is compared over the tokens that all of its arms have spent.
    most = [min(found[seed][0][-1] for found in courses.values()) for seed in range(seeds)]
    hard: dict[str, Any] = {
        arm: np.array(
            [
                [np.interp(most[seed] * point / _POINTS, *found[seed]) for point in range(1, _POINTS + 1)]
                for seed in range(seeds)
            ]
        )
        for arm, found in courses.items()
    }
    print(f"{preset}, {seeds} seeds, {' '.join(common)}; right by the run's verifier at equal tokens")
    print(
        "tokens, mean over the seeds  "
        + "  ".join(f"{np.mean(most) * point / _POINTS:>9,.0f}" for point in range(1, _POINTS + 1))
    )
    for arm, values in hard.items():
        print(f"{arm:<28} " + "  ".join(f"{value:>9.3f}" for value in values.mean(axis=0)))
    for arm, values in hard.items():
        if arm != "uniform" and "uniform" in hard:
            difference = (values - hard["uniform"]).T
            at_the_end, over_all = mean_told(difference[-1]), mean_told(difference.mean(axis=0))
            print(f"{arm} - uniform: {at_the_end} at the end, {over_all} on average over the points")


if __name__ == "__main__":
    typer.run(main)
