"""Starting, resuming and stopping jobs: the same few functions for the pages and the command lines."""

from collections.abc import Callable, Sequence
from typing import Any

from training.backends import Backend, local
from training.config import RunConfig
from training.curation import find_subset, restrict
from training.errors import AtlasError, BackendError, ConfigError
from training.home import Home
from training.problems import ProblemSet, load_problems
from training.store import Job, JobKind, Store

BACKENDS: dict[str, Callable[[Home], Backend]] = {local.NAME: local.LocalBackend}


def backend_named(name: str, home: Home) -> Backend:
    """The backend of that name.

    Raises:
        BackendError: there is none.
    """
    if name not in BACKENDS:
        raise BackendError(f"There is no backend {name!r}.", f"Use one of {', '.join(BACKENDS)}.")
    return BACKENDS[name](home)


def submit_job(
    store: Store,
    home: Home,
    *,
    kind: JobKind,
    name: str,
    spec: dict[str, Any],
    module: str,
    arguments: Sequence[str],
    backend: str = local.NAME,
    total: float = 0,
) -> str:
    """Queue a job and start `python -m <module> <arguments> --job <id>` for it; return its id.

    While a job of equal kind and spec is active, its id is returned and nothing starts.

    Raises:
        BackendError: the process cannot be started; the job is recorded as failed.
    """
    runner = backend_named(backend, home)
    job, new = store.create_job(kind, name, spec, backend=backend, total=total)
    if new:
        _start(store, runner, job, ["-m", module, *arguments, "--job", job.id])
    return job.id


def launch_run(store: Store, home: Home, config: RunConfig, backend: str = local.NAME) -> str:
    """Check what can be checked without torch, then queue a training run; return its id.

    Raises:
        SourceError: the run's problems cannot be loaded.
        SubsetError: its subset is not there or belongs to other data.
        ConfigError: the source has fewer train problems than a step needs, or too few test problems to evaluate.
        BackendError: the backend cannot start it.
    """
    problem_set = load_problems(config.source, home)
    exactly = {"source": problem_set.source}
    if config.subset:
        exactly["subset"] = find_subset(store, config.subset).reference
        problem_set = restrict(problem_set, store, exactly["subset"])
    _check_size(config, problem_set)
    spec = config.model_copy(update=exactly).model_dump(mode="json")
    return submit_job(
        store,
        home,
        kind="train",
        name=config.preset or "run",
        spec=spec,
        module="training",
        arguments=["run"],
        backend=backend,
        total=config.max_steps,
    )


def resume_run(store: Store, home: Home, job_id: str) -> str:
    """Go on with a stopped, failed or lost run from its latest checkpoint.

    Raises:
        ConfigError: it is not a training run.
        StoreError: the run is active or finished.
        BackendError: the run counts as lost, but its process is alive.
    """
    job = store.job(job_id)
    if job.kind != "train":
        raise ConfigError(f"{job_id} is not a training run.", "Start it again instead.")
    runner = backend_named(job.backend, home)
    if job.status == "lost" and runner.status(job) == "alive":
        raise BackendError(
            f"The process of {job_id} ({job.worker}) is still alive.", "Wait for it, or end it and then resume the run."
        )
    job = store.requeue(job_id)
    _start(store, runner, job, ["-m", "training", "run", "--job", job.id])
    return job.id


def _start(store: Store, runner: Backend, job: Job, command: list[str]) -> None:
    try:
        runner.submit(job, command)
    except AtlasError as error:
        store.end(job.id, "failed", str(error))
        raise


def _check_size(config: RunConfig, problem_set: ProblemSet) -> None:
    train, test = len(problem_set.of_split("train")), len(problem_set.of_split("test"))
    if train < config.groups_per_step:
        raise ConfigError(
            f"A step needs {config.groups_per_step} problems, {problem_set.name} has {train} in its train split.",
            "Make the batch smaller or use a larger source.",
        )
    if config.evaluation_problems > test:
        raise ConfigError(
            f"evaluation_problems = {config.evaluation_problems}, but {problem_set.name} has {test} test problems.",
            f"Set evaluation_problems to at most {test}.",
        )
