"""The list of runs as rows: what stands in each, and the queue. Nothing here knows Streamlit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pandas as pd

from dashboard.fields import parse_texts
from dashboard.run_colours import run_colour
from training.groups import RightShare
from training.intervals import shares_difference
from training.rewards import REWARDS, highest_total, verifier_of
from training.settings import SETTINGS
from training.store import LOCAL, Job
from training.store.job_search import FoundRuns
from training.store.run_marks import Marks
from training.store.run_table import KEYS, Setting, Standing, setting_of
from training.store.sessions import Session, worked_s
from training.stored_config import stage_of
from training.text import count, duration, shorten, with_interval

_NOTE_CHARACTERS = 80
_REASON_CHARACTERS = 120
_NOT_SHOWN_AS_DIFFERENCE = ("preset", "content_hash")

SETTING_NAMES: tuple[Setting, ...] = (
    *(name for name in SETTINGS if name != "rewards"),
    *(f"rewards.{name}" for name in REWARDS),
)
"""What a column can show of a run's configuration."""


@dataclass(frozen=True)
class Waiting:
    """One place in a queue."""

    position: int
    job: Job
    waits_for: str


@dataclass(frozen=True)
class Row:
    """All that a row of the list is made of."""

    run: Job
    marks: Marks = field(default_factory=Marks)
    rewards: Sequence[float] = ()
    """Of `overview.reward_sparklines`."""
    worked: Sequence[Session] = ()
    standing: Standing = field(default_factory=Standing)
    first: Job | None = None
    """The run of the stage before, where this one began behind it."""

    @property
    def name(self) -> str:
        return self.marks.name or self.run.id

    @property
    def stages(self) -> str:
        """`sft → grpo`, or the one stage; empty for a run that another trainer made."""
        return " → ".join(stage_of(run.spec) for run in (self.first, self.run) if run is not None)

    @property
    def at_work(self) -> Job:
        """The stage that the line tells of now."""
        return self.first if self.first is not None and self.first.active else self.run

    @property
    def fraction(self) -> float:
        """Progress of all stages together in 0..1."""
        stages = [run for run in (self.first, self.run) if run is not None]
        total = sum(run.total for run in stages)
        return min(1.0, sum(run.done for run in stages) / total) if total else 0.0

    @property
    def stands(self) -> str:
        """How it stands, in words; which stage is meant where that is the one before."""
        told = self.at_work.reason or self.at_work.message
        return told if self.at_work is self.run else f"{self.at_work.id}: {told or self.at_work.status}"

    @property
    def verifier(self) -> str:
        """The id of the measure by which an answer of the run is right."""
        return verifier_of(self.run.spec).name


Value = Callable[[Row], object]

COLUMNS: dict[str, Value] = {
    "status": lambda row: [row.at_work.status],
    "progress": lambda row: 100 * row.fraction,
    "reward": lambda row: _shares_of_highest(row),
    "before": lambda row: _share_text(row.standing.before),
    "after": lambda row: _share_text(row.standing.after),
    "change": lambda row: difference_text(row.standing.before, row.standing.after),
    "final reward": lambda row: "" if row.standing.reward is None else f"{row.standing.reward:.3f}",
    "steps": lambda row: f"{row.run.done:,.0f} of {row.run.total:,.0f}",
    "took": lambda row: duration(worked_s(row.worked, row.run.heartbeat_at)) if row.worked else "",
    "launched": lambda row: datetime.fromtimestamp(row.run.created_at),
    "backend": lambda row: row.run.backend,
    "tags": lambda row: list(row.marks.tags),
    "note": lambda row: ("Archived. " if row.marks.archived else "") + shorten(row.marks.note, _NOTE_CHARACTERS),
    "how it stands": lambda row: shorten(row.stands, _REASON_CHARACTERS),
}
"""What a column can show besides settings."""

COLUMN_NAMES = (*COLUMNS, *SETTING_NAMES)
USUAL_COLUMNS = (
    "status",
    "progress",
    "reward",
    "verifier",
    "before",
    "after",
    "final reward",
    "took",
    "launched",
    "tags",
    "note",
    "model",
    "how it stands",
)
SORTABLE = (*KEYS, *SETTING_NAMES)


def parse_columns(text: str) -> tuple[str, ...]:
    """Columns from the address; raises `ValueError` where one is none."""
    found = parse_texts(text)
    if unknown := set(found) - set(COLUMN_NAMES):
        raise ValueError(f"no columns: {unknown}")
    return found


def run_table(rows: Sequence[Row], columns: Sequence[str] = USUAL_COLUMNS, baseline: Row | None = None) -> pd.DataFrame:
    """One row a run: its colour and name, its id where that is not the name, its stages where any run has another than GRPO,
    then the columns.

    Args:
        columns: of `COLUMN_NAMES`.
        baseline: the run that the others are held against, in columns of their own.
    """
    named = any(row.name != row.run.id for row in rows)
    staged = any(row.stages not in ("", "grpo") for row in rows)
    return pd.DataFrame([_row(row, columns, baseline, named=named, staged=staged) for row in rows])


def _row(row: Row, columns: Sequence[str], baseline: Row | None, *, named: bool, staged: bool) -> dict[str, object]:
    found: dict[str, object] = {"colour": swatch(run_colour(row.run.id)), "run": row.name}
    if named:
        found["id"] = row.run.id
    if staged:
        found["stages"] = row.stages
    if baseline is not None:
        found |= _against(row, baseline)
    for name in columns:
        value = COLUMNS.get(name)
        found[name] = setting_text(setting_of(row.run.spec, name)) if value is None else value(row)
    return found


def _against(row: Row, baseline: Row) -> dict[str, object]:
    """What a run differs in from the baseline."""
    if row.run.id == baseline.run.id:
        return {"after, against baseline": "baseline", "reward, against baseline": "", "differs in": ""}
    is_comparable = row.verifier == baseline.verifier
    reward, base = row.standing.reward, baseline.standing.reward
    return {
        "after, against baseline": difference_text(baseline.standing.after, row.standing.after) if is_comparable else "",
        "reward, against baseline": "" if reward is None or base is None else _with_minus(f"{reward - base:.3f}"),
        "differs in": ", ".join(_differing(row.run.spec, baseline.run.spec)),
    }


def _differing(spec: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The settings that are not the same in two configurations."""
    return [
        name
        for name in SETTING_NAMES
        if name not in _NOT_SHOWN_AS_DIFFERENCE and setting_of(spec, name) != setting_of(other, name)
    ]


def difference_text(before: RightShare | None, after: RightShare | None) -> str:
    """`0.120 (−0.010 to 0.250)`, with its 95% interval; empty where one is not there."""
    if before is None or after is None:
        return ""
    low, high = shares_difference((before.value, before.low, before.high), (after.value, after.low, after.high))
    return _with_minus(with_interval(after.value - before.value, low, high))


def _with_minus(text: str) -> str:
    """A difference as people write it: what begins with a hyphen would be shown as no formula, with an apostrophe."""
    return text.replace("-", "−")


def setting_text(value: object) -> str:
    """A setting's value for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(setting_text, value))
    return " ".join(str(value).split())


def swatch(colour: str) -> str:
    """A dot of this colour, as the address of a picture."""
    dot = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 10 10'><circle cx='5' cy='5' r='2.5' fill='{colour}'/></svg>"
    return f"data:image/svg+xml,{quote(dot)}"


def _share_text(share: RightShare | None) -> str:
    return "" if share is None else with_interval(share.value, share.low, share.high)


def _shares_of_highest(row: Row) -> list[float]:
    """The course of the total reward as shares of the run's highest total, or of the highest that it reached where its
    functions are not known here.
    """
    maximum = highest_total(row.run.spec.get("rewards") or {}) or max(row.rewards, default=0.0)
    return [value / maximum for value in row.rewards] if maximum > 0 else []


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
    if job.follows and job.started_at is None and all(first.id != job.follows for first in at_work):
        return f"for {job.follows}, with whose last checkpoint it begins"
    if job.backend != LOCAL:
        return job.message or f"for {job.backend} to have room"
    if at_work:
        first = f"for {at_work[0].id}, step {at_work[0].done:,.0f} of {at_work[0].total:,.0f}"
        return first + (f", and {count(len(before), 'job')} before it" if before else "")
    if before:
        return f"for {before[-1].id}" + (f", and {count(len(before) - 1, 'job')} before that" if before[1:] else "")
    return "for nothing: it is starting" if not job.worker else "for this machine's accelerator"
