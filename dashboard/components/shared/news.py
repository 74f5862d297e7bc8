"""What happened to runs and evaluations meanwhile, told once and quietly while the person looks at something else."""

import streamlit as st

from dashboard import data, run_data
from dashboard.state import RUNS_PAGE, State, Told
from dashboard.text import plain
from training.errors import StoreError
from training.store import RUN_KINDS, TRAINED_KINDS, Job, JobKind
from training.text import shorten

_LOOKED_THROUGH = 20
"""The newest jobs, beside all that are active."""
_TOLD: tuple[JobKind, ...] = (*RUN_KINDS, "evaluate", "study")
_CHARACTERS = 200
_ICONS = {"finished": ":material/check:", "stopped": ":material/stop:"}


def tell_news(state: State) -> None:
    """Tell of jobs that ended, and of alarms of running runs, since the session last looked.

    The first look tells nothing: what was so when the session began is no news.
    """
    jobs = _looked_through()
    told = state.told
    signals = {(run.id, name): sentence for run in jobs for name, sentence in _signals(run).items()}
    if told is not None:
        for job in _ended(jobs, told):
            if not _is_in_sight(job, state):
                st.toast(plain(ending_line(job)), icon=_ICONS.get(job.status, ":material/error:"))
        for (run_id, name), sentence in signals.items():
            if (run_id, name) not in told.signals and not _is_open(run_id, state):
                st.toast(plain(shorten(f"look at {run_id}: {sentence}", _CHARACTERS)), icon=":material/visibility:")
    state.told = Told(
        active=frozenset(job.id for job in jobs if job.active),
        statuses={job.id: job.status for job in jobs},
        signals=frozenset(signals) | (told.signals if told else frozenset()),
    )


def _looked_through() -> list[Job]:
    """All active jobs of which there are news, and the newest of the others."""
    store = data.store()
    newest = [job for job in store.jobs(limit=_LOOKED_THROUGH) if job.kind in _TOLD]
    return list({job.id: job for job in (*newest, *store.active_jobs(_TOLD))}.values())


def ending_line(job: Job) -> str:
    """`demo-3 finished: all 100 steps done`."""
    whole = job.kind in TRAINED_KINDS and job.status == "finished" and job.total and job.done >= job.total
    reason = f"all {job.total:,.0f} steps done" if whole else job.reason
    return shorten(f"{job.id} {job.status}: {reason}" if reason else f"{job.id} {job.status}", _CHARACTERS)


def _ended(jobs: list[Job], told: Told) -> list[Job]:
    """The jobs that have ended since the last look, or otherwise than was thought; deleted ones have nothing to tell."""
    found = [job for job in jobs if told.statuses.get(job.id) != job.status]
    for job_id in told.active - {job.id for job in jobs}:  # pushed out of the list by newer ones
        try:
            found.append(data.store().job(job_id))
        except StoreError:
            continue
    return [job for job in found if not job.active]


def _signals(run: Job) -> dict[str, str]:
    """Name -> sentence of the alarms of a running run."""
    found = run_data.health_of(run) if run.kind in RUN_KINDS and run.status == "running" else None
    return {} if found is None else {name: found.findings[name].sentence for name in found.alarms}


def _is_in_sight(job: Job, state: State) -> bool:
    """Whether the page that is open shows by itself how the job ended."""
    if job.kind == "evaluate":
        return state.page == "evaluate" and state.evaluated.part == "measure"
    return _is_open(job.id, state) or (state.page == RUNS_PAGE and not state.shown.run and not state.compared.runs)


def _is_open(run_id: str, state: State) -> bool:
    return state.page == RUNS_PAGE and state.shown.run == run_id
