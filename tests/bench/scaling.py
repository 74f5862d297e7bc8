"""What test-time compute is worth on the demo: choosing among samples against searching by steps, at equal tokens.

`python -m tests.bench.scaling --home FOLDER --model demo [--model run:demo-101-1@100] [--problems 400] [--samples 16]`

Each model answers the same test problems: SAMPLES completions each, and by beam search and DVTS with 4 beams and with SAMPLES,
all at temperature 1, guided and chosen by the demo's judge. What is on record in FOLDER is not measured again.
Each search stands beside what choosing among samples comes to for as many tokens: the k whose mean cost is nearest, discarded
steps counted. Means over problems with 95% intervals, right by hard and by soft correctness; ways are held against each other
problem by problem.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tests.bench.runs_on_record import opened
from training.data.problems import load_problems
from training.evaluation.recorded import right_by, sampled_of, scored_samples, scores_of
from training.evaluation.scaling import SEARCHES, SampledScore, Samples, gain, most_samples, sampled_score
from training.home import Home
from training.jobs.evaluate import EVALUATE, EvaluationSpec, evaluated_problems, evaluation_spec, search_settings
from training.jobs.judge import JUDGE, judge_spec
from training.jobs.kinds import JobType
from training.jobs.running import run_job
from training.models.beginnings import recorded_model
from training.rewards import title_of
from training.runs.launch import queue_job
from training.store import Store
from training.store.job_search import newest_with
from training.text import with_interval

WIDTH = 4
JUDGE_NAME = "demo"
LONGEST = 160
MEASURES = ("correctness", "soft_correctness")


def measured(store: Store, home: Home, spec: EvaluationSpec) -> str:
    """The id of the finished and judged evaluation of a spec, made now where it is not on record."""
    known = newest_with(store, EVALUATE.kind, spec.model_dump())
    if known is None or known.status != "finished":
        known = _done(store, home, EVALUATE, spec)
    _done(store, home, JUDGE, judge_spec(store, known.id, JUDGE_NAME))
    return known.id


def _done(store: Store, home: Home, job_type: JobType, spec: EvaluationSpec):
    job, _ = queue_job(store, home, job_type, spec)
    run_job(store, home, job.id)
    return store.job(job.id)


def samples_by(store: Store, job_id: str, measure: str) -> Samples:
    """An evaluation's judged samples, right by this reward function."""
    (sampled,) = sampled_of(store, job_id)
    return scored_samples(right_by(sampled, measure), scores_of(store, sampled, JUDGE_NAME))


def told(score: SampledScore) -> str:
    return f"{score.title:<24} {score.tokens:>7,.0f}  {with_interval(score.value, score.low, score.high)}"


def rows(drawn: Samples, searched: dict[tuple[str, int], Samples]) -> Iterator[str]:
    """What samples come to by their number, then each search with the choice among samples that costs as much."""
    for k in (1, WIDTH, most_samples(drawn)):
        for name in ("pass", "majority", "best", "weighted"):
            yield told(sampled_score(drawn, name, k))
            if name in ("best", "weighted") and k > 1:
                yield f"    {gain((drawn, name, k), (drawn, 'majority', k)).reading}"
    one = sampled_score(drawn, "best", 1).tokens
    for (search, _), found in searched.items():
        number = most_samples(found)
        equal = max(1, min(most_samples(drawn), round(sampled_score(found, "best", number).tokens / one)))
        for name in ("best", "weighted"):
            yield f"{SEARCHES[search]}, {told(sampled_score(found, name, number))}"
            for other in ("majority", name):
                yield f"    at equal tokens {gain((found, name, number), (drawn, other, equal)).reading}"


def main(
    home: Annotated[Path, typer.Option(help="where the evaluations are kept")],
    model: Annotated[list[str], typer.Option(help="demo, a folder, or a run's checkpoint")],
    problems: Annotated[int, typer.Option(help="of the demo's 400 test problems, a seeded sample")] = 400,
    samples: Annotated[int, typer.Option(help="of each problem, a multiple of 4")] = 16,
) -> None:
    """Measure what is missing, and print what it comes to."""
    here, store = opened(home)
    problem_set = load_problems("demo", here)
    usual = {"split": "test", "fraction": problems / len(problem_set.of_split("test")), "temperature": 1.0}
    for name in model:
        known = recorded_model(name, store)

        def spec(number: int, **more: object) -> EvaluationSpec:
            settings = usual | {"samples": number, "max_completion_length": LONGEST} | more
            return evaluation_spec(known, problem_set, **settings)  # noqa: B023

        drawn = measured(store, here, spec(samples))
        sizes = [(search, number) for search in ("beam", "dvts") for number in dict.fromkeys((WIDTH, samples))]
        searched = {
            (search, number): measured(store, here, spec(number, **search_settings(search, WIDTH, JUDGE_NAME)))
            for search, number in sizes
        }
        print(f"{name}, {len(evaluated_problems(spec(samples), problem_set)):,} test problems", flush=True)
        for measure in MEASURES:
            print(f"  {title_of(measure)}")
            found = {key: samples_by(store, job_id, measure) for key, job_id in searched.items()}
            print(*(f"    {row}" for row in rows(samples_by(store, drawn, measure), found)), sep="\n", flush=True)


if __name__ == "__main__":
    typer.run(main)
