"""Expected errors as text on the page, in place of the part that failed."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard.text import plain
from training.errors import AtlasError


@contextmanager
def boundary() -> Iterator[None]:
    """Show an `AtlasError` raised inside as its problem and remedy; the rest of the page goes on."""
    try:
        yield
    except AtlasError as error:
        render_error(error.problem, error.remedy)


def render_error(problem: str, remedy: str = "") -> None:
    """What happened, then what to do."""
    st.error("\n\n".join(plain(part) for part in (problem, remedy) if part), icon=":material/error:")
