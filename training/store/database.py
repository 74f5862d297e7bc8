"""The database behind the store: how it is connected to, what keeps two writers apart, and what its errors mean.

SQLite and Postgres differ here and nowhere else. Whatever a driver or SQLAlchemy raises comes out as a `StoreError` with
what to do. `away` is told apart from what fails however often it is tried: a database that cannot be reached, is
starting or is locked comes back; a full disk or a broken rule does not.
"""

import json
import math
import sqlite3
import zlib
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ExceptionContext

from training.errors import AtlasError, StoreAwayError, StoreError, StoreFailedError, StoreLostError
from training.store.sqlite_file import BUSY_TIMEOUT_S, SqliteFile, prepare

_POSTGRES_SETTINGS = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "application_name": "grpo-atlas",
}
"""libpq's, unless the URL says otherwise: a network that swallows packets is noticed within half a minute."""

_SESSION = f"SET lock_timeout = '{BUSY_TIMEOUT_S}s'; SET idle_in_transaction_session_timeout = '120s'"
"""The second frees what a frozen or vanished process holds."""

_AWAY_STATES = ("08", "40", "55P03", "57P01", "57P02", "57P03", "57P05", "25P03", "53300", "25006")
"""SQLSTATEs, or their classes: connection, deadlock, lock, shutdown, crash, start, time-outs, too many clients, a standby.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

_REFUSED = (
    "authentication failed",
    "invalid ",
    "does not exist",
    "no pg_hba.conf entry",
    "not permitted",
    "no password supplied",
)
"""In what libpq says of a connection that will be refused again: such errors come without an SQLSTATE."""

_SQLITE_BUSY = {5, 6}
"""SQLITE_BUSY and SQLITE_LOCKED, https://www.sqlite.org/rescode.html"""

_SQLITE_ERROR = 1
_MISSING = ("no such table", "no such column", "has no column")
"""SQLite has one code for all that is wrong with a statement."""

_SQLITE_KINDS = {
    3: "refused",
    8: "read-only",
    8 | 4 << 8: "lost",  # SQLITE_READONLY_DBMOVED
    10: "disk",
    11: "damaged",
    13: "full",
    14: "closed",
    23: "refused",
    26: "damaged",
}
"""By result code, extended ones first."""

_STATE_KINDS = {
    "28": "refused",
    "3D000": "lost",
    "42501": "refused",
    "42P01": "strange",
    "42703": "strange",
    "53100": "full",
    "58030": "disk",
    "XX001": "damaged",
    "XX002": "damaged",
}
"""By the beginning of the SQLSTATE."""

_NO_VALUES = (OverflowError, UnicodeError)
"""What a driver raises for a value that no column takes."""

_DISGUISES = ("read-only", "disk", "closed")
"""How SQLite names a full disk where it could not even begin."""

_FAILURES: dict[str, tuple[str, str, type[StoreError]]] = {
    "full": (
        "has no room: its disk is full",
        "Free some space there, then try again; a run that was stopped by it can be resumed.",
        StoreFailedError,
    ),
    "read-only": (
        "can only be read",
        "Make its file and folder writable, or set GRPO_ATLAS_STORE to a database that is.",
        StoreFailedError,
    ),
    "disk": (
        "does not get what it needs from its disk",
        "See whether the disk is full or failing (df, dmesg).",
        StoreFailedError,
    ),
    "damaged": (
        "is damaged or no database",
        "Put a copy in its place, without the files ending in -wal and -shm, or move it away to begin with an empty one.",
        StoreFailedError,
    ),
    "closed": ("cannot be opened", "See whether its folder is there, and may be read and written.", StoreFailedError),
    "refused": ("refuses us", "See who may use it, and as whom GRPO_ATLAS_STORE signs in.", StoreFailedError),
    "lost": (
        "is not there",
        "Put it, or a copy of it, back in its place, or set GRPO_ATLAS_STORE to another.",
        StoreLostError,
    ),
    "strange": (
        "lacks what this program keeps there",
        "It was replaced or changed by something else: put the right one, or a copy of it, back in its place.",
        StoreLostError,
    ),
    "value": ("cannot keep this value", "Change the value.", StoreError),
    "other": ("did not do what was asked", "Try again; if it stays so, its own words say what is wrong.", StoreError),
}
"""kind -> what it means, what to do, and how it is raised."""


class Database:
    """What a store is connected to; for any number of threads."""

    def __init__(self, engine: sa.Engine, where: str, file: SqliteFile | None = None) -> None:
        """Of an engine, whose errors are translated from now on.

        Args:
            where: the database as people may see it, without a password.
            file: for SQLite, the file.
        """
        self.engine = engine
        self.where = where
        self.file = file
        if engine.dialect.name == "sqlite":
            _configure_sqlite(engine, file)
        elif engine.dialect.name == "postgresql":
            _configure_postgres(engine)
        sa.event.listen(engine, "handle_error", self._on_error, retval=True)

    @property
    def is_current(self) -> bool:
        """Whether it is the database that was opened, and not gone or another; known of SQLite's files only."""
        return self.file is None or self.file.is_current

    def hold(self) -> "Database | None":
        """The file that is open now, to be read also when it is deleted or replaced; `None` where there is no file.

        Raises:
            StoreFailedError: it is gone already.
        """
        if self.file is None:
            return None
        try:
            held = self.file.hold()
        except sqlite3.Error as error:
            raise self.failure(error) from error
        database = Database(sa.create_engine("sqlite://", creator=lambda: held, poolclass=sa.StaticPool), self.where)
        database.engine.connect().close()
        return database

    def failure(self, error: BaseException) -> StoreError:
        """What a driver's error, or one of SQLAlchemy's, means for people: a `StoreFailedError` if it is the database's fault
        and not that of what was asked.
        """
        if is_away(error):
            return self._away(error)
        kind = _kind(error)
        if kind in _DISGUISES and self.file is not None and self.file.disk_is_full:
            kind = "full"
        meaning, remedy, error_class = _FAILURES[kind]
        return error_class(f"The run store {self.where} {meaning} ({root_cause(error)}).", remedy)

    def _on_error(self, context: ExceptionContext) -> BaseException | None:
        error, drivers = context.original_exception, context.dialect.loaded_dbapi.Error
        if context.is_pre_ping or not isinstance(error, (drivers, sa.exc.SQLAlchemyError, *_NO_VALUES)):
            return None
        return self._away(error) if context.is_disconnect else self.failure(error)

    def _away(self, error: BaseException) -> StoreAwayError:
        return StoreAwayError(
            f"The run store {self.where} cannot be reached ({root_cause(error)}).",
            "Start its database or restore the network; what waits for it goes on by itself.",
        )


def connect(url: str, *, create: bool = True) -> Database:
    """The database of a URL; connects on first use.

    Args:
        create: whether SQLite makes its file where there is none.

    Raises:
        sqlalchemy.exc.ArgumentError, ValueError, ImportError: the URL is malformed, or its driver is not installed. What the
            first two say may hold a part of the password.
    """
    parsed = sa.make_url(url)
    if "@" in (parsed.host or ""):
        raise ValueError("an @ in the password")  # else the end of the password would be taken for a host, and shown
    is_postgres = parsed.get_backend_name() == "postgresql"
    settings = {name: value for name, value in _POSTGRES_SETTINGS.items() if is_postgres and name not in parsed.query}
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:") and not parsed.query
    pool: dict[str, Any] = {"poolclass": _Pool, "pool_pre_ping": True} if is_postgres else {}
    if is_file:
        pool = {"poolclass": _Pool, "max_overflow": -1}  # as many as there are threads, and none waits for another's
    engine = sa.create_engine(parsed, hide_parameters=True, connect_args=settings, json_serializer=_json_text, **pool)
    file = SqliteFile(Path(str(parsed.database)).absolute(), create=create) if is_file else None
    return Database(engine, shown_url(url), file)


class _Pool(sa.QueuePool):
    def connect(self) -> sa.PoolProxiedConnection:
        try:
            return super().connect()
        except sa.exc.TimeoutError as error:
            raise StoreAwayError(
                f"All {self.size()} connections to the run store are in use.", "It goes on by itself when one is free."
            ) from error


def reading(engine: sa.Engine) -> sa.Engine:
    """The engine for transactions that read: all their queries see one state, as they do in SQLite's WAL mode."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine


def writing(engine: sa.Engine) -> sa.Engine:
    """The engine for transactions that write."""
    return engine.execution_options(write=True)


def take_turn(connection: sa.Connection, what: str) -> None:
    """Wait until no other transaction has the turn for `what`, and have it until this one ends.

    For reading something and then writing what follows from it. In SQLite only one transaction writes at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(zlib.crc32(f"grpo-atlas {what}".encode()))))


def is_away(error: BaseException) -> bool:
    """Whether a driver's error says that the database cannot be had now, so that trying again is right."""
    if hasattr(error, "sqlite_errorcode"):
        return error.sqlite_errorcode & 0xFF in _SQLITE_BUSY
    if not hasattr(error, "sqlstate"):
        return False
    if error.sqlstate is not None:
        return str(error.sqlstate).startswith(_AWAY_STATES)
    return _never_connected(error) and not any(words in str(error) for words in _REFUSED)


def _never_connected(error: BaseException) -> bool:
    """libpq's errors of a connection come without an SQLSTATE."""
    return "OperationalError" in {kind.__name__ for kind in type(error).__mro__}


def _kind(error: BaseException) -> str:
    """The key of `_FAILURES`."""
    if hasattr(error, "sqlite_errorcode"):
        code = error.sqlite_errorcode
        if code & 0xFF == _SQLITE_ERROR:
            return "strange" if any(words in str(error) for words in _MISSING) else "other"
        return _SQLITE_KINDS.get(code) or _SQLITE_KINDS.get(code & 0xFF, "other")
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return next((kind for begin, kind in _STATE_KINDS.items() if state.startswith(begin)), "other")
    if hasattr(error, "sqlstate") and _never_connected(error):
        return "lost" if "does not exist" in str(error) else "refused"
    return "value" if isinstance(error, _NO_VALUES) else "other"


def shown_url(url: str) -> str:
    """A URL as people may see it: scheme, host and database, never a password or a query."""
    try:
        parsed = sa.make_url(url)
        if "@" in (parsed.host or ""):
            return url.rpartition("@")[2].partition("?")[0]
        return sa.URL.create(parsed.drivername, host=parsed.host, port=parsed.port, database=parsed.database).render_as_string(
            hide_password=True
        )
    except (sa.exc.ArgumentError, ValueError):
        return url.rpartition("@")[2].partition("?")[0]


def root_cause(error: BaseException) -> str:
    """What the database itself said, or we do, in one line."""
    return error.problem if isinstance(error, AtlasError) else str(getattr(error, "orig", None) or error).strip().split("\n")[0]


def _configure_sqlite(engine: sa.Engine, file: SqliteFile | None) -> None:
    """Real transactions: writers take their lock at BEGIN, so none fails halfway as busy. A file is watched."""
    if file is None:
        sa.event.listen(engine, "connect", lambda connection, record: prepare(connection))
    else:
        _watch(engine, file)

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        mode = "IMMEDIATE" if connection.get_execution_options().get("write") else "DEFERRED"
        connection.exec_driver_sql(f"BEGIN {mode}")


def _watch(engine: sa.Engine, file: SqliteFile) -> None:
    """Look before each use whether a connection's file is still there; one that can only read is used once."""

    @sa.event.listens_for(engine, "do_connect")
    def on_connect(_dialect: object, record: Any, _arguments: object, options: dict[str, Any]) -> sqlite3.Connection:
        connection, side = file.connect(options)
        record.info.update(side=side, used=False)
        return connection

    @sa.event.listens_for(engine, "checkout")
    def on_checkout(connection: sqlite3.Connection, record: Any, _proxy: object) -> None:
        side, was_used = record.info["side"], record.info["used"]
        record.info["used"] = True
        if not (file.check(connection, side) if side else not was_used):
            raise sa.exc.DisconnectionError


def _configure_postgres(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        connection.execute(_SESSION)
        connection.commit()


def _json_text(value: Any) -> str:
    """JSON that every database reads: numbers that are not finite become null."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
