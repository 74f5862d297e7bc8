"""What pages read, cached: the home, the store, problem sets, atlases, preflights.

Here, in `map_data` and in `run_data` alone is `st.cache_*`. Everything is cached by content, so a changed input is read
again; every cache has a bound; nothing that changes while a job runs is cached.
"""

import time
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import TypeVar

import pandas as pd
import streamlit as st

from analysis.atlas import Atlas, AtlasParameters, Stage, map_sample, open_atlas, stage_keys
from analysis.cache import Cache
from analysis.outcomes import job_outcomes
from analysis.search_pool import SearchPool
from dashboard import figures
from dashboard.file_queue import FileQueue
from dashboard.sign_in_tries import SignInTries
from dashboard.web_files import WebFiles
from training.backends import BackendState
from training.backends.registry import backend_named
from training.backends.registry import backend_state as backend_state_now
from training.backends.watching import Watch
from training.config import RunConfig
from training.data import hub
from training.data.problems import Problem, ProblemSet, load_problems
from training.errors import ModelError, RewardError, SourceError, StoreFailedError
from training.home import Home
from training.jobs.playground import Playground
from training.locks import FileLock
from training.machines import Machine
from training.paths import parse_path
from training.preflight import Preflight
from training.rewards.own import register_own_rewards
from training.runs.deletion import open_store, unknown_runs
from training.runs.launch import check_run
from training.runs.reconciling import Reconciler
from training.store import LOCAL, Store
from training.store.evaluations import Evaluation, last_evaluation, read_evaluation

_MAPS = 4
"""Problem sets and maps kept in memory; a map of GSM8K takes about 30 MB."""

_RUNS = 8
"""Runs whose curves are kept in memory."""

EVALUATIONS = 16
"""Evaluations kept in memory, and the most side by side; one of 1,319 problems takes about 2 MB."""

_CHECKS = 32
_CHECKED_S = 60
"""Preflights kept in memory, and for how long: with every setting that is changed there is another."""

Stamp = tuple[tuple[str, int, int], ...]
Found = TypeVar("Found")


@st.cache_resource(show_spinner=False)
def home() -> Home:
    """This installation's folders.

    Raises:
        HomeError: the home folder is not there and cannot be made, or cannot be read.
        RewardError: the file with one's own reward functions cannot be used.
    """
    found = Home.from_environment()
    if found.rewards is not None and (error := _own_rewards(found.rewards, _changed_ns(found.rewards))) is not None:
        raise RewardError(error.problem, error.remedy)
    return found


@st.cache_resource(show_spinner=False)
def _own_rewards(path: Path, changed_ns: int) -> RewardError | None:
    """What is wrong with the file, once in the life of the dashboard: a file that was taken and has changed needs a new start.

    One that was not taken is run again when it has changed, not for every page: it may be what does not end.
    """
    try:
        register_own_rewards(path)
    except RewardError as error:
        return error
    return None


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def store() -> Store:
    """The run store; another one than before where its file was replaced, and then nothing is remembered of the former.

    Raises:
        StoreLostError: its file was deleted or moved since it was opened.
        StoreError: it cannot be opened.
    """
    found = _store()
    if found.is_current:
        return found
    found.close()
    Store.open(home().store_url, create=False).close()
    st.cache_resource.clear()
    _replacements().append(time.time())
    return _store()


def readable(read: Callable[[Store], Found], otherwise: Found) -> Found:
    """What is read of the run store, for what a page can do without: something else while the store fails, which the sidebar
    tells.
    """
    try:
        return read(store())
    except StoreFailedError:
        return otherwise


def store_notice() -> str:
    """What people should know of the run store before they trust what they see of it, in words; mostly nothing."""
    if replaced := _replacements():
        at = time.strftime("%H:%M", time.localtime(replaced[-1]))
        return f"The run store was replaced by another file, noticed at {at}; what you see is of the one that is there now."
    return unknown_runs(store(), home())


def shares_home() -> bool:
    """Whether another dashboard is open on the same home. Both may stay: each sees what the other launches."""
    try:
        return not _dashboard_lock(home().locks).try_hold()
    except OSError:  # the home can only be read: there is no file to lock
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


def mapped_problems(source: str) -> ProblemSet:
    """The problems of a source that its map shows: all but for very large sources, see `map_sample`.

    Raises:
        SourceError: as `problem_set`.
    """
    problems = problem_set(source)
    return _mapped_problems(problems.content_hash, problems)


def problems_by_id(source: str) -> Mapping[str, Problem]:
    """The problems of a run's source by id, none when the source cannot be read any more."""
    try:
        found = problem_set(source)
    except SourceError:
        return {}
    return _problems_by_id(found.content_hash, found)


def atlas(problems: ProblemSet, parameters: AtlasParameters) -> Atlas | None:
    """The map of a problem set as far as it is built, `None` before there is anything to show."""
    try:
        built = built_stages(problems, parameters)
    except ModelError:  # not on this machine, so nothing was built with it; a build fetches it or says why it cannot
        return None
    return _atlas(problems.content_hash, parameters, built, problems) if built else None


def built_stages(problems: ProblemSet, parameters: AtlasParameters) -> tuple[Stage, ...]:
    """The stages of a map that lie in the cache.

    Raises:
        ModelError: the embedding model is unknown on this machine.
    """
    cache = Cache.from_home(home())
    return tuple(stage for stage, key in stage_keys(problems, parameters).items() if cache.has(key))


def map_notice(problems: ProblemSet, parameters: AtlasParameters) -> str:
    """What to know of where a map is kept, in words; mostly nothing.

    Raises:
        ModelError: the embedding model is unknown on this machine.
    """
    return Cache.from_home(home()).stopgap_notice(stage_keys(problems, parameters).values())


def outcomes(job_id: str) -> pd.DataFrame:
    """`analysis.outcomes.job_outcomes`, made anew when the job has written something; empty where there is no such job."""
    return _outcomes(job_id, store().last_scalar(job_id), last_evaluation(store(), job_id))


def evaluation(key: int) -> Evaluation:
    """A complete evaluation by the key of its heading, for reading only.

    Raises:
        StoreError: it was measured anew or deleted meanwhile.
    """
    return _evaluation(home().store_url, key)


def playground() -> Playground:
    """The process that answers questions, of all sessions together."""
    return _playground(home())


def search_pool(*, acts: bool) -> SearchPool:
    """The processes that search texts, of all sessions together; who looks on cannot take those of who may act."""
    return _search_pool(acts)


@st.cache_resource(show_spinner=False)
def sign_in_tries() -> SignInTries:
    """Who tries to sign in with a token, of all sessions together."""
    return SignInTries()


@st.cache_resource(show_spinner=False)
def file_queue() -> FileQueue:
    """Where files for downloads are made, for all sessions together."""
    return FileQueue()


def web_files() -> WebFiles:
    """Where large parts of figures are put for the browser."""
    return WebFiles(home().cache / "web")


@st.cache_resource(show_spinner=False)
def opened_sources() -> set[str]:
    """The sources that somebody who may act has opened since the dashboard started."""
    return set()


def train_steps_spec(problems: ProblemSet, subset: str, ids: Set[str] | None) -> figures.Spec:
    """The steps of a subset's train problems against all, or of all alone; see `figures.counts_figure`.

    Args:
        subset: its reference, which never means other problems.
        ids: of the subset's problems, `None` for all.
    """
    return _train_steps_spec(problems.content_hash, subset, problems, ids)


def preflight_of(config: RunConfig, problems: ProblemSet, backend: str) -> Preflight:
    """`training.runs.launch.check_run` without asking the Hub, looked at again after a while: disk and earlier runs change.

    Args:
        config: its source and subset named exactly, see `training.runs.launch.narrow_run`.
        problems: the run's, already narrowed to its subset.
    """
    return _preflight(config.model_dump_json(), _stamp(config.source), backend, config, problems)


def machine_of(backend: str) -> Machine | None:
    """The machine of a backend, as it was within the last minute."""
    return _machine(backend)


def backend_state(name: str) -> BackendState | None:
    """How a backend is, without waiting for one on another machine: what was last known; `None` before its first answer."""
    return backend_state_now(name, home(), store()) if name == LOCAL else _watch(home().store_url).state(name)


def reconcile_soon() -> None:
    """Compare the runs with their clusters, in the background and rarely."""
    _reconciler(home().store_url).wake()


@st.cache_resource(show_spinner=False)
def _store() -> Store:
    """Without arguments, as `home`, because pages ask for it so often: naming them takes longest."""
    return open_store(home())


@st.cache_resource(show_spinner=False)
def _replacements() -> list[float]:
    """When it was noticed that the store's file is another one, Unix seconds."""
    return []


@st.cache_resource(show_spinner=False, max_entries=1)
def _dashboard_lock(locks: Path) -> FileLock:
    """The lock that tells dashboards of each other."""
    return FileLock(locks / "dashboard.lock")


@st.cache_resource(show_spinner="Reading the problems", max_entries=_MAPS)
def _problem_set(source: str, stamp: Stamp) -> ProblemSet:
    return load_problems(source, home(), fetch=False)


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _mapped_problems(content_hash: str, _found: ProblemSet) -> ProblemSet:
    return map_sample(_found)


@st.cache_resource(show_spinner=False, max_entries=2)
def _watch(url: str) -> Watch:
    where, rows = home(), store()
    return Watch(lambda name: backend_state_now(name, where, rows))


@st.cache_resource(show_spinner=False, max_entries=2)
def _reconciler(url: str) -> Reconciler:
    return Reconciler(store(), home())


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _problems_by_id(content_hash: str, _found: ProblemSet) -> Mapping[str, Problem]:
    return {problem.id: problem for problem in _found.problems}


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _atlas(content_hash: str, parameters: AtlasParameters, built: tuple[Stage, ...], _problems: ProblemSet) -> Atlas | None:
    return open_atlas(_problems, parameters, Cache.from_home(home()))


@st.cache_resource(show_spinner=False, max_entries=_RUNS)
def _outcomes(job_id: str, last_scalar: int, last_evaluation: int) -> pd.DataFrame:
    return job_outcomes(store(), job_id)


@st.cache_resource(show_spinner=False, max_entries=EVALUATIONS)
def _evaluation(store_url: str, key: int) -> Evaluation:
    return read_evaluation(store(), key)


@st.cache_resource(show_spinner=False, max_entries=1)
def _playground(home: Home) -> Playground:
    return Playground(home)


@st.cache_resource(show_spinner=False, max_entries=2)
def _search_pool(acts: bool) -> SearchPool:
    return SearchPool()


@st.cache_resource(show_spinner=False, max_entries=4 * _MAPS)
def _train_steps_spec(content_hash: str, subset: str, _problems: ProblemSet, _ids: Set[str] | None) -> figures.Spec:
    train = [problem for problem in _problems.problems if problem.split == "train"]
    everything = pd.DataFrame({"split": "train", "steps": [len(problem.steps) for problem in train]})
    chosen = None if _ids is None else everything[[problem.id in _ids for problem in train]]
    return figures.spec(figures.counts_figure(chosen, everything, "steps", unit="steps"))


@st.cache_resource(show_spinner=False, max_entries=_CHECKS, ttl=_CHECKED_S)
def _preflight(config: str, stamp: Stamp, backend: str, _config: RunConfig, _problems: ProblemSet) -> Preflight:
    return check_run(store(), home(), _config, _problems, backend, ask_hub=False)


@st.cache_resource(show_spinner=False, max_entries=8, ttl=_CHECKED_S)
def _machine(backend: str) -> Machine | None:
    return backend_named(backend, home()).machine()


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
    return hub.snapshot(home().cache) if source in ("auto", "hub") else parse_path(source, SourceError)
