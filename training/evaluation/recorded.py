"""Completions on record to choose an answer from: those of evaluations and of imported files of samples, and their scores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from training.errors import StoreError, shown
from training.evaluation.scaling import Samples, ks_of, samples_of
from training.judging.steps import Aggregation, one_score
from training.rewards import COMPARING, verifier_named, verifier_of
from training.rewards.forms import form_of
from training.store import Job, Store
from training.store.evaluations import Evaluation, EvaluationItem, evaluation_headings, read_evaluation
from training.store.judgements import Scores, judges_on_record, read_judgements
from training.store.schema import rollouts

IMPORTED = "samples"
"""The label of what an imported file of samples holds."""


@dataclass(frozen=True)
class Sampled:
    """Several completions of each problem, by one model."""

    job_id: str
    key: int | None
    """Of the evaluation's heading; `None` for an imported file."""
    evaluation: Evaluation

    @property
    def label(self) -> str:
        return self.evaluation.label

    @property
    def ks(self) -> tuple[int, ...] | None:
        """As of `ks_of`."""
        return ks_of(self.evaluation)


def sampled_of(store: Store, job_id: str, label: str = "") -> list[Sampled]:
    """A job's complete evaluations, or those of a label; of an imported file of samples, what it holds.

    Raises:
        StoreError: there is no such job, or nothing of it that is asked for.
    """
    job = store.job(job_id)
    if job.kind == "import":
        return [Sampled(job_id, None, imported_samples(store, job))]
    keys = [found.key for found in evaluation_headings(store) if found.job_id == job_id and label in ("", found.label)]
    if not keys:
        raise StoreError(
            f"{job_id} has no complete evaluation {shown(label) if label else ''}".rstrip() + ".", "Measure it first."
        )
    return [Sampled(job_id, key, read_evaluation(store, key)) for key in keys]


def imported_samples(store: Store, job: Job) -> Evaluation:
    """An imported run's completions as an evaluation.

    Raises:
        StoreError: it has none, or those of several steps, which are of as many models.
    """
    of = rollouts.c
    query = sa.select(of.step, of.problem_id, of.completion, of.rewards, of.tokens).where(of.job_id == job.id)
    with store.reading() as connection:
        rows = connection.execute(query.order_by(of.step, of.group_index, of.position)).all()
    if len({row.step for row in rows}) != 1:
        raise StoreError(
            f"{job.id} is no file of samples: its completions are of {len({row.step for row in rows}):,} steps.",
            "Name an evaluation, or import a file whose rows have no step.",
        )
    items = tuple(EvaluationItem(row.problem_id, row.completion, row.rewards, row.tokens) for row in rows)
    return Evaluation(IMPORTED, 0, "", job.created_at, items, verifier_of(job.spec), form_of(job.spec).name)


def right_by(sampled: Sampled, name: str) -> Sampled:
    """It with the reward function of this name as the one by which answers are right."""
    return replace(sampled, evaluation=replace(sampled.evaluation, verifier=verifier_named(name)))


def scorers_of(store: Store, sampled: Sampled) -> list[str]:
    """Who scored its completions, by name: judges on record, then reward functions that do not know the gold answer."""
    return list(dict.fromkeys([*_judges(store, sampled), *scoring_rewards(sampled)]))


def scoring_rewards(sampled: Sampled) -> list[str]:
    """The reward functions on record that may choose: none that says which answer is right."""
    known = {*COMPARING, sampled.evaluation.verifier.name}
    return list(dict.fromkeys(name for item in sampled.evaluation.items for name in item.rewards if name not in known))


def scores_of(store: Store, sampled: Sampled, scorer: str) -> list[Scores]:
    """What a judge, or else a reward function, says of each completion: a score a step, one, or none.

    Raises:
        StoreError: it scored none of them.
    """
    if sampled.key is not None and scorer in _judges(store, sampled):
        return read_judgements(store, sampled.key, scorer)
    if scorer in scoring_rewards(sampled):
        values = [item.rewards.get(scorer) for item in sampled.evaluation.items]
        return [[] if value is None else [value] for value in values]
    raise StoreError(
        f"{shown(scorer)} has not scored the completions of {sampled.job_id} {sampled.label}.",
        f"Have it do so: `python -m training judge {sampled.job_id} --judge {scorer}`.",
    )


def _judges(store: Store, sampled: Sampled) -> list[str]:
    return [] if sampled.key is None else judges_on_record(store, [sampled.key])[sampled.key]


def scored_samples(sampled: Sampled, scores: Sequence[Scores] | None, aggregation: Aggregation = "last") -> Samples:
    """The completions as samples, each with one score made of those of its steps."""
    one = None if scores is None else [one_score(found, aggregation) for found in scores]
    return samples_of(sampled.evaluation, one)
