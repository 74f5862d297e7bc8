"""Own reward functions in the pages: one that does not end is said, and a file that cannot be used is run once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard import data
from dashboard.components.launch.bench import bench_html
from tests.app_testing import run_app
from training.errors import ConfigError, RewardError
from training.groups import Rollout
from training.presets import load_preset
from training.rewards import REWARDS
from training.store import Store
from training.stored_config import runnable_config

FILE = """
from pathlib import Path
from training.rewards import Reward

with open({marks!r}, "a") as marks:
    marks.write("run ")

def never(completion, gold):
    while True: pass

REWARDS = [Reward("never", "Never", {maximum}, never, timeout_s=0.5)]
"""


@pytest.fixture(autouse=True)
def registry(dashboard_home: None) -> Iterator[None]:
    before = dict(REWARDS)
    yield
    REWARDS.clear()
    REWARDS.update(before)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "rewards.py"
    monkeypatch.setenv("GRPO_ATLAS_REWARDS", str(path))
    return path


def test_a_file_that_cannot_be_used_is_run_again_only_when_it_has_changed(file: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    file.write_text(FILE.format(marks=str(marks), maximum="'high'"))
    for _ in range(3):
        with pytest.raises(RewardError, match="a maximum above 0, not 'high'"):
            data.home()
    assert marks.read_text() == "run "
    file.write_text(FILE.format(marks=str(marks), maximum="1.0"))
    assert data.home().rewards == file
    assert (marks.read_text(), "never" in REWARDS) == ("run run ", True)


def test_the_bench_says_of_a_function_that_it_does_not_end_and_scores_by_the_others(file: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    file.write_text(FILE.format(marks=str(marks), maximum="1.0"))
    data.home()
    for _ in range(3):
        drawn = bench_html("<answer>5</answer>", "5", {"correctness": 1.0, "never": 1.0})
        assert ("never took longer than 0.5 s" in drawn, "1 of 1" in drawn) == (True, True)
    assert marks.read_text() == "run "  # it was not waited for again


@pytest.mark.parametrize("tab", ["Curves", "Completions", "Map", "Health", "Configuration"])
def test_a_run_can_be_read_where_its_own_rewards_are_not_known(tab: str, store: Store) -> None:
    spec = load_preset("demo", []).model_dump(mode="json") | {
        "rewards": {"brief": 1.0, "correctness": 1.0},
        "verifier": "brief",
    }
    run_id = store.create_job("train", "demo", spec, total=2)[0].id
    problem = data.problem_set("demo").of_split("train")[0].id
    rewards = ({"brief": 1.0, "correctness": 0.0}, {"brief": 0.0, "correctness": 0.0})
    rollouts = [
        Rollout(1, 0, place, problem, "x", found, found["brief"], 0.0, 3, "stop") for place, found in enumerate(rewards)
    ]
    store.record(run_id, rollouts=rollouts, scalars=[(1, {"reward": 0.5, "rewards/brief/mean": 0.5})])
    page = run_app("runs", run=run_id, tab=tab)
    assert not page.exception
    assert not page.error
    with pytest.raises(ConfigError, match="there is no reward function 'brief'"):
        runnable_config(store.job(run_id).spec)
