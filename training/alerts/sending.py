"""Sending to a channel, through apprise; and what is sent of a finding and of a run's end."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from training.alerts.configuration import Channel, Event
from training.credentials import with_secrets
from training.doctor.finding import Finding
from training.doctor.signals import SIGNALS
from training.errors import AlertError
from training.signal_names import SignalName
from training.store import Job


@dataclass(frozen=True)
class Message:
    """What a channel is told."""

    event: Event
    title: str
    body: str
    signal: SignalName | None = None


def of_finding(job: Job, name: SignalName, finding: Finding) -> Message:
    """A finding of the doctor in a run."""
    signal = SIGNALS[name]
    rows = "\n".join(f"- {row.words}" for row in finding.evidence)
    body = (
        f"{finding.sentence}\n\nSince step {finding.onset:,}. {finding.arithmetic}\n{rows}\n\nWhat to do: {signal.remedy}\n"
        f"Source: {signal.source}."
    )
    return Message(signal.level, f"{job.id}: {signal.level} {name}, since step {finding.onset:,}", body, name)


def of_end(job: Job) -> Message | None:
    """How a run ended; `None` while it has not."""
    events: Mapping[str, Event] = {"finished": "finished", "stopped": "stopped", "failed": "failed"}
    event = events.get(job.status)
    return None if event is None else Message(event, f"{job.id} {job.status}", job.reason or job.status)


def address_of(name: str, channel: Channel, environ: Mapping[str, str] = os.environ) -> str:
    """Where a channel leads, with its secrets.

    Raises:
        AlertError: a variable that it names is not set.
    """
    return with_secrets(channel.url, _called(name), AlertError, environ, in_url=True)


def send(name: str, channel: Channel, message: Message, environ: Mapping[str, str] = os.environ) -> None:
    """Send now, waiting for the receiver.

    Raises:
        AlertError: a variable is not set, the address is none, or the receiver does not take it. The address is not told.
    """
    import apprise  # late: it takes half a second, and most processes send nothing

    whose, address = _called(name), address_of(name, channel, environ)
    kinds = {"alarm": apprise.NotifyType.WARNING, "failed": apprise.NotifyType.FAILURE, "finished": apprise.NotifyType.SUCCESS}
    sender = apprise.Apprise()
    if not sender.add(address):
        raise AlertError(f"{whose} has an address that apprise does not take ({channel.kind}).", "Correct it in alerts.toml.")
    taken = sender.notify(
        title=message.title,
        body=message.body,
        notify_type=kinds.get(message.event, apprise.NotifyType.INFO),
        body_format=apprise.NotifyFormat.TEXT,
    )
    if not taken:
        raise AlertError(
            f"{whose} ({channel.kind}) was not reached.",
            "See whether its receiver answers, and whether the address and its secrets are right.",
        )


def _called(name: str) -> str:
    return f"The channel {name!r} of alerts"
