"""Evaluations on record: written batch by batch, so that a killed one goes on where it stood; read only when complete."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Literal

import sqlalchemy as sa

from training.errors import StoreError, StoreLostError
from training.groups import Verifier
from training.rewards import verifier_of
from training.rewards.forms import TAGS, AnswerForm, form_named, form_of
from training.store import Store
from training.store.schema import evaluation_items, evaluations, jobs, keep_right_share

SearchName = Literal["samples", "beam", "dvts"]

_WITH_SPEC = sa.select(evaluations, jobs.c.spec).join(jobs, jobs.c.id == evaluations.c.job_id)


@dataclass(frozen=True)
class EvaluationItem:
    """One completion of an evaluated problem."""

    problem_id: str
    completion: str
    rewards: dict[str, float | None]
    """By reward function, unweighted; `None` where one could not be computed."""
    tokens: int
    """Generated for it; of a search, with its share of what was discarded."""


@dataclass(frozen=True)
class Evaluation:
    """One pass of a model over problems of a split."""

    label: str
    """"before", "after", "step-100", or the split's name where only a model was measured."""
    step: int
    split: str
    created_at: float
    items: tuple[EvaluationItem, ...]
    """In the order of the problems, the completions of one problem together."""
    verifier: Verifier = field(default_factory=Verifier)
    """By which an answer is right: that of the run, or hard correctness where only a model was measured."""
    answer_form: str = TAGS.name
    """How the answers were asked to be marked."""
    search: SearchName = "samples"
    """How the completions of a problem came about: each by itself, or together by a search."""

    @property
    def form(self) -> AnswerForm:
        """`answer_form` as what finds answers."""
        return form_named(self.answer_form)

    @property
    def problems(self) -> int:
        """How many it asked, each once or several times."""
        return len({item.problem_id for item in self.items})


@dataclass(frozen=True)
class Heading:
    """A complete evaluation without its completions."""

    key: int
    """Its number on record; one that is measured anew has a new one, so equal keys are equal evaluations."""
    job_id: str
    label: str
    step: int
    split: str


@dataclass
class OpenEvaluation:
    """An evaluation that is being made."""

    key: int
    created_at: float
    done: tuple[EvaluationItem, ...]
    """What an earlier process had measured of it before it was killed."""
    kept: int
    """How many items are on record."""


def open_evaluation(store: Store, job_id: str, label: str, step: int, split: str) -> OpenEvaluation:
    """Begin an evaluation, or go on with one of that job, label and step which was never completed.

    A complete one of equal label is replaced.
    """
    with store.writing(turn=f"evaluations {job_id}") as connection:
        same_label = sa.and_(evaluations.c.job_id == job_id, evaluations.c.label == label)
        unfinished = sa.and_(same_label, evaluations.c.step == step, evaluations.c.completed_at.is_(None))
        begun = connection.execute(sa.select(evaluations.c.seq, evaluations.c.created_at).where(unfinished)).first()
        if begun is not None:
            done = _items(connection, begun.seq)
            return OpenEvaluation(begun.seq, begun.created_at, done, len(done))
        connection.execute(evaluations.delete().where(same_label))
        now = store.now()
        values = {"job_id": job_id, "label": label, "step": step, "split": split, "created_at": now}
        key = connection.execute(evaluations.insert().values(values).returning(evaluations.c.seq)).scalar_one()
        return OpenEvaluation(key, now, (), 0)


def add_items(store: Store, evaluation: OpenEvaluation, items: Iterable[EvaluationItem]) -> None:
    """Append what was measured; all of it or, if the process dies, none.

    Tried again after the store was away, it appends nothing that is there already.

    Raises:
        StoreLostError: the store does not know the evaluation, or less of it than was kept: it is an older copy or another.
    """
    rows = [{"evaluation": evaluation.key} | asdict(item) for item in items]
    with store.writing() as connection:
        missing = rows[_kept(connection, evaluation) - evaluation.kept :]
        if missing:
            connection.execute(evaluation_items.insert(), missing)
    evaluation.kept += len(rows)


def complete_evaluation(store: Store, evaluation: OpenEvaluation) -> None:
    """Say that nothing is missing: from now on readers see it.

    Raises:
        StoreLostError: as `add_items`.
    """
    with store.writing() as connection:
        _kept(connection, evaluation)
        connection.execute(evaluations.update().where(evaluations.c.seq == evaluation.key).values(completed_at=store.now()))
        of_job = sa.select(jobs.c.spec).join(evaluations, jobs.c.id == evaluations.c.job_id)
        spec = connection.scalar(of_job.where(evaluations.c.seq == evaluation.key))
        keep_right_share(connection, evaluation.key, verifier_of(spec if isinstance(spec, dict) else {}))


def complete_evaluations(store: Store, job_id: str) -> list[Evaluation]:
    """The job's evaluations that are complete, oldest first, each with its problems."""
    complete = sa.and_(evaluations.c.job_id == job_id, evaluations.c.completed_at.is_not(None))
    with store.reading() as connection:
        rows = connection.execute(_WITH_SPEC.where(complete).order_by(evaluations.c.seq)).all()
        return [_evaluation(connection, row) for row in rows]


def begun_evaluation(store: Store, job_id: str) -> Evaluation | None:
    """The evaluation that a job is making now, as far as it is: with the problems measured so far."""
    begun = sa.and_(evaluations.c.job_id == job_id, evaluations.c.completed_at.is_(None))
    with store.reading() as connection:
        row = connection.execute(_WITH_SPEC.where(begun).order_by(evaluations.c.seq.desc()).limit(1)).first()
        return None if row is None else _evaluation(connection, row)


def evaluation_headings(store: Store) -> list[Heading]:
    """Every job's complete evaluations, in the order in which they were begun."""
    columns = (evaluations.c.seq, evaluations.c.job_id, evaluations.c.label, evaluations.c.step, evaluations.c.split)
    query = sa.select(*columns).where(evaluations.c.completed_at.is_not(None)).order_by(evaluations.c.seq)
    with store.reading() as connection:
        return [Heading(*row) for row in connection.execute(query)]


def read_evaluation(store: Store, key: int) -> Evaluation:
    """The evaluation of a heading.

    Raises:
        StoreError: it was measured anew or deleted meanwhile.
    """
    with store.reading() as connection:
        row = connection.execute(_WITH_SPEC.where(evaluations.c.seq == key)).one_or_none()
        if row is None:
            raise StoreError("This evaluation is not on record any more.", "Load the page again.")
        return _evaluation(connection, row)


def _evaluation(connection: sa.Connection, row: sa.Row) -> Evaluation:
    items = _items(connection, row.seq)
    how = verifier_of(row.spec), form_of(row.spec).name, row.spec.get("search", "samples")
    return Evaluation(row.label, row.step, row.split, row.created_at, items, *how)


def last_evaluation(store: Store, job_id: str) -> int:
    """The sequence number of the newest complete evaluation, 0 when there is none: equal numbers mean equal evaluations."""
    complete = sa.and_(evaluations.c.job_id == job_id, evaluations.c.completed_at.is_not(None))
    with store.reading() as connection:
        return connection.scalar(sa.select(sa.func.max(evaluations.c.seq)).where(complete)) or 0


def _kept(connection: sa.Connection, evaluation: OpenEvaluation) -> int:
    """How many items are on record; raises `StoreLostError` if it is fewer than were kept."""
    same = (evaluations.c.seq == evaluation.key) & (evaluations.c.created_at == evaluation.created_at)
    of_it = sa.select(sa.func.count()).select_from(evaluation_items).where(evaluation_items.c.evaluation == evaluation.key)
    counted: int = connection.scalar(of_it) or 0
    if counted < evaluation.kept or connection.scalar(sa.select(evaluations.c.seq).where(same)) is None:
        raise StoreLostError(
            "The run store does not know the evaluation that was begun in it: it was replaced by another or an older one.",
            "Give the command again, or resume the run: what it does not know is measured anew.",
        )
    return counted


def _items(connection: sa.Connection, key: int) -> tuple[EvaluationItem, ...]:
    rows = connection.execute(
        sa.select(evaluation_items).where(evaluation_items.c.evaluation == key).order_by(evaluation_items.c.seq)
    )
    return tuple(EvaluationItem(row.problem_id, row.completion, row.rewards, row.tokens) for row in rows)
