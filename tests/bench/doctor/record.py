"""The doctor's record: what the signals say of runs whose health is known, by signal: hits, misses, false alarms.

    python -m tests.bench.doctor.record
    python -m tests.bench.doctor.record --seeds 0:10            # those that limits were tuned on
    python -m tests.bench.doctor.record --table record.md       # for the README

The seeds of the record were not looked at while limits were chosen. Fails where a signal that calls itself an alarm has 5% of
false alarms or more.
"""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from tests.bench.doctor.scenarios import SCENARIOS, Scenario, simulation_of
from tests.bench.doctor.simulation import write
from training.doctor.examination import examine
from training.doctor.signals import SIGNALS
from training.signal_names import SIGNAL_NAMES, SignalName
from training.store import Store

RECORDED = range(1_000, 1_005)
"""Seeds of the record."""

TUNED = range(3)
"""Seeds on which limits were chosen."""

MOST_FALSE = 0.05
"""Of the runs without a fault that a signal was checked on; from there on it may not call itself an alarm."""


@dataclass
class Tally:
    """What one signal said."""

    hits: int = 0
    sick: int = 0
    """Runs in which it has something to find."""
    false: int = 0
    well: int = 0
    """Runs in which it has nothing to find, healthy or sick otherwise."""
    false_in: Counter = field(default_factory=Counter)
    missed_in: Counter = field(default_factory=Counter)

    @property
    def false_share(self) -> float:
        return self.false / self.well if self.well else 0.0


def tally(found_in: Iterable[tuple[Scenario, set[SignalName]]]) -> dict[SignalName, Tally]:
    """By signal, from what was found in each run."""
    found = {name: Tally() for name in SIGNAL_NAMES}
    for scenario, names in found_in:
        for name, of in found.items():
            if name in scenario.sick:
                of.sick += 1
                of.hits += name in names
                of.missed_in[scenario.name] += name not in names
            elif name not in scenario.follows:
                of.well += 1
                of.false += name in names
                of.false_in[scenario.name] += name in names
    return found


def outcomes(seeds: range, only: str = "") -> Iterator[tuple[Scenario, set[SignalName]]]:
    """What is found in every scenario with every seed, each run written through a store."""
    for scenario in SCENARIOS.values():
        if only and scenario.name != only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            store = Store.open(f"sqlite:///{Path(folder) / 'store.db'}")
            for seed in seeds:
                run_id = write(store, simulation_of(scenario, seed), scenario.name.replace(" ", "-"), seed)
                yield scenario, set(examine(store, run_id).findings)
            store.close()


def lines(found: dict[SignalName, Tally]) -> Iterator[str]:
    """The matrix as Markdown."""
    yield "| signal | says | hits | misses | false alarms |"
    yield "|---|---|---|---|---|"
    for name, of in found.items():
        false = f"{of.false} of {of.well:,} ({of.false_share:.1%})"
        yield f"| {SIGNALS[name].title} | {SIGNALS[name].level} | {of.hits} of {of.sick} | {of.sick - of.hits} | {false} |"


def main(
    seeds: Annotated[str, typer.Option(metavar="FIRST:END")] = f"{RECORDED.start}:{RECORDED.stop}",
    only: Annotated[str, typer.Option(metavar="SCENARIO")] = "",
    table_file: Annotated[Path | None, typer.Option("--table", help="a file for the matrix as Markdown")] = None,
) -> None:
    """What the signals say of runs whose health is known: hits, misses and false alarms."""
    recorded = range(*map(int, seeds.split(":")))
    found = tally(outcomes(recorded, only))
    table = list(lines(found))
    print(f"{len(SCENARIOS)} scenarios, {len(recorded)} seeds each", *table, sep="\n")
    for name, of in found.items():
        missed = ", ".join(f"{scenario} {times}" for scenario, times in of.missed_in.items() if times)
        false = ", ".join(f"{scenario} {times}" for scenario, times in of.false_in.items() if times)
        if missed or false:
            print(f"{name}: missed in {missed or 'none'}; false in {false or 'none'}")
    if table_file:
        table_file.write_text("\n".join(table) + "\n", encoding="utf-8")
    loud = [name for name, of in found.items() if SIGNALS[name].level == "alarm" and of.false_share >= MOST_FALSE]
    if loud:
        print(f"{', '.join(loud)} may not call itself an alarm: {MOST_FALSE:.0%} of false alarms or more.")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
