"""The first thing a job on a cluster does: take its private variables, then become `python <arguments>`.

    python -m training.backends.entry -m training.jobs demo-1

Private variables (the store's address with its password, tokens) are no variables of Ray's `runtime_env`, which Ray logs and
shows. They come in a file of their own, which is deleted here, and go on in this process's environment.
"""

import json
import os
import sys
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path

PRIVATE_FILE = "grpo-atlas-private.json"
ATTEMPT = "GRPO_ATLAS_ATTEMPT"
"""Which attempt of its run a process is for: one that was queued, given up and queued again may come to its turn twice."""

EXPECTED = "GRPO_ATLAS_PRIVATE"
"""Names of the private variables, separated by commas, for what starts further processes on other machines."""


def take_private(environ: MutableMapping[str, str], path: Sequence[str]) -> None:
    """Put the private variables into the environment, and delete the file they came in.

    Args:
        path: folders in which the file may lie; Ray puts that of each package on Python's search path.
    """
    for folder in path:
        file = Path(folder) / PRIVATE_FILE
        with suppress(FileNotFoundError, NotADirectoryError):  # processes of one machine may come here at once
            values = json.loads(file.read_text(encoding="utf-8"))
            file.unlink(missing_ok=True)
            environ.update(values)


def main() -> None:
    """Become the job."""
    take_private(os.environ, sys.path)
    missing = [name for name in os.environ.get(EXPECTED, "").split(",") if name and name not in os.environ]
    if missing:
        sys.exit(f"the job's private variables did not arrive: {', '.join(missing)}")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])


if __name__ == "__main__":
    main()
