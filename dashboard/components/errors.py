"""Expected errors as text on the page, in place of the part that failed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

import streamlit as st

from dashboard.text import plain
from training.errors import AtlasError, StoreFailedError, disk_error

_P = ParamSpec("_P")


@contextmanager
def boundary(*, tells_away: bool = True) -> Iterator[None]:
    """Show an `AtlasError` raised inside, or what a disk refused, as its problem and remedy; the rest of the page goes on.

    Args:
        tells_away: false where another part of the page tells that the run store fails: this one is empty then.
    """
    try:
        yield
    except AtlasError as error:
        if tells_away or not isinstance(error, StoreFailedError):
            render_error(error.problem, error.remedy)
    except OSError as error:
        told = disk_error(error)
        render_error(told.problem, told.remedy)


def bounded(render: Callable[_P, None]) -> Callable[_P, None]:
    """`render` within a boundary: for what is drawn again by itself, without the page around it."""

    @wraps(render)
    def render_within(*args: _P.args, **kwargs: _P.kwargs) -> None:
        with boundary():
            render(*args, **kwargs)

    return render_within


def render_error(problem: str, remedy: str = "") -> None:
    """What happened, then what to do."""
    st.error("\n\n".join(plain(part) for part in (problem, remedy) if part), icon=":material/error:")
