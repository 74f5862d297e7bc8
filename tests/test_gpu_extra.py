"""The `gpu` extra can be installed as one set, beside the very versions that everything else is tested with."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UNREACHABLE = ("Failed to fetch", "error sending request", "Could not connect", "dns error", "Network connectivity is disabled")
"""What uv says where there is no index; a conflict reads otherwise."""


def test_the_gpu_extra_resolves_to_one_set_with_the_tested_versions(tmp_path: Path) -> None:
    """uv resolves from metadata alone: about 50 MB and half a minute, where pip would fetch gigabytes."""
    # The line of torch leaves out "+cpu": a GPU machine gets the build with CUDA of the same version.
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--extra", "gpu", "--extra", "cluster"]
    command += ["--python-version", "3.11", "--no-header", "--no-annotate", "--system-certs"]
    command += ["--constraints", "constraints.txt", "--cache-dir", str(tmp_path / "cache"), "pyproject.toml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    if done.returncode and any(words in done.stderr for words in UNREACHABLE):
        pytest.skip(f"the package index cannot be asked: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    found = dict(line.split("==") for line in done.stdout.splitlines() if "==" in line)
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]["gpu"]
    asked = dict(match.groups() for pin in extra if (match := re.fullmatch(r"([\w.-]+)==(.+)", pin)))
    assert asked.keys() == {"vllm", "unsloth"}
    assert {name: found[name] for name in asked} == asked
    tested = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    for name in ("torch", "transformers", "trl", "datasets", "accelerate", "peft", "numpy"):
        assert found[name] == tested[name]
