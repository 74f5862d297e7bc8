"""What is known of a run's problems before it: from a column of the data, or from another run or an evaluation of them.

It is read once and kept in the run's folder, so that a resumed run, and every process of it, begins with the same.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from training.config import RunConfig
from training.data.problem import Problem, ProblemSet
from training.errors import ConfigError, shown
from training.files import replace_file
from training.sampling.pools import Outcome
from training.store import Store
from training.store.ledger import evaluated_pass_rates, group_outcomes
from training.store.records import is_on

_NAME = "pool-prior.json"


def keep_prior(config: RunConfig, problem_set: ProblemSet, store: Store, folder: Path) -> None:
    """Read what is known, if it was not read yet, and keep it in the run's folder.

    Raises:
        ConfigError, UnknownJobError: as `prior_of`.
    """
    file = folder / _NAME
    if not config.pool_prior or file.exists():
        return
    found = prior_of(config, problem_set.of_split("train"), store)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(outcome) for outcome in found])
    replace_file(file, lambda stream: stream.write(text.encode()))


def kept_prior(folder: Path) -> list[Outcome]:
    """What is kept in a run's folder, nothing where nothing is."""
    file = folder / _NAME
    return [Outcome(**outcome) for outcome in json.loads(file.read_text(encoding="utf-8"))] if file.exists() else []


def prior_of(config: RunConfig, problems: Sequence[Problem], store: Store) -> list[Outcome]:
    """What `pool_prior` names, in training order; nothing where it names nothing.

    Args:
        problems: the train split.

    Raises:
        ConfigError: no problem has a number in that column, or the run is of other problems or knows none.
        UnknownJobError: there is no such run.
    """
    kind, _, name = config.pool_prior.partition(":")
    if kind == "column":
        return of_column(problems, name, config.num_generations)
    return _of_job(config, store, name) if kind == "run" else []


def of_column(problems: Sequence[Problem], name: str, weight: int) -> list[Outcome]:
    """A column of solve rates from 0 to 1, or up to 100 where one is above 1, as outcomes of so many completions each.

    Raises:
        ConfigError: no problem has a number there, or one has a number that is no rate.
    """
    found = {problem.id: rate for problem in problems if (rate := _number(problem, name)) is not None}
    if not found:
        there = sorted({column for problem in problems for column in problem.columns if _number(problem, column) is not None})
        raise ConfigError(
            f"pool_prior: no problem has a number in the column {shown(name)}.",
            f"Columns with numbers: {', '.join(there)}."
            if there
            else "The data have no column with numbers: leave pool_prior empty.",
        )
    most = 1.0 if max(found.values()) <= 1 else 100.0
    if wrong := [rate for rate in found.values() if not 0 <= rate <= most]:
        raise ConfigError(
            f"pool_prior: the column {shown(name)} has {wrong[0]:g}, which is no solve rate.",
            "Name a column of rates from 0 to 1, or of percentages.",
        )
    return [Outcome(problem_id, rate / most * weight, weight) for problem_id, rate in found.items()]


def _number(problem: Problem, column: str) -> float | None:
    value = problem.columns.get(column)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _of_job(config: RunConfig, store: Store, job_id: str) -> list[Outcome]:
    spec = store.job(job_id).spec
    if not is_on(spec, config.content_hash):
        raise ConfigError(f"pool_prior: {job_id} is of other problems than this run.", "Name one on the same data.")
    found = [*_evaluated(store, job_id, int(spec.get("evaluation_samples", 1))), *_trained(store, job_id)]
    if not found:
        raise ConfigError(f"pool_prior: nothing is on record of {job_id}.", "Name a run or an evaluation that has completions.")
    return found


def _evaluated(store: Store, job_id: str, samples: int) -> Iterator[Outcome]:
    for rates in evaluated_pass_rates(store, job_id).values():
        for problem_id, rate in rates.items():
            yield Outcome(problem_id, rate * samples, samples)


def _trained(store: Store, job_id: str) -> Iterator[Outcome]:
    for group in group_outcomes(store, job_id):
        if group.pass_rate is not None:
            yield Outcome(group.problem_id, group.pass_rate * group.completions, group.completions)
