"""What can be made of a run's checkpoint (a merged model, a repository on the Hub, a GGUF file), and what was made so far."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import streamlit as st

from dashboard import data
from dashboard.access import acts
from dashboard.actions import launch_output
from dashboard.addresses import MEASURING
from dashboard.components.shared.errors import boundary, fragment
from dashboard.components.shared.going import Page, go_to
from dashboard.components.shared.model_choice import OTHER_MODEL
from dashboard.fields import TEXT_CHARACTERS
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import plain
from training.allowed import allowed_model
from training.credentials import has_hub_token
from training.engines import install_command, missing_packages
from training.errors import ModelError
from training.jobs.output import QUANTIZATIONS, Action, OutputSpec, output_folder, output_spec
from training.store import Checkpoint, Job
from training.store.job_search import jobs_with

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
            **acts(help="Saves a whole model with its card in the run's folder; an adapter is merged into its base."),
        ):
            _start(run, "merge", step)
        with st.popover("Push to the Hub"):
            _render_push(run, step)
        with st.popover("Export for llama.cpp"):
            _render_export(run, step)
    active = any(job.active for job in _outputs(run.id))
    fragment(_render_jobs, run_every=_POLL_S if active else None)(run.id, active)


def _render_push(run: Job, step: int) -> None:
    if not has_hub_token():
        st.caption("A push needs a token with write access. Start the dashboard with HF_TOKEN set to one.")
        return
    repository = st.text_input(
        "Repository", key=f"{Keys.OUTPUT} repository", max_chars=TEXT_CHARACTERS, placeholder="owner/name"
    )
    public = st.toggle("Everybody can see it", key=f"{Keys.OUTPUT} public", help="Where it is made anew; otherwise private.")
    st.caption(f"The model of step {step:,}, merged, and its model card are sent to huggingface.co.")
    if st.button(f"Push step {step:,}", key=f"{Keys.OUTPUT} push", type="primary", **acts(disabled=not repository.strip())):
        _start(run, "push", step, repository=repository.strip(), public=public)


def _render_export(run: Job, step: int) -> None:
    if missing_packages("unsloth"):
        st.caption("GGUF files are made by Unsloth, which is not installed where the dashboard runs. In the project's folder:")
        st.code(install_command("unsloth"), language=None)
        return
    quantization = st.selectbox(
        "Number format",
        QUANTIZATIONS,
        key=f"{Keys.OUTPUT} quantization",
        help="q4_k_m takes about 5 bits a weight, q8_0 about 8.5; f16 and bf16 keep 16.",
    )
    st.caption("One GGUF file, which llama.cpp and Ollama read. The first export builds llama.cpp, which takes minutes.")
    if st.button(f"Export step {step:,}", key=f"{Keys.OUTPUT} export", type="primary", **acts()):
        _start(run, "export", step, quantization=quantization)


def _start(run: Job, action: Action, step: int, **settings: str | bool) -> None:
    with boundary():
        store, home = data.store(), data.home()
        launch_output(store, home, output_spec(store, home, run.id, action, step, **settings))
        st.rerun()


def _outputs(run_id: str) -> list[Job]:
    return list(islice(jobs_with(data.store(), ("output",), run=run_id), _SHOWN))


def _render_jobs(run_id: str, was_active: bool) -> None:
    """What is being made and was made, the newest first; when the last has ended, the page is drawn without the polling."""
    jobs = _outputs(run_id)
    if was_active and not any(job.active for job in jobs):
        st.rerun()
    for job in jobs:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(plain(output_line(job)), width="content")
            if (folder := _merged_model(job)) is not None and st.button(
                "Measure it", key=f"{Keys.OUTPUT} measure {job.id}", type="tertiary", icon=":material/balance:"
            ):
                _measure(folder)


def _merged_model(job: Job) -> Path | None:
    """The folder of a merged model that is there, and that a page may name."""
    if job.status != "finished" or job.spec["action"] != "merge":
        return None
    folder = output_folder(data.home(), OutputSpec.model_validate(job.spec))
    try:
        allowed_model(str(folder), data.store(), data.home())
    except ModelError:
        return None
    return folder if folder.is_dir() else None


def _measure(folder: Path) -> None:
    """Open the form that measures a model, filled with this one."""
    st.session_state[Keys.MEASURE_MODEL], st.session_state[Keys.MEASURE_CHECKPOINT] = OTHER_MODEL, str(folder)
    State().evaluated.part = "measure"
    go_to(Page.EVALUATE, MEASURING)


def output_line(job: Job) -> str:
    """`Merge, step 150, finished: the model of step 150 is in /home/ada/...`."""
    what = f"{_VERBS[job.spec['action']]}, step {job.spec['step']:,}"
    told = job.message or job.reason
    return f"{what}, {job.status}{f': {told}' if told else ''}"
