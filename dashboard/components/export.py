"""Taking the map elsewhere: the files of TensorFlow's Embedding Projector."""

import re

import streamlit as st

from analysis.atlas import Atlas
from analysis.projector import projector_zip
from dashboard.state import Keys


def render_export(atlas: Atlas) -> None:
    """A button whose file is made when it is pressed."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", atlas.problem_set.name).strip("-") or "atlas"
    st.download_button(
        "Export",
        data=lambda: projector_zip(atlas),
        file_name=f"{name}-projector.zip",
        mime="application/zip",
        key=Keys.EXPORT,
        on_click="ignore",
        icon=":material/download:",
        width="stretch",
        help=(
            "The map for TensorFlow's Embedding Projector. Unpack the zip; then run `tensorboard --logdir` on the folder "
            "and open its Projector tab, or load vectors.tsv and metadata.tsv at projector.tensorflow.org."
        ),
    )
