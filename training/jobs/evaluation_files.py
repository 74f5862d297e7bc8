"""An evaluation as files for other programs: JSON Lines and Parquet, a row a completion with all that decided it."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, BinaryIO

from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.errors import AtlasError, StoreError
from training.home import Home
from training.jobs.evaluate import EVALUATE, EvaluationSpec, evaluated_problems, shown_examples
from training.rewards.extraction import flexible_answer, strict_answer
from training.store import Job, Store
from training.store.evaluations import Evaluation, EvaluationItem
from training.store.judgements import Scores, judges_on_record, read_judgements


@dataclass(frozen=True)
class Result:
    """One completion of an evaluation as a file has it."""

    job_id: str
    evaluation: str
    """Its label: "before", "after", or the split's name where only a model was measured."""
    step: int
    """Of the run whose model it was; 0 where only a model was measured."""
    model: str
    """As the job names it; of a run that had learnt `run:demo-1@60`, its checkpoint."""
    source: str
    split: str
    problem_id: str
    sample: int
    """Counted from 0 among the completions of the problem."""
    question: str | None
    """`None`, as `gold`, where the problems cannot be read any more."""
    gold: str | None
    prompt_style: str
    shots: int
    examples: list[str] | None
    """Ids of the worked examples before the question; `None` where the problems cannot be read any more."""
    seed: int | None
    temperature: float
    max_completion_length: int
    completion: str
    answer_form: str
    extracted: dict[str, str]
    """The answer as its form and the harness's two filters find it."""
    rewards: dict[str, float | None]
    """By reward function, unweighted."""
    right: bool | None
    """By the evaluation's verifier."""
    judged: dict[str, list[float]]
    """By judge, as it was named: its score of each step, or of the whole; none where it could not tell."""
    tokens: int


def results(
    job: Job,
    evaluation: Evaluation,
    problem_set: ProblemSet | None,
    judged: Mapping[str, Sequence[Scores]] = MappingProxyType({}),
) -> list[Result]:
    """Every completion, in the order of the problems.

    Args:
        problem_set: as `problems_asked` gives it.
        judged: as `judged_by` gives it.
    """
    problems = {problem.id: problem for problem in problem_set.problems} if problem_set else {}
    examples = _examples(job, problem_set)
    settings = _settings(job)
    samples: Counter[str] = Counter()
    found = []
    for place, item in enumerate(evaluation.items):
        problem = problems.get(item.problem_id)
        found.append(
            Result(
                job_id=job.id,
                evaluation=evaluation.label,
                step=evaluation.step,
                model=f"run:{job.id}@{evaluation.step}" if evaluation.step else str(job.spec.get("model", "")),
                source=str(job.spec.get("source", "")),
                split=evaluation.split,
                problem_id=item.problem_id,
                sample=samples[item.problem_id],
                question=problem.question if problem else None,
                gold=problem.gold if problem else None,
                examples=examples.get(item.problem_id),
                completion=item.completion,
                answer_form=evaluation.answer_form,
                extracted=_extracted(evaluation, item),
                rewards=item.rewards,
                right=evaluation.verifier.is_right(item.rewards),
                judged={judge: list(scores[place]) for judge, scores in judged.items()},
                tokens=item.tokens,
                **settings,
            )
        )
        samples[item.problem_id] += 1
    return found


def problems_asked(job: Job, home: Home) -> ProblemSet | None:
    """The problems of a job that evaluated; `None` where they cannot be read any more, or are others now."""
    try:
        found = load_problems(str(job.spec.get("source", "")), home, fetch=False)
    except AtlasError:
        return None
    return found if found.has_content(str(job.spec.get("content_hash", ""))) else None


def judged_by(store: Store, key: int) -> dict[str, list[Scores]]:
    """What each judge said of the completions of a heading's evaluation, in their order; of judges that scored all of them."""
    return {judge: read_judgements(store, key, judge) for judge in judges_on_record(store, [key])[key]}


def result_lines(rows: Sequence[Result]) -> Iterator[bytes]:
    """Each as a line of JSON."""
    return (json.dumps(asdict(row), ensure_ascii=False).encode() + b"\n" for row in rows)


def write_results(rows: Sequence[Result], file: BinaryIO) -> None:
    """Each as a row of a Parquet file; `extracted`, `rewards` and `judged` are structures with a field for each name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows], _schema(rows)), file, compression="zstd")


def evaluation_named(job: Job, evaluations: Sequence[Evaluation], label: str) -> Evaluation:
    """The evaluation of a job that has this label; the only one it has, without.

    Raises:
        StoreError: there is none, or there are several and no label says which.
    """
    labels = [evaluation.label for evaluation in evaluations]
    if not labels:
        raise StoreError(f"{job.id} has no complete evaluation.", "Wait for it to end, or measure again.")
    if label in labels:
        return evaluations[labels.index(label)]
    if label or len(labels) > 1:
        wrong = f"no evaluation {label!r}" if label else f"{len(labels)} evaluations"
        raise StoreError(f"{job.id} has {wrong}.", f"Name one with --evaluation: {', '.join(labels)}.")
    return evaluations[0]


def _settings(job: Job) -> dict[str, Any]:
    """What decided all completions of an evaluation alike."""
    prefix = "" if job.kind == EVALUATE.kind else "evaluation_"
    return {
        "prompt_style": str(job.spec.get("prompt_style", "chat")),
        "shots": int(job.spec.get("shots", 0)),
        "seed": job.spec.get("seed"),
        "temperature": float(job.spec.get(f"{prefix}temperature", 0)),
        "max_completion_length": int(job.spec.get("max_completion_length", 0)),
    }


def _examples(job: Job, problem_set: ProblemSet | None) -> Mapping[str, list[str]]:
    """Problem id -> the ids of its worked examples."""
    if problem_set is None:
        return {}
    if job.kind != EVALUATE.kind:
        return {problem.id: [] for problem in problem_set.problems}
    spec = EvaluationSpec.model_validate(job.spec)
    shown = shown_examples(spec, problem_set)
    asked = evaluated_problems(spec, problem_set)
    return {problem.id: [one.id for one in examples] for problem, examples in zip(asked, shown, strict=True)}


def _extracted(evaluation: Evaluation, item: EvaluationItem) -> dict[str, str]:
    return {
        "answer": evaluation.form.answer(item.completion),
        "strict-match": strict_answer(item.completion),
        "flexible-extract": flexible_answer(item.completion),
    }


def _schema(rows: Sequence[Result]) -> Any:
    import pyarrow as pa

    def structure(values: Sequence[Mapping[str, object]], kind: Any) -> Any:
        names = dict.fromkeys(name for value in values for name in value) or {"none": None}
        return pa.struct([(name, kind) for name in names])

    kinds = {name: pa.string() for name in Result.__dataclass_fields__}
    kinds |= dict.fromkeys(("step", "sample", "shots", "seed", "max_completion_length", "tokens"), pa.int64())
    kinds |= {"temperature": pa.float64(), "right": pa.bool_(), "examples": pa.list_(pa.string())}
    kinds["extracted"] = structure([row.extracted for row in rows], pa.string())
    kinds["rewards"] = structure([row.rewards for row in rows], pa.float64())
    kinds["judged"] = structure([row.judged for row in rows], pa.list_(pa.float64()))
    return pa.schema(list(kinds.items()))
