"""What moves of a run that goes on, in files that browsers fetch: read and made once for all sessions that look at the run.

A session only says what it shows of the run, see `LiveRun`; what moves does not pass through its reruns. For each run that is
looked at, one thread asks the store whether there is something new and writes the head of the run's page, the small file that
browsers look at every second, and the curves in each view that is shown. It ends when no session has asked for a while.
"""

import gzip
import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice

from dashboard.axes import STEP, TOKENS, TOKENS_LOGGED
from dashboard.curve_figures import Onset
from dashboard.curves import Curve
from dashboard.run_head import Head
from dashboard.thinning import Window
from dashboard.web_files import WebFiles
from training.errors import AtlasError

_LOOK_S = 0.25
_PATIENCE_S = 45.0
"""Sessions ask every ten seconds; those in a window that lies behind more rarely, which nobody sees."""
_VIEWS = 16
"""Views of one run that are kept up to date, the last ones asked for."""
_GZIP_LEVEL = 1


@dataclass(frozen=True)
class View:
    """What a session shows of a run."""

    shown: tuple[Curve, ...]
    max_steps: int
    weight: float = 0.0
    """Of the past in smoothed lines."""
    window: Window | None = None
    axis: str = STEP
    """A key of `axes.AXES`."""
    onsets: tuple[Onset, ...] = ()
    """Where the doctor's findings begin."""

    @property
    def names(self) -> frozenset[str]:
        """The scalars that it needs."""
        needed = (TOKENS_LOGGED,) if self.axis == TOKENS else ()
        return frozenset((*needed, *(name for curve in self.shown for name in curve.names)))


@dataclass(frozen=True)
class Now:
    """How a run is now."""

    newest: int
    """What was logged last: another number means that there are new curves."""
    head: Head


class LiveRun:
    """One run. Safe for threads."""

    def __init__(
        self,
        run_id: str,
        files: WebFiles,
        look: Callable[[], Now],
        make: Callable[[View], bytes],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is read before the first session follows.

        Args:
            run_id: the run's id.
            files: where the files are put.
            look: how the run is.
            make: the curves of a view as they stand now, see `figures.panels_json`.
            clock: in seconds.
        """
        self._files, self._look, self._make, self._clock = files, look, make, clock
        self._name = f"live-{_digest(run_id)}"
        self._lock = threading.Lock()
        self._asked: dict[View | None, float] = {}
        """When each view, or the head alone, was asked for, the longest ago first."""
        self._reader: threading.Thread | None = None
        self._error: AtlasError | None = None

    @property
    def head(self) -> str:
        """The name of the head's file: `Head` as JSON, and `newest`, once the curves are there."""
        return f"{self._name}.json"

    def follow_head(self) -> str:
        """The name of the head's file, which is kept up to date for a while from now.

        Raises:
            AtlasError: it cannot be written, or the store cannot be read.
        """
        self._follow(None)
        return self.head

    def follow(self, view: View) -> str:
        """The name of the file with a view, which is kept up to date for a while from now: `{"newest", "panels"}` in gzip.

        Raises:
            AtlasError: as of `follow_head`.
        """
        self._follow(view)
        return self._file(view)

    def _follow(self, asked: View | None) -> None:
        with self._lock:
            if self._asked.pop(asked, None) is None:
                now = self._look()
                if asked is None:
                    self._write_head(now)
                else:
                    self._write(asked, now.newest)
            self._asked[asked] = self._clock()
            for old in list(islice(self._asked, max(0, len(self._asked) - _VIEWS))):
                del self._asked[old]
            if self._reader is None:
                self._reader = threading.Thread(target=self._read, name=self._name, daemon=True)
                self._reader.start()
            if self._error is not None:
                raise self._error

    def is_read(self) -> bool:
        """Whether the reader is at work."""
        with self._lock:
            return self._reader is not None

    def _read(self) -> None:
        """Until nobody looks any more."""
        told: Now | None = None
        try:
            while asked := self._watched():
                told = self._tell(asked, told)
                time.sleep(_LOOK_S)
        finally:
            with self._lock:
                if self._reader is threading.current_thread():
                    self._reader = None

    def _tell(self, asked: list[View | None], told: Now | None) -> Now | None:
        """Write what is new, the views first, since the head tells of them; how the run was told to be."""
        try:
            now = self._look()
            if told is None or now.newest != told.newest:
                for view in asked:
                    if view is not None:
                        self._write(view, now.newest)
            if now != told:
                self._write_head(now)
        except AtlasError as error:
            self._error = error  # for the next session that asks
            return told
        self._error = None
        return now

    def _watched(self) -> list[View | None]:
        """What was asked for lately; when that is nothing, the reader is no longer at work."""
        with self._lock:
            for asked, asked_at in list(self._asked.items()):
                if self._clock() - asked_at > _PATIENCE_S:
                    del self._asked[asked]
            if not self._asked:
                self._reader = None
            return list(self._asked)

    def _write_head(self, now: Now) -> None:
        self._files.put(self.head, json.dumps({"newest": now.newest, **asdict(now.head)}).encode())

    def _write(self, view: View, newest: int) -> None:
        content = b'{"newest":%d,"panels":%b}' % (newest, self._make(view))
        self._files.put(self._file(view), gzip.compress(content, _GZIP_LEVEL))

    def _file(self, view: View) -> str:
        return f"{self._name}-{_digest(repr(view))}.json.gz"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
