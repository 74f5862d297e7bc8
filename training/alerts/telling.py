"""Telling all channels that want to know; what cannot be sent is said in the log and stops nothing."""

import os
import sys
from collections.abc import Mapping

from training.alerts.configuration import Channel, channels_of
from training.alerts.sending import Message, of_end, send
from training.errors import AlertError, AtlasError
from training.home import Home
from training.store import TRAINED_KINDS, Store


def tell(channels: Mapping[str, Channel], message: Message, environ: Mapping[str, str] = os.environ) -> None:
    """Send a message to each channel that wants it."""
    for name, channel in channels.items():
        if not channel.wants(message.event, message.signal):
            continue
        try:
            send(name, channel, message, environ)
            print(f"alert sent to {name}: {message.title}", flush=True)
        except AlertError as error:
            print(f"alert not sent: {error}", file=sys.stderr, flush=True)


def tell_end(store: Store, home: Home, job_id: str) -> None:
    """Tell how a run ended, to those who want to know."""
    try:
        job = store.job(job_id)
        message = of_end(job) if job.kind in TRAINED_KINDS else None
        if message is not None:
            tell(channels_of(home), message)
    except AtlasError as error:
        print(f"no alert of the end of {job_id}: {error}", file=sys.stderr, flush=True)
