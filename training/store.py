"""The run store: every job, scalar, rollout, evaluation, checkpoint, heartbeat and request as rows behind one SQLAlchemy URL.

Contract
    A `Store` may be shared by threads and opened by any number of processes at once; each method is one transaction.
    Writers never wait for readers (SQLite in WAL mode; Postgres by nature). Readers follow a run by cursor: "what came
    after sequence number N". A job is written by its own process; others only put requests to it.
    Methods that name a job raise `StoreError` when there is none, and all raise `StoreAwayError` while the database cannot be
    reached; a write that raises it may have been made or not.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa

from training import database, schema
from training.database import root_cause, shown_url, take_turn
from training.errors import StoreAwayError, StoreError

Status = Literal["queued", "running", "stopping", "stopped", "finished", "failed", "lost"]
JobKind = Literal["train", "build", "evaluate", "output"]

HEARTBEAT_S = 5.0
LOST_AFTER_S = 20.0
"""A job whose last heartbeat is older counts as lost: four missed beats."""

LOCAL = "local"
"""The backend whose jobs have a process from the start."""

_ACTIVE: tuple[Status, ...] = ("queued", "running", "stopping")
_RESUME_AT = "resume at "
"""Begins the kind of a request that names the step which a run was told to go on from."""


@dataclass(frozen=True)
class Job:
    """One training run, map build or evaluation. Times are Unix seconds."""

    seq: int
    id: str
    kind: JobKind
    name: str
    backend: str
    spec: dict[str, Any]
    """What the job does; for a training run the resolved `RunConfig`."""
    status: Status
    reason: str
    """Why the job ended as it did; empty while it is active."""
    message: str
    """What the job is doing now."""
    done: float
    total: float
    worker: str
    """`host:pid` of the job's process, empty before it starts."""
    tracker: str
    """Where the run is also on record: a Weights & Biases URL, or the folder of an offline one; else empty."""
    created_at: float
    started_at: float | None
    ended_at: float | None
    heartbeat_at: float
    attempt: int = 1
    """How often it was queued."""

    @property
    def active(self) -> bool:
        return self.status in _ACTIVE

    @property
    def fraction(self) -> float:
        """Progress in 0..1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


@dataclass(frozen=True)
class Scalar:
    """One logged value of one step, under TRL's own name; `value` is `None` where TRL had none."""

    seq: int
    step: int
    name: str
    value: float | None
    time: float


@dataclass(frozen=True)
class Rollout:
    """One completion with its rewards."""

    step: int
    """The training step that learns from it, counted from 1."""
    group_index: int
    """Which group of the step, from 0."""
    position: int
    """Which completion of the group, from 0."""
    problem_id: str
    completion: str
    rewards: dict[str, float | None]
    """By reward function, unweighted; `None` where one could not be computed."""
    total: float | None
    """The weighted sum."""
    advantage: float
    tokens: int
    finish_reason: str
    """"stop" when the model ended its turn, "length" when it was cut off."""


@dataclass(frozen=True)
class Progress:
    """How far a job is, and what it does."""

    done: float
    total: float
    message: str


@dataclass(frozen=True)
class Checkpoint:
    """A saved state of a run."""

    step: int
    path: str
    created_at: float


class Store:
    """See the module's contract."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._reader = database.reading(engine)
        self._writer = database.writing(engine)
        self._clock = clock

    @classmethod
    def open(cls, url: str, clock: Callable[[], float] = time.time) -> "Store":
        """Connect, and create or migrate the tables.

        Raises:
            StoreAwayError: the database cannot be reached now.
            StoreError: the URL is malformed, the database refuses us or cannot be written, or it is newer than this program.
        """
        remedy = "Check GRPO_ATLAS_STORE, and that the database is there and writable."
        try:
            store = cls(database.connect(url), clock)
            with store._writer.begin() as connection:
                found = schema.migrate(connection, clock())
        except StoreAwayError as error:
            raise StoreAwayError(error.problem, remedy) from error
        except (sa.exc.ArgumentError, ValueError) as error:
            # Nor is the error's text shown: in a malformed address a password may stand anywhere.
            raise StoreError(
                f"The run store {shown_url(url)} cannot be opened (its address cannot be read).",
                "Correct GRPO_ATLAS_STORE; in a password, characters such as @ are written as %40.",
            ) from (error if "@" not in url else None)
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            raise StoreError(f"The run store {shown_url(url)} cannot be opened ({root_cause(error)}).", remedy) from error
        if found > schema.VERSION:
            raise StoreError(
                f"The run store has schema version {found}, this program knows {schema.VERSION}.",
                "Use the newer program, or set GRPO_ATLAS_STORE to another database.",
            )
        return store

    def close(self) -> None:
        """Give back all connections; the store can be used again afterwards."""
        self._reader.dispose()

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A connection to read with, for the modules beside this one that have tables of their own."""
        return self._reader.connect()

    @contextmanager
    def writing(self, turn: str = "") -> Iterator[sa.Connection]:
        """A transaction to write in, committed at its end.

        Args:
            turn: other transactions of this name wait for its end; to be given where what is written follows from what is read.
        """
        with self._writer.begin() as connection:
            if turn:
                take_turn(connection, turn)
            yield connection

    def now(self) -> float:
        """The store's clock, Unix seconds."""
        return self._clock()

    # Jobs

    def create_job(
        self, kind: JobKind, name: str, spec: dict[str, Any], *, backend: str = LOCAL, total: float = 0
    ) -> tuple[Job, bool]:
        """Queue a job and return (job, True), or (the active job of equal kind and spec, False): launching is idempotent.

        The id is the name with the next number, as in "demo-7"; a deleted job's is not given again.
        """
        with self.writing(turn="jobs") as connection:
            twin = self._active_twin(connection, kind, spec)
            if twin is not None:
                return twin, False
            now = self._clock()
            job_id = self._next_id(connection, name)
            values = {"id": job_id, "kind": kind, "name": name, "backend": backend, "spec": spec, "total": total}
            connection.execute(
                schema.jobs.insert().values(values | {"status": "queued", "created_at": now, "heartbeat_at": now})
            )
            return self._job(connection, job_id), True

    def _next_id(self, connection: sa.Connection, name: str) -> str:
        ids = sa.union_all(sa.select(schema.jobs.c.id), sa.select(schema.deleted_jobs.c.id)).subquery()
        taken = connection.scalars(sa.select(ids.c.id).where(ids.c.id.istartswith(f"{name}-", autoescape=True))).all()
        numbers = [int(end) for end in (job_id.rpartition("-")[2] for job_id in taken) if end.isdigit()]
        return f"{name}-{max(numbers, default=0) + 1}"

    def active_twin(self, kind: JobKind, spec: Mapping[str, Any]) -> Job | None:
        """The active job of equal kind and spec, which `create_job` would return."""
        with self._reader.connect() as connection:
            return self._active_twin(connection, kind, spec)

    def job(self, job_id: str) -> Job:
        """The job as it stands now."""
        with self._reader.connect() as connection:
            return self._job(connection, job_id)

    def jobs(self, kind: JobKind | None = None, limit: int = 200) -> list[Job]:
        """The newest jobs, newest first."""
        with self._reader.connect() as connection:
            where = sa.true() if kind is None else schema.jobs.c.kind == kind
            return self._select_jobs(connection, where, limit)

    def queue(self, backend: str, kinds: Sequence[JobKind]) -> list[Job]:
        """The waiting jobs of a backend in submission order, lost ones left out."""
        where = (schema.jobs.c.backend == backend) & (schema.jobs.c.kind.in_(kinds)) & (schema.jobs.c.status == "queued")
        with self._reader.connect() as connection:
            waiting = self._select_jobs(connection, where)
        return [job for job in reversed(waiting) if job.status == "queued"]

    def beat(self, job_id: str, worker: str | None = None) -> None:
        """Record that the job's process is alive, and which it is."""
        self._update(job_id, heartbeat_at=self._clock(), **({} if worker is None else {"worker": worker}))

    def start(self, job_id: str) -> None:
        """The job's turn has come."""
        now = self._clock()
        with self._writer.begin() as connection:
            self._end_session(connection, job_id, self._hold(connection, job_id).heartbeat_at)
            self._set(connection, job_id, status="running", started_at=now, heartbeat_at=now, ended_at=None, reason="")
            connection.execute(schema.sessions.insert().values(job_id=job_id, started_at=now))

    def progress(self, job_id: str, done: float, total: float, message: str) -> None:
        """Record how far the job is and what it does; counts as a heartbeat."""
        self._update(job_id, done=done, total=total, message=message, heartbeat_at=self._clock())

    def set_tracker(self, job_id: str, tracker: str) -> None:
        """Record where else the run is on record."""
        self._update(job_id, tracker=tracker)

    def end(self, job_id: str, status: Status, reason: str) -> None:
        """Record how and why the job ended."""
        now = self._clock()
        with self._writer.begin() as connection:
            self._set(connection, job_id, status=status, reason=reason, message="", ended_at=now, heartbeat_at=now)
            self._end_session(connection, job_id, now)
            self._handle_requests(connection, job_id, now)

    def withdraw(self, job_id: str) -> None:
        """End a queued job that has no process; should one come up after all, it finds a request to stop.

        Raises:
            StoreError: the job is not queued.
        """
        with self._writer.begin() as connection:
            job = self._hold(connection, job_id)
            if job.status != "queued":
                raise StoreError(f"{job_id} is {job.status}.", "Only queued jobs can be withdrawn; stop a running one.")
            now = self._clock()
            connection.execute(schema.requests.insert().values(job_id=job_id, kind="stop", created_at=now))
            self._set(
                connection,
                job_id,
                status="stopped",
                reason="taken out of the queue",
                message="",
                ended_at=now,
                heartbeat_at=now,
            )

    def requeue(self, job_id: str) -> Job:
        """Queue a job again that was stopped, failed or lost, keeping its id.

        Raises:
            StoreError: the job is active or finished.
        """
        with self._writer.begin() as connection:
            job = self._hold(connection, job_id)
            if job.status not in ("stopped", "failed", "lost"):
                raise StoreError(f"{job_id} is {job.status} and cannot be resumed.", "Only stopped, failed and lost runs can.")
            now = self._clock()
            self._end_session(connection, job_id, job.heartbeat_at)
            self._handle_requests(connection, job_id, now)
            self._set(
                connection,
                job_id,
                status="queued",
                reason="",
                message="",
                worker="",
                ended_at=None,
                heartbeat_at=now,
                attempt=job.attempt + 1,
            )
            return self._job(connection, job_id)

    def conclude(self, seen: Job, status: Status, reason: str) -> bool:
        """End a job that has no process, as somebody saw it; nothing happens, and False comes back, if it moved since."""
        now = self._clock()
        with self._writer.begin() as connection:
            if not self._change_unmoved(connection, seen, status=status, reason=reason, message="", ended_at=now):
                return False
            self._end_session(connection, seen.id, seen.heartbeat_at)
            self._handle_requests(connection, seen.id, now)
            return True

    def queue_anew(self, seen: Job) -> Job | None:
        """Count one more attempt for a job that waits for a process; `None` if it moved since it was seen."""
        with self._writer.begin() as connection:
            changes = {"attempt": seen.attempt + 1, "heartbeat_at": self._clock()}
            return self._job(connection, seen.id) if self._change_unmoved(connection, seen, **changes) else None

    def note(self, seen: Job, message: str) -> None:
        """Say what a job without a process waits for, unless it moved since it was seen; no heartbeat."""
        with self._writer.begin() as connection:
            self._change_unmoved(connection, seen, message=message)

    def request_stop(self, job_id: str) -> None:
        """Ask a job to end at its next step; asking twice changes nothing.

        Raises:
            StoreError: the job has already ended or is lost.
        """
        with self._writer.begin() as connection:
            job = self._hold(connection, job_id)
            if not job.active:
                raise StoreError(f"{job_id} is already {job.status}.", "Only queued and running jobs can be stopped.")
            if job.status == "stopping":
                return
            connection.execute(schema.requests.insert().values(job_id=job_id, kind="stop", created_at=self._clock()))
            if job.status == "running":
                self._set(connection, job_id, status="stopping")

    def stop_requested(self, job_id: str) -> bool:
        """Whether a stop request waits to be handled."""
        waiting = sa.select(schema.requests.c.seq).where(
            schema.requests.c.job_id == job_id, schema.requests.c.kind == "stop", schema.requests.c.handled_at.is_(None)
        )
        with self._reader.connect() as connection:
            return connection.scalar(waiting) is not None

    # What a run leaves behind

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
        rows = [{"job_id": job_id} | asdict(rollout) for rollout in rollouts]
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
                self._set(connection, job_id, **asdict(progress), heartbeat_at=now)

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
        with self._writer.begin() as connection:
            self._truncate(connection, job_id, step)
            values = {"job_id": job_id, "kind": f"{_RESUME_AT}{step}", "created_at": self._clock()}
            connection.execute(schema.requests.insert().values(values))

    def chosen_step(self, job_id: str, since: float) -> int | None:
        """The step of the last `resume_at` since then, in Unix seconds; `None` where nobody chose one."""
        table = schema.requests
        chosen = sa.select(table.c.kind).where(
            table.c.job_id == job_id, table.c.kind.startswith(_RESUME_AT), table.c.created_at >= since
        )
        with self._reader.connect() as connection:
            kind = connection.scalar(chosen.order_by(table.c.seq.desc()).limit(1))
        return None if kind is None else int(kind.removeprefix(_RESUME_AT))

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

    def _active_twin(self, connection: sa.Connection, kind: JobKind, spec: Mapping[str, Any]) -> Job | None:
        table = schema.jobs
        found = self._select_jobs(connection, (table.c.kind == kind) & table.c.status.in_(_ACTIVE))
        return next((job for job in found if job.active and job.spec == spec), None)

    def _job(self, connection: sa.Connection, job_id: str) -> Job:
        found = self._select_jobs(connection, schema.jobs.c.id == job_id)
        if not found:
            raise StoreError(f"There is no run {job_id!r}.", "`python -m training list` shows the runs.")
        return found[0]

    def _hold(self, connection: sa.Connection, job_id: str) -> Job:
        """The job, whose row no other transaction changes until this one ends."""
        query = sa.select(schema.jobs).where(schema.jobs.c.id == job_id).with_for_update(key_share=True)
        row = connection.execute(query).mappings().one_or_none()
        return self._job(connection, job_id) if row is None else self._parse_job(row)

    def _select_jobs(self, connection: sa.Connection, where: sa.ColumnElement[bool], limit: int | None = None) -> list[Job]:
        query = sa.select(schema.jobs).where(where).order_by(schema.jobs.c.seq.desc()).limit(limit)
        return [self._parse_job(row) for row in connection.execute(query).mappings()]

    def _parse_job(self, row: sa.RowMapping) -> Job:
        job = Job(**cast(dict[str, Any], dict(row)))
        silent_s = self._clock() - job.heartbeat_at
        # One that waits on a cluster has no process yet that could beat for it; `training.reconciling` asks the cluster.
        waits_elsewhere = job.status == "queued" and not job.worker and job.backend != LOCAL
        if not job.active or silent_s <= LOST_AFTER_S or waits_elsewhere:
            return job
        lost: dict[str, Any] = {"status": "lost", "reason": f"no heartbeat for {silent_s:,.0f} s: its process is gone"}
        return Job(**(dict(row) | lost))

    def _update(self, job_id: str, **values: Any) -> None:
        with self._writer.begin() as connection:
            self._set(connection, job_id, **values)

    def _set(self, connection: sa.Connection, job_id: str, **values: Any) -> None:
        changed = connection.execute(schema.jobs.update().where(schema.jobs.c.id == job_id).values(**values))
        if changed.rowcount == 0:
            self._job(connection, job_id)

    def _change_unmoved(self, connection: sa.Connection, seen: Job, **values: Any) -> bool:
        """Whether the job was still as seen: no heartbeat, turn or end since."""
        table = schema.jobs
        unmoved = (table.c.id == seen.id) & (table.c.heartbeat_at == seen.heartbeat_at) & (table.c.attempt == seen.attempt)
        waits = unmoved & (table.c.worker == seen.worker) & table.c.status.in_(_ACTIVE)
        return connection.execute(table.update().where(waits).values(**values)).rowcount > 0

    def _end_session(self, connection: sa.Connection, job_id: str, ended_at: float) -> None:
        table = schema.sessions
        connection.execute(table.update().where(table.c.job_id == job_id, table.c.ended_at.is_(None)).values(ended_at=ended_at))

    def _handle_requests(self, connection: sa.Connection, job_id: str, now: float) -> None:
        table = schema.requests
        connection.execute(table.update().where(table.c.job_id == job_id, table.c.handled_at.is_(None)).values(handled_at=now))

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
