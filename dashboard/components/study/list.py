"""The studies above the list of runs: a line each, which opens it."""

import pandas as pd
import streamlit as st

from dashboard import study_data
from dashboard.components.shared.errors import boundary
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.keys import Keys
from dashboard.state import State
from training.studies.plan import StudySpec, value_words
from training.text import agree, count

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
                "varies": _varies(StudySpec.model_validate(job.spec)),
                "how it stands": job.reason or job.message,
            }
            for job in found
        ]
        column = st.column_config
        with st.expander(f"{len(found):,} {agree(len(found), 'study', 'studies')}", expanded=True):
            choice = render_table(
                pd.DataFrame(rows),
                key=Keys.STUDIES,
                hide_index=True,
                height=fitted_height(len(rows), _MOST_PX),
                on_select="rerun",
                selection_mode="single-row",
                column_config={
                    "study": column.TextColumn(width=120),
                    "status": column.MultiselectColumn(width=90),
                    "progress": column.ProgressColumn(min_value=0, max_value=100, format="%.0f%%", width=110),
                },
                alt=f"The studies: {', '.join(f'{job.id} {job.status}' for job in found[:10])}",
            )
        chosen = choice["selection"]["rows"]
        if chosen and chosen[0] < len(found):
            state.studied.study = found[chosen[0]].id
            st.rerun()


def _varies(spec: StudySpec) -> str:
    """`lora_rank 2, 8, 32; seeds 42 to 44`."""
    told = [f"{name} {', '.join(map(value_words, values))}" for name, values in spec.vary.items()]
    if spec.search is not None:
        told += [f"{name} {found.ends[0]:g} to {found.ends[1]:g}" for name, found in spec.search.ranges.items()]
        return f"{'; '.join(told)}; {count(spec.search.trials, 'trial')}"
    return f"{'; '.join(told)}; {count(len(spec.seeds), 'seed')}"
