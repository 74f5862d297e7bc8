"""Whether choosing problems helps: the demo drawn alike, by pools, and with groups replaced, at the same tokens, seed by seed.

`python -m tests.bench.sampling --home FOLDER [--seeds 5] [--steps 60] [--preset demo] [--set KEY=VALUE ...]`

Each arm is a run of its own per seed, on record in FOLDER, and a run that is there already is not made again. Hard correctness
is measured on the same test problems along the way and taken at equal generated tokens (what is thrown away counts), between
two evaluations on the line between them. Printed are the means over the seeds and, against the runs that draw all problems
alike, the mean of the differences with its 95% interval (Student's t over the seeds).
"""

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from training.groups import right_share
from training.home import Home
from training.intervals import mean_interval
from training.presets import load_preset
from training.rewards import verifier_of
from training.runs.launch import launch_run
from training.store import Job, Store
from training.store.evaluations import complete_evaluations
from training.store.ledger import group_outcomes
from training.text import with_interval

ARMS: dict[str, list[str]] = {
    "uniform": [],
    "pools": ["sampling=pools"],
    "dynamic": ["dynamic_sampling_rounds=3"],
    "both": ["sampling=pools", "dynamic_sampling_rounds=3"],
}
_POINTS = 4
"""Token counts at which arms are compared, evenly apart."""
_LOOK_S = 2.0


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


def finished(store: Store, home: Home, name: str, preset: str, changes: list[str]) -> Job:
    """The run of that name, made now if it is not there."""
    found = next((job for job in store.jobs() if job.name == name), None)
    if found is None:
        config = load_preset(preset, changes).model_copy(update={"preset": name})
        found = store.job(launch_run(store, home, config))
    while found.active:
        time.sleep(_LOOK_S)
        found = store.job(found.id)
    assert found.status == "finished", found.reason
    return found


def main(
    home: Annotated[Path, typer.Option(help="where the runs are kept")],
    seeds: int = 5,
    steps: int = 60,
    preset: str = "demo",
    arms: str = ",".join(ARMS),
    changed: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="for all arms")] = None,
) -> None:
    """Run what is missing, and compare."""
    home.mkdir(parents=True, exist_ok=True)
    here = Home.from_environment({"GRPO_ATLAS_HOME": str(home)})
    store = Store.open(here.store_url)
    common = [f"max_steps={steps}", f"evaluation_steps={max(1, steps // 4)}", *(changed or [])]
    courses: dict[str, list[tuple[list[float], list[float]]]] = {}
    for seed in range(1, seeds + 1):
        for arm in arms.split(","):
            changes = [*common, f"seed={seed}", *ARMS[arm]]
            courses.setdefault(arm, []).append(course(store, finished(store, here, f"{arm}-{seed}", preset, changes)))
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
            told = [
                with_interval(float(at.mean()), *interval) if (interval := mean_interval(at)) else f"{at.mean():.3f}"
                for at in (difference[-1], difference.mean(axis=0))
            ]
            print(f"{arm} - uniform: {told[0]} at the end, {told[1]} on average over the points")


if __name__ == "__main__":
    typer.run(main)
