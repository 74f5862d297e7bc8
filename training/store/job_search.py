"""Finding jobs among all that there are, in the database: by words, tags and status, or by what they do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import count
from typing import Any

import sqlalchemy as sa

from training.store import Store
from training.store.records import ACTIVE, RUN_KINDS, Job, JobKind, is_on
from training.store.run_marks import Marks, all_marks
from training.store.run_table import Order, ordered
from training.store.schema import Name, jobs, run_marks

_SEARCHED = ("preset", "model", "source", "subset")
"""Settings of a run that words are looked for in, beside its id, name, tags and note."""

_BATCH = 100

_FOLLOWED = sa.select(jobs.c.follows).where(jobs.c.follows != "")
_LISTED: sa.ColumnElement[bool] = jobs.c.kind.in_(RUN_KINDS) & ~jobs.c.id.in_(_FOLLOWED)
"""The runs that have a line of their own in a list."""


@dataclass(frozen=True)
class RunFilter:
    """Which runs are asked for."""

    search: str = ""
    """Words that must all occur in the id, name, preset, model, source, subset, tags or note."""
    statuses: tuple[str, ...] = ()
    """Any of them; with none, all."""
    tags: tuple[str, ...] = ()
    """All of them."""
    archived: bool = False
    """Whether archived runs are shown too."""


@dataclass(frozen=True)
class FoundRuns:
    """One page of the runs that were asked for."""

    runs: list[Job]
    """In the order asked for."""
    page: int
    """Counted from 1; the last one where fewer were found than the page asked for would need."""
    matching: int
    """How many were found, on all pages."""
    total: int
    """How many runs there are, found or not; two stages in a row are one."""


NEWEST_FIRST = Order()


def find_runs(store: Store, asked: RunFilter, *, page: int, size: int, order: Order = NEWEST_FIRST) -> FoundRuns:
    """A page of the runs that are asked for, and how many there are.

    Args:
        page: counted from 1.
        size: runs on a page.
        order: of all that are asked for, not only of those on the page.
    """
    where = matching_runs(store, asked)
    matching = store.count_where(where)
    shown = max(1, min(page, -(-matching // size)))
    first = (shown - 1) * size
    if order == NEWEST_FIRST:
        runs = store.jobs_where(where, size, first)
    else:
        numbers = ordered(store, where, order)[first : first + size]
        by_number = {run.seq: run for run in store.jobs_where(jobs.c.seq.in_(numbers))}
        runs = [by_number[number] for number in numbers if number in by_number]
    return FoundRuns(runs, shown, matching, store.count_where(_LISTED))


def jobs_with(store: Store, kinds: tuple[JobKind, ...], **spec: str) -> Iterator[Job]:
    """The jobs of these kinds whose specs have these texts, newest first, read as far as they are asked for."""
    where: sa.ColumnElement[bool] = jobs.c.kind.in_(kinds)
    for name, text in spec.items():
        where &= spec_text(name) == text
    for batch in count():
        found = store.jobs_where(where, _BATCH, batch * _BATCH)
        yield from found
        if len(found) < _BATCH:
            return


def jobs_on(store: Store, kinds: tuple[JobKind, ...], source: str, content_hash: str) -> Iterator[Job]:
    """The jobs on the problems that a source holds now, newest first; those on what it held before are left out."""
    return (job for job in jobs_with(store, kinds, source=source) if is_on(job.spec, content_hash))


def newest_with(store: Store, kind: JobKind, spec: Mapping[str, Any]) -> Job | None:
    """The newest job of a kind that does exactly this, whatever became of it."""
    texts = {name: value for name, value in spec.items() if isinstance(value, str)}
    return next((job for job in jobs_with(store, (kind,), **texts) if job.spec == spec), None)


def newest_run_ids(store: Store, limit: int) -> list[str]:
    """Ids of the newest runs, newest first."""
    query = sa.select(jobs.c.id).where(jobs.c.kind.in_(RUN_KINDS)).order_by(jobs.c.seq.desc()).limit(limit)
    with store.reading() as connection:
        return list(connection.scalars(query))


def spec_text(*names: str) -> sa.ColumnElement[str]:
    """Texts of a job's spec, a line each. Empty where it holds a null character: Postgres takes nothing out of such JSON."""
    has_null = sa.cast(jobs.c.spec, sa.Text).contains("\\u0000", autoescape=True)
    texts: list[sa.ColumnElement[str]] = [sa.func.coalesce(jobs.c.spec[name].as_string(), "") for name in names]
    return sa.type_coerce(sa.case((has_null, ""), else_=reduce(lambda before, text: before + "\n" + text, texts)), Name)


def matching_runs(store: Store, asked: RunFilter) -> sa.ColumnElement[bool]:
    """The condition on rows of jobs that says which runs are asked for; a first stage stands behind the one that follows it."""
    where: sa.ColumnElement[bool] = _LISTED
    if not asked.archived:
        where &= ~jobs.c.id.in_(sa.select(run_marks.c.job_id).where(run_marks.c.archived))
    if asked.statuses:
        where &= _has_status(store, asked.statuses)
    words = asked.search.split()
    marks = all_marks(store) if words or asked.tags else {}
    if asked.tags:
        where &= jobs.c.id.in_([job_id for job_id, kept in marks.items() if set(asked.tags).issubset(kept.tags)])
    for word in words:
        noted = [job_id for job_id, kept in marks.items() if word.casefold() in _said(kept)]
        where &= _says(word) | jobs.c.id.in_(noted)
    return where


def _said(kept: Marks) -> str:
    """What people say of a run, in small letters."""
    return "\n".join((kept.name, *kept.tags, kept.note)).casefold()


def _says(word: str) -> sa.ColumnElement[bool]:
    """Whether the word occurs in a run's id or in what its spec says of it, capital or not."""
    text = sa.func.lower(jobs.c.id + "\n" + spec_text(*_SEARCHED), type_=Name)
    # Several spellings of what is not ASCII: a Postgres whose locale is C leaves such letters as they are.
    plain = "".join(letter.lower() if letter.isascii() else letter for letter in word)
    return sa.or_(*(text.contains(spelling, autoescape=True) for spelling in {plain, word.lower(), word.casefold()}))


def _has_status(store: Store, statuses: tuple[str, ...]) -> sa.ColumnElement[bool]:
    """What became of an ended run stands in its row; how an active one is, its process and heartbeat say too."""
    open_runs = store.jobs_where((jobs.c.kind.in_(RUN_KINDS)) & jobs.c.status.in_(ACTIVE))
    in_truth = [job.id for job in open_runs if job.status in statuses]
    return (jobs.c.status.in_(statuses) & ~jobs.c.status.in_(ACTIVE)) | jobs.c.id.in_(in_truth)
