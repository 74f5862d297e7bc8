"""What can be made of a run's checkpoint: a merged model in a folder, a repository on the Hub; and what was made so far."""

from collections.abc import Sequence

import streamlit as st

from dashboard import data
from dashboard.components.errors import boundary
from dashboard.state import Keys
from dashboard.text import plain
from training.after_run import Action, has_token, output_spec
from training.launch import launch_output
from training.store import Checkpoint, Job

_POLL_S = 1.0
_SHOWN = 5
_VERBS: dict[Action, str] = {"merge": "Merge", "push": "Push", "export": "Export"}


def render_outputs(run: Job, known: Sequence[Checkpoint]) -> None:
    """The choice of a checkpoint with its buttons, then the jobs that they started."""
    st.markdown("**Use the model**")
    choice, actions = st.columns([2, 5], vertical_alignment="bottom")
    steps = [checkpoint.step for checkpoint in reversed(known)]
    step = choice.selectbox(
        "Checkpoint",
        steps,
        key=f"{Keys.OUTPUT} step",
        format_func=lambda step: f"step {step:,}",
        help="The newest comes first.",
    )
    with actions, st.container(horizontal=True, gap="small"):
        if st.button(
            "Merge and save",
            key=f"{Keys.OUTPUT} merge",
            help="Saves it as a whole model with a model card in the run's folder; an adapter is merged into its base.",
        ):
            _start(run, "merge", step)
        with st.popover("Push to the Hub"):
            _render_push(run, step)
    active = any(job.active for job in _outputs(run.id))
    st.fragment(_render_jobs, run_every=_POLL_S if active else None)(run.id, active)


def _render_push(run: Job, step: int) -> None:
    if not has_token():
        st.caption("A push needs a token with write access. Start the dashboard with HF_TOKEN set to one.")
        return
    repository = st.text_input("Repository", key=f"{Keys.OUTPUT} repository", placeholder="owner/name")
    public = st.toggle("Everybody can see it", key=f"{Keys.OUTPUT} public", help="Where it is made anew; otherwise private.")
    st.caption(f"The model of step {step:,}, merged, and its model card are sent to huggingface.co.")
    if st.button(f"Push step {step:,}", key=f"{Keys.OUTPUT} push", type="primary", disabled=not repository.strip()):
        _start(run, "push", step, repository=repository.strip(), public=public)


def _start(run: Job, action: Action, step: int, **settings: str | bool) -> None:
    with boundary():
        store, home = data.store(), data.home()
        launch_output(store, home, output_spec(store, home, run.id, action, step, **settings))
        st.rerun()


def _outputs(run_id: str) -> list[Job]:
    return [job for job in data.store().jobs("output") if job.spec.get("run") == run_id][:_SHOWN]


def _render_jobs(run_id: str, was_active: bool) -> None:
    """What is being made and was made, the newest first; when the last has ended, the page is drawn without the polling."""
    jobs = _outputs(run_id)
    if was_active and not any(job.active for job in jobs):
        st.rerun()
    for job in jobs:
        st.caption(plain(output_line(job)))


def output_line(job: Job) -> str:
    """`Merge, step 150, finished: the model of step 150 is in /home/ada/...`."""
    what = f"{_VERBS[job.spec['action']]}, step {job.spec['step']:,}"
    told = job.message or job.reason
    return f"{what}, {job.status}{f': {told}' if told else ''}"
