"""Which model is measured or asked: a run's checkpoint, the demo, a Hub name, or a folder."""

import streamlit as st

from dashboard import data
from dashboard.evaluation_catalogue import model_title
from dashboard.fields import TEXT_CHARACTERS
from dashboard.keys import Keys
from training.models.checkpoints import recorded_checkpoints

OTHER_MODEL = ""
"""Chosen where a model is given by name or folder."""


def render_model_choice(key: Keys, text_key: Keys, chosen: str = "") -> tuple[str, str]:
    """(the model's name or folder as typed, the run whose checkpoint it is or ""); whether it may be used is for the caller.

    Args:
        key: of the list of checkpoints.
        text_key: of the field for any other model.
        chosen: what is chosen at first; empty for the newest checkpoint.
    """
    checkpoints = recorded_checkpoints(data.store())
    options = [*checkpoints, "demo", OTHER_MODEL]
    if key not in st.session_state and chosen:
        st.session_state[key] = chosen if chosen in options else OTHER_MODEL
        if chosen not in options:
            st.session_state[text_key] = chosen
    if st.session_state.get(key) not in options:
        st.session_state.pop(key, None)
    model = st.selectbox(
        "Model",
        options,
        key=key,
        format_func=lambda name: (
            "demo, as it is before training" if name == "demo" else model_title(name, checkpoints) if name else "another model"
        ),
        help="A run's checkpoint, the demo model, or any other by Hub name or folder.",
    )
    if model == OTHER_MODEL:
        return st.text_input(
            "Hub name or folder",
            key=text_key,
            max_chars=TEXT_CHARACTERS,
            placeholder="Qwen/Qwen2.5-0.5B-Instruct",
            help="Folders must lie in the home folder, or in one that GRPO_ATLAS_FOLDERS names.",
        ), ""
    return str(model), checkpoints.get(str(model), ("", 0))[0]
