"""Having a reward model score the completions of evaluations on record: what is to be judged, and the job that does it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from training.data.problems import load_problems
from training.errors import StoreError, shown
from training.home import Home
from training.jobs.evaluate import judge_stamp
from training.jobs.job_process import JobProcess
from training.jobs.kinds import JobType
from training.judging.judges import judge_named
from training.store import Store
from training.store.evaluations import evaluation_headings
from training.store.judgements import Scores, Unjudged, add_judgements, unjudged_items

if TYPE_CHECKING:
    from training.judging.scoring import Score

_BATCH = 128


class JudgeSpec(BaseModel):
    """Everything that decides what is judged, and by whom."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: str
    """The run or evaluation whose completions they are."""
    label: str = ""
    """Of one of its evaluations; empty for all."""
    judge: str
    """A Hub name, a folder, or "demo"."""
    weights: str = ""
    """When the judge's weights last changed, for one on this disk: others score otherwise."""


def judge_spec(store: Store, job_id: str, judge: str, label: str = "") -> JudgeSpec:
    """The spec of judging a job's evaluations with a judge as it is now.

    Raises:
        StoreError: there is no such job, or it has no complete evaluation of that label.
        ModelError: there is no such judge.
    """
    store.job(job_id)
    if not _keys(store, job_id, label):
        raise StoreError(
            f"{job_id} has no complete evaluation{f' {shown(label)}' if label else ''} to judge.",
            "Measure it first, or wait for its evaluation; of an imported file name a reward that is on record.",
        )
    return JudgeSpec(job=job_id, label=label, judge=judge_named(judge).name, weights=judge_stamp(judge))


def judge_completions(process: JobProcess, home: Home, spec: JudgeSpec) -> None:
    """Judge as the job, in this process. What was judged by an earlier process is not judged again.

    Raises:
        StopRequested: the job was asked to stop; every batch that was judged is on record.
        SourceError: the problems cannot be loaded any more.
        ModelError: the judge cannot be loaded.
    """
    store = process.store
    questions = _questions(store.job(spec.job).spec, home)
    process.begin()
    waiting = process.patiently(lambda: _unjudged(store, spec))
    from training.judging.scoring import load_judge  # once it is this job's turn: it imports torch

    score, done = load_judge(judge_named(spec.judge)), 0
    for batch in _batches(waiting):
        process.patiently(partial(add_judgements, store, spec.judge, spec.weights, _said(score, batch, questions)))
        done += len(batch)
        process.progress(done, len(waiting), f"judged {done:,} of {len(waiting):,} completions")
        process.check_stop()
    process.reason = f"judged {done:,} completions"


def _said(score: "Score", batch: Sequence[Unjudged], questions: Mapping[str, str]) -> dict[int, Scores]:
    """The scores of each item, by its number on record; none of one whose problem is gone."""
    known = [item for item in batch if item.problem_id in questions]
    found = score([(questions[item.problem_id], item.completion) for item in known])
    return {item.item: [] for item in batch} | {item.item: one for item, one in zip(known, found, strict=True)}


def _keys(store: Store, job_id: str, label: str) -> list[int]:
    return [found.key for found in evaluation_headings(store) if found.job_id == job_id and label in ("", found.label)]


def _unjudged(store: Store, spec: JudgeSpec) -> list[Unjudged]:
    keys = _keys(store, spec.job, spec.label)
    return [item for key in keys for item in unjudged_items(store, key, spec.judge, spec.weights)]


def _questions(measured: Mapping[str, object], home: Home) -> dict[str, str]:
    """Problem id -> question, of the problems that a job measured."""
    problem_set = load_problems(str(measured["source"]), home)
    problem_set.require_content(str(measured.get("content_hash", "")))
    return {problem.id: problem.question for problem in problem_set.problems}


def _batches(items: Sequence[Unjudged]) -> Iterator[Sequence[Unjudged]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


JUDGE = JobType("judge", JudgeSpec.model_validate, judge_completions, takes_accelerator=True, goes_on=True)
