"""The doctor at a run while it trains, in a thread of its own: tells new findings, and stops the run on those named.

A finding counts once it has held for `CONFIRMING` steps, so that many looks do not make chance findings. What was told is kept
in the run's folder: a resumed run is not stopped again by what it was resumed with, unless that went away meanwhile.
"""

import json
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from training.alerts.configuration import Channel
from training.alerts.sending import of_finding
from training.alerts.telling import tell
from training.doctor.examination import MIN_STEPS, examine
from training.doctor.finding import Finding
from training.errors import AtlasError, StoreError
from training.files import replace_file
from training.signal_names import SignalName
from training.store import Job, Store

CONFIRMING = 5
"""Steps for which a finding has to hold before it is told, or stops the run."""

_EVERY = 1 / 20
"""A run is examined again when it is longer by a twentieth."""

_REST = 20.0
"""Times as long as an examination took, until the next one: it takes less than a twentieth of the time."""

_FILE = "findings.json"


class Watch:
    """Watches one run from the moment it is entered; its end looks once more, and tells what is left to tell."""

    def __init__(
        self, store: Store, job: Job, folder: Path, stop_on: tuple[SignalName, ...], channels: Mapping[str, Channel]
    ) -> None:
        self._store, self._job, self._channels = store, job, channels
        self._stop_on = frozenset(stop_on)
        self._file = folder / _FILE
        self._told = self._read_told()
        self._since: dict[SignalName, int] = {}
        """Finding -> the step of the first examination in a row that had it."""
        self._changed = threading.Condition()
        self._step, self._due = 0, MIN_STEPS
        self._ended = False
        self._reason = ""
        self._thread = threading.Thread(target=self._run, daemon=True, name="doctor")

    @property
    def reason(self) -> str:
        """Why the run is to stop by itself, as it goes on record; empty while it is not."""
        return self._reason

    def step_done(self, step: int) -> None:
        """Say how far the run is; waits for nothing."""
        with self._changed:
            self._step = step
            self._changed.notify_all()

    def __enter__(self) -> "Watch":
        if self._stop_on or self._channels:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        rest_s = 0.0
        while not self._reason:
            with self._changed:
                self._changed.wait_for(lambda: self._ended, rest_s)
                self._changed.wait_for(lambda: self._ended or self._step >= self._due)
                step, is_last = self._step, self._ended
            began = time.monotonic()
            self._look(step, is_last)
            if is_last:
                return
            rest_s = _REST * (time.monotonic() - began)
            self._due = step + max(1, int(step * _EVERY))

    def _look(self, step: int, is_last: bool) -> None:
        """Examine the run, tell what has held for long enough, and stop the run for it unless it has ended anyhow."""
        if step < MIN_STEPS:
            return
        try:
            health = examine(self._store, self._job.id)
        except StoreError:  # away: the next look says more
            return
        except AtlasError as error:
            print(f"the run's health cannot be examined: {error}", file=sys.stderr, flush=True)
            return
        self._since = {name: self._since.get(name, step) for name in health.findings}
        self._told &= health.findings.keys()
        held = [name for name in health.findings if name not in self._told and step - self._since[name] >= CONFIRMING]
        self._told |= set(held)
        self._keep_told()
        if not is_last:
            self._reason = next((_why(name, health.findings[name]) for name in held if name in self._stop_on), "")
        for name in held:
            tell(self._channels, of_finding(self._job, name, health.findings[name]))

    def _read_told(self) -> set[SignalName]:
        try:
            return set(json.loads(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return set()

    def _keep_told(self) -> None:
        try:
            replace_file(self._file, lambda stream: stream.write(json.dumps(sorted(self._told)).encode()))
        except OSError as error:
            print(f"{self._file} cannot be written ({error.strerror}).", file=sys.stderr, flush=True)


def _why(name: SignalName, finding: Finding) -> str:
    """As it goes on record behind the step."""
    return f"by its rule {name}: {finding.sentence}"
