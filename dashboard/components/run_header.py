"""The head of a run's page: where it stands, what can be done with it, its five figures, what a person keeps with it."""

import gzip
import json
import shlex
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from typing import Literal

import streamlit as st

from analysis.export import spreadsheet_text
from dashboard import curves, data, run_data
from dashboard.access import acts
from dashboard.actions import resume_run, stop_run
from dashboard.addresses import LAUNCH
from dashboard.components.errors import boundary, render_error
from dashboard.components.going import Page, go_to
from dashboard.components.run_marks import render_marks
from dashboard.state import Keys, State
from dashboard.text import duration, percent, plain, significant
from training.config import RunConfig
from training.insight.rollout_pages import rollout_lines
from training.models.artefacts import is_url
from training.store import LOCAL, Job, Status

HEADLINE_HELP = "Mean of the latest 5 steps, and its change since the first 5."
_GZIP_LEVEL = 4
_Color = Literal["gray", "blue", "orange", "green", "red"]
_BADGES: dict[Status, tuple[_Color, str]] = {
    "queued": ("gray", ":material/hourglass_empty:"),
    "running": ("blue", ":material/play_arrow:"),
    "stopping": ("orange", ":material/pause:"),
    "stopped": ("gray", ":material/stop:"),
    "finished": ("green", ":material/check:"),
    "failed": ("red", ":material/error:"),
    "lost": ("red", ":material/help:"),
}


def render_status(status: Status) -> None:
    """A status as a coloured badge with its word."""
    color, icon = _BADGES[status]
    st.badge(status, color=color, icon=icon)


def render_progress(run: Job) -> None:
    """Where the run stands, in a line."""
    step_time = run_data.series_of(run.id, ["step_time"])["step_time"]
    status, progress = st.columns([1.1, 4], vertical_alignment="center")
    with status:
        render_status(run.status)
    progress.progress(run.fraction, text=plain(progress_line(run, curves.step_time_s(step_time))))


def render_figures(run: Job, config: RunConfig) -> None:
    """What went wrong, if anything did, and the run's five figures."""
    _render_tracker(run.tracker)
    if run.status in ("failed", "lost"):
        render_error(run.reason, "Resume goes on from the latest checkpoint, or from the start when there is none.")
    _render_headlines(curves.headlines(run_data.series_of(run.id, curves.headline_names(config)), config))


def progress_line(run: Job, step_time_s: float | None) -> str:
    """Step, where it runs if not here, pace and time left; of a run that has ended, why and how long it took."""
    place = "" if run.backend == LOCAL else f" on {run.backend}"
    is_whole = run.status == "finished" and run.done >= run.total and bool(run.reason)
    parts = [f"{run.reason if is_whole else f'step {run.done:,.0f} of {run.total:,.0f}'}{place}"]
    if step_time_s:
        parts.append(f"{significant(step_time_s)} s a step")
    if run.active:
        if step_time_s and run.message == "training":
            parts.append(f"{duration(step_time_s * (run.total - run.done))} left")
        parts.append("waiting for its turn" if run.status == "queued" else run.message)
    else:
        is_told_below = run.status in ("failed", "lost")
        parts.append("" if is_whole or is_told_below else run.reason)
        if run.started_at and run.ended_at:
            parts.append(f"took {duration(run.ended_at - run.started_at)}")
    return ", ".join(part for part in parts if part)


def render_actions(run: Job) -> None:
    """What can be done with the run, in a row."""
    with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        _render_actions(run)


def _render_actions(run: Job) -> None:
    if run.active:
        stopping = run.status == "stopping"
        if st.button(
            "Stop", key=Keys.STOP, **acts(disabled=stopping, help="Ends the run at its next step, with a checkpoint.")
        ):
            with boundary():
                stop_run(data.store(), data.home(), run.id)
                st.rerun()
    elif run.status != "finished" and st.button(
        "Resume", key=Keys.RESUME, type="primary", **acts(help="Goes on from the latest checkpoint.")
    ):
        with boundary():
            resume_run(data.store(), data.home(), run.id)
            st.rerun()
    if st.button("Duplicate", key=Keys.DUPLICATE, help="Opens the launch form with this run's configuration."):
        State().launch_from, State().launch_changes = run.id, {}
        go_to(Page.LAUNCH, LAUNCH)
    with st.popover("Marks", icon=":material/sell:", help="Tags and note, archive and delete."):
        render_marks(run)
    with st.popover("Download", icon=":material/download:"):
        _render_downloads(run.id)


def _render_downloads(run_id: str) -> None:
    """Each file is made when it is asked for."""
    files: tuple[tuple[str, str, Callable[[], bytes]], ...] = (
        ("Curves, CSV", "scalars.csv.gz", lambda: _gzipped(scalar_lines(run_id))),
        ("Completions, JSON lines", "rollouts.jsonl.gz", lambda: _gzipped(rollout_lines(data.store(), run_id))),
        ("Evaluations, JSON", "evaluations.json.gz", lambda: _gzipped(evaluation_json(run_id))),
    )
    for label, name, make in files:
        st.download_button(
            label,
            data.file_queue().making(make),
            file_name=f"{run_id}-{name}",
            mime="application/gzip",
            key=f"download {name}",
            on_click="ignore",
            width="stretch",
        )
    st.caption("Compressed with gzip, which pandas reads as it is.")


def scalar_lines(run_id: str) -> Iterator[bytes]:
    """Every scalar as a line of CSV, a column each for step, name, value and time."""
    yield b"step,name,value,time\n"
    for scalar in data.store().scalars(run_id):
        value = "" if scalar.value is None else repr(scalar.value)
        yield f"{scalar.step},{_quoted(scalar.name)},{value},{scalar.time!r}\n".encode()


@cache
def _quoted(name: str) -> str:
    """A scalar's name as a cell; there are few, and a line of each for every step."""
    shown = spreadsheet_text(name).replace('"', '""')
    return f'"{shown}"' if {*shown} & {*'",;\n\r'} else shown


def evaluation_json(run_id: str) -> Iterator[bytes]:
    """The complete evaluations, every answer with its rewards."""
    yield json.dumps([asdict(evaluation) for evaluation in run_data.evaluations_of(run_id)], ensure_ascii=False).encode()


def _gzipped(lines: Iterator[bytes]) -> bytes:
    """A file of the lines; only what is compressed is ever in memory."""
    with tempfile.TemporaryFile() as file:
        with gzip.open(file, "wb", compresslevel=_GZIP_LEVEL) as packed:
            packed.writelines(lines)
        file.seek(0)
        return file.read()


def _render_tracker(tracker: str) -> None:
    """Where the run is on record besides here."""
    if tracker.startswith(("https://", "http://")):
        st.link_button("Weights & Biases", tracker, icon=":material/open_in_new:")
    elif is_url(tracker):
        st.caption("Also logged for Weights & Biases, offline; `wandb sync` uploads it from a copy of this folder:")
        st.code(tracker, language=None)
    elif tracker:
        st.caption("Also logged for Weights & Biases, offline. This uploads it:")
        st.code(f"wandb sync {shlex.quote(tracker)}", language="bash")


def _render_headlines(found: list[curves.Headline]) -> None:
    if not found:
        return
    for column, headline in zip(st.columns(len(found)), found, strict=True):
        value = percent(headline.value) if headline.is_share else significant(headline.value)
        column.metric(headline.title, value, _change(headline), delta_color="off", delta_arrow="off", help=HEADLINE_HELP)


def _change(headline: curves.Headline) -> str | None:
    """`+0.26`, `−13 points`; nothing for no change."""
    if not headline.change:
        return None
    size = abs(headline.change)
    amount = f"{significant(round(100 * size, 1))} points" if headline.is_share else significant(size)
    return f"{'+' if headline.change > 0 else '−'}{amount}"
