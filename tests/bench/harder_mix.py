"""A harder mix of the demo's problems: four train problems in five are beyond the demo model, whatever form its answer has."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from training.data.problem import Problem
from training.data.problems import load_problems
from training.home import Home
from training.jobs.evaluate import evaluation_spec
from training.rewards import REWARDS
from training.runs.launch import launch_evaluation
from training.store import Store
from training.store.evaluations import complete_evaluations

SAMPLES = 8
TOO_HARD = 4
"""Problems beyond the model for each one that is not."""
_LOOK_S = 2.0


def harder_mix(store: Store, home: Home, fraction: float = 0.5) -> Path:
    """A folder with the mix as its train split and the demo's own test split; made once for a home.

    A problem is beyond the model if none of 8 completions at temperature 1 has the right number. All such problems of a
    seeded sample are taken, and for each four of them the next one that is not, in the order of the demo.

    Args:
        fraction: how much of the demo's train split is looked at.
    """
    folder = home.root / "harder-mix"
    if not (folder / "test.jsonl").exists():
        problem_set = load_problems("demo")
        solved = _solved(store, home, fraction)
        looked_at = [problem for problem in problem_set.of_split("train") if problem.id in solved]
        beyond = [problem for problem in looked_at if not solved[problem.id]]
        within = [problem for problem in looked_at if solved[problem.id]][: len(beyond) // TOO_HARD]
        kept = {problem.id for problem in [*beyond, *within]}
        folder.mkdir(parents=True, exist_ok=True)
        _write([problem for problem in looked_at if problem.id in kept], folder / "train.jsonl")
        _write(problem_set.of_split("test"), folder / "test.jsonl")
        print(f"harder mix: {len(beyond)} of {len(looked_at)} problems beyond the model, with {len(within)} that are not")
    return folder


def _solved(store: Store, home: Home, fraction: float) -> dict[str, bool]:
    """Problem -> whether any of the demo model's completions has the right number."""
    spec = evaluation_spec(
        "demo",
        load_problems("demo"),
        split="train",
        fraction=fraction,
        temperature=1.0,
        samples=SAMPLES,
        max_completion_length=160,
    )
    job = store.job(launch_evaluation(store, home, spec))
    while job.active:
        time.sleep(_LOOK_S)
        job = store.job(job.id)
    assert job.status == "finished", job.reason
    [evaluation] = complete_evaluations(store, job.id)
    solved: dict[str, bool] = {}
    for item in evaluation.items:
        right = item.rewards["soft_correctness"] == REWARDS["soft_correctness"].maximum
        solved[item.problem_id] = solved.get(item.problem_id, False) or right
    return solved


def _write(problems: Sequence[Problem], file: Path) -> None:
    rows = [{"question": problem.question, "answer": problem.answer} for problem in problems]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
