"""The run store: every job, scalar, rollout, evaluation, checkpoint, heartbeat and request as rows behind one SQLAlchemy URL.

Contract
    A `Store` may be shared by threads and opened by any number of processes at once; each method is one transaction.
    Writers never wait for readers (SQLite in WAL mode; Postgres by nature). Readers follow a run by cursor: "what came
    after sequence number N". A job is written by its own process; others only put requests to it.
    Methods that name a job raise `UnknownJobError` when there is none, and all raise `StoreFailedError` where the database does
    not do what is asked: `StoreAwayError` while it cannot be reached, `StoreLostError` when it was deleted or replaced while in
    use. A write that raises one may have been made or not. What no database would take raises `StoreError`.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict

import sqlalchemy as sa

from training.errors import StoreError, StoreFailedError
from training.groups import Rollout
from training.store import database, schema
from training.store.database import root_cause, shown_url
from training.store.job_rows import HEARTBEAT_S, LOCAL, LOST_AFTER_S, JobRows
from training.store.records import RUN_KINDS, TRAINED_KINDS, Checkpoint, Job, JobKind, Phase, Progress, Scalar, Status

__all__ = [
    "HEARTBEAT_S",
    "LOCAL",
    "LOST_AFTER_S",
    "RUN_KINDS",
    "TRAINED_KINDS",
    "Checkpoint",
    "Job",
    "JobKind",
    "Phase",
    "Progress",
    "Scalar",
    "Status",
    "Store",
]


class Store(JobRows):
    """Jobs, and what runs leave behind; see the module's contract."""

    is_new = False
    """Whether it was empty when it was opened, and its tables were made then."""

    @classmethod
    def open(cls, url: str, clock: Callable[[], float] | None = None, *, create: bool = True) -> "Store":
        """Connect, and create or migrate the tables; a store that can only be read is opened to be read.

        Args:
            clock: Unix seconds; the database's own where it has one, else this machine's.
            create: whether to begin an empty store where SQLite's file is not there.

        Raises:
            StoreAwayError: the database cannot be reached now.
            StoreLostError: it is not there, and was not to be created.
            StoreError: the URL is malformed, the database refuses us or is too old to be read only, or it is newer than this
                program.
        """
        try:
            store = cls(database.connect(url, create=create), clock)
            found = store._bring_up_to_date()
        except StoreFailedError as error:
            raise type(error)(error.problem, f"{error.remedy} GRPO_ATLAS_STORE names it.") from error
        except (sa.exc.ArgumentError, ValueError) as error:
            # Nor is the error's text shown: in a malformed address a password may stand anywhere.
            raise StoreError(
                f"The run store {shown_url(url)} cannot be opened (its address cannot be read).",
                "Correct GRPO_ATLAS_STORE; in a password, characters such as @ are written as %40.",
            ) from (error if "@" not in url else None)
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            raise StoreError(
                f"The run store {shown_url(url)} cannot be opened ({root_cause(error)}).",
                "Correct GRPO_ATLAS_STORE, or install what it needs.",
            ) from error
        if found > schema.VERSION:
            raise StoreError(
                f"The run store has schema version {found}, this program knows {schema.VERSION}.",
                "Use the newer program, or set GRPO_ATLAS_STORE to another database.",
            )
        return store

    def _bring_up_to_date(self) -> int:
        """Create or migrate the tables where that is due; the version that they had, 0 for none."""
        with self._reader.connect() as connection:
            self._look_at_clock(connection)
            found = schema.found_version(connection)
        if found >= schema.VERSION:
            return found
        with self._writer.begin() as connection:
            found = schema.migrate(connection, self._clock())
        self.is_new = found == 0
        return found

    @property
    def is_current(self) -> bool:
        """Whether what was opened is still what its address names: false where SQLite's file is gone or is another one."""
        return self._database.is_current

    def hold(self) -> "Store | None":
        """The same store, to be read only, for as long as it is held: also when its file is deleted or replaced.

        `None` where it is not one file. To be closed.
        """
        held = self._database.hold()
        return None if held is None else type(self)(held, self._clock)

    def close(self) -> None:
        """Give back all connections; the store can be used again afterwards.

        Of a file that was replaced nothing stays beside the one that took its place.
        """
        if not self.is_current:
            with suppress(StoreFailedError):
                self._reader.connect().close()
        self._reader.dispose()

    def record(
        self,
        job_id: str,
        *,
        rollouts: Iterable[Rollout] = (),
        scalars: Iterable[tuple[int, Mapping[str, float | None]]] = (),
        progress: Progress | None = None,
        checkpoints: Iterable[Checkpoint] = (),
        times: Mapping[int, float] | None = None,
    ) -> None:
        """Write what steps leave behind, whole or not at all, in training order.

        Writing it again replaces it: rollouts by step, scalars by step and name. So nobody sees a step's scalars before
        its rollouts, and a step is never there twice.

        Args:
            scalars: (step, values by name).
            progress: counts as a heartbeat.
            checkpoints: those whose steps are not on record yet; others stay as they are.
            times: step -> when its scalars were logged, Unix seconds; now, where it is not given.
        """
        now = self._clock()
        times = times or {}
        rows = [{"job_id": job_id} | vars(rollout) for rollout in rollouts]  # `asdict` copies deeply: a third of all the work
        with self._writer.begin() as connection:
            self._hold(connection, job_id)
            if rows:
                table = schema.rollouts
                again = table.c.step.in_({row["step"] for row in rows})
                connection.execute(table.delete().where(table.c.job_id == job_id, again))
                connection.execute(table.insert(), rows)
            for step, values in scalars:
                self._replace_scalars(connection, job_id, step, values, times.get(step, now))
            for checkpoint in checkpoints:
                self._add_new_checkpoint(connection, job_id, checkpoint)
            if progress is not None:
                self._set(connection, job_id, **asdict(progress), heartbeat_at=now, progress_at=now)

    def scalars(self, job_id: str, after: int = 0) -> list[Scalar]:
        """The values with a sequence number above `after`, in order."""
        table = schema.scalars
        query = sa.select(table).where(table.c.job_id == job_id, table.c.seq > after).order_by(table.c.seq)
        with self._reader.connect() as connection:
            return [Scalar(row.seq, row.step, row.name, row.value, row.time) for row in connection.execute(query)]

    def last_scalar(self, job_id: str) -> int:
        """The sequence number of the newest value, 0 when there is none: equal numbers mean equal values."""
        with self._reader.connect() as connection:
            return connection.scalar(sa.select(sa.func.max(schema.scalars.c.seq)).where(schema.scalars.c.job_id == job_id)) or 0

    def rollouts(self, job_id: str, step: int | None = None) -> list[Rollout]:
        """The rollouts of one step, or of all, in training order."""
        table = schema.rollouts
        query = sa.select(table).where(table.c.job_id == job_id).order_by(table.c.seq)
        if step is not None:
            query = query.where(table.c.step == step)
        fields = tuple(Rollout.__dataclass_fields__)
        with self._reader.connect() as connection:
            return [Rollout(**{name: row[name] for name in fields}) for row in connection.execute(query).mappings()]

    def last_rollout_step(self, job_id: str) -> int:
        """The newest step with rollouts, 0 when there is none."""
        with self._reader.connect() as connection:
            return (
                connection.scalar(sa.select(sa.func.max(schema.rollouts.c.step)).where(schema.rollouts.c.job_id == job_id)) or 0
            )

    def truncate(self, job_id: str, after_step: int) -> None:
        """Forget everything beyond a step, so that a resumed run writes each step once."""
        with self._writer.begin() as connection:
            self._truncate(connection, job_id, after_step)

    def resume_at(self, job_id: str, step: int) -> None:
        """Forget everything beyond a step that somebody chose, what waits to be delivered of an earlier process included."""
        began = sa.select(sa.func.max(schema.sessions.c.started_at)).where(schema.sessions.c.job_id == job_id)
        with self._writer.begin() as connection:
            self._truncate(connection, job_id, step)
            chosen_at = max(self._clock(), connection.scalar(began) or 0.0)  # after it, though the clock may have been set back
            values = {"job_id": job_id, "kind": "resume", "step": step, "created_at": chosen_at}
            connection.execute(schema.requests.insert().values(values))

    def chosen_step(self, job_id: str, since: float) -> int | None:
        """The step of the last `resume_at` since then, in Unix seconds; `None` where nobody chose one."""
        table = schema.requests
        asked = (table.c.job_id == job_id) & (table.c.kind == "resume") & (table.c.created_at >= since)
        with self._reader.connect() as connection:
            return connection.scalar(sa.select(table.c.step).where(asked).order_by(table.c.seq.desc()).limit(1))

    def add_checkpoint(self, job_id: str, step: int, path: str) -> None:
        """Record a checkpoint; the same step again replaces its path."""
        table = schema.checkpoints
        with self._writer.begin() as connection:
            self._hold(connection, job_id)
            connection.execute(table.delete().where(table.c.job_id == job_id, table.c.step == step))
            connection.execute(table.insert().values(job_id=job_id, step=step, path=path, created_at=self._clock()))

    def forget_checkpoint(self, job_id: str, step: int) -> None:
        """Take a checkpoint off the record, before its folder is deleted."""
        table = schema.checkpoints
        with self._writer.begin() as connection:
            connection.execute(table.delete().where(table.c.job_id == job_id, table.c.step == step))

    def checkpoints(self, job_id: str) -> list[Checkpoint]:
        """The run's checkpoints, oldest first."""
        table = schema.checkpoints
        query = sa.select(table).where(table.c.job_id == job_id).order_by(table.c.step)
        with self._reader.connect() as connection:
            return [Checkpoint(row.step, row.path, row.created_at) for row in connection.execute(query)]

    def _truncate(self, connection: sa.Connection, job_id: str, after_step: int) -> None:
        for table in (schema.scalars, schema.rollouts, schema.checkpoints, schema.evaluations):
            connection.execute(table.delete().where(table.c.job_id == job_id, table.c.step > after_step))

    def _add_new_checkpoint(self, connection: sa.Connection, job_id: str, checkpoint: Checkpoint) -> None:
        """One that was written before may have been uploaded since, and another path with it."""
        table = schema.checkpoints
        known = sa.select(table.c.seq).where(table.c.job_id == job_id, table.c.step == checkpoint.step)
        if connection.scalar(known) is None:
            connection.execute(table.insert().values({"job_id": job_id} | asdict(checkpoint)))

    def _replace_scalars(
        self, connection: sa.Connection, job_id: str, step: int, values: Mapping[str, float | None], now: float
    ) -> None:
        table = schema.scalars
        connection.execute(table.delete().where(table.c.job_id == job_id, table.c.step == step, table.c.name.in_(list(values))))
        rows = [{"job_id": job_id, "step": step, "name": name, "value": value, "time": now} for name, value in values.items()]
        if rows:
            connection.execute(table.insert(), rows)
