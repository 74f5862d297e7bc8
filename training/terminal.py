"""How the command lines begin and end: options are read, and what went wrong becomes one line and a status, no traceback."""

import io
import os
import shlex
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType

import typer

from training.errors import AtlasError, ConfigError, disk_error, one_line, shown_error
from training.home import DASHBOARD_TOKEN

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
_HELP_COLUMNS = 120
_OF_SEVERAL = "--columns"
"""The option that takes several values after one another."""


class _CtrlC:
    """What SIGINT calls: the usual exception, and a memory of it."""

    pressed = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        raise KeyboardInterrupt


def check_ctrl_c() -> None:
    """Raise `KeyboardInterrupt` if Ctrl-C was pressed in a command: a library that was being imported may have swallowed it."""
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, _CtrlC) and handler.pressed:
        raise KeyboardInterrupt


def new_program(commands: Mapping[str, Callable[..., int]], summary: str = "") -> typer.Typer:
    """A command line of commands by name, each a function that returns its exit status; one alone goes without its name."""
    program = typer.Typer(help=summary, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    for name, command in commands.items():
        program.command(name)(command)
    return program


def run_program(program: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run what a command line asks for, as `run_command` does; what it asks for wrongly is an error like any other."""
    return run_command(lambda: _run(program, name, sys.argv[1:] if arguments is None else arguments))


def _run(program: typer.Typer, name: str, arguments: Sequence[str]) -> int:
    # Not what typer calls `main`, which would take Ctrl-C and broken pipes for itself.
    command = typer.main.get_command(program)
    arguments = _repeated(arguments, _OF_SEVERAL)
    try:
        with command.make_context(name, list(arguments), max_content_width=_HELP_COLUMNS) as context:
            status: int = command.invoke(context)
            return status
    except typer.Exit as ended:  # of --help
        return ended.exit_code
    except typer.TyperException as error:
        told = error.format_message()
        names = [command.name for command in program.registered_commands]
        asked = " ".join([name, *(word for word in arguments[:1] if len(names) > 1 and word in names)])
        raise ConfigError(
            told if told.endswith((".", "?")) else f"{told}.", f"`{asked} --help` shows what may be asked."
        ) from error


def _repeated(arguments: Sequence[str], option: str) -> list[str]:
    """`--option a=1 b=2` as `--option a=1 --option b=2`, which is what typer knows."""
    written: list[str] = []
    follows = False
    for argument in arguments:
        follows = follows and "=" in argument and not argument.startswith("-")
        if follows and written[-1:] != [option]:
            written.append(option)
        written.append(argument)
        follows = follows or argument == option
    return written


def run_command(command: Callable[[], int]) -> int:
    """Run a command and return the exit status: its own, 2 for an error explained on stderr, 130 for Ctrl-C.

    A reader that goes away early (`| head`) is no error. Of an error that nobody expected the traceback goes to a file. The
    dashboard's token, if the shell has it, goes to no process that the command starts.
    """
    os.environ.pop(DASHBOARD_TOKEN, None)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _CtrlC())
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a store may hold half a character, a terminal may know only ASCII
    try:
        status = command()
        sys.stdout.flush()
    except AtlasError as error:
        with suppress(OSError):  # a log on a full disk
            print(f"error: {one_line(str(error))}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _print_no_more()
        return 0
    except OSError as error:
        try:
            sys.stdout.flush()
        except OSError:  # it was this that failed: the output goes to a file on a full disk
            _print_no_more()
        with suppress(OSError):
            print(f"error: {one_line(str(disk_error(error)))}", file=sys.stderr)
        return EXIT_ERROR
    except Exception as error:  # the outermost frame of every command
        kept = _keep_traceback()
        print(f"error: {shown_error(error)}, which nobody expected. Please report it with {kept}.", file=sys.stderr)
        return EXIT_ERROR
    return status


def _print_no_more() -> None:
    """Have standard output go nowhere: else Python tries once more at its end to write what is left, and fails again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _keep_traceback() -> str:
    """Write the traceback of the error at hand to a file of its own; return its name."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="grpo-atlas-", suffix=".log", delete=False, errors="replace") as file:
            file.write(f"{shlex.join(sys.argv)}\n{traceback.format_exc()}")
            return file.name
    except OSError as error:
        return f"its traceback (which could not be written: {error.strerror or error})"
