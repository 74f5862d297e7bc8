"""The file behind a run store on SQLite: opened to write, or to read where it cannot be written, and missed when it is gone.

SQLite goes on with a file whose name was taken away or given to another, and says nothing. So before every use the file at
the path is held against the one that was opened (device and inode), and so are its `-wal` and `-shm`. Nothing here may open
the file but SQLite: whoever opens and closes it by other means drops the locks that the whole process has on it
(https://www.sqlite.org/howtocorrupt.html).
"""

import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from training.errors import StoreAwayError, StoreLostError

BUSY_TIMEOUT_S = 30
"""How long a writer waits for another one."""

_FULL_BYTES = 64 * 1024
"""With less room than this a disk counts as full: SQLite's `-shm` alone takes half of it."""

_UNWRITABLE = {3, 8, 10, 13, 14}
"""SQLITE_PERM, READONLY, IOERR, FULL and CANTOPEN, https://www.sqlite.org/rescode.html: to be read it may still be."""

Identity = tuple[int, int]
"""Device and inode."""
Side = tuple[Identity | None, ...]
"""Of its `-wal` and its `-shm`; `None` for one that is not there."""


class SqliteFile:
    """One file; for any number of threads and connections of this process."""

    def __init__(self, path: Path, *, create: bool) -> None:
        """Of a path.

        Args:
            create: whether the first connection makes the file where there is none. A later one never does.
        """
        self.path = path
        self._beside = tuple(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
        self._create = create
        self._opened: Identity | None = None
        self._largest = 0

    @property
    def is_current(self) -> bool:
        """Whether what lies at the path is what was opened."""
        return self._opened is None or _look(self.path)[0] == self._opened

    @property
    def disk_is_full(self) -> bool:
        try:
            return shutil.disk_usage(self.path.parent).free < _FULL_BYTES
        except OSError:
            return False

    def connect(self, options: Mapping[str, Any]) -> tuple[sqlite3.Connection, Side | None]:
        """A connection, and the files beside it, which `check` is to be given; `None` where it can only read.

        Args:
            options: of `sqlite3.connect`.

        Raises:
            StoreLostError: the file is gone or another.
            sqlite3.Error: it cannot be opened.
        """
        self._require_same()
        may_create = self._create and self._opened is None
        try:
            connection, writes = self._open(options, "rwc" if may_create else "rw"), True
        except sqlite3.Error as error:
            try:
                connection, writes = self._open_to_read(options, error), False
            except sqlite3.Error:
                raise error from None
        try:
            self._opened = self._opened or _look(self.path)[0]
            self._require_same()
        except BaseException:
            connection.close()
            raise
        return connection, self._side() if writes else None

    def check(self, connection: sqlite3.Connection, side: Side) -> bool:
        """Whether a connection may be used again; one whose `-wal` or `-shm` was taken away may not.

        Raises:
            StoreLostError: the file is gone, another, or overwritten.
        """
        found, size = _look(self.path)
        if found != self._opened:
            self._part(connection, side)
            self._require_same()
        if side != self._side():
            _checkpoint(connection)  # what it wrote to the former one is not lost
            return False
        self._require_grown(connection, size)
        return True

    def hold(self) -> sqlite3.Connection:
        """A connection that goes on reading what is open now, even when its name is taken away. The caller closes it."""
        return self.connect({"check_same_thread": False})[0]

    def _require_same(self) -> None:
        """Raise `StoreLostError` unless the file is the one that was opened, if any was."""
        found, _ = _look(self.path)
        if found is None and not (self._create and self._opened is None):
            what = "is gone: it was deleted or moved while in use" if self._opened else "is not there"
            raise StoreLostError(
                f"The run store {self.path} {what}.",
                "Put it, or a copy of it, back in its place; to begin with an empty one, start the dashboard again.",
            )
        if self._opened is not None and found != self._opened:
            raise StoreLostError(
                f"The run store {self.path} was replaced by another file while in use.",
                "Start again what used it: it then takes the file that is there now.",
            )

    def _require_grown(self, connection: sqlite3.Connection, size: int) -> None:
        """SQLite makes its file smaller only when it is told to (VACUUM), and then has fewer pages."""
        if size < self._largest:
            pages, page_size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
            if pages * page_size >= self._largest:
                raise StoreLostError(
                    f"The run store {self.path} was overwritten while in use.",
                    "End all that uses it, delete the files ending in -wal and -shm beside it, put the right file there "
                    "once more, and start again.",
                )
            self._largest = 0
        self._largest = max(self._largest, size)

    def _part(self, connection: sqlite3.Connection, side: Side) -> None:
        """Leave the former file whole, and nothing of it beside the one that took its place: SQLite would read the former's
        `-wal` into that.
        """
        if not _checkpoint(connection):
            return
        for beside, former in zip(self._beside, side, strict=True):
            if former is not None and _look(beside)[0] == former:
                beside.unlink(missing_ok=True)

    def _side(self) -> Side:
        return tuple(_look(beside)[0] for beside in self._beside)

    def _open(self, options: Mapping[str, Any], mode: str) -> sqlite3.Connection:
        address = f"file:{quote(str(self.path))}?mode={mode}"
        connection: sqlite3.Connection = sqlite3.connect(address, **{**options, "uri": True})
        try:
            prepare(connection, reads_only="ro" in mode)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # now -wal and -shm are open too
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_to_read(self, options: Mapping[str, Any], why: sqlite3.Error) -> sqlite3.Connection:
        """Where there are no `-wal` and `-shm`, and none can be made, SQLite reads only what it is told will not change."""
        if getattr(why, "sqlite_errorcode", 0) & 0xFF not in _UNWRITABLE:
            raise why
        with suppress(FileNotFoundError):
            if self._beside[0].stat().st_size:
                return self._open(options, "ro")
        return self._open(options, "ro&immutable=1")


def prepare(connection: sqlite3.Connection, *, reads_only: bool = False) -> None:
    """WAL and foreign keys; transactions begin where SQLAlchemy says so."""
    connection.isolation_level = None
    connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII only
    how = ("query_only=ON",) if reads_only else ("journal_mode=WAL", "synchronous=NORMAL")
    with closing(connection.cursor()) as cursor:
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_S * 1000}", "foreign_keys=ON", *how):
            cursor.execute(f"PRAGMA {pragma}")


def _lower(text: Any) -> Any:
    return text.casefold() if isinstance(text, str) else text


def _checkpoint(connection: sqlite3.Connection) -> bool:
    """Write what is in the connection's `-wal` to its file; whether all of it is there now."""
    try:
        busy, frames, written = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error:
        return False
    return not busy and frames == written


def _look(path: Path) -> tuple[Identity | None, int]:
    """Which file lies at a path, `None` where there is none, and its size.

    Raises:
        StoreAwayError: the file system does not answer, or refuses.
    """
    try:
        status = os.stat(path)  # noqa: PTH116  # before every use of the store, and pathlib's takes twice as long
    except (FileNotFoundError, NotADirectoryError):
        return None, 0
    except OSError as error:
        raise StoreAwayError(
            f"The run store {path} cannot be reached ({error.strerror}).", "See whether its disk is there and may be read."
        ) from error
    return (status.st_dev, status.st_ino), status.st_size
