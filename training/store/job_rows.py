"""The store's jobs: their queue, turns, heartbeats, ends, and the requests to stop them. One half of `training.store.Store`."""

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from training.errors import StoreError, UnknownJobError, shown
from training.names import TITLE_RULE, is_title
from training.processes import state_of
from training.store import database, schema
from training.store.clock import ServerClock
from training.store.database import Database, take_turn
from training.store.records import ACTIVE, AskedStop, Job, JobKind, Phase, Status

HEARTBEAT_S = 5.0
LOST_AFTER_S = 20.0
"""A job whose process cannot be looked at counts as lost when its last heartbeat is further from now: four missed beats."""

_NUMBER = re.compile(r"[0-9]{1,18}")
"""At the end of an id; ids of other programs may end in digits that are none of ours."""

LOCAL = "local"
"""The backend whose jobs have a process from the start."""


def _of_kind(kinds: JobKind | Collection[JobKind] | None) -> sa.ColumnElement[bool]:
    if kinds is None:
        return sa.true()
    return schema.jobs.c.kind == kinds if isinstance(kinds, str) else schema.jobs.c.kind.in_(kinds)


class JobRows:
    """See the contract of `training.store`."""

    def __init__(self, opened: Database, clock: Callable[[], float] | None = None) -> None:
        """
        Args:
            clock: Unix seconds; the database's own where it has one, else this machine's.
        """
        self._database = opened
        self._reader = database.reading(opened.engine)
        self._writer = database.writing(opened.engine)
        self._server_clock = ServerClock() if clock is None and opened.engine.dialect.name == "postgresql" else None
        self._clock = clock or self._server_clock or time.time

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

    def driver_rows(self, connection: sa.Connection, query: sa.Select) -> Iterator[Any]:
        """A query's rows as the database's driver gives them: a quarter of the time that SQLAlchemy's take."""
        cursor = connection.execute(query).cursor
        assert cursor is not None
        try:
            yield from cursor  # type: ignore[misc]  # SQLAlchemy's type of a driver's cursor has no iteration
        except connection.dialect.loaded_dbapi.Error as error:
            raise self._database.failure(error) from error

    def now(self) -> float:
        """The store's clock, Unix seconds."""
        return self._clock()

    def create_job(
        self,
        kind: JobKind,
        name: str,
        spec: dict[str, Any],
        *,
        backend: str = LOCAL,
        total: float = 0,
        accelerator: bool = False,
        follows: str = "",
        study: str = "",
        taken: Collection[str] = (),
    ) -> tuple[Job, bool]:
        """Queue a job and return (job, True), or (the active one of equal kind, spec and study, False): it is idempotent.

        The id is the name with the next number, as in "demo-7"; a deleted job's is not given again.

        Args:
            accelerator: whether it waits for its turn on the accelerator of its machine.
            follows: the id of the job that it waits for and begins from.
            study: the id of the study that it is a run of.
            taken: further ids that are not to be given, as of folders of runs that another store knows.

        Raises:
            StoreError: no job can be called so, as its folder is called after it.
        """
        if not is_title(name):
            raise StoreError(f"A job cannot be named {shown(name)}.", TITLE_RULE)
        with self.writing(turn="jobs") as connection:
            twin = self._active_twin(connection, kind, spec, study)
            if twin is not None:
                return twin, False
            now = self._clock()
            job_id = self._next_id(connection, name, taken)
            values = {"id": job_id, "kind": kind, "name": name, "backend": backend, "spec": spec, "total": total}
            values |= {"accelerator": accelerator, "follows": follows, "study": study}
            connection.execute(
                schema.jobs.insert().values(values | {"status": "queued", "created_at": now, "heartbeat_at": now})
            )
            return self._job(connection, job_id), True

    def _next_id(self, connection: sa.Connection, name: str, taken: Collection[str]) -> str:
        ids = sa.union_all(sa.select(schema.jobs.c.id), sa.select(schema.deleted_jobs.c.id)).subquery()
        known = connection.scalars(sa.select(ids.c.id).where(ids.c.id.istartswith(f"{name}-", autoescape=True))).all()
        begin = f"{name}-".lower()  # on some file systems Demo-1 and demo-1 are one folder
        known = [*known, *(other for other in taken if other.lower().startswith(begin))]
        numbers = [int(end) for end in (job_id[len(begin) :] for job_id in known) if _NUMBER.fullmatch(end)]
        return f"{name}-{max(numbers, default=0) + 1}"

    def active_twin(self, kind: JobKind, spec: Mapping[str, Any]) -> Job | None:
        """The active job of equal kind and spec, which `create_job` would return."""
        with self._reader.connect() as connection:
            return self._active_twin(connection, kind, spec, "")

    def job(self, job_id: str) -> Job:
        """The job as it stands now."""
        with self._reader.connect() as connection:
            return self._job(connection, job_id)

    def jobs(self, kind: JobKind | Collection[JobKind] | None = None, limit: int | None = None, offset: int = 0) -> list[Job]:
        """The jobs, newest first; with `limit` so many of them, after the newest `offset`."""
        return self.jobs_where(_of_kind(kind), limit, offset)

    def count_jobs(self, kind: JobKind | Collection[JobKind] | None = None) -> int:
        """How many jobs there are."""
        return self.count_where(_of_kind(kind))

    def active_jobs(self, kinds: Sequence[JobKind] = ()) -> list[Job]:
        """Every job that is queued or at work, newest first; of some kinds where they are given."""
        where: sa.ColumnElement[bool] = schema.jobs.c.status.in_(ACTIVE)
        where &= schema.jobs.c.kind.in_(kinds) if kinds else sa.true()
        return [job for job in self.jobs_where(where) if job.active]

    def accelerator_jobs(self, backend: str) -> list[Job]:
        """The jobs that hold a backend's accelerator or wait for it, in submission order, lost ones left out."""
        table = schema.jobs
        where = (table.c.backend == backend) & table.c.accelerator & table.c.status.in_(ACTIVE)
        return [job for job in reversed(self.jobs_where(where)) if job.active]

    def jobs_named(self, job_ids: Iterable[str]) -> dict[str, Job]:
        """Id -> job, of those that there are, newest first."""
        return {job.id: job for job in self.jobs_where(schema.jobs.c.id.in_(list(job_ids)))}

    def runs_of_study(self, study_id: str) -> list[Job]:
        """The runs of a study that are on record, both of two stages, in the order in which they were launched."""
        return self.jobs_where(schema.jobs.c.study == study_id)[::-1]

    def jobs_where(self, where: sa.ColumnElement[bool], limit: int | None = None, offset: int = 0) -> list[Job]:
        """`jobs`, of those whose rows are as said; what a row says of an active job's status may be out of date."""
        with self._reader.connect() as connection:
            return self._select_jobs(connection, where, limit, offset)

    def count_where(self, where: sa.ColumnElement[bool]) -> int:
        """How many jobs have such rows."""
        with self._reader.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(schema.jobs).where(where)) or 0

    def queue(self, backend: str) -> list[Job]:
        """The jobs that wait for a backend's accelerator, in submission order, lost ones left out."""
        return [job for job in self.accelerator_jobs(backend) if job.status == "queued"]

    def beat(self, job_id: str, worker: str | None = None, process: str = "") -> None:
        """Record that the job's process is alive, and which it is, for people and as `training.processes.identify` tells it."""
        came_up = {} if worker is None else {"worker": worker, "process": process}
        with self._writer.begin() as connection:
            self._look_at_clock(connection)
            self._set(connection, job_id, heartbeat_at=self._clock(), **came_up)

    def set_process(self, job: Job, process: str) -> None:
        """Record which process was started for a job's present attempt; nothing happens once it has one."""
        table = schema.jobs
        waits = (table.c.id == job.id) & (table.c.attempt == job.attempt) & (table.c.process == "")
        with self._writer.begin() as connection:
            connection.execute(table.update().where(waits).values(process=process, heartbeat_at=self._clock()))

    def start(self, job_id: str) -> None:
        """The job's turn has come."""
        now = self._clock()
        with self._writer.begin() as connection:
            self._end_session(connection, job_id, self._hold(connection, job_id).heartbeat_at)
            began = {"started_at": now, "unreachable_since": None, "heartbeat_at": now, "progress_at": now}
            self._set(connection, job_id, status="running", ended_at=None, reason="", **began)
            connection.execute(schema.sessions.insert().values(job_id=job_id, started_at=now))

    def progress(self, job_id: str, done: float, total: float, message: str, phase: Phase = "") -> None:
        """Record how far the job is and what it does; counts as a heartbeat."""
        now = self._clock()
        told = {"done": done, "total": total, "message": message, "phase": phase}
        self._update(job_id, **told, heartbeat_at=now, progress_at=now)

    def change_spec(self, job_id: str, spec: dict[str, Any]) -> None:
        """Record that a job is to do something else than it was told, as a study that is given further seeds."""
        self._update(job_id, spec=spec)

    def set_tracker(self, job_id: str, tracker: str) -> None:
        """Record where else the run is on record."""
        self._update(job_id, tracker=tracker)

    def end(self, job_id: str, status: Status, reason: str) -> None:
        """Record how and why the job ended."""
        now = self._clock()
        with self._writer.begin() as connection:
            self._set(connection, job_id, status=status, reason=reason, message="", phase="", ended_at=now, heartbeat_at=now)
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
                phase="",
                ended_at=now,
                heartbeat_at=now,
            )

    def requeue(self, job_id: str, *, also_finished: bool = False) -> Job:
        """Queue a job again that was stopped, failed or lost, keeping its id.

        Args:
            also_finished: whether one that finished may go on too, as there may be more to do since.

        Raises:
            StoreError: the job is active or finished.
        """
        with self._writer.begin() as connection:
            job = self._hold(connection, job_id)
            if job.status not in ("stopped", "failed", "lost") and not (also_finished and job.status == "finished"):
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
                phase="",
                unreachable_since=None,
                worker="",
                process="",
                progress_at=None,
                ended_at=None,
                heartbeat_at=now,
                attempt=job.attempt + 1,
            )
            return self._job(connection, job_id)

    def conclude(self, seen: Job, status: Status, reason: str) -> bool:
        """End a job that has no process, as somebody saw it; nothing happens, and False comes back, if it moved since."""
        now = self._clock()
        with self._writer.begin() as connection:
            if not self._change_unmoved(connection, seen, status=status, reason=reason, message="", phase="", ended_at=now):
                return False
            self._end_session(connection, seen.id, seen.heartbeat_at)
            self._handle_requests(connection, seen.id, now)
            return True

    def queue_anew(self, seen: Job) -> Job | None:
        """Count one more attempt for a job that waits for a process; `None` if it moved since it was seen."""
        with self._writer.begin() as connection:
            changes = {"attempt": seen.attempt + 1, "heartbeat_at": self._clock()}
            return self._job(connection, seen.id) if self._change_unmoved(connection, seen, **changes) else None

    def note_unreachable(self, seen: Job, since: float | None, message: str) -> None:
        """Say that the backend of a job without a process does not answer, or does again, unless it moved since it was seen.

        Args:
            since: when that was first found, Unix seconds; `None` where it answers.
            message: for people. No heartbeat.
        """
        with self._writer.begin() as connection:
            self._change_unmoved(connection, seen, unreachable_since=since, message=message)

    def request_stop(self, job_id: str, *, force: bool = False) -> None:
        """Ask a job to end at its next step; asking twice changes nothing.

        One that is lost may have a process after all, which only cannot be heard.

        Args:
            force: also record that it is ended by force, for whoever finds it half done.

        Raises:
            StoreError: the job has already ended.
        """
        with self._writer.begin() as connection:
            job = self._hold(connection, job_id)
            if not job.active and job.status != "lost":
                raise StoreError(f"{job_id} is already {job.status}.", "Only queued and running jobs can be stopped.")
            asked = self._waiting_requests(connection, job_id)
            for kind in ("stop", "force") if force else ("stop",):
                if kind not in asked:
                    connection.execute(schema.requests.insert().values(job_id=job_id, kind=kind, created_at=self._clock()))
            if job.status == "running":
                self._set(connection, job_id, status="stopping")

    def asked_to_stop(self, backend: str) -> list[AskedStop]:
        """The jobs of a backend that were asked to stop and whose end is not on record, lost ones included."""
        table = schema.jobs
        waiting = schema.requests.c.handled_at.is_(None) & (schema.requests.c.kind == "stop")
        asked = sa.select(schema.requests.c.job_id).where(waiting)
        with self._reader.connect() as connection:
            where = (table.c.backend == backend) & table.c.status.in_(ACTIVE) & table.c.id.in_(asked)
            found = self._select_jobs(connection, where)
            requests = {job.id: self._waiting_requests(connection, job.id) for job in found}
        return [AskedStop(job, requests[job.id]["stop"], "force" in requests[job.id]) for job in found]

    def ask_anew(self, job_id: str) -> None:
        """Count the time since a stop was asked for from now: the clock was set back since."""
        table = schema.requests
        waiting = (table.c.job_id == job_id) & (table.c.kind == "stop") & table.c.handled_at.is_(None)
        with self._writer.begin() as connection:
            connection.execute(table.update().where(waiting).values(created_at=self._clock()))

    def stop_requested(self, job_id: str) -> bool:
        """Whether a stop request waits to be handled."""
        with self._reader.connect() as connection:
            return "stop" in self._waiting_requests(connection, job_id)

    def _waiting_requests(self, connection: sa.Connection, job_id: str) -> dict[str, float]:
        """Kind -> when it was first asked for."""
        table = schema.requests
        first = sa.select(table.c.kind, sa.func.min(table.c.created_at).label("asked_at")).group_by(table.c.kind)
        rows = connection.execute(first.where(table.c.job_id == job_id, table.c.handled_at.is_(None)))
        return {row.kind: row.asked_at for row in rows}

    def _active_twin(self, connection: sa.Connection, kind: JobKind, spec: Mapping[str, Any], study: str) -> Job | None:
        table = schema.jobs
        active = (table.c.kind == kind) & (table.c.study == study) & table.c.status.in_(ACTIVE)
        found = self._select_jobs(connection, active)
        return next((job for job in found if job.active and job.spec == spec), None)

    def _job(self, connection: sa.Connection, job_id: str) -> Job:
        found = self._select_jobs(connection, schema.jobs.c.id == job_id)
        if not found:
            raise UnknownJobError(
                f"There is no run {shown(job_id)}.",
                "`python -m training list` shows the runs; the pages Runs and Evaluate show studies and evaluations too.",
            )
        return found[0]

    def _hold(self, connection: sa.Connection, job_id: str) -> Job:
        """The job, whose row no other transaction changes until this one ends."""
        query = sa.select(schema.jobs).where(schema.jobs.c.id == job_id).with_for_update(key_share=True)
        row = connection.execute(query).mappings().one_or_none()
        return self._job(connection, job_id) if row is None else self._parse_job(row)

    def _select_jobs(
        self, connection: sa.Connection, where: sa.ColumnElement[bool], limit: int | None = None, offset: int = 0
    ) -> list[Job]:
        self._look_at_clock(connection)
        query = sa.select(schema.jobs).where(where).order_by(schema.jobs.c.seq.desc()).limit(limit).offset(offset)
        return [self._parse_job(row) for row in connection.execute(query).mappings()]

    def _parse_job(self, row: sa.RowMapping) -> Job:
        values: dict[str, Any] = dict(row)
        if not isinstance(values["spec"], dict):  # of another program: a list that fails would take all runs away
            values["spec"] = {}
        job = Job(**values)
        reason = self._why_lost(job) if job.active else ""
        return replace(job, status="lost", reason=reason) if reason else job

    def _why_lost(self, job: Job) -> str:
        """Why a job that has not ended counts as lost; empty for one that lives."""
        if job.backend != LOCAL and job.status == "queued" and not job.worker:
            return ""  # no process yet that could beat for it; `training.runs.reconciling` asks the cluster
        state = state_of(job.process) if job.backend == LOCAL else "unknown"
        if state == "gone":
            return "its process is gone"
        silent_s = self._clock() - job.heartbeat_at
        if state == "alive" or abs(silent_s) <= LOST_AFTER_S:
            return ""
        if silent_s < 0:
            return f"its last heartbeat was {-silent_s:,.0f} s after now: a clock was set back, and its process is gone"
        return f"no heartbeat for {silent_s:,.0f} s: its process is gone"

    def _look_at_clock(self, connection: sa.Connection) -> None:
        if self._server_clock is not None:
            self._server_clock.look(connection)

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
        waits = unmoved & (table.c.worker == seen.worker) & table.c.status.in_(ACTIVE)
        return connection.execute(table.update().where(waits).values(**values)).rowcount > 0

    def _end_session(self, connection: sa.Connection, job_id: str, ended_at: float) -> None:
        table = schema.sessions
        connection.execute(table.update().where(table.c.job_id == job_id, table.c.ended_at.is_(None)).values(ended_at=ended_at))

    def _handle_requests(self, connection: sa.Connection, job_id: str, now: float) -> None:
        table = schema.requests
        connection.execute(table.update().where(table.c.job_id == job_id, table.c.handled_at.is_(None)).values(handled_at=now))
