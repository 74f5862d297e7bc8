"""Questions to the records of runs: what became of each problem in training and evaluation. Only reads."""

from dataclasses import dataclass
from statistics import fmean

import sqlalchemy as sa

from training.store import Store
from training.store.schema import evaluation_items, evaluations, jobs, rollouts

_PASS = "correctness"
"""The reward that says right or wrong: hard correctness."""


@dataclass(frozen=True)
class GroupOutcome:
    """One problem's group of completions in one step."""

    problem_id: str
    step: int
    group_index: int
    """Which group of the step, from 0."""
    completions: int
    tokens: int
    """Of all its completions."""
    pass_rate: float | None
    """Share that is right by hard correctness; `None` where the run does not reward it."""
    mean_reward: float | None
    reward_variance: float | None
    """Of the totals, divided by their number; 0 means that the group taught nothing."""
    lowest_reward: float | None
    highest_reward: float | None


@dataclass(frozen=True)
class ProblemHistory:
    """One problem in one run."""

    job_id: str
    groups: int
    completions: int
    pass_rate: float | None
    mean_reward: float | None
    evaluated: dict[str, float | None]
    """Label of an evaluation ("before", "after") -> hard correctness, the mean of several answers; `None` if not scored."""


def group_outcomes(store: Store, job_id: str, from_step: int = 0) -> list[GroupOutcome]:
    """Every group of a run from a step on, in training order."""
    totals = rollouts.c.total
    mean = sa.func.avg(totals)
    query = (
        sa.select(
            rollouts.c.problem_id,
            rollouts.c.step,
            rollouts.c.group_index,
            sa.func.count().label("completions"),
            sa.func.sum(rollouts.c.tokens).label("tokens"),
            sa.func.avg(rollouts.c.rewards[_PASS].as_float()).label("pass_rate"),
            mean.label("mean_reward"),
            (sa.func.avg(totals * totals) - mean * mean).label("reward_variance"),
            sa.func.min(totals).label("lowest_reward"),
            sa.func.max(totals).label("highest_reward"),
        )
        .where(rollouts.c.job_id == job_id, rollouts.c.step >= from_step)
        .group_by(rollouts.c.problem_id, rollouts.c.step, rollouts.c.group_index)
        .order_by(rollouts.c.step, rollouts.c.group_index)
    )
    with store.reading() as connection:
        return [GroupOutcome(**row) for row in connection.execute(query).mappings()]


def newest_rollout(store: Store, job_id: str) -> int:
    """The sequence number of the newest rollout of the last step, 0 when there is none."""
    last = sa.select(sa.func.max(rollouts.c.step)).where(rollouts.c.job_id == job_id).scalar_subquery()
    query = sa.select(sa.func.max(rollouts.c.seq)).where(rollouts.c.job_id == job_id, rollouts.c.step == last)
    with store.reading() as connection:
        return connection.scalar(query) or 0


def has_rollout(store: Store, sequence: int) -> bool:
    """Whether a rollout is still on record: a resumed run forgets its last steps, and numbers are not given again."""
    with store.reading() as connection:
        return connection.scalar(sa.select(rollouts.c.seq).where(rollouts.c.seq == sequence)) is not None


def problem_history(store: Store, source: str, problem_id: str) -> list[ProblemHistory]:
    """What runs on this source did with a problem, the newest run first; runs that never met it are left out."""
    with store.reading() as connection:
        trained = {row.job_id: row for row in connection.execute(_trained(problem_id))}
        scores: dict[str, dict[str, list[float]]] = {}
        for row in connection.execute(_evaluated(problem_id)):
            of_label = scores.setdefault(row.job_id, {}).setdefault(row.label, [])
            if (score := row.rewards.get(_PASS)) is not None:
                of_label.append(score)
        evaluated = {job_id: {label: _mean(of_label) for label, of_label in by.items()} for job_id, by in scores.items()}
        known = sa.select(jobs.c.id, jobs.c.spec).where(jobs.c.id.in_({*trained, *evaluated})).order_by(jobs.c.seq.desc())
        found = [row.id for row in connection.execute(known) if row.spec.get("source") == source]
    return [
        ProblemHistory(
            job_id=job_id,
            groups=trained[job_id].groups if job_id in trained else 0,
            completions=trained[job_id].completions if job_id in trained else 0,
            pass_rate=trained[job_id].pass_rate if job_id in trained else None,
            mean_reward=trained[job_id].mean_reward if job_id in trained else None,
            evaluated=evaluated.get(job_id, {}),
        )
        for job_id in found
    ]


def evaluated_correctness(store: Store, job_id: str) -> dict[str, dict[str, float]]:
    """Label of an evaluation -> problem -> hard correctness, the mean where a problem was answered several times.

    Problems that could not be scored are left out.
    """
    query = (
        sa.select(evaluations.c.label, evaluation_items.c.problem_id, evaluation_items.c.rewards)
        .join(evaluation_items, evaluation_items.c.evaluation == evaluations.c.seq)
        .where(evaluations.c.job_id == job_id, evaluations.c.completed_at.is_not(None))
        .order_by(evaluations.c.seq, evaluation_items.c.seq)
    )
    found: dict[str, dict[str, list[float]]] = {}
    with store.reading() as connection:
        for row in connection.execute(query):
            if (score := row.rewards.get(_PASS)) is not None:
                found.setdefault(row.label, {}).setdefault(row.problem_id, []).append(score)
    return {label: {problem: fmean(scores) for problem, scores in by.items()} for label, by in found.items()}


def _mean(scores: list[float]) -> float | None:
    return fmean(scores) if scores else None


def _trained(problem_id: str) -> sa.Select:
    steps = sa.func.count(sa.distinct(sa.cast(rollouts.c.step, sa.BigInteger) * 100_000 + rollouts.c.group_index))
    return (
        sa.select(
            rollouts.c.job_id,
            steps.label("groups"),
            sa.func.count().label("completions"),
            sa.func.avg(rollouts.c.rewards[_PASS].as_float()).label("pass_rate"),
            sa.func.avg(rollouts.c.total).label("mean_reward"),
        )
        .where(rollouts.c.problem_id == problem_id)
        .group_by(rollouts.c.job_id)
    )


def _evaluated(problem_id: str) -> sa.Select:
    return (
        sa.select(evaluations.c.job_id, evaluations.c.label, evaluation_items.c.rewards)
        .join(evaluations, evaluation_items.c.evaluation == evaluations.c.seq)
        .where(evaluation_items.c.problem_id == problem_id, evaluations.c.completed_at.is_not(None))
        .order_by(evaluations.c.seq)
    )
