"""A run on several processes, each with its GPU, by Ray Train: who does what, and what becomes of a process that is lost.

Every process runs `training.jobs.train.stage`; `ranks` keeps them in step. The process that calls `train_on_workers` is the
job's own: it beats, passes signals on and says how the run ended. Ray and torch are imported where they are needed.

The run's folder has to be one that every process sees: checkpoints hold files of each.
"""

import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.alerts.configuration import channels_of
from training.backends.configuration import OWN_VARIABLES
from training.backends.entry import EXPECTED, take_private
from training.config import StageConfig
from training.data.problem import ProblemSet
from training.engines import engine_named
from training.errors import AtlasError, BackendError, ConfigError, StoreFailedError, WorkerError
from training.home import Home, inherited_environment
from training.jobs.job_process import JobProcess, StopRequested
from training.jobs.train.tracking import tracked
from training.rewards.own import register_own_rewards
from training.shares import share_of
from training.store import Store
from training.workers import Workers

_POLL_S = 0.5
_OBJECT_STORE_BYTES = 256 * 2**20
"""What Ray may keep of a run in shared memory: its problems, a few MB for GSM8K."""


@contextmanager
def room_for(workers: Workers, check: Callable[[], None]) -> Iterator[Workers]:
    """Be connected to Ray, with room for the workers; does nothing for one.

    The cluster is the one of `RAY_ADDRESS`, which Ray sets for its jobs, else one of this process alone on this machine.

    Args:
        check: called while waiting for other runs to make room; raises to give up (a stop request).

    Raises:
        BackendError: Ray is not installed or not there, or this machine will never have room.
    """
    if workers.count == 1:
        yield workers
        return
    os.environ.setdefault("RAY_TRAIN_ENABLE_PRINT_PATCH", "0")  # else all that a worker prints stands twice in the log
    try:
        import ray
    except ImportError as error:
        raise BackendError(
            f"A run on {workers.count} workers needs Ray.",
            "Install it with pip install '.[cluster]' in the project's folder.",
        ) from error
    with _connected(ray, workers):
        needed = {"CPU": workers.count, "GPU": workers.count * _gpus_each(ray, workers)}
        while any(ray.available_resources().get(name, 0) < amount for name, amount in needed.items()):
            total = ray.cluster_resources()
            if short := [name for name, amount in needed.items() if total.get(name, 0) < amount and _is_alone()]:
                raise BackendError(
                    f"{workers.count} workers need {needed[short[0]]:g} {short[0]}s, and this machine has "
                    f"{total.get(short[0], 0):g}.",
                    "Set GRPO_ATLAS_WORKERS to what it has.",
                )
            check()
            time.sleep(_POLL_S)
        yield workers


def _is_alone() -> bool:
    """Whether Ray is this process's own."""
    return not os.environ.get("RAY_ADDRESS")


@contextmanager
def _connected(ray: Any, workers: Workers) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    on_terminate = signal.getsignal(signal.SIGTERM)
    options: dict[str, Any] = {"address": os.environ.get("RAY_ADDRESS")}
    if _is_alone():
        processors = max(workers.count, os.cpu_count() or 1)
        options = {
            "address": "local",
            "num_cpus": processors,
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
        }
    try:
        ray.init(**options, logging_level="warning")
    except (ConnectionError, RuntimeError, OSError) as error:
        raise BackendError(
            f"Ray cannot be reached or started ({str(error).splitlines()[0]}).", "Look at the job's log, then resume the run."
        ) from error
    signal.signal(signal.SIGTERM, on_terminate)  # Ray's would end the process at once
    try:
        yield
    finally:
        ray.shutdown()


def _gpus_each(ray: Any, workers: Workers) -> float:
    return workers.gpus_each if workers.gpus_each is not None else min(1, ray.cluster_resources().get("GPU", 0))


@dataclass(frozen=True, repr=False)
class _Work:
    """What each worker is given."""

    config: StageConfig
    problem_set: ProblemSet
    home: Home
    job_id: str
    folder: Path
    variables: dict[str, str]
    """The job's own, which Ray does not hand on to other machines where they are private."""


@dataclass(frozen=True)
class _Outcome:
    """What the first worker gives back."""

    stopped: bool
    reason: str


def train_on_workers(
    config: StageConfig, problem_set: ProblemSet, process: JobProcess, home: Home, folder: Path, workers: Workers
) -> None:
    """Run or resume a training run on several processes, and return or raise as `training.jobs.train.stage.train` does.

    To be called with `room_for` the workers.

    Raises:
        ConfigError: the batch cannot be divided among them.
        WorkerError: a worker was lost, for the last time that the configuration allows.
        AtlasError: as `training.jobs.train.stage.train`; such an error is not tried again.
    """
    share_of(config, workers.count)
    process.progress(process.job.done, config.max_steps, f"starting {workers.count} processes")
    private = os.environ.get(EXPECTED, "").split(",")
    inherited = inherited_environment().items()
    variables = {name: value for name, value in inherited if name.startswith(OWN_VARIABLES) or name in private}
    outcome = _fit(_Work(config, problem_set, home, process.job.id, folder, variables), process, workers)
    process.reason = outcome.reason
    if outcome.stopped:
        raise StopRequested


def _fit(work: _Work, process: JobProcess, workers: Workers) -> _Outcome:
    """Ray Train's run, in a thread of its own so that signals reach this one."""
    found: list[_Outcome | BaseException] = []

    def run() -> None:
        try:
            found.append(_trainer(work, workers).fit().return_value)
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True, name="ray-train")
    thread.start()
    passed_on = False
    while thread.is_alive():
        thread.join(_POLL_S)
        if process.signalled and not passed_on:
            with suppress(StoreFailedError):  # then in the next round
                process.store.request_stop(process.job.id)  # where the first worker looks
                passed_on = True
    if isinstance(found[0], BaseException):
        raise _explained(found[0], workers) from found[0]
    return found[0]


def _trainer(work: _Work, workers: Workers) -> Any:
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig

    gpus = _gpus_each(ray, workers)
    given = ray.put(work)  # not in train_loop_config, which Ray shows: the store's address may hold a password

    def loop() -> Any:  # Ray's type says None, its result is what this returns
        return _be_worker(ray.get(given))

    return _trainer_class()(
        loop,
        scaling_config=ScalingConfig(
            num_workers=workers.count,
            use_gpu=gpus > 0,
            resources_per_worker={"CPU": 1} | ({"GPU": gpus} if gpus else {}),
            accelerator_type=workers.accelerator_type or None,
        ),
        run_config=RunConfig(
            name=work.job_id,
            storage_path=str(work.folder / "ray"),
            failure_config=FailureConfig(max_failures=workers.max_failures),
            callbacks=[_ends_at_expected_errors()],
        ),
    )


def _trainer_class() -> Any:
    """Ray's, and on a Ray of this process alone without what frees the place of a lost run: such a Ray ends with the process,
    and has no dashboard, without which that part complains every second."""
    from ray.train.torch import TorchTrainer

    if not _is_alone():
        return TorchTrainer

    class Trainer(TorchTrainer):
        def _create_default_callbacks(self) -> list[Any]:
            callbacks = super()._create_default_callbacks()  # type: ignore[misc]  # Ray picks the class when it runs
            return [callback for callback in callbacks if type(callback).__name__ != "PlacementGroupCleanerCallback"]

    return Trainer


def _ends_at_expected_errors() -> Any:
    """Ends Ray's run at an error that says what to do, which trying again would only meet again."""
    from ray.train import UserCallback

    class EndsAtExpectedErrors(UserCallback):
        def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
            for error in worker_exceptions.values():
                if isinstance(error, AtlasError):
                    raise error

    return EndsAtExpectedErrors()


def _explained(error: BaseException, workers: Workers) -> BaseException:
    """The error that a run ended with, in our words."""
    from ray.train import ControllerError, WorkerGroupError

    if isinstance(error, ControllerError) and isinstance(error.controller_failure, AtlasError):
        return error.controller_failure
    if not isinstance(error, WorkerGroupError):
        return error
    print(error, file=sys.stderr, flush=True)
    lost = {rank: found for rank, found in error.worker_failures.items() if hasattr(found, "health_check_failure")}
    rank, failure = next(iter((lost or error.worker_failures).items()))
    what = "was lost: its process ended unexpectedly" if lost else f"failed: {type(failure).__name__}: {_first_line(failure)}"
    allowed = f", {workers.max_failures} restarts before" if workers.max_failures else ""
    return WorkerError(
        f"Worker {rank + 1} of {workers.count} {what}{allowed}.",
        "Look at the log, memory above all, then resume the run: it goes on from its last checkpoint.",
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or "no message").splitlines()[0]


def _be_worker(work: _Work) -> _Outcome | None:
    """One worker's part, in its own process; the first one's outcome is the run's."""
    take_private(os.environ, sys.path)  # the file comes to each machine of the run, and is not to stay there
    os.environ.update(work.variables)
    register_own_rewards(work.home.rewards)
    engine_named(work.config.engine)  # before TRL, parts of which Unsloth replaces
    from training.jobs.train.ranks import Ranks
    from training.jobs.train.stage import follow, train

    ranks = Ranks.of_process_group()
    _check_folder(work.folder, ranks)
    if ranks.index:
        follow(work.config, work.problem_set, work.folder, ranks)
        return None
    store = Store.open(work.home.store_url, create=False)
    process = JobProcess(store, store.job(work.job_id))
    with tracked(work.config, store, process.job, work.folder):
        try:
            train(work.config, work.problem_set, process, work.folder, ranks, channels_of(work.home))
        except StopRequested:
            if process.broken is not None:
                raise process.broken from None
            return _Outcome(True, process.reason)
    return _Outcome(False, process.reason)


def _check_folder(folder: Path, ranks: Any) -> None:
    """Raise `ConfigError` on a worker that does not see what the first one writes."""
    if ranks.index == 0:
        folder.mkdir(parents=True, exist_ok=True)
        mark = folder / f".seen-by-all-{uuid.uuid4().hex}"
        mark.touch()
        ranks.tell(mark)
        ranks.wait()
        mark.unlink()
        return
    seen = ranks.hear().exists()
    ranks.wait()
    if not seen:
        raise ConfigError(
            f"A worker on another machine does not see the run's folder {folder}.",
            "Set GRPO_ATLAS_HOME to a folder on a disk that all machines share, or use the GPUs of one machine.",
        )
