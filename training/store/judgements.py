"""What reward models said of the completions of evaluations: scores, written batch by batch, so that a killed job goes on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from training.store import Store
from training.store.schema import evaluation_items, judgements

Scores = list[float]
"""Of one completion: one for all of it, or one a step; none where the judge could not read it."""

_OF_EVALUATION = sa.select(evaluation_items.c.seq)


@dataclass(frozen=True)
class Unjudged:
    """A completion that a judge has not scored."""

    item: int
    """Its number on record."""
    problem_id: str
    completion: str


def unjudged_items(store: Store, evaluation: int, judge: str, weights: str) -> list[Unjudged]:
    """The completions of an evaluation that a judge with these weights has yet to score, in their order.

    What the judge said with other weights is forgotten.

    Args:
        evaluation: the key of its heading.
        weights: when the judge's weights last changed, as the job says it.
    """
    of = evaluation_items.c
    own = (judgements.c.item == of.seq) & (judgements.c.judge == judge)
    query = sa.select(of.seq, of.problem_id, of.completion).where(of.evaluation == evaluation)
    with store.writing() as connection:
        connection.execute(judgements.delete().where(_said_of(evaluation, judge), judgements.c.weights != weights))
        missing = query.where(~sa.exists().where(own)).order_by(of.seq)
        return [Unjudged(*row) for row in connection.execute(missing)]


def add_judgements(store: Store, judge: str, weights: str, scores: Mapping[int, Scores]) -> None:
    """Keep what a judge said of items, by their numbers on record; said again, the latest counts."""
    rows = [{"item": item, "judge": judge, "weights": weights, "scores": found} for item, found in scores.items()]
    with store.writing() as connection:
        same = (judgements.c.judge == judge) & judgements.c.item.in_(list(scores))
        connection.execute(judgements.delete().where(same))
        still_there = set(connection.scalars(_OF_EVALUATION.where(evaluation_items.c.seq.in_(list(scores)))))
        if kept := [row for row in rows if row["item"] in still_there]:
            connection.execute(judgements.insert(), kept)


def judges_on_record(store: Store, evaluations: Iterable[int]) -> dict[int, list[str]]:
    """Key of an evaluation -> the judges that scored all of its completions, by name."""
    of = evaluation_items.c
    asked = list(evaluations)
    count = sa.func.count()
    sizes = sa.select(of.evaluation, count).where(of.evaluation.in_(asked)).group_by(of.evaluation)
    said = sa.select(of.evaluation, judgements.c.judge, count).join(judgements, judgements.c.item == of.seq)
    said = said.where(of.evaluation.in_(asked)).group_by(of.evaluation, judgements.c.judge).order_by(judgements.c.judge)
    found: dict[int, list[str]] = {key: [] for key in asked}
    with store.reading() as connection:
        whole = {tuple(row) for row in connection.execute(sizes)}
        for key, judge, number in connection.execute(said):
            if (key, number) in whole:
                found[key].append(judge)
    return found


def read_judgements(store: Store, evaluation: int, judge: str) -> list[Scores]:
    """What a judge said of each item of an evaluation, in the order of the items; nothing of one that it did not score."""
    own = sa.and_(judgements.c.item == evaluation_items.c.seq, judgements.c.judge == judge)
    query = sa.select(judgements.c.scores).select_from(evaluation_items.outerjoin(judgements, own))
    query = query.where(evaluation_items.c.evaluation == evaluation).order_by(evaluation_items.c.seq)
    with store.reading() as connection:
        return [scores or [] for scores in connection.scalars(query)]


def _said_of(evaluation: int, judge: str) -> sa.ColumnElement[bool]:
    items = _OF_EVALUATION.where(evaluation_items.c.evaluation == evaluation)
    return (judgements.c.judge == judge) & judgements.c.item.in_(items)
