"""A study on record whose runs came to what a stated process says, without training them."""

import numpy as np

from tests.fakes import record_evaluation
from training.data.problems import load_problems
from training.home import Home
from training.presets import load_preset
from training.store import Store
from training.store.evaluations import EvaluationItem
from training.studies.conducting import STUDY
from training.studies.launching import study_of
from training.studies.plan import StudySpec, planned_runs

STEPS = 20


def ranks_and_losses(seeds: int = 3) -> StudySpec:
    base = load_preset("demo", [f"max_steps={STEPS}"])
    return study_of(base, {"lora_rank": (2, 8), "loss_type": ("grpo", "dapo")}, seeds)


def add_study(store: Store, home: Home, spec: StudySpec, *, finished: int | None = None) -> str:
    """A study of which the first runs have finished: with rank 8 a problem in five more is right, the loss changes nothing.

    Args:
        finished: how many; all where it is not given.
    """
    problems = load_problems("demo")
    study = store.create_job(STUDY.kind, "study", spec.model_dump(mode="json"), total=spec.runs)[0]
    for place, planned in enumerate(planned_runs(spec)):
        if finished is not None and place >= finished:
            break
        exactly = {"source": problems.source, "content_hash": problems.content_hash}
        values = planned.config.model_copy(update=exactly).model_dump(mode="json")
        run = store.create_job("train", study.id, values, total=STEPS, study=study.id)[0]
        rng = np.random.default_rng(place)
        likely = 0.5 + 0.2 * (values["lora_rank"] == 8)
        for label, step, share in (("before", 0, 0.3), ("after", STEPS, likely)):
            asked = problems.of_split("test")[:100]
            items = [EvaluationItem(problem.id, "", {"correctness": float(rng.random() < share)}, 40) for problem in asked]
            record_evaluation(store, run.id, label, step, "test", items)
        rewards = 1.5 + 2 * likely * np.linspace(0, 1, STEPS) + rng.normal(0, 0.1, STEPS)
        store.record(run.id, scalars=[(step, {"reward": float(reward)}) for step, reward in enumerate(rewards, 1)])
        store.start(run.id)
        store.progress(run.id, STEPS, STEPS, "")
        store.end(run.id, "finished", "done")
    done = spec.runs if finished is None else finished
    store.progress(study.id, done, spec.runs, f"{done} of {spec.runs} runs finished")
    store.end(study.id, *(("finished", "done") if done == spec.runs else ("stopped", "stopped on request")))
    return study.id
