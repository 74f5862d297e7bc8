"""The studies above the list of runs: a line each, which opens it."""

import pandas as pd
import streamlit as st

from dashboard import study_data
from dashboard.components.run.list_controls import column_config
from dashboard.components.shared.errors import boundary
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.keys import Keys
from dashboard.state import State
from training.text import agree

_MOST_PX = 180


def render_studies(state: State) -> None:
    """Every study, newest first; nothing where there is none."""
    with boundary(tells_away=False):
        found = study_data.studies()
        if not found:
            return
        rows = [
            {
                "study": job.id,
                "status": [job.status],
                "progress": 100 * job.fraction,
                "varies": study_data.varied_words(job),
                "how it stands": job.reason or job.message,
            }
            for job in found
        ]
        with st.expander(f"{len(found):,} {agree(len(found), 'study', 'studies')}", expanded=True):
            choice = render_table(
                pd.DataFrame(rows),
                key=Keys.STUDIES,
                hide_index=True,
                height=fitted_height(len(rows), _MOST_PX),
                on_select="rerun",
                selection_mode="single-row",
                column_config=column_config(("status", "progress", "how it stands"), ()),
                alt=f"The studies: {', '.join(f'{job.id} {job.status}' for job in found[:10])}",
            )
        chosen = choice["selection"]["rows"]
        if chosen and chosen[0] < len(found):
            state.studied.study = found[chosen[0]].id
            st.rerun()
