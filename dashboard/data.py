"""What pages read, cached: the home, the store, problem sets, atlases and what is derived from them.

The only place with `st.cache_*`. Everything is cached by content, so a changed input is read again; every cache has a
bound; nothing that changes while a job runs is cached.
"""

import fcntl
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import pandas as pd
import streamlit as st

from analysis.atlas import Atlas, AtlasParameters, atlas_frame, open_atlas
from analysis.cache import Cache
from analysis.findings import Findings, findings
from dashboard import figures
from dashboard.curves import Curve, curve_figure, scalar_frame
from training import hub
from training.errors import SourceError
from training.home import Home
from training.problems import Problem, ProblemSet, load_problems
from training.store import Store

PARAMETERS = AtlasParameters()
_MAPS = 4
"""Maps kept in memory; one of GSM8K takes about 20 MB."""

_RUNS = 8
"""Runs whose curves are kept in memory."""

Stamp = tuple[tuple[str, int, int], ...]


class _NoMapYet(Exception):
    """Keeps "not there" out of the cache."""


@st.cache_resource(show_spinner=False)
def home() -> Home:
    """This installation's folders.

    Raises:
        HomeError: the home folder cannot be written.
    """
    return Home.from_environment()


def store() -> Store:
    """The run store.

    Raises:
        StoreError: it cannot be opened.
    """
    return _store(home().store_url)


def shares_home() -> bool:
    """Whether another dashboard is open on the same home. Both may stay: each sees what the other launches."""
    try:
        fcntl.flock(_dashboard_lock(home().locks), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def needs_fetch(source: str) -> bool:
    """Whether the source is GSM8K from the Hub and has not been fetched yet."""
    return source == "hub" and hub.snapshot(home().cache) is None


def problem_set(source: str) -> ProblemSet:
    """The problems of a source; nothing is fetched.

    Raises:
        SourceError: the source cannot be read, or GSM8K has not been fetched yet.
    """
    return _problem_set(source, _stamp(source))


def problems_by_id(source: str) -> Mapping[str, Problem]:
    """The problems of a run's source by id, none when the source cannot be read any more."""
    try:
        found = problem_set(source)
    except SourceError:
        return {}
    return _problems_by_id(found.content_hash, found)


def atlas(problems: ProblemSet) -> Atlas | None:
    """The finished map of a problem set, `None` while there is none.

    Raises:
        ModelError: the embedding model is unknown on this machine.
    """
    try:
        return _atlas(problems.content_hash, problems)
    except _NoMapYet:
        return None


def frame(shown: Atlas) -> pd.DataFrame:
    """`analysis.atlas.atlas_frame`, for reading only."""
    return _frame(shown.problem_set.content_hash, shown)


def map_spec(shown: Atlas, colour: str, *, dark: bool) -> figures.Spec:
    """The map's figure, ready for the browser."""
    return _map_spec(shown.problem_set.content_hash, colour, dark, shown)


def scalars_of(run_id: str) -> pd.DataFrame:
    """`curves.scalar_frame` of a run, for reading only; made anew when a step was logged."""
    return _scalars(run_id, store().last_scalar(run_id))


def curve_spec(run_id: str, curve: Curve, max_steps: int) -> figures.Spec:
    """A run's curve, ready for the browser; made anew when a step was logged."""
    return _curve_spec(run_id, store().last_scalar(run_id), curve, max_steps)


def findings_of(shown: Atlas) -> Findings:
    """`analysis.findings.findings`."""
    return _findings(shown.problem_set.content_hash, shown)


@st.cache_resource(show_spinner=False, max_entries=1)
def _dashboard_lock(locks: Path) -> IO[str]:
    """The open file whose lock tells dashboards of each other; it goes with this process."""
    return (locks / "dashboard.lock").open("a")


@st.cache_resource(show_spinner=False, max_entries=2)
def _store(url: str) -> Store:
    return Store.open(url)


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _problem_set(source: str, stamp: Stamp) -> ProblemSet:
    return load_problems(source, home(), fetch=False)


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _problems_by_id(content_hash: str, _found: ProblemSet) -> Mapping[str, Problem]:
    return {problem.id: problem for problem in _found.problems}


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _atlas(content_hash: str, _problems: ProblemSet) -> Atlas:
    found = open_atlas(_problems, PARAMETERS, Cache.from_home(home()))
    if found is None:
        raise _NoMapYet
    return found


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _frame(content_hash: str, _shown: Atlas) -> pd.DataFrame:
    return atlas_frame(_shown)


@st.cache_resource(show_spinner=False, max_entries=4 * _MAPS)
def _map_spec(content_hash: str, colour: str, dark: bool, _shown: Atlas) -> figures.Spec:
    return figures.spec(figures.map_figure(frame(_shown), colour, dark=dark, view=content_hash))


@st.cache_resource(show_spinner=False, max_entries=_RUNS)
def _scalars(run_id: str, last_scalar: int) -> pd.DataFrame:
    return scalar_frame(store().scalars(run_id))


@st.cache_resource(show_spinner=False, max_entries=16 * _RUNS, hash_funcs={Curve: repr})
def _curve_spec(run_id: str, last_scalar: int, curve: Curve, max_steps: int) -> figures.Spec:
    return figures.spec(curve_figure(_scalars(run_id, last_scalar), curve, max_steps=max_steps, view=f"{run_id} {curve.key}"))


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _findings(content_hash: str, _shown: Atlas) -> Findings:
    return findings(_shown)


def _stamp(source: str) -> Stamp:
    """Name, size and time of the files a source would be read from; a change makes the cached problems stale."""
    place = _place(source)
    if place is None:
        return ()
    files = [place] if place.is_file() else sorted([*place.glob("t*.*"), *place.glob("main/t*.*")])
    return tuple((str(file), *_size_and_time(file)) for file in files)


def _size_and_time(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)


def _place(source: str) -> Path | None:
    if source == "demo":
        return None
    if source == "auto" and home().data is not None:
        return home().data
    return hub.snapshot(home().cache) if source in ("auto", "hub") else Path(source).expanduser().absolute()
