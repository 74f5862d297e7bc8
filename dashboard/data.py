"""What pages read, cached: the home, the store, problem sets, atlases and what is derived from them.

The only place with `st.cache_*`. Everything is cached by content, so a changed input is read again; every cache has a
bound; nothing that changes while a job runs is cached.
"""

import fcntl
import hashlib
from collections.abc import Mapping, Set
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from analysis import frame as frames
from analysis import search
from analysis.atlas import Atlas, AtlasParameters, Stage, map_sample, open_atlas, stage_keys
from analysis.cache import Cache
from analysis.encoder import TextEncoder
from analysis.outcomes import job_outcomes
from dashboard import atlas_figure, figures, training_map_figure
from dashboard.colourings import ByNumber, Colouring
from dashboard.sign_in_tries import SignInTries
from dashboard.web_files import WebFiles
from training import hub
from training.backends import BackendState
from training.backends.watching import Watch
from training.config import RunConfig
from training.errors import ModelError, SourceError
from training.home import Home
from training.launch import backend_named, check_run
from training.launch import backend_state as backend_state_now
from training.own_rewards import register_own_rewards
from training.playground import Playground
from training.preflight import Preflight
from training.preflight.devices import Machine
from training.problems import Problem, ProblemSet, load_problems
from training.reconciling import Reconciler
from training.store import LOCAL, Store, curation
from training.store.evaluations import Evaluation, last_evaluation, read_evaluation

_MAPS = 4
"""Maps kept in memory; one of GSM8K takes about 30 MB."""

_RUNS = 8
"""Runs whose curves are kept in memory."""

_EVALUATIONS = 16
"""Evaluations kept in memory; one of 1,319 problems takes about 2 MB."""

_QUERIES = 64
"""Searches whose results are kept in memory."""

_CHECKS = 32
_CHECKED_S = 60
"""Preflights kept in memory, and for how long: with every setting that is changed there is another."""

Stamp = tuple[tuple[str, int, int], ...]


@st.cache_resource(show_spinner=False)
def home() -> Home:
    """This installation's folders.

    Raises:
        HomeError: the home folder cannot be written.
        RewardError: the file with one's own reward functions cannot be used.
    """
    found = Home.from_environment()
    _own_rewards(found.rewards)
    return found


@st.cache_resource
def _own_rewards(path: Path | None) -> None:
    """Once in the life of the dashboard: a changed file needs a new start."""
    register_own_rewards(path)


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """The run store. Without arguments, as `home`, because pages ask for it so often: naming them takes longest.

    Raises:
        StoreError: it cannot be opened.
    """
    return Store.open(home().store_url)


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


def frame(shown: Atlas) -> pd.DataFrame:
    """`analysis.frame.atlas_frame`, for reading only."""
    return _frame(*_identity(shown), shown)


def row_of(shown: Atlas, problem_id: str) -> int | None:
    """The row of a problem, `None` where the map has no such problem."""
    return _rows(shown.problem_set.content_hash, shown).get(problem_id)


def rows(shown: Atlas) -> Mapping[str, int]:
    """Problem id -> its row of the map."""
    return _rows(shown.problem_set.content_hash, shown)


def flat_positions(shown: Atlas) -> NDArray[np.float32]:
    """(N, 2) places on the map; the first principal components until the layout is there."""
    return _positions(shown, "2-D" if shown.layout is not None else "PCA")


def cluster_table(shown: Atlas) -> pd.DataFrame:
    """`analysis.frame.cluster_frame`, for reading only."""
    return _cluster_table(*_identity(shown), shown)


def cluster_titles(shown: Atlas) -> Mapping[int, str]:
    """Cluster number -> its title, names given by hand included; of no cluster before they are built."""
    if shown.clusters is None:
        return {}
    named = curation.named_clusters(store(), shown.problem_set.content_hash)
    return frames.cluster_titles(shown.clusters, [problem.id for problem in shown.problem_set.problems], named)


def outcomes(job_id: str) -> pd.DataFrame:
    """`analysis.outcomes.job_outcomes`, made anew when the job has written something; empty where there is no such job."""
    return _outcomes(job_id, store().last_scalar(job_id), last_evaluation(store(), job_id))


def text_matches(shown: Atlas, query: str, mode: search.Mode) -> NDArray[np.bool_]:
    """(N,) which questions hold the words, or match the regular expression.

    Raises:
        SearchError: the query cannot be read.
    """
    return _text_matches(shown.problem_set.content_hash, query, mode, shown)


def search_is_ready(model: str) -> bool:
    """Whether the model of a map can be searched by meaning now."""
    return _encoder(model, search.encoder_stamp(model, home())) is not None


def meaning_matches(shown: Atlas, query: str) -> NDArray[np.float32] | None:
    """(N,) cosines of the questions to the query; `None` while the model is not ready for it.

    Raises:
        SearchError: the map's model cannot be searched by meaning.
    """
    encoder = _encoder(shown.parameters.model, search.encoder_stamp(shown.parameters.model, home()))
    return None if encoder is None else _meaning_matches(*_identity(shown), query, shown, encoder)


def evaluation(key: int) -> Evaluation:
    """A complete evaluation by the key of its heading, for reading only.

    Raises:
        StoreError: it was measured anew or deleted meanwhile.
    """
    return _evaluation(home().store_url, key)


def playground() -> Playground:
    """The process that answers questions, of all sessions together."""
    return _playground(home())


@st.cache_resource(show_spinner=False)
def sign_in_tries() -> SignInTries:
    """How often a wrong token was tried, in all sessions together."""
    return SignInTries()


def web_files() -> WebFiles:
    """Where large parts of figures are put for the browser."""
    return WebFiles(home().cache / "web")


def map_spec(
    shown: Atlas, frame: pd.DataFrame, colouring: Colouring, titles: Mapping[int, str], view: str, *, dark: bool
) -> figures.Spec:
    """The map's figure, ready for the browser.

    Args:
        frame: `frame(shown)` with the colouring's column.
        titles: `cluster_titles(shown)`, which the legend may name.
    """
    values = _hash_of(frame[colouring.column])
    return _map_spec(*_identity(shown), colouring.title, values, repr(titles), view, dark, shown, frame, colouring)


def timeline_spec(shown: Atlas, colouring: ByNumber, *, dark: bool) -> figures.Spec:
    """The map that the steps of a run colour, see `training_map_figure.timeline_figure`."""
    return _timeline_spec(*_identity(shown), repr(colouring), dark, shown, colouring)


def map_texts(shown: Atlas) -> figures.Spec:
    """What the browser shows of a point under the pointer."""
    return _map_texts(shown.problem_set.content_hash, frame(shown))


def map_overlay(shown: Atlas, titles: Mapping[int, str], view: str, *, density: bool) -> figures.Spec:
    """What is drawn over the map: the clusters' titles, and lines of density."""
    return _map_overlay(*_identity(shown), tuple(titles.items()), view, density, shown)


def steps_spec(shown: Atlas, current: NDArray[np.bool_] | None, outlined: tuple[str, ...]) -> figures.Spec:
    """The steps by split of the current problems, if they are fewer than all, against all; see `figures.counts_figure`."""
    rows = "" if current is None else hashlib.sha256(current.tobytes()).hexdigest()
    return _steps_spec(*_identity(shown), rows, outlined, shown, current)


def train_steps_spec(problems: ProblemSet, subset: str, ids: Set[str] | None) -> figures.Spec:
    """The steps of a subset's train problems against all, or of all alone; see `figures.counts_figure`.

    Args:
        subset: its reference, which never means other problems.
        ids: of the subset's problems, `None` for all.
    """
    return _train_steps_spec(problems.content_hash, subset, problems, ids)


def preflight_of(config: RunConfig, problems: ProblemSet, backend: str) -> Preflight:
    """`training.launch.check_run` without asking the Hub, looked at again after a while: disk and earlier runs change.

    Args:
        config: its source and subset named exactly, see `training.launch.narrow_run`.
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


def _identity(shown: Atlas) -> tuple[str, AtlasParameters, int]:
    """What tells one look at an atlas from another."""
    return shown.problem_set.content_hash, shown.parameters, shown.stages


@st.cache_resource(show_spinner=False, max_entries=1)
def _dashboard_lock(locks: Path) -> IO[str]:
    """The open file whose lock tells dashboards of each other; it goes with this process."""
    return (locks / "dashboard.lock").open("a")


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


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _frame(content_hash: str, parameters: AtlasParameters, stages: int, _shown: Atlas) -> pd.DataFrame:
    return frames.atlas_frame(_shown)


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _rows(content_hash: str, _shown: Atlas) -> Mapping[str, int]:
    return {problem.id: row for row, problem in enumerate(_shown.problem_set.problems)}


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _cluster_table(content_hash: str, parameters: AtlasParameters, stages: int, _shown: Atlas) -> pd.DataFrame:
    return frames.cluster_frame(_shown)


@st.cache_resource(show_spinner=False, max_entries=_RUNS)
def _outcomes(job_id: str, last_scalar: int, last_evaluation: int) -> pd.DataFrame:
    return job_outcomes(store(), job_id)


@st.cache_resource(show_spinner=False, max_entries=_EVALUATIONS)
def _evaluation(store_url: str, key: int) -> Evaluation:
    return read_evaluation(store(), key)


@st.cache_resource(show_spinner=False, max_entries=1)
def _playground(home: Home) -> Playground:
    return Playground(home)


@st.cache_resource(show_spinner=False, max_entries=_QUERIES)
def _text_matches(content_hash: str, query: str, mode: search.Mode, _shown: Atlas) -> NDArray[np.bool_]:
    return search.match_text([problem.question for problem in _shown.problem_set.problems], query, mode)


@st.cache_resource(show_spinner=False, max_entries=2)
def _encoder(model: str, stamp: str) -> TextEncoder | None:
    return search.search_encoder(model, home())


@st.cache_resource(show_spinner=False, max_entries=_QUERIES)
def _meaning_matches(
    content_hash: str, parameters: AtlasParameters, stages: int, query: str, _shown: Atlas, _encoder: TextEncoder
) -> NDArray[np.float32]:
    return search.rank_by_meaning(query, _encoder, _shown.embeddings)


@st.cache_resource(show_spinner=False, max_entries=4 * _MAPS)
def _map_spec(
    content_hash: str,
    parameters: AtlasParameters,
    stages: int,
    title: str,
    values: str,
    titles: str,
    view: str,
    dark: bool,
    _shown: Atlas,
    _frame: pd.DataFrame,
    _colouring: Colouring,
) -> figures.Spec:
    positions = _positions(_shown, view)
    return figures.spec(atlas_figure.map_figure(_frame, positions, _colouring, dark=dark, view=f"{content_hash} {view}"))


@st.cache_resource(show_spinner=False, max_entries=2 * _MAPS)
def _timeline_spec(
    content_hash: str,
    parameters: AtlasParameters,
    stages: int,
    colours: str,
    dark: bool,
    _shown: Atlas,
    _colouring: ByNumber,
) -> figures.Spec:
    positions = flat_positions(_shown)
    figure = training_map_figure.timeline_figure(frame(_shown), positions, _colouring, dark=dark, view=f"{content_hash} run")
    return figures.spec(figure)


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _map_texts(content_hash: str, _frame: pd.DataFrame) -> figures.Spec:
    return atlas_figure.texts(_frame)


@st.cache_resource(show_spinner=False, max_entries=4 * _MAPS)
def _map_overlay(
    content_hash: str,
    parameters: AtlasParameters,
    stages: int,
    titles: tuple[tuple[int, str], ...],
    view: str,
    density: bool,
    _shown: Atlas,
) -> figures.Spec:
    positions = _positions(_shown, view)
    labels: list[atlas_figure.Label] = []
    if _shown.clusters is not None:
        members = _shown.clusters.labels
        labels = [(_label_place(positions[members == label]).tolist(), title) for label, title in titles if label >= 0]
    return atlas_figure.overlay(positions, labels=labels, density=density)


@st.cache_resource(show_spinner=False, max_entries=4 * _MAPS)
def _steps_spec(
    content_hash: str,
    parameters: AtlasParameters,
    stages: int,
    rows: str,
    outlined: tuple[str, ...],
    _shown: Atlas,
    _current: NDArray[np.bool_] | None,
) -> figures.Spec:
    everything = frame(_shown)
    selected = None if _current is None else everything[_current]
    return figures.spec(figures.counts_figure(selected, everything, "steps", unit="steps", outlined=outlined))


def _label_place(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over the middle of a cluster, near its upper edge, where it covers fewer of the cluster's points."""
    place: NDArray[np.float32] = np.median(points, axis=0).astype(np.float32)
    place[1] = np.quantile(points[:, 1], 0.9)
    return place


def _positions(shown: Atlas, view: str) -> NDArray[np.float32]:
    """(N, 2) or (N, 3) of a view; of the best there is when that one is not built."""
    found = {str(name): points for name, points in shown.views.items()}
    return found[view] if view in found else next(iter(found.values()))


def _hash_of(values: "pd.Series[Any]") -> str:
    """Equal for equal columns."""
    return hashlib.sha256(pd.util.hash_pandas_object(values, index=False).to_numpy().tobytes()).hexdigest()


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
    return hub.snapshot(home().cache) if source in ("auto", "hub") else Path(source).expanduser().absolute()
