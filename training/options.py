"""How every command line of the project reads its options."""

import argparse
from typing import Any


class Parser(argparse.ArgumentParser):
    """Reads a command line, its subcommands likewise; options go by their whole names.

    An abbreviation could mean another option than was thought (`--json` where a command has only `--jsonl`), and one that is
    clear today may not be when there is another option.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)
