"""All signals put to a run: what was found, what passed, what could not be checked and why."""

from dataclasses import dataclass

from training.doctor.finding import Finding, Unchecked
from training.doctor.reading import EXAMINED, read_record
from training.doctor.record import Record
from training.doctor.signals import SIGNALS
from training.signal_names import SignalName
from training.store import Store
from training.text import count, words_listed

MIN_STEPS = 10
"""Shorter runs are not judged: the two windows that are compared would have fewer than 5 steps each."""


@dataclass(frozen=True)
class Health:
    """All signals of a run."""

    steps: int
    """Steps of the ledger that were read; below `MIN_STEPS` nothing was checked."""
    findings: dict[SignalName, Finding]
    """By the signal's name, in the registry's order; alarms first."""
    unchecked: dict[SignalName, str]
    """Name of a signal -> why it could not be checked."""
    on_record: int = 0
    """Steps that the run has."""

    @property
    def passed(self) -> list[SignalName]:
        """Names of the signals that were checked and found nothing."""
        checked = SIGNALS if self.steps >= MIN_STEPS else {}
        return [name for name in checked if name not in self.findings and name not in self.unchecked]

    @property
    def alarms(self) -> list[SignalName]:
        """Names of the findings that are alarms."""
        return [name for name in self.findings if SIGNALS[name].level == "alarm"]

    @property
    def audits(self) -> list[SignalName]:
        """Names of the findings that are not."""
        return [name for name in self.findings if SIGNALS[name].level == "audit"]

    @property
    def verdict(self) -> str:
        """How many checks passed, in a sentence."""
        passed, checked = len(self.passed), len(SIGNALS) - len(self.unchecked)
        on = count(self.steps, "step")
        could = f" that could be made on {on}" if self.unchecked else f" on {on}"
        if not self.findings:
            return f"All {checked} checks passed{could}."
        kinds = ((count(len(self.alarms), "alarm"), self.alarms), (count(len(self.audits), "audit"), self.audits))
        found = words_listed([told for told, names in kinds if names])
        return f"{found}; {passed} of {checked} checks passed{could}."


def examine(store: Store, job_id: str, up_to_step: int | None = None, examined: int = EXAMINED) -> Health:
    """Check a run, active or ended; of a long one a sample of its steps, see `reading`.

    Raises:
        StoreError: there is no such run.
    """
    record, on_record = read_record(store, job_id, up_to_step, examined)
    return check(record, on_record)


def check(record: Record, on_record: int | None = None) -> Health:
    """Put every signal to a record.

    Args:
        on_record: steps that the run has, where the record has only some of them.
    """
    steps = len(record.ledger.steps)
    has = steps if on_record is None else on_record
    if steps < MIN_STEPS:
        return Health(steps, {}, {}, has)
    results = {name: signal.find(record) for name, signal in SIGNALS.items()}
    by_level = sorted(results, key=lambda name: SIGNALS[name].level)  # "alarm" before "audit"
    return Health(
        steps,
        {name: found for name in by_level if isinstance(found := results[name], Finding)},
        {name: found.reason for name, found in results.items() if isinstance(found, Unchecked)},
        has,
    )
