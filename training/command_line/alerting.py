"""Who is told what happens to runs: `alerts`."""

import json
import sys
from typing import Annotated

import typer

from training.alerts.configuration import alerts_file, channels_of
from training.alerts.sending import Message, address_of, send
from training.command_line.parameters import AsJson
from training.errors import AlertError
from training.home import Home


def show_alerts(
    try_all: Annotated[bool, typer.Option("--try", help="send a test to each channel")] = False, as_json: AsJson = False
) -> int:
    """The channels that runs tell what happens to them, as alerts.toml has them."""
    home = Home.from_environment()
    channels = channels_of(home)
    if as_json:
        facts = {
            name: {"kind": channel.kind, "on": channel.on, "signals": channel.signals} for name, channel in channels.items()
        }
        print(json.dumps({"file": str(alerts_file(home)), "channels": facts}, indent=2))
    elif not channels:
        print(f"No alerts: there is no channel in {alerts_file(home)}.")
    lacking = False
    for name, channel in channels.items():
        of = f" of {', '.join(channel.signals)}" if channel.signals else ""
        if not as_json:
            print(f"{name:<12} {channel.kind:<10} {', '.join(channel.on)}{of}")
        try:
            address_of(name, channel)
        except AlertError as error:
            lacking = True
            print(f"  {error}", file=sys.stderr)
            continue
        if try_all:
            send(name, channel, Message(channel.on[0], "GRPO Atlas: a test", "This channel of alerts works."))
            print(f"  sent to {name}")
    return int(lacking)
