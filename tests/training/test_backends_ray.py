"""The Ray backend against a cluster in memory: what is submitted and how often, what is told, and where secrets are not."""

import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from tests.cluster_fakes import FakeCluster, fake_backend
from training.__main__ import main
from training.backends import BackendState
from training.backends.cluster import JobRequest
from training.backends.entry import PRIVATE_FILE, take_private
from training.backends.packaging import OWN_REWARDS, code_package, pinned_requirements
from training.command_line.outputs import backend_line
from training.errors import BackendError, UnreachableError
from training.home import Home
from training.store import Job, Store

COMMAND = ["-m", "training.jobs", "demo-1"]


def queued(store: Store, name: str = "demo", **spec: object) -> Job:
    return store.create_job("train", name, {"name": name, **spec}, backend="a100")[0]


def private(asked: JobRequest) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(asked.private)) as package:
        found: dict[str, str] = json.loads(package.read(PRIVATE_FILE))
        return found


def test_a_run_is_submitted_under_its_own_id_with_what_it_needs(store: Store, home: Home) -> None:
    cluster = FakeCluster()
    fake_backend(cluster, home, environment={"HF_HOME": "/shared"}, gpus=2).submit(queued(store), COMMAND)
    (asked,) = cluster.asked
    assert asked.name == "demo-1"
    assert asked.entrypoint == "python -m training.backends.entry -m training.jobs demo-1"
    assert (asked.gpus, asked.resources) == (2, {"accelerator_type:A100": 0.001})
    assert asked.variables["HF_HOME"] == "/shared"
    assert asked.variables["GRPO_ATLAS_HOME"] == "~/grpo-atlas"
    assert private(asked) == {"GRPO_ATLAS_STORE": home.store_url}


def test_submitting_twice_starts_one_job(store: Store, home: Home) -> None:
    cluster, job = FakeCluster(), queued(store)
    backend = fake_backend(cluster, home)
    backend.submit(job, COMMAND)
    backend.submit(job, COMMAND)
    assert [asked.name for asked in cluster.asked] == ["demo-1"]


def test_a_resumed_run_is_another_submission(store: Store, home: Home) -> None:
    cluster, job = FakeCluster(), queued(store)
    backend = fake_backend(cluster, home)
    backend.submit(job, COMMAND)
    cluster.becomes("demo-1", "RUNNING")  # its process has ended, and Ray has not noticed yet
    store.end(job.id, "stopped", "stopped on request")
    backend.submit(store.requeue(job.id), COMMAND)
    assert list(cluster.known) == ["demo-1", "demo-1-2"]
    assert cluster.asked[1].variables["GRPO_ATLAS_ATTEMPT"] == "2"


def test_the_run_of_another_installation_is_not_taken_for_ones_own(store: Store, home: Home) -> None:
    cluster, job = FakeCluster(), queued(store)
    theirs = replace(job, created_at=job.created_at - 1)
    backend = fake_backend(cluster, home)
    backend.submit(theirs, COMMAND)
    cluster.becomes("demo-1", "FAILED")
    assert backend.status(job) == "gone"
    backend.submit(job, COMMAND)
    assert len(cluster.known) == 2
    assert backend.status(job) == "alive"
    assert backend.status(theirs) == "gone"


def test_a_head_that_is_away_for_a_moment_is_asked_again(store: Store, home: Home) -> None:
    cluster = FakeCluster()
    cluster.away_for = 2
    fake_backend(cluster, home).submit(queued(store), COMMAND)
    assert list(cluster.known) == ["demo-1"]
    cluster.away_for = 3
    with pytest.raises(UnreachableError, match="connection refused"):
        fake_backend(cluster, home).submit(queued(store, "other"), COMMAND)


def test_the_state_tells_free_gpus_and_the_queue(store: Store, home: Home) -> None:
    cluster = FakeCluster()
    backend = fake_backend(cluster, home)
    assert backend.state(store) == BackendState("free", free_gpus=1, total_gpus=1)
    assert backend_line(backend.state(store)) == "1 of 1 GPU free. The run starts at once."
    backend.submit(queued(store), COMMAND)
    backend.submit(queued(store, "other"), COMMAND)
    cluster.becomes("demo-1", "RUNNING")
    busy = backend.state(store)
    assert (busy.kind, busy.running, busy.waiting) == ("busy", ("demo-1",), ("other-1",))
    told = "0 of 1 GPU free. demo-1 is running and 1 job waits; the run takes its turn after that."
    assert backend_line(busy) == told
    cluster.away_for = 1
    away = backend.state(store)
    assert away.kind == "unreachable"
    assert backend_line(away).startswith("http://head:8265 cannot be reached (connection refused). ")  # and the remedy


def test_a_cluster_without_such_gpus_says_so(store: Store, home: Home) -> None:
    state = fake_backend(FakeCluster(gpus=0), home).state(store)
    assert state.kind == "busy"
    assert "The cluster has 0 of the 1 A100 that a run needs." in backend_line(state)


def test_secrets_are_in_no_variable_command_or_store(store: Store, home: Home) -> None:
    cluster, job = FakeCluster(), queued(store)
    environ = {"HF_TOKEN": "hf_hunter2", "ATLAS_PASSWORD": "p@ss/word", "PROXY": "proxy-hunter2"}
    settings = {
        "secrets": ("HF_TOKEN",),
        "headers": {"Authorization": "Bearer ${PROXY}"},
        "store": "postgresql+psycopg://atlas:${ATLAS_PASSWORD}@db/atlas",
    }
    fake_backend(cluster, home, environ, **settings).submit(job, COMMAND)
    (asked,) = cluster.asked
    assert private(asked) == {
        "HF_TOKEN": "hf_hunter2",
        "GRPO_ATLAS_STORE": "postgresql+psycopg://atlas:p%40ss%2Fword@db/atlas",
    }
    assert cluster.headers == {"Authorization": "Bearer proxy-hunter2"}
    open_parts = json.dumps([asked.entrypoint, dict(asked.variables), dict(asked.metadata), list(asked.requirements)])
    for secret in (*environ.values(), "p%40ss%2Fword"):
        assert secret not in open_parts
        assert secret.encode() not in asked.code
    assert store.job(job.id) == job


def test_a_secret_that_is_not_set_is_named_and_nothing_is_submitted(store: Store, home: Home) -> None:
    cluster = FakeCluster()
    with pytest.raises(BackendError, match="needs the environment variable HF_TOKEN, which is not set here"):
        fake_backend(cluster, home, secrets=("HF_TOKEN",)).submit(queued(store), COMMAND)
    assert cluster.asked == []


def test_a_secret_that_the_job_printed_is_taken_out_of_its_log(home: Home) -> None:
    backend = fake_backend(FakeCluster(), home, {"HF_TOKEN": "hf_hunter2"}, secrets=("HF_TOKEN",))
    assert backend.without_secrets("token hf_hunter2 is bad") == "token <HF_TOKEN> is bad"


def test_an_sqlite_store_is_refused_for_a_cluster_elsewhere(store: Store, home: Home) -> None:
    with pytest.raises(BackendError, match="to a Postgres database"):
        fake_backend(FakeCluster(), home, address="http://head.example:8265").submit(queued(store), COMMAND)


def test_several_workers_get_their_gpus_from_ray_train(store: Store, home: Home) -> None:
    cluster = FakeCluster()
    fake_backend(cluster, home, gpus=4, workers=2, max_failures=1).submit(queued(store), COMMAND)
    (asked,) = cluster.asked
    assert asked.gpus == 0
    told = {key.removeprefix("GRPO_ATLAS_"): value for key, value in asked.variables.items() if key.startswith("GRPO_ATLAS_")}
    assert told.items() >= {"WORKERS": "2", "GPUS_PER_WORKER": "2", "MAX_FAILURES": "1", "ACCELERATOR_TYPE": "A100"}.items()


def test_the_code_travels_whole_and_equal_code_is_equal_byte_for_byte(home: Home, tmp_path: Path) -> None:
    rewards = tmp_path / "rewards.py"
    rewards.write_text("REWARDS = []\n")
    package = code_package(rewards)
    assert package == code_package(rewards)
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "there")
    assert {"constraints.txt", "pyproject.toml", "assets/demo-model/model.safetensors", OWN_REWARDS} <= set(names)
    unneeded = ("__pycache__", "screenshots", "demo-atlas", "training/demo/")
    assert [name for name in names if any(part in name for part in unneeded)] == []
    script = "import training.home as home; print(home.DEMO_MODEL.is_dir(), home.__file__)"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path / "there", capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", str(tmp_path / "there" / "training" / "home.py")]


def test_pinned_requirements_are_those_of_the_project_under_its_constraints() -> None:
    lines = pinned_requirements(gpu=False)
    assert lines[0] == "--constraint ${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/constraints.txt"
    assert "trl==1.14.2" in lines
    assert any(line.startswith("vllm") for line in pinned_requirements(gpu=True))
    assert [line for line in pinned_requirements(gpu=False, artefacts="s3://bucket/runs") if line not in lines] == [
        f"fsspec[s3]=={fsspec.__version__}"
    ]
    assert pinned_requirements(gpu=False, artefacts="/mnt/shared") == lines


def test_a_job_takes_its_private_variables_and_deletes_their_file(tmp_path: Path) -> None:
    file = tmp_path / PRIVATE_FILE
    file.write_text(json.dumps({"HF_TOKEN": "hf_hunter2"}))
    environ: dict[str, str] = {}
    take_private(environ, ["/nowhere", str(tmp_path)])
    assert environ == {"HF_TOKEN": "hf_hunter2"}
    assert not file.exists()


def test_the_entry_becomes_the_job_and_its_command_line_has_no_secret(tmp_path: Path) -> None:
    (tmp_path / PRIVATE_FILE).write_text(json.dumps({"HF_TOKEN": "hf_hunter2"}))
    script = "import os, sys; print(os.environ['HF_TOKEN'], sys.orig_argv)"
    command = [sys.executable, "-m", "training.backends.entry", "-c", script]
    environ = os.environ | {"PYTHONPATH": str(tmp_path), "GRPO_ATLAS_PRIVATE": "HF_TOKEN"}
    first = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert first.stdout.split(maxsplit=1)[0] == "hf_hunter2"
    assert "hf_hunter2" not in first.stdout.split(maxsplit=1)[1]
    second = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert "private variables did not arrive: HF_TOKEN" in second.stderr


def test_the_command_line_lists_backends_and_starts_runs_on_them(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = FakeCluster()
    monkeypatch.setattr("training.backends.ray._connect", lambda config, headers: cluster)
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(home.root))
    monkeypatch.delenv("GRPO_ATLAS_STORE", raising=False)
    text = '[a100]\nkind = "ray"\naddress = "http://127.0.0.1:8265"\naccelerator_type = "A100"\npip = "none"\n'
    (home.root / "backends.toml").write_text(text, encoding="utf-8")
    assert main(["backends"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split(maxsplit=2)[:2] == ["a100", "free"]
    assert main(["launch", "--preset", "demo", "--backend", "a100"]) == 0
    assert capsys.readouterr().out == "run_id: demo-1\n"
    assert cluster.asked[0].entrypoint.endswith("-m training.jobs demo-1")
    assert main(["backends", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1]["waiting"] == ["demo-1"]
    cluster.becomes("demo-1", "FAILED", "no room")
    assert main(["list"]) == 0
    line = capsys.readouterr().out
    assert line.split()[:3] == ["demo-1", "a100", "failed"]
    assert "Its job on a100 failed: no room" in line
