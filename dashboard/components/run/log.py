"""A run's log: its end, wrapped, searched by words and filtered by level."""

import streamlit as st

from dashboard import data
from dashboard.components.shared.errors import render_error
from dashboard.memory import RunLog
from dashboard.run_log import LEVELS, log_html, log_lines, matching
from dashboard.state import State
from training.backends.registry import backend_named
from training.errors import AtlasError
from training.store import Job
from training.text import count

_HEIGHT_PX = 420
_FEW_LINES = 5
_SHOWN_LINES = 150
_SEARCHED_CHARACTERS = 1_000_000
_END_CHARACTERS = 20_000
_DOWNLOADED_CHARACTERS = 50_000_000
_EMPTY = "Nothing was printed yet."
_STYLE = """<style>
.atlas-log { font: 0.8rem/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.atlas-log > div { padding: 0 0.4rem 0 3.6rem; text-indent: -3.2rem; border-left: 3px solid transparent; }
.atlas-log .number { display: inline-block; width: 2.6rem; margin-right: 0.6rem; text-indent: 0; text-align: right;
  opacity: 0.65; user-select: none; }
.atlas-log .level { font-weight: 700; }
.atlas-log .error { border-color: #C62828; background: rgba(198,40,40,0.10); }
.atlas-log .warning { border-color: #E69F00; background: rgba(230,159,0,0.10); }
</style>"""


def render_log(run: Job, state: State) -> None:
    """The end of the log with its search."""
    st.markdown("**Log**")
    text = _log_of(run, _SEARCHED_CHARACTERS)
    if text is None:
        return
    lines = log_lines(text)
    search, levels = st.columns([3, 2], vertical_alignment="bottom")
    search.text_input("Search in the log", placeholder="Words", icon=":material/search:", **RunLog.search.bind_text())
    levels.pills("Levels", LEVELS, selection_mode="multi", format_func=_LEVEL_NAMES.__getitem__, **RunLog.levels.bind())
    found = matching(lines, state.log.search, state.log.levels)
    if not lines:
        st.caption(_EMPTY)
        return
    shown = found[-_SHOWN_LINES:]
    if shown:
        render_lines(log_html(shown, state.log.search), height_px=_HEIGHT_PX if len(shown) > _FEW_LINES else None)
    last = f", the last {len(shown):,} shown" if len(shown) < len(found) else ""
    st.caption(f"{count(len(found), 'line')} of {len(lines):,} in the log's last {len(text):,} characters{last}.")
    st.download_button(
        "Download the log",
        data.file_queue().making(lambda: _whole_log(run).encode()),
        file_name=f"{run.id}.log",
        mime="text/plain",
        key="download log",
        on_click="ignore",
    )


def render_log_end(run: Job, lines: int) -> None:
    """The last lines of the log, without its search."""
    text = _log_of(run, _END_CHARACTERS)
    if text:
        render_lines(log_html(log_lines(text)[-lines:]))
    elif text is not None:
        st.caption(_EMPTY)


def render_lines(shown: str, height_px: int | None = None) -> None:
    """Lines of a log, see `run_log.log_html`; of many, the last ones are in view."""
    settings = {} if height_px is None else {"height": height_px, "autoscroll": True}
    with st.container(border=False, **settings):  # type: ignore[arg-type]
        st.html(_STYLE + shown)


_LEVEL_NAMES = {"error": "Errors", "warning": "Warnings", "other": "All else"}


def _log_of(run: Job, characters: int) -> str | None:
    """The end of the log; where it cannot be read that is said, and it is `None`."""
    try:
        return backend_named(run.backend, data.home()).logs(run, characters)
    except AtlasError as error:
        render_error(error.problem, error.remedy)
        return None


def _whole_log(run: Job) -> str:
    return backend_named(run.backend, data.home()).logs(run, _DOWNLOADED_CHARACTERS)
