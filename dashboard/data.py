"""What pages read: the home, the store, problem sets, atlases, preflights. See `caching` for how it is kept."""

import time
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import TypeVar

import pandas as pd

from analysis.atlas import Atlas, AtlasParameters, Stage, map_sample, open_atlas, stage_keys, stopgap_notice
from analysis.cache import Cache
from analysis.language import model_notice
from analysis.outcomes import job_outcomes
from analysis.search_pool import SearchPool
from dashboard import figures
from dashboard.caching import cached, forget_all
from dashboard.file_queue import FileQueue
from dashboard.sign_in_tries import SignInTries
from dashboard.web_files import WebFiles
from training.backends import BackendState
from training.backends.registry import backend_named
from training.backends.registry import backend_state as backend_state_now
from training.backends.watching import Watch
from training.config import StageConfig
from training.data import problems as source_files
from training.data import sources as source_lines
from training.data.files import candidates
from training.data.problem import Problem, ProblemSet
from training.data.problems import load_problems
from training.data.sources import NAMED_SOURCES_FILE
from training.errors import ModelError, RewardError, SourceError, StoreFailedError
from training.evaluation.recorded import Sampled, right_by, sampled_of, scored_samples, scores_of
from training.evaluation.scaling import Gain, SampledScore, Samples, judge_gains, scaling_curves
from training.home import Home
from training.jobs.playground import Playground
from training.judging.steps import Aggregation
from training.locks import FileLock
from training.machines import Machine
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


@cached()
def home() -> Home:
    """This installation's folders.

    Raises:
        HomeError: the home folder is not there and cannot be made, or cannot be read.
        RewardError: the file with one's own reward functions cannot be used.
    """
    found = Home.from_environment()
    if found.rewards is not None and (error := _own_rewards(found.rewards)) is not None:
        raise RewardError(error.problem, error.remedy)
    return found


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@cached(by=_changed_ns)
def _own_rewards(path: Path) -> RewardError | None:
    """What is wrong with the file, once in the life of the dashboard: a file that was taken and has changed needs a new start.

    One that was not taken is run again when it has changed, not for every page: it may be what does not end.
    """
    try:
        register_own_rewards(path)
    except RewardError as error:
        return error
    return None


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
    forget_all()
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
        return not _dashboard_lock().try_hold()
    except OSError:  # the home can only be read: there is no file to lock
        return False


def named_sources() -> Mapping[str, str]:
    """Name -> line of the sources that are kept in the home folder.

    Raises:
        SourceError: their file cannot be read.
    """
    return source_lines.named_sources(home())


def needs_fetch(source: str) -> bool:
    """Whether the source lies on the Hub and has not been fetched yet."""
    return source_files.needs_fetch(source, home())


def _stamp(source: str) -> Stamp:
    """Name, size and time of the files a source would be read from; a change makes the cached problems stale."""
    place = source_files.source_place(source, home())
    files = [] if place is None else sorted(candidates(place))
    return tuple((str(file), *_size_and_time(file)) for file in (home().root / NAMED_SOURCES_FILE, *files))


def _size_and_time(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)


@cached(_MAPS, by=_stamp, spinner="Reading the problems")
def problem_set(source: str) -> ProblemSet:
    """The problems of a source; nothing is fetched.

    Raises:
        SourceError: the source cannot be read, or GSM8K has not been fetched yet.
    """
    return load_problems(source, home(), fetch=False)


@cached(_MAPS, by=problem_set)
def mapped_problems(source: str) -> ProblemSet:
    """The problems of a source that its map shows: all but for very large sources, see `map_sample`.

    Raises:
        SourceError: as `problem_set`.
    """
    return map_sample(problem_set(source))


def _readable_set(source: str) -> ProblemSet | None:
    try:
        return problem_set(source)
    except SourceError:
        return None


@cached(_MAPS, by=lambda source, content_hash="": _readable_set(source))
def problems_by_id(source: str, content_hash: str = "") -> Mapping[str, Problem]:
    """The problems of a source by id, none when it cannot be read any more or holds others than those of the hash."""
    found = _readable_set(source)
    return {problem.id: problem for problem in found.problems} if found and found.has_content(content_hash) else {}


def built_stages(problems: ProblemSet, parameters: AtlasParameters) -> tuple[Stage, ...]:
    """The stages of a map that lie in the cache.

    Raises:
        ModelError: the embedding model is unknown on this machine.
    """
    cache = Cache.from_home(home())
    return tuple(stage for stage, key in stage_keys(problems, parameters).items() if cache.has(key))


def _shown_stages(problems: ProblemSet, parameters: AtlasParameters) -> tuple[Stage, ...]:
    """None where the model is not on this machine, so that nothing was built with it; a build fetches it or says why not."""
    try:
        return built_stages(problems, parameters)
    except ModelError:
        return ()


@cached(_MAPS, by=_shown_stages)
def atlas(problems: ProblemSet, parameters: AtlasParameters) -> Atlas | None:
    """The map of a problem set as far as it is built, `None` before there is anything to show."""
    return open_atlas(problems, parameters, Cache.from_home(home())) if _shown_stages(problems, parameters) else None


def map_notice(problems: ProblemSet, parameters: AtlasParameters) -> str:
    """`analysis.atlas.stopgap_notice` of this home, and what there is to know of the model for this language."""
    notices = (stopgap_notice(problems, parameters, Cache.from_home(home())), _model_notice(problems, parameters.model))
    return " ".join(filter(None, notices))


@cached(_MAPS)
def _model_notice(problems: ProblemSet, model: str) -> str:
    return model_notice([problem.question for problem in problems.problems], model)


@cached(_RUNS, by=lambda job_id: (store().last_scalar(job_id), last_evaluation(store(), job_id)))
def outcomes(job_id: str) -> pd.DataFrame:
    """`analysis.outcomes.job_outcomes`, made anew when the job has written something; empty where there is no such job."""
    return job_outcomes(store(), job_id)


@cached(EVALUATIONS, by=lambda key: store())
def evaluation(key: int) -> Evaluation:
    """A complete evaluation by the key of its heading, for reading only.

    Raises:
        StoreError: it was measured anew or deleted meanwhile.
    """
    return read_evaluation(store(), key)


@cached(EVALUATIONS, by=lambda job_id, label: (last_evaluation(store(), job_id), store().last_rollout_step(job_id)))
def sampled(job_id: str, label: str) -> Sampled:
    """The completions of an evaluation, or of an imported file of samples, for reading only.

    Raises:
        StoreError: they are not on record any more.
    """
    return sampled_of(store(), job_id, label)[0]


@cached(
    EVALUATIONS, by=lambda job_id, label, scorer, aggregation, measure: _said(job_id, label, scorer), spinner="Counting votes"
)
def samples(job_id: str, label: str, scorer: str, aggregation: Aggregation, measure: str) -> Samples:
    """Those completions as samples, with a judge's scores where one is named.

    Args:
        measure: the name of the reward function by which an answer is right.

    Raises:
        StoreError: as of `sampled`, or the judge scored none of them.
    """
    found = sampled(job_id, label)
    scores = scores_of(store(), found, scorer) if scorer else None
    return scored_samples(right_by(found, measure), scores, aggregation)


@cached(EVALUATIONS, by=lambda *of: _said(*of[:3]), spinner="Counting votes")
def curves(job_id: str, label: str, scorer: str, aggregation: Aggregation, measure: str) -> list[SampledScore]:
    """Every strategy over k of those samples.

    Raises:
        StoreError: as of `samples`.
    """
    return scaling_curves(samples(job_id, label, scorer, aggregation, measure), sampled(job_id, label).ks)


@cached(EVALUATIONS, by=lambda *of: _said(*of[:3]), spinner="Counting votes")
def gains(job_id: str, label: str, scorer: str, aggregation: Aggregation, measure: str) -> list[Gain]:
    """What the scorer's choices among those samples are worth.

    Raises:
        StoreError: as of `samples`.
    """
    return judge_gains(samples(job_id, label, scorer, aggregation, measure))


@cached(EVALUATIONS, by=lambda *of: _said(*of))
def is_scored_by_step(job_id: str, label: str, scorer: str) -> bool:
    """Whether a judge has a score for each of several steps of a completion, so that one has to be made of them.

    Raises:
        StoreError: as of `samples`.
    """
    return bool(scorer) and any(len(scores) > 1 for scores in scores_of(store(), sampled(job_id, label), scorer))


def _said(job_id: str, label: str, scorer: str) -> object:
    """What tells that a judge has scored the completions anew: the newest job that had one do so."""
    return sampled(job_id, label).key, scorer, [job.id for job in store().jobs("judge", limit=1)]


@cached()
def playground() -> Playground:
    """The process that answers questions, of all sessions together."""
    return Playground(home())


@cached(2)
def search_pool(*, acts: bool) -> SearchPool:
    """The processes that search texts, of all sessions together; who looks on cannot take those of who may act."""
    return SearchPool()


@cached()
def sign_in_tries() -> SignInTries:
    """Who tries to sign in with a token, of all sessions together."""
    return SignInTries()


@cached()
def file_queue() -> FileQueue:
    """Where files for downloads are made, for all sessions together."""
    return FileQueue()


def web_files() -> WebFiles:
    """Where large parts of figures are put for the browser."""
    return WebFiles(home().cache / "web")


@cached()
def opened_sources() -> set[str]:
    """The sources that somebody who may act has opened since the dashboard started."""
    return set()


@cached(4 * _MAPS)
def train_steps_spec(problems: ProblemSet, subset: str, _ids: Set[str] | None) -> figures.Spec:
    """The steps of a subset's train problems against all, or of all alone; see `figures.counts_figure`.

    Args:
        subset: its reference, which never means other problems.
        _ids: of the subset's problems, `None` for all.
    """
    train = [problem for problem in problems.problems if problem.split == "train"]
    everything = pd.DataFrame({"split": "train", "steps": [len(problem.steps) for problem in train]})
    chosen = None if _ids is None else everything[[problem.id in _ids for problem in train]]
    return figures.spec(figures.counts_figure(chosen, everything, "steps", unit="steps"))


@cached(_CHECKS, by=lambda config, *_: _stamp(config.source), ttl_s=_CHECKED_S)
def preflight_of(config: StageConfig, _problems: ProblemSet, backend: str) -> Preflight:
    """`training.runs.launch.check_run` without asking the Hub, looked at again after a while: disk and earlier runs change.

    Args:
        config: its source and subset named exactly, see `training.runs.launch.narrow_run`.
        _problems: the run's, already narrowed to its subset.
    """
    return check_run(store(), home(), config, _problems, backend, ask_hub=False)


@cached(8, ttl_s=_CHECKED_S)
def machine_of(backend: str) -> Machine | None:
    """The machine of a backend, as it was within the last minute."""
    return backend_named(backend, home()).machine()


def backend_state(name: str) -> BackendState | None:
    """How a backend is, without waiting for one on another machine: what was last known; `None` before its first answer."""
    return backend_state_now(name, home(), store()) if name == LOCAL else _watch().state(name)


def reconcile_soon() -> None:
    """Compare the runs with their clusters, in the background and rarely."""
    _reconciler().wake()


@cached()
def _store() -> Store:
    """Without arguments, as `home`, because pages ask for it so often: naming them takes longest."""
    return open_store(home())


@cached()
def _replacements() -> list[float]:
    """When it was noticed that the store's file is another one, Unix seconds."""
    return []


@cached()
def _dashboard_lock() -> FileLock:
    """The lock that tells dashboards of each other."""
    return FileLock(home().locks / "dashboard.lock")


@cached()
def _watch() -> Watch:
    where, rows = home(), store()
    return Watch(lambda name: backend_state_now(name, where, rows))


@cached()
def _reconciler() -> Reconciler:
    return Reconciler(store(), home())
