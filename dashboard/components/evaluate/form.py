"""Measuring a checkpoint or a model: the form that starts an evaluation, and the evaluations under way and done."""

import importlib.util
from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import data
from dashboard.access import acts
from dashboard.actions import launch_evaluation, stop_run
from dashboard.addresses import Fields
from dashboard.components.shared.errors import boundary, fragment, render_error
from dashboard.components.shared.model_choice import render_model_choice
from dashboard.components.shared.panes import panes
from dashboard.components.shared.sidebar import job_line
from dashboard.components.shared.status import render_status
from dashboard.evaluation_catalogue import asked_words, model_title, search_title
from dashboard.fields import LONG_TEXT_CHARACTERS, TEXT_CHARACTERS
from dashboard.keys import Keys
from dashboard.sources import readable_source
from dashboard.state import State
from dashboard.text import plain
from training.allowed import allowed_judge, allowed_model
from training.data.problem import ProblemSet
from training.errors import AtlasError
from training.evaluation.asking import CHAT, HARNESS_SEED, HARNESS_TOKENS, PROMPT_STYLES, PromptStyle
from training.evaluation.scaling import SEARCHES
from training.jobs.evaluate import EvaluationSpec, evaluated_problems, evaluation_spec, measured_before, search_settings
from training.models.beginnings import recorded_model
from training.models.checkpoints import recorded_checkpoints
from training.settings import SETTINGS
from training.store import Job
from training.store.evaluations import evaluation_headings
from training.text import count

_POLL_S = 1.0
_SHOWN = 20
_STYLES = "; ".join(f"{style.title}: {style.description}" for style in PROMPT_STYLES.values()) + "."


def render_measuring(state: State) -> Fields:
    """The form, then what it started; returns the fields that its address shares."""
    form, jobs = panes("measure", [2, 3], gap="large")
    with form:
        st.subheader("Measure a model", anchor=False)
        st.caption("Runs in the background, queued with training; its figures then appear in Compare beside the runs' own.")
        with boundary():
            _render_form(state)
    with jobs:
        st.subheader("Evaluations", anchor=False)
        active = bool(data.store().active_jobs(("evaluate",)))
        fragment(_render_jobs, run_every=_POLL_S if active else None)(active)
    return ()


def _render_form(state: State) -> None:
    model, run_id = render_model_choice(Keys.MEASURE_MODEL, Keys.MEASURE_CHECKPOINT)
    name = st.selectbox(
        "Prompt", PROMPT_STYLES, format_func=lambda name: PROMPT_STYLES[name].title, help=_STYLES, key=f"measure {run_id} style"
    )
    style = PROMPT_STYLES[name]
    # What a run's own evaluations were drawn with, so that the new one can be compared with them.
    usual: dict[str, Any] = data.store().job(run_id).spec if run_id else {}
    if style is not CHAT:  # which a run does not ask with
        usual = {"source": usual.get("source", state.source), "max_completion_length": HARNESS_TOKENS}
    key = f"measure {run_id} {name}"
    source = st.text_input(
        "Problems",
        value=str(usual.get("source", state.source)),
        max_chars=TEXT_CHARACTERS,
        help="demo, hub, auto, or a folder or file.",
        key=f"{key} source",
    )
    settings = {"prompt_style": name} | _render_numbers(usual, style, key) | _render_prompting(usual, style, key)
    with boundary():
        settings |= _render_search(key)
        # What a run was allowed to read, measuring its checkpoint may read too.
        known = source == usual.get("source")
        problem_set = data.problem_set(source if known else readable_source(source))
        measured = recorded_model(allowed_model(model, data.store(), data.home()), data.store())
        _render_start(evaluation_spec(measured, problem_set, **settings), problem_set)


def _render_numbers(usual: Mapping[str, Any], style: PromptStyle, key: str) -> dict[str, object]:
    """Which problems, and how many completions of them, how long and how drawn, in two columns."""
    left, right = st.columns(2)
    split = left.selectbox("Split", ("test", "train"), key=f"{key} split")
    share = right.number_input(
        "Share of the split, %", 1.0, 100.0, 100.0, 5.0, format="%g", help="A seeded sample of it.", key=f"{key} share"
    )
    temperature = left.number_input(
        "Temperature",
        0.0,
        10.0,
        float(usual.get("evaluation_temperature", 0.0)),
        0.1,
        format="%g",
        help="0 takes the likeliest token each time.",
        key=f"{key} temperature",
    )
    samples = right.number_input(
        "Completions per problem",
        1,
        256,
        int(usual.get("evaluation_samples", 1)),
        help="More than one, at a temperature above 0, gives pass@k and majority@k.",
        key=f"{key} samples",
    )
    length = left.number_input(
        "Longest completion, tokens", 1, 131_072, int(usual.get("max_completion_length", 200)), key=f"{key} length"
    )
    shots = right.number_input(
        "Worked examples", 0, 256, style.shots, help="Of the train split, before each question.", key=f"{key} shots"
    )
    seed = left.number_input(
        "Seed", 0, None, HARNESS_SEED, help="Draws the examples, and completions above temperature 0.", key=f"{key} seed"
    )
    vllm = importlib.util.find_spec("vllm") is not None and right.toggle("Generate with vLLM", key=f"{key} vllm")
    drawn = {"split": split, "fraction": share / 100, "temperature": temperature, "samples": samples, "vllm": vllm}
    return drawn | {"max_completion_length": length, "shots": shots, "seed": seed}


def _render_search(key: str) -> dict[str, object]:
    """Whether completions are searched for, by the names of `EvaluationSpec`; nothing where each is drawn by itself."""
    with st.expander("Search"):
        search = str(
            st.selectbox(
                "Completions", list(SEARCHES), format_func=lambda name: SEARCHES[name] or "each by itself", key=f"{key} search"
            )
        )
        if search == "samples":
            return {}
        width = st.number_input(
            "Beam width", 2, 256, 4, help="Continuations of a beam; the completions are a multiple of it.", key=f"{key} width"
        )
        judge = st.text_input(
            "Guided by",
            "demo",
            max_chars=TEXT_CHARACTERS,
            help="A judge that scores steps, named as in *Ask a judge*.",
            key=f"{key} judge",
        )
    return search_settings(search, int(width), allowed_judge(judge, data.store(), data.home()))


def _render_prompting(usual: Mapping[str, Any], style: PromptStyle, key: str) -> dict[str, object]:
    """How questions are put to the model and answers are marked, by the names of `EvaluationSpec`."""
    with st.expander("Wording"):
        prompt = st.text_area(
            "System prompt",
            str(usual.get("system_prompt", style.system_prompt)),
            max_chars=LONG_TEXT_CHARACTERS,
            height=180,
            key=f"{key} prompt",
        )
        chosen = {
            name: st.selectbox(
                SETTINGS[name].title,
                SETTINGS[name].choices,
                index=SETTINGS[name].choices.index(usual.get(name, SETTINGS[name].choices[0])),
                help=SETTINGS[name].description,
                key=f"{key} {name}",
            )
            for name in (() if style.is_text else ("system_turn", "chat_template"))
        }
        form = st.text_input(
            SETTINGS["answer_form"].title,
            str(usual.get("answer_form", style.answer_form)),
            max_chars=TEXT_CHARACTERS,
            help=SETTINGS["answer_form"].description,
            key=f"{key} form",
        )
    return {"system_prompt": prompt, **chosen, "answer_form": form}


def _render_start(spec: EvaluationSpec, problem_set: ProblemSet) -> None:
    problems = evaluated_problems(spec, problem_set)
    before = measured_before(data.store(), spec)
    st.caption(
        f"{count(len(problems), f'{spec.split} problem')}, {count(len(problems) * spec.samples, 'completion')} in all."
        + (f" {plain(before.id)} measured exactly this." if before is not None and before.status == "finished" else "")
    )
    goes_on = before is not None and before.status in ("stopped", "failed", "lost")
    under_way = before is not None and before.active
    label = "Go on measuring" if goes_on else "Under way" if under_way else "Measure"
    if st.button(label, type="primary", icon=":material/balance:", **acts(disabled=under_way)):
        with boundary():
            launch_evaluation(data.store(), data.home(), spec)
            st.rerun()


def _render_jobs(was_active: bool) -> None:
    active, total = data.store().active_jobs(("evaluate",)), data.store().count_jobs("evaluate")
    newest = data.store().jobs("evaluate", limit=_SHOWN)
    jobs = list({job.id: job for job in (*active, *newest)}.values())
    if was_active and not active:
        st.rerun(scope="app")
    if not jobs:
        st.caption("Nothing was measured outside a run yet.")
    checkpoints = recorded_checkpoints(data.store())
    for job in jobs:
        with st.container(border=True, gap="xsmall"):
            _render_job(job, model_title(str(job.spec.get("model", "")), checkpoints))
    if more := total - len(jobs):
        st.caption(f"and {more:,} older; the complete ones are in Compare.")


def _render_job(job: Job, title: str) -> None:
    spec = job.spec
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{plain(job.id)}** {plain(title)}", width="stretch")
        render_status(job.status)
        _render_action(job)
    each = f" × {samples} completions" if (samples := spec.get("samples", 1)) != 1 else ""
    drawn = "greedy" if spec.get("temperature") == 0 else f"temperature {spec.get('temperature', 0):g}"
    how = ", ".join(filter(None, (drawn, search_title(spec)))) + asked_words(spec)
    st.caption(plain(f"{job.total:,.0f} {spec.get('split')} problems of {spec.get('source')}{each}, {how}"))
    if job.active:
        st.progress(job.fraction, text=plain("waiting for its turn" if job.status == "queued" else job_line(job)))
    elif job.status in ("failed", "lost"):
        render_error(job.reason)
    elif job.status == "stopped":
        st.caption(plain(f"{job.reason}, {job.done:,.0f} of {job.total:,.0f} problems are kept"))


def _render_action(job: Job) -> None:
    key = f"evaluation {job.id}"
    if job.active:
        if st.button("Stop", key=key, **acts(disabled=job.status == "stopping", help="What was measured is kept.")):
            with boundary():
                stop_run(data.store(), data.home(), job.id)
                st.rerun()
    elif job.status == "finished":
        if st.button("Compare", key=key, type="tertiary", icon=":material/balance:"):
            _compare(job)
    elif st.button("Go on", key=key, **acts(help="Goes on with what was measured.")):
        try:
            launch_evaluation(data.store(), data.home(), EvaluationSpec.model_validate(job.spec))
        except AtlasError as error:
            render_error(error.problem, error.remedy)
        else:
            st.rerun(scope="app")


def _compare(job: Job) -> None:
    """Beside the evaluations of the run whose checkpoint it measured, if it did."""
    state = State()
    checkpoints = recorded_checkpoints(data.store())
    own = f"{job.id}:{job.spec['split']}"
    run_id = checkpoints.get(str(job.spec.get("model")), ("", 0))[0]
    state.shown.run, state.evaluated.job = (run_id, "") if run_id else (state.shown.run, job.id)
    state.evaluated.evaluations = (*_of_run(run_id), own)
    state.evaluated.base = state.evaluated.against = ""
    state.evaluated.part = "compare"
    st.rerun(scope="app")


def _of_run(run_id: str) -> tuple[str, ...]:
    """A run's "before", if it has one, to compare a checkpoint with."""
    found = [heading for heading in evaluation_headings(data.store()) if heading.job_id == run_id]
    return tuple(f"{heading.job_id}:{heading.label}" for heading in found[:1])
