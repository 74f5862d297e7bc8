"""The stages of a run of two: which one the page shows, and the way to the other."""

import streamlit as st

from dashboard import data
from dashboard.components.shared.going import Page
from dashboard.state import State
from dashboard.text import plain
from training.store import Job
from training.store.following import first_stages, next_stages
from training.stored_config import stage_of


def render_stages(run: Job, state: State) -> None:
    """The stages in their order, the others as links; nothing of a run that stands alone."""
    first = first_stages(data.store(), [run]).get(run.id)
    others = ([first] if first is not None else []) + next_stages(data.store(), run.id)
    if not others:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for place, stage in enumerate(sorted((run, *others), key=lambda job: job.seq)):
            if place:
                st.markdown("→", width="content")
            label = plain(f"{stage_of(stage.spec)}: {stage.id}, {stage.status}")
            if stage.id == run.id:
                st.markdown(f"**{label}**", width="content")
            else:
                st.page_link(Page.RUNS, label=label, query_params=state.query_of_run(stage.id))
