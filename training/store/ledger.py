"""Questions to the records of runs: what became of each problem in training and evaluation. Only reads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import sqlalchemy as sa

from training.groups import Dropped, Rollout, Verifier
from training.rewards import verifier_of
from training.store import Store
from training.store.records import is_on
from training.store.schema import evaluation_items, evaluations, jobs, rollouts

Rewards = Mapping[str, float | None]


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
    """Share that is right by the run's verifier; `None` where it scored none."""
    mean_reward: float | None
    reward_variance: float | None
    """Of the totals, divided by their number; 0 means that the group taught nothing."""
    lowest_reward: float | None
    highest_reward: float | None
    dropped: Dropped = ""
    """Why the step did not learn from it; empty where it did."""


@dataclass(frozen=True)
class ProblemHistory:
    """One problem in one run."""

    job_id: str
    groups: int
    completions: int
    pass_rate: float | None
    mean_reward: float | None
    evaluated: dict[str, float | None]
    """Label of an evaluation ("before", "after") -> the share of its answers that is right; `None` if not scored."""


def group_outcomes(store: Store, job_id: str, from_step: int = 0, to_step: int | None = None) -> list[GroupOutcome]:
    """Every group of a run from a step on, or up to one, in training order."""
    verifier = verifier_of(store.job(job_id).spec)
    value = rollouts.c.rewards[verifier.name].as_float()
    is_right = sa.case((value >= verifier.threshold, 1.0), (value.is_not(None), 0.0))
    totals = rollouts.c.total
    mean = sa.func.avg(totals)
    query = (
        sa.select(
            rollouts.c.problem_id,
            rollouts.c.step,
            rollouts.c.group_index,
            sa.func.count().label("completions"),
            sa.func.sum(rollouts.c.tokens).label("tokens"),
            sa.func.avg(is_right).label("pass_rate"),
            mean.label("mean_reward"),
            (sa.func.avg(totals * totals) - mean * mean).label("reward_variance"),
            sa.func.min(totals).label("lowest_reward"),
            sa.func.max(totals).label("highest_reward"),
            sa.func.max(rollouts.c.dropped).label("dropped"),
        )
        .where(rollouts.c.job_id == job_id, rollouts.c.step >= from_step)
        .where(sa.true() if to_step is None else rollouts.c.step <= to_step)
        .group_by(rollouts.c.problem_id, rollouts.c.step, rollouts.c.group_index)
        .order_by(rollouts.c.step, rollouts.c.group_index)
    )
    with store.reading() as connection:
        return [GroupOutcome(**row) for row in connection.execute(query).mappings()]


def group_rewards(store: Store, job_id: str, names: Sequence[str]) -> list[tuple[str, int, int, tuple[float | None, ...]]]:
    """Of every group of a run, in training order: problem id, step, index, and the mean of each of these reward functions.

    A mean is unweighted; `None` where the function scored none of the completions.
    """
    means = [sa.func.avg(rollouts.c.rewards[name].as_float()) for name in names]
    keys = (rollouts.c.problem_id, rollouts.c.step, rollouts.c.group_index)
    query = (
        sa.select(*keys, *means)
        .where(rollouts.c.job_id == job_id)
        .group_by(*keys)
        .order_by(rollouts.c.step, rollouts.c.group_index)
    )
    with store.reading() as connection:
        return [(row[0], row[1], row[2], tuple(row[3:])) for row in connection.execute(query)]


def group_rollouts(store: Store, job_id: str, step: int, group_index: int) -> list[Rollout]:
    """The completions of one group of a step, in their order; none where there is no such group."""
    of = rollouts.c
    query = sa.select(rollouts).where(of.job_id == job_id, of.step == step, of.group_index == group_index)
    with store.reading() as connection:
        return _read(connection.execute(query.order_by(of.position)))


@dataclass(frozen=True)
class StepRow:
    """A completion of a step without its text."""

    group_index: int
    position: int
    problem_id: str
    rewards: dict[str, float | None]
    total: float | None
    advantage: float
    tokens: int
    dropped: Dropped


def step_rows(store: Store, job_id: str, step: int) -> list[StepRow]:
    """The completions of a step without their texts, in training order."""
    columns = [rollouts.c[name] for name in StepRow.__dataclass_fields__]
    query = sa.select(*columns).where(rollouts.c.job_id == job_id, rollouts.c.step == step)
    with store.reading() as connection:
        rows = connection.execute(query.order_by(rollouts.c.group_index, rollouts.c.position)).mappings().all()
    return [StepRow(**row) for row in rows]


def step_reach(store: Store, job_id: str, step: int) -> tuple[int, int]:
    """What tells whether a step was recorded anew: the number of its completions, and the newest one's sequence number."""
    query = sa.select(sa.func.count(), sa.func.max(rollouts.c.seq)).where(rollouts.c.job_id == job_id, rollouts.c.step == step)
    with store.reading() as connection:
        number, newest = connection.execute(query).one()
    return number, newest or 0


def placed_rollouts(store: Store, job_id: str, step: int, places: Sequence[tuple[int, int]]) -> list[Rollout]:
    """The completions of a step at these places (group index, position), in this order; those that are not there left out."""
    of = rollouts.c
    groups = sorted({group for group, _ in places})
    query = sa.select(rollouts).where(of.job_id == job_id, of.step == step, of.group_index.in_(groups))
    query = query.where(sa.tuple_(of.group_index, of.position).in_(places))
    with store.reading() as connection:
        found = {(rollout.group_index, rollout.position): rollout for rollout in _read(connection.execute(query))}
    return [found[place] for place in places if place in found]


def steps_beside(store: Store, job_id: str, step: int) -> tuple[int | None, int | None]:
    """The last step before one that has completions, and the first after it."""
    of = rollouts.c
    before = sa.select(sa.func.max(of.step)).where(of.job_id == job_id, of.step < step)
    after = sa.select(sa.func.min(of.step)).where(of.job_id == job_id, of.step > step)
    with store.reading() as connection:
        return connection.scalar(before), connection.scalar(after)


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


def problem_history(store: Store, source: str, problem_id: str, content_hash: str = "") -> list[ProblemHistory]:
    """What runs on this source did with a problem, the newest run first; runs that never met it are left out.

    Args:
        content_hash: of the problems that the source holds now: runs on others are left out, as ids name rows.
    """
    with store.reading() as connection:
        trained = _by_job(connection.execute(_trained(problem_id)))
        evaluated = _by_job(connection.execute(_evaluated(problem_id)))
        known = sa.select(jobs.c.id, jobs.c.spec).where(jobs.c.id.in_({*trained, *evaluated})).order_by(jobs.c.seq.desc())
        specs = ((row.id, row.spec) for row in connection.execute(known))
        found = [(job, spec) for job, spec in specs if spec.get("source") == source and is_on(spec, content_hash)]
    return [_history(job_id, verifier_of(spec), trained.get(job_id, []), evaluated.get(job_id, [])) for job_id, spec in found]


def evaluated_pass_rates(store: Store, job_id: str) -> dict[str, dict[str, float]]:
    """Label of an evaluation -> problem -> the share of its answers that is right by the run's verifier.

    Problems that could not be scored are left out.
    """
    verifier = verifier_of(store.job(job_id).spec)
    query = (
        sa.select(evaluations.c.label, evaluation_items.c.problem_id, evaluation_items.c.rewards)
        .join(evaluation_items, evaluation_items.c.evaluation == evaluations.c.seq)
        .where(evaluations.c.job_id == job_id, evaluations.c.completed_at.is_not(None))
        .order_by(evaluations.c.seq, evaluation_items.c.seq)
    )
    answers: dict[str, dict[str, list[Rewards]]] = {}
    with store.reading() as connection:
        for row in connection.execute(query):
            answers.setdefault(row.label, {}).setdefault(row.problem_id, []).append(row.rewards)
    return {
        label: {problem: rate for problem, given in by.items() if (rate := verifier.pass_rate(given)) is not None}
        for label, by in answers.items()
    }


def _history(job_id: str, verifier: Verifier, trained: Sequence[sa.Row], evaluated: Sequence[sa.Row]) -> ProblemHistory:
    answers: dict[str, list[Rewards]] = {}
    for row in evaluated:
        answers.setdefault(row.label, []).append(row.rewards)
    totals = [row.total for row in trained if row.total is not None]
    return ProblemHistory(
        job_id=job_id,
        groups=len({(row.step, row.group_index) for row in trained}),
        completions=len(trained),
        pass_rate=verifier.pass_rate(row.rewards for row in trained),
        mean_reward=fmean(totals) if totals else None,
        evaluated={label: verifier.pass_rate(given) for label, given in answers.items()},
    )


def _read(result: sa.Result) -> list[Rollout]:
    fields = tuple(Rollout.__dataclass_fields__)
    return [Rollout(**{name: row[name] for name in fields}) for row in result.mappings()]


def _by_job(rows: Iterable[sa.Row]) -> dict[str, list[sa.Row]]:
    found: dict[str, list[sa.Row]] = {}
    for row in rows:
        found.setdefault(row.job_id, []).append(row)
    return found


def _trained(problem_id: str) -> sa.Select:
    of = rollouts.c
    return sa.select(of.job_id, of.step, of.group_index, of.rewards, of.total).where(of.problem_id == problem_id)


def _evaluated(problem_id: str) -> sa.Select:
    return (
        sa.select(evaluations.c.job_id, evaluations.c.label, evaluation_items.c.rewards)
        .join(evaluations, evaluation_items.c.evaluation == evaluations.c.seq)
        .where(evaluation_items.c.problem_id == problem_id, evaluations.c.completed_at.is_not(None))
        .order_by(evaluations.c.seq)
    )
