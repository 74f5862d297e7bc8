"""The list of runs as rows: what stands in each, and the queue. Nothing here knows Streamlit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from training.rewards import highest_total
from training.store import LOCAL, Job
from training.store.job_search import FoundRuns
from training.store.run_marks import Marks
from training.store.sessions import Session, worked_s
from training.text import count, duration, shorten

_NOTE_CHARACTERS = 80
_REASON_CHARACTERS = 120


@dataclass(frozen=True)
class Waiting:
    """One place in a queue."""

    position: int
    job: Job
    waits_for: str


def run_table(
    runs: Sequence[Job],
    marks: Mapping[str, Marks],
    rewards: Mapping[str, Sequence[float]],
    sessions: Mapping[str, Sequence[Session]],
) -> pd.DataFrame:
    """One row a run.

    Args:
        rewards: `overview.reward_sparklines`; shown as shares of each run's highest total, or of the highest that it reached
            where its functions are not known here.
        sessions: `sessions.sessions_of`.
    """
    nothing = Marks()
    return pd.DataFrame(
        [_row(run, marks.get(run.id, nothing), rewards.get(run.id, ()), sessions.get(run.id, ())) for run in runs]
    )


def found_line(found: FoundRuns, size: int) -> str:
    """How many runs the list holds, how many of them a page shows, and how many it leaves out.

    Args:
        size: runs on a page.
    """
    first = (found.page - 1) * size + 1
    paged = f", {first:,} to {first + len(found.runs) - 1:,} shown" if found.matching > size else ""
    hidden = found.total - found.matching
    return count(found.matching, "run") + paged + (f", {hidden:,} more are filtered out or archived" if hidden else "")


def queue_of(jobs: Sequence[Job]) -> list[Waiting]:
    """The jobs that wait for their turn, each backend's in submission order, with what each waits for.

    Args:
        jobs: the active ones, newest first.
    """
    found = []
    for backend in sorted({job.backend for job in jobs}):
        turns = [job for job in reversed(jobs) if job.backend == backend and job.accelerator]
        at_work = [job for job in turns if job.status in ("running", "stopping")]
        waiting = [job for job in turns if job.status == "queued"]
        found += [
            Waiting(place, job, _waits_for(job, at_work, waiting[: place - 1])) for place, job in enumerate(waiting, start=1)
        ]
    return found


def _waits_for(job: Job, at_work: Sequence[Job], before: Sequence[Job]) -> str:
    if job.backend != LOCAL:
        return job.message or f"for {job.backend} to have room"
    if at_work:
        first = f"for {at_work[0].id}, step {at_work[0].done:,.0f} of {at_work[0].total:,.0f}"
        return first + (f", and {count(len(before), 'job')} before it" if before else "")
    if before:
        return f"for {before[-1].id}" + (f", and {count(len(before) - 1, 'job')} before that" if before[1:] else "")
    return "for nothing: it is starting" if not job.worker else "for this machine's accelerator"


def _row(run: Job, marks: Marks, rewards: Sequence[float], worked: Sequence[Session]) -> dict[str, object]:
    maximum = highest_total(run.spec.get("rewards") or {}) or max(rewards, default=0.0)
    return {
        "run": run.id,
        "status": [run.status],
        "progress": 100 * run.fraction,
        "reward": [value / maximum for value in rewards] if maximum > 0 else [],
        "steps": f"{run.done:,.0f} of {run.total:,.0f}",
        "took": duration(worked_s(worked, run.heartbeat_at)) if worked else "",
        "launched": datetime.fromtimestamp(run.created_at),
        "backend": run.backend,
        "tags": list(marks.tags),
        "note": ("Archived. " if marks.archived else "") + shorten(marks.note, _NOTE_CHARACTERS),
        "model": str(run.spec.get("model", "")),
        "how it stands": shorten(run.reason or run.message, _REASON_CHARACTERS),
    }
