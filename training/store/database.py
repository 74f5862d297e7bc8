"""The database behind the store: how it is connected to, what keeps two writers apart, and when it counts as away.

SQLite and Postgres differ here and nowhere else. `away` is told apart from what fails however often it is tried: a database
that cannot be reached, is starting or is locked comes back; a full disk or a broken rule does not.
"""

import json
import math
import zlib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ExceptionContext

from training.errors import StoreAwayError

BUSY_TIMEOUT_S = 30
"""How long a writer waits for another one."""

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


def connect(url: str) -> sa.Engine:
    """An engine whose every error of a database that is away is a `StoreAwayError`; connects on first use.

    Raises:
        sqlalchemy.exc.ArgumentError, ValueError, ImportError: the URL is malformed, or its driver is not installed. What the
            first two say may hold a part of the password.
    """
    parsed = sa.make_url(url)
    if "@" in (parsed.host or ""):
        raise ValueError("an @ in the password")  # else the end of the password would be taken for a host, and shown
    is_postgres = parsed.get_backend_name() == "postgresql"
    settings = {name: value for name, value in _POSTGRES_SETTINGS.items() if is_postgres and name not in parsed.query}
    engine = sa.create_engine(
        parsed, pool_pre_ping=True, hide_parameters=True, connect_args=settings, json_serializer=_json_text
    )
    if engine.dialect.name == "sqlite":
        _configure_sqlite(engine)
    elif is_postgres:
        _configure_postgres(engine)
    where = shown_url(url)

    @sa.event.listens_for(engine, "handle_error", retval=True)
    def on_error(context: ExceptionContext) -> BaseException | None:
        error = context.original_exception
        if context.is_pre_ping or not (context.is_disconnect or is_away(error)):
            return None
        return StoreAwayError(
            f"The run store {where} cannot be reached ({root_cause(error)}).",
            "Start its database or mend the network; what waits for it goes on by itself.",
        )

    return engine


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
    names = {kind.__name__ for kind in type(error).__mro__}
    return "OperationalError" in names and not any(words in str(error) for words in _REFUSED)


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
    """What the database itself said, in one line."""
    return str(getattr(error, "orig", None) or error).strip().split("\n")[0]


def _configure_sqlite(engine: sa.Engine) -> None:
    """WAL, foreign keys, and real transactions: writers take their lock at BEGIN, so none fails halfway as busy."""

    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII only
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_S * 1000}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        mode = "IMMEDIATE" if connection.get_execution_options().get("write") else "DEFERRED"
        connection.exec_driver_sql(f"BEGIN {mode}")


def _lower(text: Any) -> Any:
    return text.casefold() if isinstance(text, str) else text


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
