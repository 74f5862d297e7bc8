"""The whole configuration as a preset file: to copy, to download, to keep as one's own preset."""

import streamlit as st

from dashboard import data
from dashboard.access import acts
from dashboard.actions import save_preset
from dashboard.components.launch.presets import begin_with
from dashboard.components.shared.errors import render_error
from dashboard.keys import Keys
from dashboard.launch_changes import Base, Changes, written
from dashboard.state import State
from dashboard.text import plain
from training.config import StageConfig
from training.errors import AtlasError
from training.presets import preset_text
from training.text import shorten

_PURPOSE_CHARACTERS = 200


def render_toml(config: StageConfig, base: Base, state: State) -> None:
    """The file, and what can be done with it.

    Args:
        config: as it would be launched.
    """
    purpose = purpose_of(base, state.launch.changes)
    text = preset_text(config, purpose)
    with st.expander("Configuration as TOML", key="launch toml"):
        st.code(text, language="toml", height=320)
        st.download_button(
            "Download",
            text,
            file_name=f"{config.preset or 'run'}.toml",
            mime="application/toml",
            key="download toml",
            on_click="ignore",
            icon=":material/download:",
            width="stretch",
        )
    with st.popover("Save as my preset", icon=":material/bookmark_add:", width="stretch"):
        _render_save(config, purpose)


def purpose_of(base: Base, changes: Changes) -> str:
    """A sentence that says how a configuration came about."""
    differing = ", ".join(f"{setting} = {written(value)}" for setting, value in changes.items())
    sentence = f"As {base.name}, with {differing}." if differing else f"As {base.name}."
    return shorten(sentence, _PURPOSE_CHARACTERS)


def _render_save(config: StageConfig, purpose: str) -> None:
    with st.form("save preset", border=False):
        name = st.text_input("Name", key=Keys.PRESET_NAME, max_chars=60, placeholder="my-first")
        described = st.text_input("What it is for", key=Keys.PRESET_PURPOSE, max_chars=_PURPOSE_CHARACTERS, placeholder=purpose)
        overwrite = st.checkbox("Replace my preset of that name", key=Keys.PRESET_OVERWRITE)
        pressed = st.form_submit_button("Save preset", type="primary", **acts())
    if not pressed:
        return
    try:
        path = save_preset(config, name.strip(), data.home().presets, described.strip() or purpose, overwrite=overwrite)
    except AtlasError as error:
        render_error(error.problem, error.remedy)
        return
    state = State()
    state.launch.changes, state.launch.subset = {}, ""
    begin_with(state, preset=path.stem)
    state.launch.changes = {}
    st.toast(plain(f"Saved as {path.stem}; it is in the gallery now."))
    st.rerun()
