"""The commands of the README and of the examples are read from them and run, in their order, as people would paste them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from training.home import Home

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(?:^ {4}\S.*\n)+", re.MULTILINE)


def block_with(file: str, command: str) -> str:
    """The indented block in which a command stands."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return next(block for block in BLOCK.findall(text) if command in block)


def run(commands: str, home: Home) -> str:
    """What they printed; each has to end with status 0."""
    here = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | home.environment() | {"PATH": here, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-ex"], input=commands, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout


def test_the_readmes_commands_of_a_run(home: Home) -> None:
    printed = run(block_with("README.md", "training stop demo-1") + "python -m training stop demo-1 --force\n", home)
    assert "run_id: demo-1" in printed
    assert "demo-1 is stopped" in printed


@pytest.mark.parametrize("command", ["analysis report", "GRPO_ATLAS_REWARDS"])
def test_the_commands_of_the_examples(command: str, home: Home) -> None:
    printed = run(block_with("docs/examples/README.md", command), home)
    assert "run_id: demo-1" in printed


def test_the_commands_about_ones_own_data(home: Home) -> None:
    printed = run(block_with("docs/data.md", "analysis sources --keep"), home)
    assert '"layout": "GSM8K"' in printed
    assert f"mine  {ROOT}/docs/examples/own-data" in printed
