"""The command line of the training core, `python -m training`: what may be asked.

What is then done is in `training.command_line`. Facts go to standard output, as JSON with `--json`; errors go to standard
error as one line and end with status 2.
"""

import argparse
import sys
from collections.abc import Callable
from math import isfinite, nan
from pathlib import Path
from typing import get_args

from training.command_line import commands, model_commands
from training.config import RunConfig
from training.groups import Scale
from training.jobs.output import QUANTIZATIONS
from training.options import Parser
from training.presets import preset_paths
from training.store import LOCAL
from training.terminal import run_command

_LISTED = 200
"""Runs that `list` shows unless it is told otherwise."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    return run_command(options.command, options)


_Subcommands = argparse._SubParsersAction  # argparse has no public name for it
_Command = Callable[[argparse.Namespace], int]


def _parser() -> Parser:
    parser = Parser(prog="python -m training", description="Launch, watch, stop and evaluate GRPO runs.")
    subcommands = parser.add_subparsers(required=True, metavar="command")
    for add_group in (_add_launching, _add_looking, _add_changing, _add_measuring, _add_outputs):
        add_group(subcommands)
    return parser


def _add(to: _Subcommands, name: str, command: _Command, text: str, *, run: bool = False) -> Parser:
    """A command; with `run` it takes a run's id."""
    added: Parser = to.add_parser(name, help=text, description=text)
    added.set_defaults(command=command)
    if run:
        added.add_argument("run", metavar="RUN", help="the run's id, as `list` shows it")
    return added


def _add_configured(to: _Subcommands, name: str, command: _Command, text: str) -> Parser:
    """A command that takes a run's configuration."""
    added = _add(to, name, command, text)
    settings = ", ".join(RunConfig.model_fields)
    added.add_argument("--preset", default="demo", help=f"{', '.join(preset_paths())}, or a TOML file (default: demo)")
    added.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments", help=f"change a setting: {settings}"
    )
    added.add_argument("--backend", default=LOCAL, help="where it runs, as `backends` lists them (default: local)")
    added.add_argument("--json", action="store_true", help="print as JSON")
    return added


def _add_output(to: _Subcommands, name: str, command: _Command, text: str, out: str = "") -> Parser:
    """A command that makes something of a run's checkpoint; with `out`, its help, in a folder that can be named."""
    added = _add(to, name, command, text, run=True)
    added.add_argument("--checkpoint", type=_count, metavar="STEP", help="the checkpoint's step, the latest if not given")
    if out:
        added.add_argument("--out", type=Path, metavar="FOLDER", help=out)
    return added


def _add_launching(to: _Subcommands) -> None:
    """Starting a run, and what can be known before."""
    command = _add_configured(to, "launch", commands.launch_run, "Start a GRPO run as a detached process and print its run_id.")
    command.add_argument("--dry-run", action="store_true", help="print what `preflight` finds and start nothing")
    command.add_argument("--wait", action="store_true", help="return when the run has ended; status 1 unless it finished")

    command = _add_configured(
        to,
        "preflight",
        commands.check_run,
        "What can be known of a run before it starts; status 1 if it would fail or teach nothing.",
    )
    command.add_argument(
        "--calibrate", action="store_true", help="take two real steps and sample groups, for measurements instead of estimates"
    )

    command = _add(
        to,
        "presets",
        commands.show_presets,
        "The presets; with a name all its settings, explained, as a file to change.",
    )
    command.add_argument("preset", nargs="?", help="a preset, or a TOML file")

    command = _add(to, "backends", commands.show_backends, "Where runs may go: each one's state, free GPUs and queue.")
    command.add_argument("--json", action="store_true", help="print as JSON")


def _add_looking(to: _Subcommands) -> None:
    """Reading what runs left on record."""
    command = _add(to, "list", commands.list_runs, "The runs, newest first.")
    how_many = command.add_mutually_exclusive_group()
    how_many.add_argument(
        "--limit", type=_count, default=_LISTED, metavar="N", help=f"so many of them at most (default: {_LISTED})"
    )
    how_many.add_argument("--all", action="store_true", help="all of them")
    command.add_argument("--offset", type=_step, default=0, metavar="N", help="leave out the newest N")
    command.add_argument("--json", action="store_true", help="print as JSON")

    command = _add(to, "show", commands.show_run, "One run: status, progress, figures, evaluations, checkpoints.", run=True)
    command.add_argument("--json", action="store_true", help="print as JSON")
    command.add_argument("--log", action="store_true", help="print the end of the run's log instead")

    command = _add(
        to,
        "health",
        commands.show_health,
        "What to look at in a run: signals from its ledger, each with its evidence.",
        run=True,
    )
    command.add_argument("--json", action="store_true", help="print as JSON")

    command = _add(
        to,
        "reweigh",
        commands.reweigh_run,
        "A run's advantages under other reward weights, from its ledger.",
        run=True,
    )
    command.add_argument(
        "--weight",
        action="append",
        default=[],
        type=_weight,
        metavar="NAME=W",
        help="a reward function's weight; others are 0",
    )
    command.add_argument("--scale-rewards", choices=get_args(Scale), help="whose deviation divides; the run's own if not given")
    command.add_argument("--json", action="store_true", help="print as JSON")

    command = _add(to, "report", commands.write_report, "A run as one HTML file that opens anywhere.", run=True)
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")


def _add_changing(to: _Subcommands) -> None:
    """Stopping, going on, deleting."""
    command = _add(to, "stop", commands.stop_run, "Ask a run to end at its next step, with a checkpoint.", run=True)
    command.add_argument("--wait", action="store_true", help="return when the run has ended")
    command.add_argument(
        "--force", action="store_true", help="end it within seconds, even if it is stuck; it keeps its checkpoints"
    )

    command = _add(
        to,
        "delete",
        commands.delete_run,
        "Delete a run that has ended, with all it left: rows, log, checkpoints.",
        run=True,
    )
    command.add_argument("--yes", action="store_true", help="delete it; without, what would go is printed")

    command = _add(to, "resume", commands.resume_run, "Go on with a stopped, failed or lost run from a checkpoint.", run=True)
    command.add_argument(
        "--checkpoint",
        type=_step,
        metavar="STEP",
        help="the checkpoint's step, the latest if not given, 0 to begin again; what came after it is forgotten",
    )


def _add_measuring(to: _Subcommands) -> None:
    """Models and single completions."""
    command = _add(
        to,
        "evaluate",
        model_commands.evaluate,
        "Measure a model: the article's table on one split, kept in the store; a killed one goes on.",
    )
    command.add_argument("--model", default="demo", help='a Hub name, a folder (a checkpoint, say), or "demo"')
    command.add_argument("--source", default="auto", help="demo, hub, auto, or a folder or file (default: auto)")
    command.add_argument("--split", choices=("train", "test"), default="test")
    command.add_argument("--fraction", type=_share, default=1.0, help="the first share of the split, in (0, 1]")
    command.add_argument("--temperature", type=_temperature, default=0.0, help="0 (default) takes the likeliest token")
    command.add_argument("--samples", type=_count, default=1, metavar="K", help="completions a problem, for pass@k")
    command.add_argument("--max-completion-length", type=_count, default=200, metavar="TOKENS")
    command.add_argument("--vllm", action="store_true", help="generate with vLLM, on a GPU")
    command.add_argument("--json", action="store_true", help="print as JSON")

    command = _add(to, "score", model_commands.score, "Score completions by every reward function, unweighted.")
    scored = command.add_mutually_exclusive_group(required=True)
    scored.add_argument("--jsonl", metavar="FILE", help='lines of {"completion", "answer"}; - is standard input')
    scored.add_argument(
        "--adversarial", action="store_true", help="the shipped misleading completions; status 1 if one scores unexpectedly"
    )


def _add_outputs(to: _Subcommands) -> None:
    """What becomes of a trained model."""
    _add_output(
        to,
        "merge",
        model_commands.merge_run,
        "Save a run's checkpoint as a whole model with a model card: an adapter is merged into its base.",
        out="a new folder; in the run's own if not given",
    )

    command = _add_output(to, "push", model_commands.push_run, "Merge a run's checkpoint and push it to the Hugging Face Hub.")
    command.add_argument("--repository", required=True, metavar="OWNER/NAME", help="made if it is not there, private then")
    command.add_argument("--public", action="store_true", help="make it for everybody to see")
    command.add_argument("--yes", action="store_true", help="push without asking")

    command = _add_output(
        to,
        "export",
        model_commands.export_run,
        "Save a run's checkpoint as a GGUF file for llama.cpp and Ollama, by Unsloth.",
        out="the folder for the file; in the run's own if not given",
    )
    command.add_argument("--quantization", choices=QUANTIZATIONS, default=QUANTIZATIONS[0], help="the number format")


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return value


def _temperature(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 10:
        raise argparse.ArgumentTypeError("must be between 0 and 10")
    return value


def _weight(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        weight = float(value)
    except ValueError:
        weight = nan
    if isfinite(weight):
        return name.strip(), weight
    raise argparse.ArgumentTypeError(f"{text!r} is not NAME=W, such as correctness=1")


def _step(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be at least 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
