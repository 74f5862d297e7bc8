"""How what pages read is cached: by what its arguments are, and by how far what it is read from reaches.

Here alone is `st.cache_*`. Everything is cached by content, so a changed input is read again; every cache has a bound; nothing
that changes while a job runs is cached. What is kept is for reading only: all sessions share it.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from analysis.atlas import Atlas
from dashboard.colourings import ByCategory, ByNumber
from dashboard.live_run import View
from dashboard.step_figures import Bin
from training.data.problem import ProblemSet
from training.store import Job, Store

HASH_FUNCS: dict[str | type[Any], Callable[[Any], Any]] = {
    Atlas: lambda atlas: (atlas.problem_set.content_hash, atlas.problem_set.columns_hash, atlas.parameters, atlas.stages),
    ByCategory: lambda colouring: colouring.title,
    ByNumber: repr,
    Bin: repr,
    Job: lambda job: (job.id, job.started_at),
    ProblemSet: lambda problems: (problems.content_hash, problems.columns_hash),
    Store: id,
    View: repr,
}
"""What identifies an argument, by its type; Streamlit looks up the very type, none that it derives from."""

P = ParamSpec("P")
R = TypeVar("R")


def cached(
    entries: int = 1, *, by: Callable[..., object] | None = None, ttl_s: float | None = None, spinner: str | bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep what a reader returns. Of its parameters those that begin with an underscore follow from the others.

    Args:
        entries: how many different calls are kept.
        by: takes the reader's arguments and tells what it would read now from what it read before: how far records reach,
            when a file was written. It is asked before anything kept is looked up, and what it raises is not kept.
        ttl_s: how long a call is kept.
        spinner: what a person is told meanwhile.
    """
    keep = st.cache_resource(show_spinner=spinner, max_entries=entries, ttl=ttl_s, hash_funcs=HASH_FUNCS)

    def decorate(read: Callable[P, R]) -> Callable[P, R]:
        if by is None:
            return keep(read)

        @keep
        @wraps(read)
        def kept(*args: Any, reach: object, **kwargs: Any) -> R:
            return read(*args, **kwargs)

        @wraps(read)
        def found(*args: P.args, **kwargs: P.kwargs) -> R:
            return kept(*args, reach=by(*args, **kwargs), **kwargs)

        return found

    return decorate


def forget_all() -> None:
    """Forget whatever is kept, for all sessions."""
    st.cache_resource.clear()
