"""What several commands take: each argument and option once, with its help and its range."""

from typing import Annotated

import typer

from training.presets import preset_paths
from training.prompts import ChatTemplate, SystemTurn
from training.rewards.forms import FORMS
from training.settings import CHOSEN_OF, SETTINGS

RunId = Annotated[str, typer.Argument(metavar="RUN", help="the run's id, as `list` shows it")]
AsJson = Annotated[bool, typer.Option("--json", help="print as JSON")]

Preset = Annotated[str, typer.Option(help=f"{', '.join(preset_paths())}, or a TOML file")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help=f"change a setting: {', '.join(CHOSEN_OF['grpo'])}"),
]
Then = Annotated[
    str | None,
    typer.Option(
        metavar="PRESET", help="a second run, which begins with the last checkpoint of this one once that has finished"
    ),
]
ThenAssignments = Annotated[
    list[str] | None, typer.Option("--then-set", metavar="KEY=VALUE", help="change a setting of the second run")
]
Backend = Annotated[str, typer.Option(help="where it runs, as `backends` lists them")]

_ANSWER_FORM = typer.Option(
    "--answer-form",
    metavar="FORM",
    help=f"how answers are marked: {', '.join(FORMS)}, or /a regular expression/ whose group is the answer",
)
AnswerFormName = Annotated[str, _ANSWER_FORM]
AnswerFormOfStyle = Annotated[str | None, _ANSWER_FORM]
"""Where the style of the prompt has one of its own."""

SystemTurnName = Annotated[SystemTurn, typer.Option("--system-turn", help=SETTINGS["system_turn"].description)]
ChatTemplateName = Annotated[ChatTemplate, typer.Option("--chat-template", help=SETTINGS["chat_template"].description)]

Checkpoint = Annotated[int | None, typer.Option(min=1, metavar="STEP", help="the checkpoint's step, the latest if not given")]
