"""A search: settings chosen one trial after another by Optuna (`ask` and `tell`), going by what the trials before came to.

Nothing of Optuna's is kept: its study is made anew from the runs on record each time, and its sampler is seeded by the trial's
number, so that a search whose process was killed chooses as the uninterrupted one.

Sources: the tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization"); the median
pruning rule (Golovin et al. 2017, "Google Vizier").
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from training.errors import ConfigError
from training.store import Store
from training.store.run_table import setting_of, standings
from training.store.scalar_series import RunSeries
from training.studies.members import Member
from training.studies.plan import FIRST, Arm, PlannedRun, Search, StudySpec, planned_run

if TYPE_CHECKING:
    import optuna

STRETCHES = 10
"""Parts of a run by whose mean reward it is held against the others."""
_WARM_UP = 3
"""Stretches before which no run is stopped."""
_STARTUP_TRIALS = 4
"""Trials that must have finished before any is stopped."""


class Trials:
    """What chooses the trials of a search, and says which fall behind."""

    def __init__(self, spec: StudySpec, search: Search, store: Store) -> None:
        """
        Raises:
            ConfigError: Optuna is not installed.
        """
        self._optuna = _imported()
        self._spec, self._search, self._store = spec, search, store
        self._ended: dict[tuple[str, int], dict[int, float]] = {}
        """Run that has ended, and its attempt -> `_rewards`."""
        self._choices = {name: _recorded(spec, search, name) for name in spec.vary}

    def next(self, members: Sequence[Member]) -> PlannedRun | None:
        """The next trial, chosen by what those on record came to."""
        if len(members) >= self._search.trials:
            return None
        trial = self._study(members).ask(self._distributions())
        settings = {name: self._value(name, found) for name, found in trial.params.items()}
        return planned_run(self._spec, Arm(settings), self._spec.seeds[0])

    def behind(self, members: Sequence[Member]) -> list[Member]:
        """The trials that had fallen below the median of the others' rewards at the same point, by the median rule."""
        if not self._search.prune:
            return []
        return [member for member in members if not member.finished and self._is_behind(member, members)]

    def _is_behind(self, member: Member, members: Sequence[Member]) -> bool:
        finished = [other for other in members if other.finished]
        study = self._study(finished)
        study.enqueue_trial(self._parameters(member))
        trial = study.ask(self._distributions())
        for stretch, reward in self._rewards(member).items():
            trial.report(reward, stretch)
            if trial.should_prune():
                return True
        return False

    def _study(self, members: Sequence[Member]) -> "optuna.Study":
        made = self._optuna
        seed = self._spec.seeds[0] + len(members)
        study: optuna.Study = made.create_study(
            direction="maximize",
            sampler=made.samplers.TPESampler(seed=seed, constant_liar=self._spec.at_once > 1),
            pruner=made.pruners.MedianPruner(_STARTUP_TRIALS, _WARM_UP),
        )
        came_to = standings(self._store, [member.run.id for member in members])
        for member in members:
            after = came_to[member.run.id].after
            self._add(study, member, None if after is None else after.value)
        return study

    def _add(self, study: "optuna.Study", member: Member, value: float | None) -> None:
        """A trial on record: finished with a value, at work, or ended without one."""
        states = self._optuna.trial.TrialState
        state = states.RUNNING if member.active else states.PRUNED if value is None or not member.finished else states.COMPLETE
        study.add_trial(
            self._optuna.trial.create_trial(
                state=state,
                value=value if state is states.COMPLETE else None,
                params=self._parameters(member),
                distributions=self._distributions(),
                intermediate_values=self._rewards(member) if self._search.prune else {},
            )
        )

    def _rewards(self, member: Member) -> dict[int, float]:
        """Stretch of the run -> the mean of its reward there, of those that are over."""
        if member.active:
            return self._read_rewards(member)
        attempt = member.run.id, member.run.attempt
        if attempt not in self._ended:
            self._ended[attempt] = self._read_rewards(member)
        return self._ended[attempt]

    def _read_rewards(self, member: Member) -> dict[int, float]:
        series = RunSeries(member.run.id)
        series.update(self._store)
        steps, rewards = series.get(self._store, "reward")
        length = max(1, int(member.run.total) // STRETCHES)
        over = int(steps[-1]) // length if len(steps) else 0
        means = {part: rewards[(steps - 1) // length == part - 1] for part in range(1, min(over, STRETCHES) + 1)}
        return {part: float(np.mean(found)) for part, found in means.items() if len(found)}

    def _distributions(self) -> dict[str, Any]:
        """What is chosen from: a place among the values of what is varied, a number of each range."""
        made = self._optuna.distributions
        chosen: dict[str, Any] = {
            name: made.CategoricalDistribution(range(len(values))) for name, values in self._choices.items()
        }
        for name, found in self._search.ranges.items():
            kind = made.IntDistribution if found.whole else made.FloatDistribution
            chosen[name] = kind(*found.ends, log=found.log)
        return chosen

    def _parameters(self, member: Member) -> dict[str, Any]:
        settings: Mapping[str, Any] = member.arm.settings
        places = {name: values.index(settings[name]) for name, values in self._choices.items()}
        return places | {name: settings[name] for name in self._search.ranges}

    def _value(self, name: str, chosen: Any) -> Any:
        return self._spec.vary[name][chosen] if name in self._spec.vary else chosen


def _recorded(spec: StudySpec, search: Search, name: str) -> list[Any]:
    """The values of a varied setting as runs on record have them."""
    if name == FIRST:
        return list(spec.vary[name])
    usual = {other: values[0] for other, values in spec.vary.items()}
    usual |= {other: found.ends[0] for other, found in search.ranges.items()}
    runs = [planned_run(spec, Arm(usual | {name: value}), spec.seeds[0]) for value in spec.vary[name]]
    return [setting_of(run.config.model_dump(mode="json"), name) for run in runs]


def _imported() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ConfigError("A search needs Optuna, which is not installed.", "pip install '.[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
