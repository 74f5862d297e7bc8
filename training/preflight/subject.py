"""What the checks before a launch read, and what they say."""

from dataclasses import dataclass
from typing import Generic, Literal

from typing_extensions import TypeVar

from training.config import RunConfig, StageConfig
from training.data.problem import Problem
from training.errors import AtlasError
from training.machines import Machine
from training.preflight.architecture import Architecture
from training.preflight.expectation import Expectation
from training.preflight.memory import USUAL_PROMPT, MemoryEstimate
from training.preflight.model_files import ModelFiles
from training.store import Job

Severity = Literal["error", "warning", "note"]

Config = TypeVar("Config", bound=StageConfig, default=RunConfig)
"""A check that names none is one of GRPO's runs, or asks only for what all stages have."""

LONGEST_COUNTED = 200
"""Questions whose tokens are counted: the longest by characters, among which the longest prompt is."""

SHORTEST_COUNTED = 20
"""The same at the other end, among which the shortest prompt is."""


@dataclass(frozen=True)
class Finding:
    """One thing to know before the launch."""

    severity: Severity
    """"error": the run would fail or teach nothing; "warning": it may; "note": good to know."""
    about: str
    """The setting, or the part of the machine."""
    text: str
    remedy: str
    certain: bool = False
    """Whether it follows from configuration, data and the model's files alone, or from the disk that is free now."""


@dataclass(frozen=True)
class Prompts:
    """How long the prompts are."""

    longest: int
    shortest: int
    counted: bool
    """Whether tokens were counted, or estimated from characters."""
    left_out: int
    """Train problems, of those counted, whose prompt is longer than `max_prompt_length`."""
    longest_counted: int = LONGEST_COUNTED
    """How many of the longest were."""


@dataclass(frozen=True)
class Subject(Generic[Config]):
    """What the checks read."""

    config: Config
    name: str
    """The problem set's."""
    train: tuple[Problem, ...]
    test: tuple[Problem, ...]
    model: ModelFiles | None
    model_error: AtlasError | None
    architecture: Architecture | None
    prompts: Prompts | None
    machine: Machine | None
    """`None` where the run is to go to another machine."""
    memory: MemoryEstimate | None
    expectation: Expectation
    workers: int = 1
    """Processes that the run would have."""
    left_out: str = ""
    """What of the source was not read, in words; empty where everything was."""
    prior_error: AtlasError | None = None
    """Why nothing can be known of the problems beforehand, where something is to be."""
    artefacts: str = ""
    """The URL that its checkpoints would be uploaded to; empty for none."""
    twin: Job | None = None
    """The newest run with exactly these settings, seed included."""

    @property
    def is_on_gpu(self) -> bool:
        """Whether the run would use a GPU; another machine than this is taken to have one."""
        return self.machine is None or self.machine.gpu is not None

    @property
    def prompt_bound(self) -> int:
        """The longest prompt that is trained on, in tokens; its limit, or a usual one, where they could not be looked at."""
        limit = self.config.max_prompt_length
        if self.prompts is None:
            return limit or USUAL_PROMPT
        return min(self.prompts.longest, limit) if limit else self.prompts.longest
