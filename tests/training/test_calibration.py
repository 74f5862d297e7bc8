"""Calibration: two real steps of the demo model measured, leaving nothing behind; forecasts from sampled groups."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import full_demo_run
from training.__main__ import main
from training.data.problems import load_problems
from training.groups import Rollout, Verifier
from training.jobs.calibrate import SAMPLED_GROUPS
from training.machines import Machine
from training.preflight import preflight
from training.preflight.calibration import Calibration, Forecast, forecast, with_calibration
from training.preflight.text import preflight_lines
from training.store import Store

SMALL = ["per_device_train_batch_size=16", "num_generations=4", "max_completion_length=16", "num_iterations=2"]


def rollout(problem: str, correctness: float, *, total: float | None = None, finish_reason: str = "stop") -> Rollout:
    return Rollout(
        step=1,
        group_index=0,
        position=0,
        problem_id=problem,
        completion="",
        rewards={"correctness": correctness},
        total=correctness if total is None else total,
        advantage=0.0,
        tokens=10,
        finish_reason=finish_reason,
    )


def measured(**changes: Any) -> Calibration:
    sampled = {"groups": 16, "flat": 2, "all_right": 1, "all_wrong": 1, "mean_tokens": 40.0, "cut_share": 0.0} | changes
    return Calibration(2.0, 1.5, 1280.0, 1.1, "the CPU", Forecast(**sampled))


def test_calibrate_measures_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(tmp_path / "home"))
    settings = [part for assignment in SMALL for part in ("--set", assignment)]
    assert main(["preflight", "--calibrate", "--json", *settings]) == 0
    facts = json.loads(capsys.readouterr().out)
    found = facts["calibration"]
    assert found["forecast"]["groups"] == SAMPLED_GROUPS
    assert 0 < found["generation_s"] < found["step_time_s"]
    assert 0 < found["tokens_a_step"] <= 16 * 16 / 2
    assert 0.1 < found["peak_gib"] < 64
    assert found["forecast"]["mean_tokens"] <= 16
    assert facts["expectation"]["step_time_s"] == found["step_time_s"]
    assert facts["expectation"]["total_s"] > 60 * found["step_time_s"]
    assert Store.open(f"sqlite:///{tmp_path / 'home' / 'store.db'}").jobs() == []
    assert list((tmp_path / "home" / "runs").iterdir()) == []


def test_groups_are_counted_by_variance_and_flat_ones_by_correctness() -> None:
    rollouts = [
        *(rollout("mixed", value) for value in (0.0, 1.0)),
        *(rollout("right", 1.0) for _ in range(2)),
        *(rollout("wrong", 0.0, finish_reason="length") for _ in range(2)),
        *(rollout("same pay", value, total=1.0) for value in (0.0, 1.0)),
    ]
    found = forecast(rollouts, Verifier())
    assert (found.groups, found.flat, found.all_right, found.all_wrong) == (4, 3, 1, 1)
    assert (found.mean_tokens, found.cut_share) == (10, 0.25)
    low, high = found.flat_interval
    assert low < 0.75 < high


@pytest.fixture
def checked(store_url: str) -> Any:
    config = full_demo_run()
    machine = Machine((), 0.5, 100, has_cuda_torch=False)
    return config, preflight(config, load_problems("demo"), Store.open(store_url), machine)


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


def test_a_measurement_takes_the_place_of_the_estimates(checked: Any) -> None:
    config, found = checked
    assert [finding.about for finding in found.findings if finding.severity != "note"] == ["memory"]
    after = with_calibration(config, found, measured())
    assert [finding for finding in after.findings if finding.severity != "note"] == []
    assert after.expectation.step_time_s == 2.0
    assert after.expectation.tokens == pytest.approx(100 * 1280)
    assert after.expectation.evaluation_s == pytest.approx(2 * 100 * 1.5 / 32)


def test_groups_without_variance_and_cut_completions_become_findings(checked: Any) -> None:
    config, found = checked
    flat = with_calibration(config, found, measured(flat=10, all_wrong=9, all_right=1)).findings
    assert any("10 of 16 sampled groups have no variance" in finding.text for finding in flat)
    assert any("easier problems" in finding.remedy for finding in flat)
    cut = with_calibration(config, found, measured(cut_share=0.5)).findings
    assert any("50% of the sampled completions were cut off" in finding.text for finding in cut)


def test_estimate_and_measurement_stand_side_by_side(checked: Any) -> None:
    config, found = checked
    lines = list(preflight_lines(config, "Demo", with_calibration(config, found, measured()), measured()))
    peak = next(line for line in lines if line.startswith("  Peak memory"))
    assert f"{found.memory.peak_gib:.2f} GiB" in peak
    assert "1.10 GiB" in peak
    assert any("2 of 16 without variance, 12%" in line for line in lines)
