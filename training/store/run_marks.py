"""What people keep with a run: a name, tags, a note, and whether it is archived. Rows of the run store, if there is any."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa

from training.errors import AtlasError
from training.store import Store
from training.store.schema import run_marks

TAGS_AT_MOST = 20
NOTE_CHARACTERS = 10_000
NAME_CHARACTERS = 80
_TAG = re.compile(r"[^\s,](?:[^,\n\r\t]{0,38}[^\s,])?")
"""No commas: addresses join tags with them."""


class MarkError(AtlasError):
    """A tag or a note cannot be kept as it is."""


@dataclass(frozen=True)
class Marks:
    """What is kept with one run."""

    tags: tuple[str, ...] = ()
    note: str = ""
    archived: bool = False
    name: str = ""
    """What people call the run; empty for its id."""


def marks_of(store: Store, job_id: str) -> Marks:
    """The run's marks; none for a run that has none."""
    return all_marks(store, [job_id]).get(job_id, Marks())


def all_marks(store: Store, job_ids: Iterable[str] | None = None) -> dict[str, Marks]:
    """Run id -> its marks, for the runs that have some."""
    query = sa.select(run_marks)
    if job_ids is not None:
        query = query.where(run_marks.c.job_id.in_(list(job_ids)))
    with store.reading() as connection:
        return {row.job_id: Marks(tuple(row.tags), row.note, row.archived, row.name) for row in connection.execute(query)}


def run_name(store: Store, job_id: str) -> str:
    """What people call the run, which is its id where nobody gave it a name."""
    return marks_of(store, job_id).name or job_id


def known_tags(store: Store) -> list[str]:
    """Every tag in use, in alphabetical order."""
    return sorted({tag for marks in all_marks(store).values() for tag in marks.tags}, key=str.casefold)


def set_marks(store: Store, job_id: str, marks: Marks) -> None:
    """Replace the run's marks.

    Raises:
        MarkError: a tag is empty, too long or holds a comma, or there are too many; the note or the name is too long.
        StoreError: there is no such run.
    """
    tags = list(dict.fromkeys(" ".join(tag.split()) for tag in marks.tags))
    name = " ".join(marks.name.split())
    marks = replace(marks, name="" if name == job_id else name)
    _check(tags, marks)
    store.job(job_id)
    with store.writing(turn=f"marks {job_id}") as connection:
        connection.execute(run_marks.delete().where(run_marks.c.job_id == job_id))
        if marks != Marks():
            connection.execute(run_marks.insert().values(asdict(marks) | {"job_id": job_id, "tags": tags}))


def _check(tags: list[str], marks: Marks) -> None:
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise MarkError(f"A run cannot be tagged {tag!r}.", "Use 1 to 40 characters on one line, without commas.")
    if len(tags) > TAGS_AT_MOST:
        raise MarkError(f"{len(tags)} tags are too many for a run.", f"Keep {TAGS_AT_MOST} at most.")
    if len(marks.note) > NOTE_CHARACTERS:
        raise MarkError(f"A note of {len(marks.note):,} characters is too long.", f"Keep it within {NOTE_CHARACTERS:,}.")
    if len(marks.name) > NAME_CHARACTERS:
        raise MarkError(f"A name of {len(marks.name):,} characters is too long.", f"Keep it within {NAME_CHARACTERS}.")
