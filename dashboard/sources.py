"""Which problems a session may have read: reading a source takes as long as it is large."""

from pathlib import Path

from dashboard import data
from dashboard.access import may_act, way_in
from training.allowed import allowed_source
from training.data.sources import BUILT_IN
from training.errors import SourceError
from training.store import RUN_KINDS
from training.store.job_search import jobs_with


def readable_source(source: str) -> str:
    """`allowed_source`; for who looks on, only what was mapped, trained on, measured, or opened by who may act.

    Raises:
        SourceError: a page may not name it, or this session may not.
    """
    found, opened = allowed_source(source, data.home()), data.opened_sources()
    if may_act():
        opened.add(found)
    if found in BUILT_IN or Path(found) == data.home().data or found in opened or _was_worked_with(found):
        return found
    raise SourceError(f"Nobody has worked with the problems in {source!r} yet, and you are looking on.", way_in())


def _was_worked_with(source: str) -> bool:
    return any(jobs_with(data.store(), (*RUN_KINDS, "build", "evaluate"), source=source))
