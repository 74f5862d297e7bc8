"""Judges of answers: reward functions, by each of which a completion is right that earns its maximum.

Which a part of a job's record holds values of, which can be computed anew, what people call them, and which two to begin with.
Only reads.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from training.errors import ConfigError, StoreError, shown
from training.rewards import COMPARING, REWARDS, title_of, verifier_named, verifier_of
from training.store import Store
from training.store.answer_marks import Judges
from training.store.schema import evaluation_items, evaluations, rollouts

COMPUTABLE = (*COMPARING, "strict_format", "soft_format")
"""The judges that need nothing but the completion and the gold answer."""

_LOOKED_AT = 100
"""Completions at either end of a record, from which is read what was computed of them."""
_COMPARED = 50_000
"""The newest ones, on which is read which judge differs most."""


@dataclass(frozen=True)
class Part:
    """Completions of a job."""

    job_id: str
    evaluation: str = ""
    """The label of a complete evaluation; empty for all that were generated in training."""


def completions_of(part: Part, seqs: Sequence[int] | None = None) -> sa.Subquery:
    """A part's completions: `seq`, `problem_id`, `step`, `completion` and `rewards`.

    Args:
        seqs: sequence numbers of the part's that are wanted, `None` for all. They are asked for by these alone: with the job
            named too, SQLite would look through all of it.
    """
    if not part.evaluation:
        table = rollouts.c
        columns = (table.seq, table.problem_id, table.step, table.completion, table.rewards)
        wanted = table.job_id == part.job_id if seqs is None else table.seq.in_(seqs)
        return sa.select(*columns).where(wanted).subquery()
    items = evaluation_items.c
    label = sa.and_(evaluations.c.job_id == part.job_id, evaluations.c.label == part.evaluation)
    return (
        sa.select(items.seq, items.problem_id, evaluations.c.step, items.completion, items.rewards)
        .join(evaluations, evaluations.c.seq == items.evaluation)
        .where(sa.and_(label, evaluations.c.completed_at.is_not(None)) if seqs is None else items.seq.in_(seqs))
        .subquery()
    )


def verdict_of(judge: str, rewards: sa.ColumnElement[object]) -> sa.Case[int | None]:
    """1 where a judge finds the completion with these rewards right, 0 where not, null where it did not score it."""
    verifier = verifier_named(judge)
    value = rewards[judge].as_float()
    return sa.case((value >= verifier.threshold, 1), (value.is_not(None), 0))


def part_named(store: Store, job_id: str, evaluation: str = "") -> Part:
    """A part that is on record: an evaluation, or what training generated; without that the job's first evaluation.

    Raises:
        StoreError: there is no such job or evaluation, or nothing at all.
    """
    store.job(job_id)
    labels = _evaluations(store, job_id)
    if evaluation and evaluation not in labels:
        known = f"It has {', '.join(labels)}." if labels else "It has none."
        raise StoreError(f"{job_id} has no complete evaluation {shown(evaluation)}.", known)
    parts = parts_of(store, job_id)
    if not parts:
        raise StoreError(f"{job_id} has no completions on record.", "Wait for its first step.")
    return Part(job_id, evaluation) if evaluation else parts[0]


def parts_of(store: Store, job_id: str) -> list[Part]:
    """What there is of a job: the completions of its training, then its complete evaluations, oldest first."""
    training = [Part(job_id)] if store.last_rollout_step(job_id) else []
    return training + [Part(job_id, label) for label in _evaluations(store, job_id)]


def recorded_judges(store: Store, part: Part) -> tuple[str, ...]:
    """The functions that computed anything of a part's first or last completions, in the order in which they are kept."""
    completions = completions_of(part)
    query = sa.select(completions.c.rewards).limit(_LOOKED_AT)
    found: dict[str, None] = {}
    with store.reading() as connection:
        for order in (completions.c.step, completions.c.step.desc()):
            for rewards in connection.scalars(query.order_by(order)):
                found |= dict.fromkeys(name for name, value in rewards.items() if value is not None)
    return tuple(found)


def offered_judges(store: Store, part: Part) -> tuple[str, ...]:
    """The judges that can be asked about a part's completions: those on record, then the others of `COMPUTABLE`."""
    return tuple(dict.fromkeys((*recorded_judges(store, part), *COMPUTABLE)))


def usual_judges(store: Store, part: Part) -> Judges:
    """The job's verifier, and of the functions on record that compare answers with the gold the one that differs most from it.

    Another on record where none compares, and one that can be computed where there is only the verifier.
    """
    verifier = verifier_of(store.job(part.job_id).spec).name
    recorded = [name for name in recorded_judges(store, part) if name != verifier]
    comparing = [name for name in recorded if name in COMPARING]
    if verifier in recorded_judges(store, part) and (candidates := comparing or recorded):
        return verifier, _most_differing(store, part, verifier, candidates)
    return verifier, next(name for name in (*comparing, "value_correctness", "correctness") if name != verifier)


def judge_named(text: str, known: Collection[str]) -> str:
    """A judge by its name or its title, of hard, soft, value and symbolic correctness also by its first word.

    Raises:
        ConfigError: none of those known is called so.
    """
    asked = _plain(text)
    for names in ({_plain(name): name for name in known}, {_plain(title_of(name)): name for name in known}):
        if asked in names:
            return names[asked]
    short = {_plain(title_of(name)).removesuffix(" correctness"): name for name in known if name in COMPARING}
    if asked in short:
        return short[asked]
    called = ", ".join(f"{name} ({title_of(name)})" if name in REWARDS else name for name in known)
    raise ConfigError(f"There is no judge {shown(text)} here.", f"Use one of {called}.")


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _most_differing(store: Store, part: Part, verifier: str, candidates: Sequence[str]) -> str:
    rewards = completions_of(part).c
    completions = sa.select(rewards.rewards).order_by(rewards.step.desc()).limit(_COMPARED).subquery()
    own = verdict_of(verifier, completions.c.rewards)
    differs = [sa.func.sum(sa.case((own != verdict_of(name, completions.c.rewards), 1), else_=0)) for name in candidates]
    with store.reading() as connection:
        counts = connection.execute(sa.select(*differs)).one()
    return max(zip(counts, candidates, strict=True), key=lambda pair: pair[0] or 0)[1]


def _evaluations(store: Store, job_id: str) -> list[str]:
    complete = sa.and_(evaluations.c.job_id == job_id, evaluations.c.completed_at.is_not(None))
    with store.reading() as connection:
        return list(connection.scalars(sa.select(evaluations.c.label).where(complete).order_by(evaluations.c.seq)))
