"""How the command lines end: what went wrong becomes one line and a status, never a traceback."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable

from training.errors import AtlasError

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def run_command(command: Callable[[Namespace], int], options: Namespace) -> int:
    """Run a command and return the exit status: its own, 2 for an error explained on stderr, 130 for Ctrl-C.

    A reader that goes away early (`| head`) is no error.
    """
    try:
        status = command(options)
        sys.stdout.flush()
    except AtlasError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status
