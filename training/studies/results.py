"""What a study's runs came to: arm by arm, and what each setting does.

Only finished runs with an evaluation since count; all of them are judged by one verifier, that of the study's configuration.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import sqlalchemy as sa

from training.evaluation.comparison import pass_rates
from training.groups import Verifier
from training.intervals import mean_interval
from training.rewards import verifier_of
from training.store import Store
from training.store.evaluations import complete_evaluations
from training.store.run_table import Mean, standings
from training.store.schema import rollouts
from training.store.sessions import sessions_of, worked_s
from training.studies.effects import Effect, effects_of
from training.studies.members import Member
from training.studies.plan import Arm, StudySpec


@dataclass(frozen=True)
class Outcome:
    """What a finished run came to."""

    member: Member
    before: float | None
    """Share that is right before training, where that was measured."""
    rates: Mapping[str, float]
    """Problem -> the share of its completions that is right, at the last evaluation since."""
    reward: float | None
    """Mean total reward of its last steps."""
    tokens: int
    """That its steps generated, those thrown away included."""
    seconds: float
    """That its process worked, of both stages."""

    @property
    def after(self) -> float:
        return float(np.mean(list(self.rates.values())))


@dataclass(frozen=True)
class ArmResult:
    """The finished runs of an arm, with means over them and 95% intervals by Student's t."""

    arm: Arm
    outcomes: tuple[Outcome, ...]
    before: Mean | None
    after: Mean
    reward: Mean | None
    tokens: Mean
    seconds: Mean

    @property
    def run_ids(self) -> tuple[str, ...]:
        return tuple(outcome.member.run.id for outcome in self.outcomes)


@dataclass(frozen=True)
class StudyResult:
    """All that a study says so far."""

    verifier: Verifier
    arms: tuple[ArmResult, ...]
    """In the order in which they were launched; those without a finished run are not there yet."""
    effects: tuple[Effect, ...]
    """Of a search none: its trials do not differ in one setting at a time."""
    problems: int
    """That were measured, in all runs together."""


def results_of(store: Store, spec: StudySpec, members: Sequence[Member]) -> StudyResult:
    """What the finished runs among the members came to."""
    verifier = verifier_of(spec.base)
    outcomes = _outcomes(store, [member for member in members if member.finished], verifier)
    order = list(dict.fromkeys(outcome.member.arm.key for outcome in outcomes))
    by_arm = groupby(sorted(outcomes, key=lambda found: order.index(found.member.arm.key)), lambda found: found.member.arm.key)
    arms = tuple(_arm(tuple(found)) for _, found in by_arm)
    runs = [(found.member.arm.settings, found.member.seed, found.rates) for found in outcomes]
    effects = () if spec.search else effects_of([member.arm.settings for member in members], runs)
    return StudyResult(verifier, arms, effects, len({problem for found in outcomes for problem in found.rates}))


def _outcomes(store: Store, members: Sequence[Member], verifier: Verifier) -> list[Outcome]:
    ids = [member.run.id for member in members]
    came_to, worked = standings(store, ids), sessions_of(store, [job.id for member in members for job in member.stages])
    tokens = _tokens(store, ids)
    found = []
    for member in members:
        evaluations = complete_evaluations(store, member.run.id)
        if not evaluations or not evaluations[-1].step:
            continue
        rates = {problem: rate for problem, rate in pass_rates(evaluations[-1], verifier).items() if rate is not None}
        first = complete_evaluations(store, member.first.id) if member.first else evaluations
        before = [rate for each in first if not each.step for rate in pass_rates(each, verifier).values() if rate is not None]
        seconds = sum(worked_s(worked.get(job.id, ()), job.heartbeat_at) for job in member.stages)
        share = float(np.mean(before)) if before else None
        found.append(Outcome(member, share, rates, came_to[member.run.id].reward, tokens.get(member.run.id, 0), seconds))
    return [outcome for outcome in found if outcome.rates]


def _tokens(store: Store, ids: Sequence[str]) -> dict[str, int]:
    query = sa.select(rollouts.c.job_id, sa.func.sum(rollouts.c.tokens)).where(rollouts.c.job_id.in_(ids))
    with store.reading() as connection:
        return {job_id: int(total) for job_id, total in connection.execute(query.group_by(rollouts.c.job_id))}


def _arm(outcomes: tuple[Outcome, ...]) -> ArmResult:
    return ArmResult(
        arm=outcomes[0].member.arm,
        outcomes=outcomes,
        before=_mean_or_none([outcome.before for outcome in outcomes]),
        after=_mean([outcome.after for outcome in outcomes]),
        reward=_mean_or_none([outcome.reward for outcome in outcomes]),
        tokens=_mean([outcome.tokens for outcome in outcomes]),
        seconds=_mean([outcome.seconds for outcome in outcomes]),
    )


def _mean(values: Sequence[float]) -> Mean:
    known = np.array(values, np.float64)
    return Mean(float(known.mean()), mean_interval(known), len(known))


def _mean_or_none(values: Sequence[float | None]) -> Mean | None:
    known = [value for value in values if value is not None]
    return _mean(known) if known else None
