"""Starting, resuming and stopping jobs: the same few functions for the pages and the command lines."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from training.backends import Backend, local
from training.backends.registry import backend_named
from training.config import RunConfig, StageConfig
from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.errors import AtlasError, BackendError, ConfigError, StoreAwayError, StoreError, UnreachableError
from training.home import Home
from training.jobs.calibrate import calibrate
from training.jobs.evaluate import EVALUATE, EvaluationSpec, evaluated_problems
from training.jobs.importing import IMPORT, imported_config, queue_import
from training.jobs.judge import JUDGE, JudgeSpec
from training.jobs.kinds import JobType, Spec, type_of
from training.jobs.output import OUTPUT, OutputSpec
from training.jobs.train.job import JOB_OF
from training.models.beginnings import Beginning, pinned_model
from training.models.checkpoints import checkpoint_to_resume
from training.preflight import Preflight, preflight
from training.preflight.calibration import Calibration
from training.preflight.sequence import with_sequence
from training.store import LOCAL, TRAINED_KINDS, Job, Store
from training.store.curation import find_subset, restrict
from training.store.following import leave_of
from training.store.job_search import newest_with


def queue_job(
    store: Store,
    home: Home,
    job_type: JobType[Spec],
    spec: Spec,
    *,
    name: str = "",
    backend: str = LOCAL,
    total: float = 0,
    follows: str = "",
    study: str = "",
) -> tuple[Job, bool]:
    """(the job of a spec, whether it waits for a process): it does not where an equal one is active.

    Args:
        name: what it is called, with a number behind; its kind where nothing is given.
        total: of what its progress counts.
        follows: the id of the job that it waits for and begins from.
        study: the id of the study that it is a run of.

    Raises:
        HomeError: the home cannot be written.
        StoreError: no job can be called so.
    """
    if backend == LOCAL:  # else it could not even write its log
        home.require_writable()
    values = spec.model_dump(mode="json")
    newest = newest_with(store, job_type.kind, values) if job_type.goes_on else None
    if newest is not None and not newest.active and newest.status != "finished":
        return store.requeue(newest.id), True
    return store.create_job(
        job_type.kind,
        name or job_type.kind,
        values,
        backend=backend,
        total=total,
        accelerator=job_type.takes_accelerator,
        follows=follows,
        study=study,
        taken=home.folders_there(),
    )


def launch_job(
    store: Store,
    home: Home,
    job_type: JobType[Spec],
    spec: Spec,
    *,
    name: str = "",
    backend: str = LOCAL,
    total: float = 0,
    follows: str = "",
    study: str = "",
) -> str:
    """Queue a job as `queue_job` does, and start its process; return its id.

    On this machine the process of one that follows another waits for its end; on a cluster it would hold what it waits for, so
    `training.runs.reconciling` submits it then.

    Raises:
        BackendError: there is no such backend, or the process cannot be started; the job is then recorded as failed.
    """
    runner = backend_named(backend, home)
    job, waits = queue_job(store, home, job_type, spec, name=name, backend=backend, total=total, follows=follows, study=study)
    if waits and (backend == LOCAL or not follows):
        _start(store, runner, job)
    return job.id


def prepare_run(store: Store, home: Home, config: StageConfig) -> tuple[StageConfig, ProblemSet]:
    """The configuration with its model, source and subset named exactly, and the problems that it is for.

    Raises:
        SourceError: the run's problems cannot be loaded.
        SubsetError: its subset is not there or belongs to other data.
        ModelError, CheckpointError, StoreError: it begins with a run's checkpoint that is not there.
    """
    return narrow_run(store, config, load_problems(config.source, home))


def narrow_run(store: Store, config: StageConfig, problem_set: ProblemSet) -> tuple[StageConfig, ProblemSet]:
    """`prepare_run` for a source that is loaded already.

    Raises:
        SubsetError: the run's subset is not there or belongs to other data.
        ModelError, CheckpointError, StoreError: as `prepare_run`.
    """
    exactly = {
        "model": pinned_model(config.model, store),
        "source": problem_set.source,
        "content_hash": problem_set.content_hash,
    }
    if config.subset:
        exactly["subset"] = find_subset(store, config.subset).reference
        problem_set = restrict(problem_set, store, exactly["subset"])
    return config.model_copy(update=exactly), problem_set


def check_run(
    store: Store, home: Home, config: StageConfig, problem_set: ProblemSet, backend: str = LOCAL, *, ask_hub: bool = True
) -> Preflight:
    """`preflight` for the machine of a backend.

    Raises:
        BackendError: there is no such backend.
        ConfigError: GRPO_ATLAS_WORKERS, which the runs of this machine go by, is no number of processes.
    """
    runner = backend_named(backend, home)
    workers, artefacts = runner.workers, runner.artefacts
    return preflight(config, problem_set, store, runner.machine(), ask_hub=ask_hub, workers=workers, artefacts=artefacts)


def calibrate_run(
    store: Store, home: Home, config: RunConfig, problem_set: ProblemSet, report: Callable[[str], None]
) -> Calibration:
    """Measure a run's first steps in this process, when no other job waits for this machine's accelerator.

    Leaves nothing in the store.

    Raises:
        ModelError, ConfigError: as the run itself would.
    """
    told = False

    def tell_once() -> None:
        nonlocal told
        if not told:
            report("waiting for the accelerator")
        told = True

    with local.accelerator(home, store, None, tell_once):
        return calibrate(config, problem_set, report)


def launch_run(
    store: Store,
    home: Home,
    config: StageConfig,
    backend: str = LOCAL,
    tell: Callable[[Preflight], None] = lambda found: None,
    study: str = "",
) -> str:
    """Check what can be checked without torch, then queue a training run; return its id.

    Args:
        tell: given what the checks found, before the run is refused or queued.
        study: the id of the study that it is a run of, after which it is called.

    Raises:
        SourceError: the run's problems cannot be loaded.
        SubsetError: its subset is not there or belongs to other data.
        ConfigError: the run is certain to fail, say for want of problems, of the model's files or of a package.
        BackendError: the backend cannot start it.
    """
    return _launch(store, home, _accepted(store, home, config, backend, tell), backend, study=study)


def launch_stages(
    store: Store,
    home: Home,
    first: StageConfig,
    then: StageConfig,
    backend: str = LOCAL,
    tell: Callable[[Preflight], None] = lambda found: None,
    study: str = "",
) -> tuple[str, str]:
    """Queue two runs, of which the second begins with the last checkpoint of the first; return their ids.

    The second waits for the end of the first; it is stopped with it, and fails where that failed. Its configuration's own model
    is left aside.

    Args:
        tell: given what the checks found of each, before both are refused or queued.
        study: as of `launch_run`.

    Raises:
        SourceError, SubsetError, ConfigError, BackendError: as of `launch_run`, of either; or the second cannot begin with what
            the first leaves.
    """
    first = _accepted(store, home, first, backend, tell)
    then = _accepted(store, home, as_second(first, then), backend, tell, lambda found: with_sequence(found, first, then))
    first_id = _launch(store, home, first, backend, study=study)
    begins = then.model_copy(update={"model": str(Beginning(first_id, first.max_steps))})
    return first_id, _launch(store, home, begins, backend, follows=first_id, study=study)


def as_second(first: StageConfig, then: StageConfig) -> StageConfig:
    """A second stage's configuration as far as it can be checked before there is a checkpoint: with the first one's model."""
    return then.model_copy(update={"model": first.model})


def _accepted(
    store: Store,
    home: Home,
    config: StageConfig,
    backend: str,
    tell: Callable[[Preflight], None],
    look_further: Callable[[Preflight], Preflight] = lambda found: found,
) -> StageConfig:
    """The configuration with everything named exactly, once the checks let it pass; raises `ConfigError` where they do not."""
    config, problem_set = prepare_run(store, home, config)
    found = look_further(check_run(store, home, config, problem_set, backend))
    tell(found)
    for finding in found.errors:
        if finding.certain:
            raise ConfigError(finding.text, finding.remedy)
    return config


def _launch(store: Store, home: Home, config: StageConfig, backend: str, follows: str = "", study: str = "") -> str:
    name, job_type, total = study or config.preset or "run", JOB_OF[config.stage], config.max_steps
    return launch_job(store, home, job_type, config, name=name, backend=backend, total=total, follows=follows, study=study)


def resume_run(store: Store, home: Home, job_id: str, step: int | None = None) -> str:
    """Go on with a stopped, failed or lost run from its latest checkpoint, or from that of a step.

    Choosing one forgets what the run did after it, later checkpoints included; step 0 is the run's beginning. A job of another
    kind that goes on, such as a study, goes on where it stood.

    Raises:
        ConfigError: it is no job that goes on.
        CheckpointError: the checkpoint is not there or not complete.
        SourceError: its problems cannot be read, or are others now.
        StoreError: the run is active or finished, or the one that it follows did not finish.
        BackendError: the run counts as lost, but its process is alive.
    """
    job = store.job(job_id)
    if job.kind not in TRAINED_KINDS and type_of(job.kind).goes_on:
        return go_on(store, home, job_id)
    if job.kind not in TRAINED_KINDS:
        remedy = (
            "Read its log again: `python -m training import PATH`." if job.kind == IMPORT.kind else "Start it again instead."
        )
        raise ConfigError(f"{job_id} is not a training run.", remedy)
    leave = leave_of(store, job)
    if leave.end is not None:
        raise StoreError(f"{job_id} cannot begin: {leave.reason}", leave.remedy or f"Resume {job.follows}, then this run.")
    runner = backend_named(job.backend, home)
    if job.status == "lost" and runner.status(job) == "alive":
        raise BackendError(
            f"The process of {job_id} ({job.worker}) is still alive.", "Wait for it, or end it and then resume the run."
        )
    if job.backend == LOCAL:
        home.require_writable()
        checkpoint_to_resume(store, job_id, step, home.job_folder(job_id))
        if content_hash := job.spec.get("content_hash"):
            load_problems(str(job.spec["source"]), home).require_content(content_hash)
    job = store.requeue(job_id)
    if step is not None:
        store.resume_at(job_id, step)
    if leave.is_given or job.backend == LOCAL:
        _start(store, runner, job)
    return job.id


def start_again(store: Store, home: Home, job: Job) -> None:
    """Start the process of a queued run whose first start came to nothing.

    Raises:
        UnreachableError: its backend does not answer; the run stays queued.
        BackendError: the process cannot be started; the run is recorded as failed.
    """
    try:
        backend_named(job.backend, home).submit(job, _command(job))
    except UnreachableError:
        raise
    except AtlasError as error:
        store.conclude(job, "failed", str(error))
        raise


def launch_evaluation(store: Store, home: Home, spec: EvaluationSpec) -> str:
    """Measure a model in a detached process; return the job's id.

    Where a job measures exactly this, its id is returned and nothing starts; one that was stopped, failed or lost half way
    goes on with what it has.

    Raises:
        SourceError: the spec's problems cannot be loaded, or its split is empty.
        BackendError: the process cannot be started.
    """
    problems = evaluated_problems(spec, load_problems(spec.source, home))
    return launch_job(store, home, EVALUATE, spec, total=len(problems))


def launch_judging(store: Store, home: Home, spec: JudgeSpec) -> str:
    """Have a judge score completions in a detached process; return the job's id.

    While a job does exactly this, its id is returned and nothing starts; what was judged is not judged again.

    Raises:
        BackendError: the process cannot be started.
    """
    return launch_job(store, home, JUDGE, spec)


def launch_output(store: Store, home: Home, spec: OutputSpec) -> str:
    """Make something of a run's checkpoint in a detached process of this machine; return the job's id.

    While a job makes exactly this, its id is returned and nothing starts.

    Raises:
        BackendError: the process cannot be started.
    """
    return launch_job(store, home, OUTPUT, spec, name=spec.action)


def launch_import(
    store: Store, home: Home, path: Path, problem_set: ProblemSet, columns: Mapping[str, str] | None = None, verifier: str = ""
) -> str:
    """Read another trainer's log in a detached process, which keeps up with it; return the job's id.

    Args:
        columns, verifier: as of `training.jobs.importing.imported_config`.

    Raises:
        SourceError: there is no log there, or its columns are not known.
        BackendError: the process cannot be started.
    """
    job = queue_import(store, home, imported_config(path, problem_set, columns, verifier))
    if job.status == "queued":
        _start(store, backend_named(LOCAL, home), job)
    return job.id


def read_on(store: Store, home: Home, job_id: str) -> str:
    """Read what was added to an imported run's log since.

    Raises:
        ConfigError: it is no imported run.
        StoreError: it is being read.
        BackendError: the process cannot be started.
    """
    job = store.job(job_id)
    if job.kind != IMPORT.kind:
        raise ConfigError(f"{job_id} was not read from a log.", "Resume it instead.")
    return go_on(store, home, job_id, also_finished=True)


def go_on(store: Store, home: Home, job_id: str, *, also_finished: bool = False) -> str:
    """Queue a job of this machine again and start its process, which goes on where it stood; return its id.

    Args:
        also_finished: as of `Store.requeue`.

    Raises:
        HomeError: the home cannot be written.
        StoreError: the job is active or finished.
        BackendError: the process cannot be started.
    """
    home.require_writable()
    _start(store, backend_named(LOCAL, home), store.requeue(job_id, also_finished=also_finished))
    return job_id


def stop_run(store: Store, home: Home, job_id: str, *, force: bool = False) -> str:
    """Ask a job to end at its next step, with a checkpoint; return what comes of it, in words.

    A queued one whose process is gone, or never came up, ends at once; so does a lost one of this machine.

    Args:
        force: end it in seconds, wherever it is, of a study every run. A run loses what it did after its last checkpoint.

    Raises:
        StoreError: there is no such job, or it has already ended.
        BackendError: its process cannot be ended by force from here.
    """
    job = store.job(job_id)
    runner = backend_named(job.backend, home)
    never_came_up = not job.worker and not (force and job.process)
    if job.status == "queued" and (never_came_up or runner.status(job) == "gone"):
        store.withdraw(job_id)
        _leave_queue(job, home)
        return f"{job_id} was taken out of the queue."
    if job.status == "lost" and job.backend == LOCAL and runner.status(job) == "gone":
        store.conclude(job, "stopped", "its process was gone when it was asked to stop")
        return f"{job_id} had no process any more; it counts as stopped."
    if force:
        return _end_by_force(store, home, job)
    store.request_stop(job_id)
    if job.status == "lost":
        return f"{job_id} is lost; should its process ({job.worker or 'unknown'}) still live, it ends at its next step."
    if job.status == "queued":
        return f"{job_id} was asked to leave the queue."
    grace = f"; if it gets nowhere for {home.stop_grace_s:,.0f} s, it is ended by force" if job.backend == LOCAL else ""
    return f"{job_id} was asked to stop; it ends at its next step with a checkpoint{grace}."


def _end_by_force(store: Store, home: Home, job: Job) -> str:
    for run in store.runs_of_study(job.id):
        if run.active:
            _end_by_force(store, home, run)
    if job.backend == LOCAL:
        local.end_by_force(store, home, job.id)
        ended = store.job(job.id)
        return f"{job.id} is {ended.status}: {ended.reason}."
    store.request_stop(job.id, force=True)
    backend_named(job.backend, home).stop(job)
    return f"{job.id} is ended by force on {job.backend}."


def _leave_queue(job: Job, home: Home) -> None:
    """Free its place on a cluster; where that cannot be asked now, the job ends by itself when its turn comes."""
    if job.backend != LOCAL:
        with suppress(AtlasError):
            backend_named(job.backend, home).stop(job)


def _command(job: Job) -> list[str]:
    return ["-m", "training.jobs", job.id]


def _start(store: Store, runner: Backend, job: Job) -> None:
    try:
        process = runner.submit(job, _command(job))
    except AtlasError as error:
        store.end(job.id, "failed", str(error))
        raise
    except Exception as error:  # whatever it is, no row stays queued that nothing will ever start
        store.end(job.id, "failed", f"{type(error).__name__}: {error}")
        raise BackendError(f"{job.id} cannot be started ({type(error).__name__}: {error}).", "Correct its settings.") from error
    if process:
        with suppress(StoreAwayError):  # it says so itself when it has come up
            store.set_process(job, process)
