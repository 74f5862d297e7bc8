"""Which models and which prompt a run's completions are scored with: its own, as they are on record. Needs no torch."""

from collections.abc import Iterable

from training.config import RunConfig
from training.data.problem import Problem
from training.errors import CheckpointError, ConfigError, SourceError
from training.groups import Rollout
from training.home import Home
from training.models.beginnings import begun_with
from training.store import Job, Store
from training.stored_config import rollout_config
from training.tokens.scores import Precision, Request, Text, storable


def scored_config(run: Job) -> RunConfig:
    """The configuration of a run whose completions can be scored.

    Raises:
        ConfigError: it is another trainer's, of which neither the model nor the prompt is on record; or generates none.
    """
    config = rollout_config(run.spec)
    if run.kind == "import":
        raise ConfigError(
            f"{run.id} was read from another trainer's log, which names neither its model nor its prompt: nobody knows under "
            "what its tokens were drawn.",
            "Scores by token need a run that was trained here.",
        )
    return config


def default_models(run: Job, store: Store, home: Home) -> tuple[str, str]:
    """The newest checkpoint of a run, and the model that it began with.

    Raises:
        CheckpointError: it has no checkpoint.
        ModelError, StoreError: what it began with is not on record any more.
    """
    checkpoints = store.checkpoints(run.id)
    if not checkpoints:
        raise CheckpointError(f"{run.id} has no checkpoint.", "Let it reach its first, or name a model to score under.")
    return checkpoints[-1].path, begun_with(run, store, home)


def kept_precision(config: RunConfig) -> Precision:
    """How weights are to be kept to see what training changed: trained in full, they are float32, and so are its updates."""
    return "auto" if config.lora_rank else "float32"


def token_request(config: RunConfig, problem: Problem | None, rollouts: Iterable[Rollout]) -> Request:
    """Completions of one group, with the prompt that the run put the problem in and the temperature that it sampled at.

    Raises:
        SourceError: the source has no such problem any more.
    """
    found = tuple(rollouts)
    if problem is None:
        raise SourceError(
            f"{found[0].problem_id} is not in {config.source}, or the problems there are others than the run was trained on.",
            "Put the files back as they were: the prompt is made of the question.",
        )
    texts = (Text(completion=storable(rollout.completion), ended=rollout.finish_reason == "stop") for rollout in found)
    prompt = config.prompting.messages(problem.question)
    return Request(prompt=tuple(prompt), texts=tuple(texts), temperature=config.temperature)
