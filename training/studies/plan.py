"""What a study is told, and the runs that follow from it: every combination of the varied settings, once for each seed."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field

from training.config import StageConfig, parse_config
from training.errors import ConfigError, shown
from training.presets import assign, parse_assignment, parse_value
from training.rewards import ARTICLE_REWARDS
from training.store import LOCAL
from training.text import count, words_listed

FIRST = "first"
"""What is varied where runs differ in the stage before: the name of its preset, empty for none."""

MOST_RUNS = 1_000
_UNVARIED = {"seed": "seeds are a study's own", "stage": "it decides which settings there are"}
_LONG, _END = 60, 22
"""Characters of a value that is shown whole, and of the ends of one that is not."""
_ARTICLE = dict.fromkeys(ARTICLE_REWARDS, 1.0)

Settings = Mapping[str, Any]
"""Setting -> its value in an arm."""


class Range(BaseModel):
    """Numbers from which a search chooses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float
    high: float
    log: bool = False
    """Whether equal ratios are equally far apart."""
    whole: bool = False
    """Whether only whole numbers count."""

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest, as a setting takes them."""
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)


class Search(BaseModel):
    """How settings are chosen one trial after another, instead of in every combination."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: int = Field(ge=1, le=MOST_RUNS)
    ranges: dict[str, Range]
    prune: bool = False
    """Whether a run that falls behind the others' reward is stopped."""


class StudySpec(BaseModel):
    """Everything that decides a study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: dict[str, Any]
    """The configuration that the arms change."""
    vary: dict[str, tuple[Any, ...]]
    """Setting -> its values; the others are held against the first."""
    seeds: tuple[int, ...] = Field(min_length=1)
    before: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Preset -> the configuration of a stage before, of those that `first` names."""
    backend: str = LOCAL
    at_once: int = Field(default=1, ge=1, le=100)
    """Runs that may be active together."""
    search: Search | None = None

    @property
    def settings(self) -> tuple[str, ...]:
        """What its runs differ in besides the seed."""
        return (*self.vary, *(self.search.ranges if self.search else ()))

    @property
    def arms(self) -> list["Arm"]:
        """Every combination of the varied settings, the first values first."""
        return [Arm(dict(zip(self.vary, values, strict=True))) for values in itertools.product(*self.vary.values())]

    @property
    def words(self) -> str:
        """What is varied: `lora_rank 2, 8; loss_type grpo, dapo; 3 seeds`."""
        told = [f"{name} {', '.join(map(value_words, values))}" for name, values in self.vary.items()]
        if self.search is None:
            return "; ".join([*told, count(len(self.seeds), "seed")])
        told += [f"{name} {found.ends[0]:g} to {found.ends[1]:g}" for name, found in self.search.ranges.items()]
        return "; ".join([*told, count(self.search.trials, "trial")])

    @property
    def runs(self) -> int:
        """How many runs it comes to."""
        return self.search.trials if self.search else len(self.arms) * len(self.seeds)


@dataclass(frozen=True)
class Arm:
    """One combination of the varied settings."""

    settings: Settings

    @property
    def key(self) -> str:
        """Equal for equal settings."""
        return json.dumps(self.settings, sort_keys=True)

    @property
    def label(self) -> str:
        """`lora_rank 8, loss_type dapo`."""
        return settings_words(self.settings)


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study."""

    arm: Arm
    seed: int
    config: StageConfig = field(compare=False)
    first: StageConfig | None = field(compare=False, default=None)
    """Of the stage before, if there is to be one."""


def settings_words(settings: Settings) -> str:
    """`lora_rank 8, loss_type dapo`."""
    return ", ".join(f"{name} {value_words(value)}" for name, value in settings.items())


def value_words(value: Any) -> str:
    """A setting's value as people read it in a table; a long text by its ends, and a number that tells it from its like."""
    if value in ("", None):
        return "none"
    if isinstance(value, Mapping):
        weighed = {name: number for name, number in value.items() if number}
        parts = (name if number == 1 else f"{name} {number:g}" for name, number in weighed.items())
        return "the article's six" if weighed == _ARTICLE else " + ".join(parts)
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    text = f"{value:g}" if isinstance(value, float) else " ".join(str(value).split())
    if len(text) <= _LONG:
        return text
    known_by = crc32(str(value).encode("utf-8", "surrogatepass")) & 0xFFFF
    return f"{text[:_END].rstrip()}… {text[-_END:].lstrip()} #{known_by:04x}"


def planned_runs(spec: StudySpec) -> Iterator[PlannedRun]:
    """The runs in the order in which they are launched: all arms with one seed, then with the next."""
    for seed in spec.seeds:
        for arm in spec.arms:
            yield planned_run(spec, arm, seed)


def end_runs(spec: StudySpec, search: Search) -> Iterator[PlannedRun]:
    """The runs at both ends of a search's ranges, with the first value of what else is varied."""
    usual = {name: values[0] for name, values in spec.vary.items()}
    for place in (0, 1):
        chosen = {name: found.ends[place] for name, found in search.ranges.items()}
        yield planned_run(spec, Arm(usual | chosen), spec.seeds[0])


def planned_run(spec: StudySpec, arm: Arm, seed: int) -> PlannedRun:
    """A run of the study.

    Raises:
        ConfigError: its settings cannot be together, or there is no such setting; the arm is named.
    """
    settings = dict(arm.settings)
    first = settings.pop(FIRST, "")
    values = deepcopy(spec.base)
    try:
        for name, value in settings.items():
            assign(values, name, value)
        config = parse_config(values | {"seed": seed})
        before = parse_config(spec.before[first] | {"seed": seed}) if first else None
    except ConfigError as error:
        raise ConfigError(f"{arm.label}: {error.problem}", error.remedy) from error
    return PlannedRun(arm, seed, config, before)


def parse_vary(texts: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Settings and their values from `setting=value,value`; values are TOML, or plain text where they are none.

    Raises:
        ConfigError: it is no such thing, a setting is named twice or the seed, or a value stands twice.
    """
    found: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        name, values = parse_assignment(text)
        parsed = _values(values)
        why = _UNVARIED.get(name, "it is varied already" if name in found else "")
        if why:
            raise ConfigError(
                f"{shown(name)} cannot be varied: {why}.",
                "Name each setting once, give seeds by --seeds, and a stage before as --vary first=,demo-sft.",
            )
        if len({json.dumps(value, sort_keys=True) for value in parsed}) < len(parsed) or not parsed:
            raise ConfigError(f"{shown(text)} has a value twice, or none.", "Name each value once: lora_rank=2,8,32.")
        found[name] = parsed
    return found


def _values(text: str) -> tuple[Any, ...]:
    listed = parse_value(f"[{text}]")
    return tuple(listed) if isinstance(listed, list) else tuple(parse_value(part.strip()) for part in text.split(","))


def parse_ranges(texts: Sequence[str]) -> dict[str, Range]:
    """Settings and ranges from `setting=low..high`, with `,log` behind where ratios count.

    Raises:
        ConfigError: it is no range.
    """
    return dict(map(_range, texts))


def _range(text: str) -> tuple[str, Range]:
    name, bounds = parse_assignment(text)
    bounds, _, scale = bounds.partition(",")
    low, mark, high = bounds.partition("..")
    numbers = [parse_value(end.strip()) for end in (low, high)]
    is_log = scale.strip() == "log"
    is_right = mark and scale.strip() in ("", "log") and all(isinstance(number, int | float) for number in numbers)
    if not is_right or numbers[0] >= numbers[1] or (is_log and numbers[0] <= 0):
        remedy = "Write low..high, for example learning_rate=1e-4..1e-2,log; a logarithmic one begins above 0."
        raise ConfigError(f"{shown(text)} is no range.", remedy)
    whole = all(isinstance(number, int) for number in numbers)
    return name, Range(low=numbers[0], high=numbers[1], log=is_log, whole=whole)


def check_plan(spec: StudySpec) -> None:
    """Refuse a study that cannot be run as it is told.

    Raises:
        ConfigError: nothing is varied, there are too many runs, two arms are the same run, or a run's settings are wrong.
    """
    if not spec.settings:
        raise ConfigError("Nothing is varied.", "Name a setting and its values: --vary lora_rank=2,8,32.")
    if spec.runs > MOST_RUNS:
        raise ConfigError(f"The study would be {spec.runs:,} runs.", f"Vary less: {MOST_RUNS:,} are the most.")
    if "model" in spec.settings and any(spec.vary.get(FIRST, ())):
        raise ConfigError(
            f"A run behind another stage begins with that one's model, and {FIRST} and model are both varied.",
            "Vary one of the two in this study.",
        )
    if spec.search is not None:
        _check_search(spec, spec.search)
        return
    same: dict[str, Arm] = {}
    for run in (planned_run(spec, arm, spec.seeds[0]) for arm in spec.arms):
        whole = json.dumps([part and part.model_dump(mode="json") for part in (run.config, run.first)], sort_keys=True)
        if whole in same:
            raise ConfigError(f"{run.arm.label} and {same[whole].label} are the same run.", "Leave out one of the two.")
        same[whole] = run.arm


def _check_search(spec: StudySpec, search: Search) -> None:
    if both := sorted(set(spec.vary) & set(search.ranges)):
        raise ConfigError(f"{words_listed(both)} has values and a range.", "Give one of the two.")
    if not spec.base.get("evaluation_problems") or not spec.base.get("evaluate_after", True):
        raise ConfigError("A search goes by the evaluation after each run, and this makes none.", "Set evaluation_problems.")
    if search.prune and any(name.startswith("rewards") for name in spec.settings):
        remedy = "Leave out --prune: rewards of other weights cannot be held against each other."
        raise ConfigError("Runs are pruned by their reward, and the rewards are varied.", remedy)
    list(end_runs(spec, search))
