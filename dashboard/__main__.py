"""Opens the dashboard: `grpo-atlas` or `python -m dashboard`; what follows goes to `streamlit run`."""

import sys
from pathlib import Path

from streamlit.web import cli

APP = Path(__file__).resolve().parent / "app.py"


def main() -> None:
    """Serve the dashboard until it is interrupted."""
    cli.main(["run", str(APP), *sys.argv[1:]], prog_name="grpo-atlas")


if __name__ == "__main__":
    main()
