"""What a signal says: a finding with its evidence, or why it cannot speak; and what a signal is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from training.doctor.record import Record
from training.signal_names import SignalName

Level = Literal["alarm", "audit"]
"""An alarm has kept its false alarms under 5% on record (`make doctor-record`); an audit has not, or is no fault by itself."""

MAX_EVIDENCE = 5


@dataclass(frozen=True)
class Evidence:
    """One place in the ledger to look at."""

    step: int
    group_index: int | None
    """`None`: the whole step."""
    position: int | None
    """`None`: the whole group."""
    shows: str
    """What is to be seen there."""

    @property
    def words(self) -> str:
        """`step 34, group 2, completion 5: wrong, yet paid 2.10`."""
        parts = [f"step {self.step:,}"]
        if self.group_index is not None:
            parts.append(f"group {self.group_index + 1}")
        if self.position is not None:
            parts.append(f"completion {self.position + 1}")
        return f"{', '.join(parts)}: {self.shows}"


@dataclass(frozen=True)
class Finding:
    """What a signal found."""

    sentence: str
    """Where to look and why."""
    onset: int
    """The first step from which on it holds; of a long run the first of the sampled ones."""
    arithmetic: str
    """How the numbers come to that, with the limits that they are held against."""
    evidence: tuple[Evidence, ...]
    """The rows that show it, most telling first."""


@dataclass(frozen=True)
class Unchecked:
    """A signal that this run's records cannot answer."""

    reason: str


Result = Finding | Unchecked | None
"""`None` where there is nothing to look at."""


@dataclass(frozen=True)
class Signal:
    """One entry of the registry."""

    name: SignalName
    title: str
    level: Level
    find: Callable[[Record], Result]
    passed: str
    """What is true of a run in which it finds nothing, as a sentence."""
    needs: str
    """What must be on record for it to speak at all, as the end of "needs ..."."""
    remedy: str
    source: str
    """The paper or documentation that it goes by."""
    curves: tuple[str, ...] = ()
    """The scalars on whose curves its onset is marked."""
