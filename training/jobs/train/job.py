"""The kinds of jobs that are training runs, one for each stage."""

from collections.abc import Mapping

from training.alerts.configuration import channels_of
from training.config import RunConfig, StageConfig, StageName
from training.data.problems import load_problems
from training.engines import engine_named
from training.home import Home
from training.jobs.job_process import JobProcess
from training.jobs.kinds import JobType
from training.jobs.train.distributed import room_for, train_on_workers
from training.jobs.train.tracking import tracked
from training.models.beginnings import kept_model
from training.prior import keep_prior
from training.store.curation import restrict
from training.stored_config import runnable_config
from training.workers import Workers


def run(process: JobProcess, home: Home, config: StageConfig) -> None:
    """Train, in this process or in several that it starts.

    Raises:
        AtlasError: as `stage.train` and `distributed.train_on_workers`.
    """
    with room_for(Workers.from_environment(), process.check_stop) as workers:
        process.begin()
        process.progress(process.job.done, process.job.total, "starting")
        problem_set = load_problems(config.source, home)
        problem_set.require_content(config.content_hash)
        if config.subset:
            problem_set = restrict(problem_set, process.store, config.subset)
        folder = home.job_folder(process.job.id)
        if isinstance(config, RunConfig):
            keep_prior(config, problem_set, process.store, folder)
        config = config.model_copy(update={"model": kept_model(config.model, process.store, home, process.job.id)})
        if workers.count > 1:
            train_on_workers(config, problem_set, process, home, folder, workers)
            return
        engine_named(config.engine)  # before TRL, parts of which Unsloth replaces
        from training.jobs.train.stage import train

        with tracked(config, process.store, process.job, folder):
            train(config, problem_set, process, folder, channels=channels_of(home))


TRAIN = JobType("train", runnable_config, run, scores=True, takes_accelerator=True)
SFT = JobType("sft", runnable_config, run, scores=True, takes_accelerator=True)

JOB_OF: Mapping[StageName, JobType[StageConfig]] = {"grpo": TRAIN, "sft": SFT}
"""Stage -> its kind of job."""
