"""What travels to a cluster with a job: this project's code, its requirements, and the variables that nobody may read.

Packages are zip files in memory, equal byte for byte for equal contents, so that a cluster keeps one copy of the code.
"""

import io
import json
import secrets
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from training.artefacts import driver_requirements
from training.backends.entry import PRIVATE_FILE
from training.errors import BackendError, RewardError
from training.home import ASSETS, DEMO_DATA, DEMO_MODEL, DEMO_PRM

ROOT = ASSETS.parent
"""The folder that holds the three packages."""

OWN_REWARDS = "own_rewards_of_this_run.py"
"""A person's own reward functions, inside the package."""

_CODE = ("training", "analysis", "dashboard")
_FILES = ("pyproject.toml", "constraints.txt")
_LEFT_OUT = ("__pycache__", "py.typed")
_DEMO_TOOLS = ("training", "demo")
"""What makes the demo's data and model, which no job needs."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PLACE = "${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}"
"""Where the code lies while Ray installs the requirements; pip puts the path in."""


def code_package(rewards: Path | None = None) -> bytes:
    """The project as a job needs it: the three packages, what pins their requirements, and the demo's model and problems.

    Args:
        rewards: the file with a person's own reward functions.

    Raises:
        RewardError: that file cannot be read.
    """
    files = {str(file.relative_to(ROOT)): file.read_bytes() for file in _project_files()}
    if rewards is not None:
        try:
            files[OWN_REWARDS] = rewards.read_bytes()
        except OSError as error:
            raise RewardError(f"{rewards} cannot be read ({error.strerror}).", "Correct GRPO_ATLAS_REWARDS.") from error
    return _zipped(files)


def private_package(variables: Mapping[str, str]) -> bytes:
    """Variables for `entry.take_private`. Never twice the same, so that its name tells nothing of its content."""
    values = json.dumps(dict(variables)).encode()
    return _zipped({PRIVATE_FILE: values, "salt": secrets.token_bytes(16)})


def pinned_requirements(*, gpu: bool, artefacts: str = "") -> list[str]:
    """Lines for pip: the project's requirements, each in the tested version.

    Args:
        gpu: with vLLM and Unsloth.
        artefacts: the URL where checkpoints go, for its driver.

    Raises:
        BackendError: this is no checkout of the project.
    """
    try:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except OSError as error:
        raise BackendError(
            f"The project's requirements are not in {ROOT} ({error.strerror}).",
            'Launch from a checkout of the project, or set pip = "none" for a cluster whose image has them.',
        ) from error
    extra = project["optional-dependencies"]["gpu"] if gpu else []
    driver = driver_requirements(artefacts) if artefacts else []
    return [f"--constraint {_PLACE}/constraints.txt", *project["dependencies"], *extra, *driver]


def _project_files() -> Iterator[Path]:
    for folder in (*(ROOT / name for name in _CODE), DEMO_MODEL, DEMO_PRM, DEMO_DATA):
        for file in sorted(folder.rglob("*")):
            parts = file.relative_to(ROOT).parts
            is_left_out = parts[:2] == _DEMO_TOOLS or any(part in _LEFT_OUT or part.startswith(".") for part in parts)
            if file.is_file() and not is_left_out:
                yield file
    yield from filter(Path.is_file, (ROOT / name for name in _FILES))


def _zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        entry = partial(zipfile.ZipInfo, date_time=_EPOCH)
        for name, content in sorted(files.items()):
            info = entry(name)
            info.external_attr = (0o600 if name == PRIVATE_FILE else 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return packed.getvalue()
