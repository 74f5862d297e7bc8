"""The command line of the training core, `python -m training`: which commands there are.

What each takes and does is in `training.command_line`. Facts go to standard output, as JSON with `--json`; errors go to
standard error as one line and end with status 2.
"""

import sys
from collections.abc import Callable, Mapping, Sequence

from training.command_line import (
    alerting,
    changing,
    importing,
    judging,
    launching,
    looking,
    making,
    measuring,
    scaling,
    scoring,
    studying,
    token_scores,
)
from training.terminal import new_program, run_program

COMMANDS: Mapping[str, Callable[..., int]] = {
    "launch": launching.launch_run,
    "preflight": launching.check_run,
    "presets": launching.show_presets,
    "backends": launching.show_backends,
    "alerts": alerting.show_alerts,
    "study": studying.start_study,
    "studies": studying.show_studies,
    "list": looking.list_runs,
    "show": looking.show_run,
    "health": looking.show_health,
    "reweigh": looking.reweigh_run,
    "report": looking.write_report,
    "disagreement": judging.show_disagreement,
    "rollouts": looking.write_rollouts,
    "evaluation": looking.write_evaluation,
    "tokens": token_scores.show_tokens,
    "stop": changing.stop_run,
    "delete": changing.delete_run,
    "resume": changing.resume_run,
    "evaluate": measuring.evaluate,
    "judge": scaling.judge,
    "score": scoring.score,
    "import": importing.import_rollouts,
    "merge": making.merge_run,
    "push": making.push_run,
    "export": making.export_run,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    program = new_program(COMMANDS, "Launch, watch, stop and evaluate GRPO runs.")
    return run_program(program, "python -m training", arguments)


if __name__ == "__main__":
    sys.exit(main())
