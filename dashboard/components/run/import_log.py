"""Reading another trainer's log as a run: the form behind the button on the list of runs."""

import streamlit as st

from dashboard import data
from dashboard.access import acts
from dashboard.actions import launch_import
from dashboard.components.shared.errors import boundary
from dashboard.fields import TEXT_CHARACTERS
from dashboard.keys import Keys
from dashboard.sources import readable_source
from dashboard.state import State
from training.allowed import allowed_log
from training.errors import SourceError, shown
from training.imports.logs import LIMITS, NAMES


def render_import(state: State) -> None:
    """A button that opens the form."""
    with st.popover("Read a log", icon=":material/upload_file:", help="Rollouts that another trainer logged, as a run."):
        path = st.text_input(
            "Folder or file",
            key=Keys.LOG_PATH,
            max_chars=TEXT_CHARACTERS,
            help="A TRL output folder with log_completions=True, verl's rollout_data_dir, verifiers' results.jsonl, or any "
            "file of rows. A log that is still written is kept up with.",
        )
        source = st.text_input("Problems", state.source, key=Keys.LOG_SOURCE, max_chars=TEXT_CHARACTERS)
        columns = st.text_input(
            "Columns",
            key=Keys.LOG_COLUMNS,
            max_chars=TEXT_CHARACTERS,
            placeholder="prompt=question completion=response reward=score",
            help=f"Only where they are not known: {', '.join(NAMES)}; reward=a,b for several.",
        )
        st.caption(LIMITS)
        if st.button("Read", type="primary", **acts(disabled=not path.strip())):
            with boundary():
                problem_set = data.problem_set(readable_source(source))
                log = allowed_log(path, data.home())
                state.shown.run = launch_import(data.store(), data.home(), log, problem_set, _mapping(columns))
                st.rerun()


def _mapping(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split()]
    if wrong := [name for name, mark, column in pairs if not (name and mark and column)]:
        raise SourceError(f"{shown(wrong[0])} names no column.", "Write prompt=question completion=response, and so on.")
    return {name: column for name, _, column in pairs}
