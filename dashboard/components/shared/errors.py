"""Errors as text on the page, in place of the part that failed; around them the page goes on, whatever was raised.

An `AtlasError` tells its problem and remedy. Of anything else the page says that it happened and where the log is, and the
log of the server has the traceback.
"""

import secrets
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

import streamlit as st
from streamlit.errors import FragmentHandledException

from dashboard.text import plain
from training.errors import AtlasError, StoreFailedError, disk_error

_P = ParamSpec("_P")


@contextmanager
def boundary(what: str = "This part of the page", *, tells_away: bool = True) -> Iterator[None]:
    """Show an error raised inside, or what a disk refused, in its place; the rest of the page goes on.

    Args:
        what: the part, as the beginning of a sentence on what failed.
        tells_away: false where another part of the page tells that the run store fails: this one is empty then.
    """
    try:
        yield
    except AtlasError as error:
        if tells_away or not isinstance(error, StoreFailedError):
            render_error(error.problem, error.remedy)
    except FragmentHandledException:  # Streamlit has shown it where it was raised
        return
    except OSError as error:
        told = disk_error(error)
        render_error(told.problem, told.remedy)
    except Exception as error:
        render_error(*_unexpected(what, error))


def fragment(render: Callable[_P, None], *, run_every: float | None = None) -> Callable[_P, None]:
    """What is drawn again by itself, every so many seconds or when something in it is used, within a boundary.

    The only place that makes Streamlit's fragments: it would end the page with an error that one of them raises.
    """

    @wraps(render)
    def render_within(*args: _P.args, **kwargs: _P.kwargs) -> None:
        with boundary():
            render(*args, **kwargs)

    made: Callable[_P, None] = st.fragment(render_within, run_every=run_every)
    return made


def shielded(callback: Callable[_P, None]) -> Callable[_P, None]:
    """What is called when something is pressed or chosen; its errors are told in passing.

    Callbacks run before the page, so that of a page whose callback raises nothing would be drawn.
    """

    @wraps(callback)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except AtlasError as error:
            st.toast(plain(str(error)), icon=":material/error:")
        except Exception as error:
            st.toast(plain(" ".join(_unexpected("What you asked for", error))), icon=":material/error:")

    return call


def render_error(problem: str, remedy: str = "") -> None:
    """What happened, then what to do."""
    st.error("\n\n".join(plain(part) for part in (problem, remedy) if part), icon=":material/error:")


def unexpected(what: str, error: Exception) -> str:
    """What to say of an error that nobody expected, on one line; its traceback goes to the server's log."""
    return " ".join(_unexpected(what, error))


def _unexpected(what: str, error: Exception) -> tuple[str, str]:
    """(problem, remedy). The error's own words stay in the log: they may hold what onlookers must not read."""
    mark = secrets.token_hex(4)
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    print(f"{when} [{mark}] {what} failed:", file=sys.stderr)
    traceback.print_exception(error, file=sys.stderr)
    sys.stderr.flush()
    told = f"{what} failed unexpectedly ({type(error).__name__})."
    return told, f"The log of the dashboard, in the terminal or service that started it, says more under {mark}."
