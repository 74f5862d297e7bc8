"""A real Postgres for tests: a cluster of its own in a temporary folder, on a free port of 127.0.0.1."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from tests.ports import free_port
from training.store import Store

PASSWORD = "pass%word"  # with a character that a URL has to encode
_QUICK = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=40")
_TEMPLATE = "atlas_template"


class Postgres:
    """The server: a context manager that has ended its process when it ends."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self.port = free_port()

    @classmethod
    def create(cls) -> "Postgres | None":
        """A server that is not started yet, `None` where there is no Postgres."""
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
        on_path = shutil.which("initdb")
        programs = found[-1].parent if found else Path(on_path).resolve().parent if on_path else None
        if programs is None or not (programs / "postgres").exists() or shutil.which("setpriv") is None:
            return None
        folder = Path(tempfile.mkdtemp(prefix="atlas-postgres-"))
        server = cls(programs, folder)
        if os.getuid() == 0:
            os.chown(folder, server._account.pw_uid, server._account.pw_gid)
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        options = ("--username=atlas", f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C")
        server._run("initdb", f"--pgdata={folder / 'data'}", "--no-sync", *options)
        return server

    def __enter__(self) -> "Postgres":
        self.start()
        self._sql(f"CREATE DATABASE {_TEMPLATE}")
        Store.open(self.url(_TEMPLATE)).close()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start, or start again, and return when it takes connections."""
        settings = (*_QUICK, "unix_socket_directories=", "listen_addresses=127.0.0.1")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                # It goes with the tests, should those be killed.
                ["setpriv", *self._as_other(), "--pdeathsig", "INT", self._programs / "postgres"]
                + ["-D", str(self._folder / "data"), "-p", str(self.port)]
                + [part for setting in settings for part in ("-c", setting)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
            )
        for _ in range(6000):
            assert self._process.poll() is None, (self._folder / "log").read_text()
            try:
                self._connect().close()
                return
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise AssertionError((self._folder / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT says goodbye to its clients, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(600)
            self._process = None

    def url(self, database: str) -> str:
        """The store's URL for a database; on a busy machine a connection may take long."""
        password = PASSWORD.replace("%", "%25")
        return f"postgresql+psycopg://atlas:{password}@127.0.0.1:{self.port}/{database}?connect_timeout=60"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new, empty store."""
        self._databases += 1
        name = f"atlas_{self._databases}"
        self._sql(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        yield self.url(name)
        if self._process is not None:
            self._sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def drop(self, url: str) -> None:
        """Take a database away from under those who use it."""
        self._sql(f"DROP DATABASE {url.rpartition('/')[2].partition('?')[0]} WITH (FORCE)")

    def _sql(self, statement: Any) -> None:
        with self._connect() as connection:
            connection.execute(statement)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="atlas", password=PASSWORD, dbname="postgres", autocommit=True
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            ["setpriv", *self._as_other(), self._programs / program, *arguments],
            capture_output=True,
            text=True,
            cwd=self._folder,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def _account(self) -> pwd.struct_passwd:
        """Whom Postgres runs as where we are root, which it refuses to run as."""
        try:
            return pwd.getpwnam("postgres")
        except KeyError:
            return pwd.getpwnam("nobody")

    def _as_other(self) -> list[str]:
        account = self._account
        return [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"] if os.getuid() == 0 else []
