"""The head of a run's page: where it stands, what can be done with it, its five figures, what a person keeps with it."""

import gzip
import json
import shlex
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache

import streamlit as st

from dashboard import data, run_data
from dashboard.access import acts
from dashboard.actions import read_on, resume_run, stop_run
from dashboard.addresses import LAUNCH
from dashboard.components.run import live_head
from dashboard.components.run.live_head import render_line
from dashboard.components.run.marks import render_marks
from dashboard.components.shared.browser import file_url
from dashboard.components.shared.errors import boundary, render_error
from dashboard.components.shared.going import Page, go_to
from dashboard.components.shared.status import render_status
from dashboard.keys import Keys
from dashboard.run_head import LATEST_STEPS
from dashboard.state import State
from training.artefacts import is_url
from training.config import StageConfig
from training.data.rows import spreadsheet_text
from training.errors import HomeError
from training.insight.rollout_files import rollout_lines, write_parquet
from training.store import TRAINED_KINDS, Job
from training.stored_config import generates_completions

_LATEST_NOTE = f"Means of the latest {LATEST_STEPS} training steps"
_ENDED_NOTE = "The last evaluation where two are compared, else means of the latest steps"
_CHANGES_NOTE = "; below each its change with a 95% interval, and what is compared"
_GZIP_LEVEL = 4


def render_progress(run: Job, config: StageConfig) -> None:
    """Where the run stands, in a line; it goes on by itself, and when the status is another the page is drawn again."""
    status, progress = st.columns([1.1, 4], vertical_alignment="center")
    with status:
        render_status(run.status)
    with progress:
        render_line(run_data.head_now(run, config), live_address(run), key=Keys.RUN_LINE, on_ended=lambda: None)


def render_figures(run: Job, config: StageConfig) -> None:
    """What went wrong, if anything did, and the run's five figures."""
    _render_tracker(run.tracker)
    if run.status in ("failed", "lost"):
        goes_on = "Resume goes on from the latest checkpoint, or from the start when there is none."
        render_error(run.reason, goes_on if run.kind in TRAINED_KINDS else "Read on goes on where it stood.")
    head = run_data.head_now(run, config)
    live_head.render_figures(head, live_address(run), key=Keys.RUN_FIGURES)
    if head.figures:
        changes = any(figure.change for figure in head.figures)
        st.caption(f"{_LATEST_NOTE if run.active else _ENDED_NOTE}{_CHANGES_NOTE if changes else ''}.")


def live_address(run: Job) -> str | None:
    """Where browsers look how a run goes on; `None` for one that has ended, or where there is no room for the file."""
    if not run.active:
        return None
    try:
        return file_url(data.web_files(), run_data.live_run(run.id).follow_head())
    except HomeError:
        return None


def render_actions(run: Job) -> None:
    """What can be done with the run, in a row."""
    with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        _render_actions(run)


def _render_actions(run: Job) -> None:
    if run.active:
        stopping = run.status == "stopping"
        ends = "Ends the run at its next step, with a checkpoint." if run.kind in TRAINED_KINDS else "Reads no more of the log."
        if st.button("Stop", key=Keys.STOP, **acts(disabled=stopping, help=ends)):
            with boundary():
                stop_run(data.store(), data.home(), run.id)
                st.rerun()
    elif run.kind == "import":
        if st.button("Read on", key=Keys.RESUME, **acts(help="Reads what was added to the log since.")):
            with boundary():
                read_on(data.store(), data.home(), run.id)
                st.rerun()
    elif run.status != "finished" and st.button(
        "Resume", key=Keys.RESUME, type="primary", **acts(help="Goes on from the latest checkpoint.")
    ):
        with boundary():
            resume_run(data.store(), data.home(), run.id)
            st.rerun()
    opens = "Opens the launch form with this run's configuration."
    if run.kind in TRAINED_KINDS and st.button("Duplicate", key=Keys.DUPLICATE, help=opens):
        State().launch.origin, State().launch.changes = run.id, {}
        go_to(Page.LAUNCH, LAUNCH)
    render_marks(run)
    with st.popover("Download", icon=":material/download:"):
        _render_downloads(run)


def _render_downloads(run: Job) -> None:
    """Each file is made when it is asked for."""
    run_id = run.id
    completions: tuple[tuple[str, str, Callable[[], bytes]], ...] = (
        ("Completions, JSON lines", "rollouts.jsonl.gz", lambda: _gzipped(rollout_lines(data.store(), run_id))),
        ("Completions, Parquet", "rollouts.parquet", lambda: _parquet(run_id)),
    )
    files: tuple[tuple[str, str, Callable[[], bytes]], ...] = (
        ("Curves, CSV", "scalars.csv.gz", lambda: _gzipped(scalar_lines(run_id))),
        *(completions if generates_completions(run.spec) else ()),
        ("Evaluations, JSON", "evaluations.json.gz", lambda: _gzipped(evaluation_json(run_id))),
    )
    for label, name, make in files:
        st.download_button(
            label,
            data.file_queue().making(make),
            file_name=f"{run_id}-{name}",
            mime="application/gzip" if name.endswith(".gz") else "application/vnd.apache.parquet",
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


def _parquet(run_id: str) -> bytes:
    with tempfile.TemporaryFile() as file:
        write_parquet(data.store(), run_id, file)
        file.seek(0)
        return file.read()


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
