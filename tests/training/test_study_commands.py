"""The commands `study` and `studies`, and `resume` of jobs that are no runs: what they print, start and refuse."""

import json
from typing import Any

import pytest

from tests.study_runs import add_study, ranks_and_losses
from training.__main__ import main
from training.backends.local import LocalBackend
from training.home import Home
from training.store import Store

SMALL = ["--set", "max_steps=2", "--set", "evaluation_problems=4"]


@pytest.fixture(autouse=True)
def own_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    jobs: list[str] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda self, job, command: jobs.append(job.id) or "")
    return jobs


def facts(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_dry_run_tells_the_whole_and_starts_nothing(
    capsys: pytest.CaptureFixture[str], store: Store, submitted: list[str]
) -> None:
    found = facts(capsys, "study", "--vary", "lora_rank=2,8", "--seeds", "2", *SMALL, "--dry-run")
    assert (found["runs"], found["most_tokens"]) == (4, 4 * 2 * 32 * 160)
    assert [arm["settings"] for arm in found["arms"]] == [{"lora_rank": 2}, {"lora_rank": 8}]
    assert main(["study", "--vary", "lora_rank=2,8", *SMALL, "--dry-run"]) == 0
    assert "lora_rank 8" in capsys.readouterr().out
    assert (submitted, store.count_jobs()) == ([], 0)


def test_a_ready_study_is_started_and_given_seeds(
    capsys: pytest.CaptureFixture[str], store: Store, submitted: list[str]
) -> None:
    assert facts(capsys, "study", "--ready", "generations", *SMALL, "--name", "groups") == {"study_id": "groups-1"}
    assert store.job("groups-1").spec["vary"] == {"num_generations": [4, 8, 16]}
    assert store.job("groups-1").spec["seeds"] == [42, 43, 44]
    facts(capsys, "study", "--add-to", "groups-1", "--seeds", "1")
    assert store.job("groups-1").spec["seeds"] == [42, 43, 44, 45]
    assert submitted == ["groups-1"], "it is at work already"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["study"], "Nothing is varied"),
        (["study", "--ready", "nothing"], "no ready study"),
        (["study", "--vary", "lora_rank=2,8", "--prune"], "are of a search"),
        (["study", "--add-to", "study-1", "--vary", "lora_rank=2,8"], "--add-to adds seeds"),
        (["studies", "nobody-1"], "nobody-1"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_studies_tells_what_they_came_to(capsys: pytest.CaptureFixture[str], store: Store, home: Home) -> None:
    assert main(["studies"]) == 0
    assert "No studies yet" in capsys.readouterr().err
    study_id = add_study(store, home, ranks_and_losses())
    assert [found["id"] for found in facts(capsys, "studies")] == [study_id]
    found = facts(capsys, "studies", study_id)
    assert [arm["settings"]["lora_rank"] for arm in found["arms"]] == [2, 2, 8, 8]
    assert [effect["setting"] for effect in found["effects"]] == ["lora_rank", "loss_type"]
    assert found["effects"][0]["more_than_chance"]
    assert len(found["runs"]) == 12
    assert main(["studies", study_id]) == 0
    assert "lora_rank 8 instead of 2: More than chance." in capsys.readouterr().out


def test_a_study_of_another_version_is_told(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    store.create_job("study", "study", {"arms": "of a later version"})
    assert main(["studies", "study-1"]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_any_job_that_goes_on_is_resumed_by_its_id(store: Store, submitted: list[str]) -> None:
    for kind in ("study", "evaluate"):
        job = store.create_job(kind, kind, {})[0]
        store.end(job.id, "stopped", "on request")
        assert main(["resume", job.id]) == 0
    assert submitted == ["study-1", "evaluate-1"]
    build = store.create_job("build", "build", {})[0]
    store.end(build.id, "stopped", "on request")
    assert main(["resume", build.id]) == 2
