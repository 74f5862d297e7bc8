"""The installed program: a wheel in an environment that knows nothing of the checkout, with the libraries of this one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import training
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 300.0

FIRST_PAGE = """
from pathlib import Path
import dashboard
from streamlit.testing.v1 import AppTest
app = AppTest.from_file(str(Path(dashboard.__file__).parent / "app.py"), default_timeout=300).run()
assert not app.exception, app.exception
print([title.value for title in app.title])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment into which the wheel alone was installed."""
    place = tmp_path_factory.mktemp("wheel")
    left_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "tests")
    shutil.copytree(ROOT, place / "source", ignore=lambda folder, names: left_out(folder, names) if folder == str(ROOT) else [])
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", place]
    subprocess.run([*build, place / "source"], check=True)
    shutil.rmtree(place / "source")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / "env"], check=True)
    python = place / "env" / "bin" / "python"
    packages = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True, capture_output=True, text=True
    ).stdout.strip()
    # A path alone: what this environment's own .pth files say, the checkout for one, does not hold there.
    (Path(packages) / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    (wheel,) = place.glob("*.whl")
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel], check=True)
    return place / "env" / "bin"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRPO_ATLAS_", "PYTHONPATH"))}
    return kept | {"GRPO_ATLAS_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}


def run(command: list[object], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        list(map(str, command)), env=environment, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_installed_program_shows_the_demos_first_page_and_trains_on_it(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    where = run([installed / "python", "-c", "import training; print(training.__file__)"], environment, tmp_path)
    assert str(ROOT) not in where
    assert "Explore" in run([installed / "python", "-c", FIRST_PAGE], environment, tmp_path)
    small = ["max_steps=2", "num_generations=2", "per_device_train_batch_size=2", "max_completion_length=8"]
    changes = [f"--set={setting}" for setting in (*small, "evaluation_problems=0")]
    run([installed / "grpo-atlas-train", "launch", "--preset=demo", *changes, "--wait"], environment, tmp_path)
    shown = json.loads(run([installed / "grpo-atlas-train", "show", "demo-1", "--json"], environment, tmp_path))
    assert (shown["status"], shown["step"]) == ("finished", 2)
    run([installed / "grpo-atlas-data", "export", "--source=demo", "--format=csv", "--out=demo.csv"], environment, tmp_path)
    assert (tmp_path / "demo.csv").stat().st_size > 100_000


def test_the_version_has_one_place(installed: Path, environment: dict[str, str], tmp_path: Path) -> None:
    asked = "from importlib.metadata import version; print(version('grpo-atlas'))"
    assert run([installed / "python", "-c", asked], environment, tmp_path).strip() == training.__version__


def test_the_installed_command_serves_the_dashboard_until_it_is_interrupted(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    with (tmp_path / "log.txt").open("wb") as log:
        server = subprocess.Popen(
            [installed / "grpo-atlas", "--server.port", str(port)], env=environment, cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not answers(f"http://127.0.0.1:{port}/_stcore/health"):
            assert server.poll() is None, (tmp_path / "log.txt").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(PATIENCE_S)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False
