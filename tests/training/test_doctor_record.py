"""The doctor against runs whose health is known, by stated processes: one seed each of those that limits were chosen on."""

import pytest

from tests.bench.doctor.record import MOST_FALSE, TUNED, lines, tally
from tests.bench.doctor.scenarios import HEALTHY, SCENARIOS, SICK, Scenario, simulation_of
from tests.bench.doctor.simulation import write
from training.doctor.examination import examine
from training.doctor.signals import SIGNALS
from training.signal_names import SIGNAL_NAMES
from training.store import Store


def test_there_are_healthy_runs_and_one_sick_of_each_signal() -> None:
    assert len(HEALTHY) >= 12
    assert {signal for scenario in SICK for signal in scenario.sick} == set(SIGNAL_NAMES)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
def test_what_a_run_is_sick_of_is_found_and_no_alarm_besides(store: Store, scenario: Scenario) -> None:
    simulation = simulation_of(scenario, TUNED[0])
    health = examine(store, write(store, simulation, "run", TUNED[0]))
    assert {*scenario.sick} <= {*health.findings}
    assert {*health.alarms} <= {*scenario.sick, *scenario.follows}
    for finding in health.findings.values():
        assert 1 <= finding.onset <= simulation.steps
        assert finding.evidence
        assert all(1 <= row.step <= simulation.steps for row in finding.evidence)


def test_the_matrix_counts_hits_misses_and_false_alarms() -> None:
    sick, healthy = SCENARIOS["short limit"], SCENARIOS["learns"]
    found = tally([(sick, {"cut_off", "loops"}), (sick, set()), (healthy, {"cut_off"}), (healthy, set())])
    assert (found["cut_off"].hits, found["cut_off"].sick, found["cut_off"].false, found["cut_off"].well) == (1, 2, 1, 2)
    assert (found["loops"].false, found["loops"].well) == (1, 4)
    assert found["cut_off"].false_share > MOST_FALSE
    title = SIGNALS["cut_off"].title
    assert f"| {title} | alarm | 1 of 2 | 1 | 1 of 2 (50.0%) |" in list(lines(found))
