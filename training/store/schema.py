"""The store's tables and the numbered migrations that bring an older database up to them.

A fresh database is made from the tables below and stamped with `VERSION`; an existing one gets each missing migration,
applied with its record in one transaction. Queries are `store.py`'s.
"""

import math
import re
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from training.groups import Verifier, right_share
from training.rewards import verifier_of
from training.store.database import take_turn

METADATA = sa.MetaData()

_BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_ESCAPE = "\ufdd0"
"""A code point that Unicode keeps free of any character."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff\ufdd0]")
_ESCAPED = re.compile(f"{_ESCAPE}([0-9a-f]{{4}})")


def _escaped(text: str) -> str:
    return _UNSTORABLE.sub(lambda found: f"{_ESCAPE}{ord(found[0]):04x}", text)


class AnyText(sa.types.TypeDecorator[str]):
    """Text of any characters, given back as it was: Postgres has no null character, and neither has halves of surrogate pairs.

    Those are kept as U+FDD0 and four hexadecimal digits.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else _escaped(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:
        if value is None or _ESCAPE not in value:
            return value
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)


class Name(sa.types.TypeDecorator[str]):
    """An id or a name. Asking for one that no database can hold is no error: there is none like it."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else _escaped(value)


class Finite(sa.types.TypeDecorator[float]):
    """A number or none; what is not finite is none, as databases disagree on it."""

    impl = sa.Float
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: sa.Dialect) -> float | None:
        return value if value is None or math.isfinite(value) else None


schema_versions = sa.Table(
    "schema_versions",
    METADATA,
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("applied_at", sa.Float, nullable=False),
)

jobs = sa.Table(
    "jobs",
    METADATA,
    sa.Column("seq", _BIG_KEY, primary_key=True, autoincrement=True),
    sa.Column("id", Name, nullable=False, unique=True),
    sa.Column("kind", Name, nullable=False),
    sa.Column("name", Name, nullable=False),
    sa.Column("backend", Name, nullable=False),
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("status", Name, nullable=False),
    sa.Column("reason", AnyText, nullable=False, server_default=""),
    sa.Column("message", AnyText, nullable=False, server_default=""),
    sa.Column("done", sa.Float, nullable=False, server_default="0"),
    sa.Column("total", sa.Float, nullable=False, server_default="0"),
    sa.Column("worker", Name, nullable=False, server_default=""),
    sa.Column("tracker", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("heartbeat_at", sa.Float, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
    sa.Column("process", sa.Text, nullable=False, server_default=""),
    sa.Column("progress_at", sa.Float),
    sa.Column("accelerator", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("phase", Name, nullable=False, server_default=""),
    sa.Column("unreachable_since", sa.Float),
    sa.Column("follows", Name, nullable=False, server_default=""),
    sa.Column("study", Name, nullable=False, server_default=""),
    sa.Index("jobs_by_follows", "follows"),
    sa.Index("jobs_by_study", "study"),
    sqlite_autoincrement=True,
)

scalars = sa.Table(
    "scalars",
    METADATA,
    sa.Column("seq", _BIG_KEY, primary_key=True, autoincrement=True),
    sa.Column("job_id", Name, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("name", Name, nullable=False),
    sa.Column("value", Finite),
    sa.Column("time", sa.Float, nullable=False),
    sa.Index("scalars_by_job", "job_id", "seq"),
    sa.Index("scalars_by_name", "job_id", "name", "step", "value"),
    sqlite_autoincrement=True,
)

rollouts = sa.Table(
    "rollouts",
    METADATA,
    sa.Column("seq", _BIG_KEY, primary_key=True, autoincrement=True),
    sa.Column("job_id", Name, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("group_index", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("problem_id", Name, nullable=False),
    sa.Column("completion", AnyText, nullable=False),
    sa.Column("rewards", sa.JSON, nullable=False),
    sa.Column("total", Finite),
    sa.Column("advantage", sa.Float, nullable=False),
    sa.Column("tokens", sa.Integer, nullable=False),
    sa.Column("finish_reason", Name, nullable=False),
    sa.Column("dropped", Name, nullable=False, server_default=""),
    sa.Index("rollouts_by_step", "job_id", "step"),
    sa.Index("rollouts_by_total", "job_id", "total"),
    sa.Index("rollouts_by_problem", "problem_id"),
    sqlite_autoincrement=True,
)

requests = sa.Table(
    "requests",
    METADATA,
    sa.Column("seq", _BIG_KEY, primary_key=True, autoincrement=True),
    sa.Column("job_id", Name, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("kind", Name, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("handled_at", sa.Float),
    sa.Column("step", sa.Integer),
    sqlite_autoincrement=True,
)

evaluations = sa.Table(
    "evaluations",
    METADATA,
    sa.Column("seq", _BIG_KEY, primary_key=True, autoincrement=True),
    sa.Column("job_id", Name, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("label", Name, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("split", Name, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("completed_at", sa.Float),
    sa.Column("problems", sa.Integer),
    sa.Column("right", Finite),
    sa.Column("right_low", Finite),
    sa.Column("right_high", Finite),
    sa.UniqueConstraint("job_id", "label"),
    sqlite_autoincrement=True,
)

evaluation_items = sa.Table(
    "evaluation_items",
    METADATA,
    sa.Column("seq", _BIG_KEY, primary_key=True, autoincrement=True),
    sa.Column("evaluation", _BIG_KEY, sa.ForeignKey("evaluations.seq", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("problem_id", Name, nullable=False),
    sa.Column("completion", AnyText, nullable=False),
    sa.Column("rewards", sa.JSON, nullable=False),
    sa.Column("tokens", sa.Integer, nullable=False),
    sa.Index("evaluation_items_by_problem", "problem_id"),
    sqlite_autoincrement=True,
)

checkpoints = sa.Table(
    "checkpoints",
    METADATA,
    sa.Column("seq", _BIG_KEY, primary_key=True, autoincrement=True),
    sa.Column("job_id", Name, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("path", AnyText, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.UniqueConstraint("job_id", "step"),
    sqlite_autoincrement=True,
)

sessions = sa.Table(
    "sessions",
    METADATA,
    sa.Column("seq", _BIG_KEY, primary_key=True, autoincrement=True),
    sa.Column("job_id", Name, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sqlite_autoincrement=True,
)

run_marks = sa.Table(
    "run_marks",
    METADATA,
    sa.Column("job_id", Name, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("note", AnyText, nullable=False),
    sa.Column("archived", sa.Boolean, nullable=False),
    sa.Column("name", AnyText, nullable=False, server_default=""),
)

deleted_jobs = sa.Table(
    "deleted_jobs",
    METADATA,
    sa.Column("id", Name, primary_key=True),
    sa.Column("deleted_at", sa.Float, nullable=False),
)

subsets = sa.Table(
    "subsets",
    METADATA,
    sa.Column("seq", _BIG_KEY, primary_key=True, autoincrement=True),
    sa.Column("name", AnyText, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("source", AnyText, nullable=False),
    sa.Column("content_hash", Name, nullable=False, index=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("problem_ids", sa.JSON, nullable=False),
    sa.Column("how", AnyText, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.UniqueConstraint("name", "version"),
    sqlite_autoincrement=True,
)

cluster_names = sa.Table(
    "cluster_names",
    METADATA,
    sa.Column("content_hash", Name, primary_key=True),
    sa.Column("problem_id", Name, primary_key=True),
    sa.Column("name", AnyText, nullable=False),
    sa.Column("named_at", sa.Float, nullable=False),
)

pair_verdicts = sa.Table(
    "pair_verdicts",
    METADATA,
    sa.Column("content_hash", Name, primary_key=True),
    sa.Column("test_id", Name, primary_key=True),
    sa.Column("train_id", Name, primary_key=True),
    sa.Column("drop", sa.Boolean, nullable=False),
)

answer_marks = sa.Table(
    "answer_marks",
    METADATA,
    sa.Column("job_id", Name, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("judge", Name, primary_key=True),
    sa.Column("other_judge", Name, primary_key=True),
    sa.Column("problem_id", Name, primary_key=True),
    sa.Column("digest", Name, primary_key=True),
    sa.Column("verdict", Name, nullable=False),
    sa.Column("who", AnyText, nullable=False),
    sa.Column("marked_at", sa.Float, nullable=False),
)

judgements = sa.Table(
    "judgements",
    METADATA,
    sa.Column("item", _BIG_KEY, sa.ForeignKey("evaluation_items.seq", ondelete="CASCADE"), primary_key=True),
    sa.Column("judge", Name, primary_key=True),
    sa.Column("weights", Name, nullable=False),
    sa.Column("scores", sa.JSON, nullable=False),
)

Migration = Callable[[sa.Connection], None]


def _add_curation(connection: sa.Connection) -> None:
    """What people decide about a data set, and finding a problem's history quickly."""
    METADATA.create_all(connection, tables=[subsets, cluster_names, pair_verdicts])
    _add_index(connection, rollouts, "rollouts_by_problem")
    _add_index(connection, evaluation_items, "evaluation_items_by_problem")


def _add_index(connection: sa.Connection, table: sa.Table, name: str) -> None:
    next(index for index in table.indexes if index.name == name).create(connection)


def _add_completion_and_keeping(connection: sa.Connection) -> None:
    """Evaluations that are being made, which were written whole before; what runs are kept by; finding a curve quickly."""
    connection.execute(sa.text("ALTER TABLE evaluations ADD COLUMN completed_at FLOAT"))
    connection.execute(evaluations.update().values(completed_at=evaluations.c.created_at))
    connection.execute(sa.text("ALTER TABLE jobs ADD COLUMN tracker TEXT NOT NULL DEFAULT ''"))
    METADATA.create_all(connection, tables=[sessions, run_marks, deleted_jobs])
    started = sa.select(jobs.c.id, jobs.c.started_at, jobs.c.ended_at).where(jobs.c.started_at.is_not(None))
    connection.execute(sessions.insert().from_select(["job_id", "started_at", "ended_at"], started))
    _add_index(connection, scalars, "scalars_by_name")
    _add_index(connection, rollouts, "rollouts_by_total")


def _add_attempts(connection: sa.Connection) -> None:
    """How often a job was queued, so that a cluster can tell a resumed one from the one before."""
    connection.execute(sa.text("ALTER TABLE jobs ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1"))


def _add_processes(connection: sa.Connection) -> None:
    """Which process a job has, told by more than its number, and when it was last seen to get on."""
    connection.execute(sa.text("ALTER TABLE jobs ADD COLUMN process TEXT NOT NULL DEFAULT ''"))
    connection.execute(sa.text("ALTER TABLE jobs ADD COLUMN progress_at FLOAT"))


def _add_what_was_text(connection: sa.Connection) -> None:
    """What was read from kinds and messages: who waits for the accelerator, what a job does, which step was chosen."""
    columns = (
        "accelerator BOOLEAN NOT NULL DEFAULT false",
        "phase VARCHAR NOT NULL DEFAULT ''",
        "unreachable_since FLOAT",
    )
    for column in columns:
        connection.execute(sa.text(f"ALTER TABLE jobs ADD COLUMN {column}"))
    connection.execute(jobs.update().where(jobs.c.kind.in_(("train", "evaluate"))).values(accelerator=True))
    connection.execute(jobs.update().where(jobs.c.message.startswith("training")).values(phase="training"))
    connection.execute(sa.text("ALTER TABLE requests ADD COLUMN step INTEGER"))
    before = "resume at "
    chosen = sa.cast(sa.func.substr(requests.c.kind, len(before) + 1), sa.Integer)
    connection.execute(requests.update().where(requests.c.kind.startswith(before)).values(step=chosen, kind="resume"))


def _add_names_and_shares(connection: sa.Connection) -> None:
    """What people call their runs; what each complete evaluation came to, so that lists of runs are sorted by it."""
    for column in ("problems INTEGER", '"right" FLOAT', "right_low FLOAT", "right_high FLOAT"):
        connection.execute(sa.text(f"ALTER TABLE evaluations ADD COLUMN {column}"))
    # Where an older migration has just made the table, it is as it is now.
    if "name" not in {column["name"] for column in sa.inspect(connection).get_columns(run_marks.name)}:
        connection.execute(sa.text("ALTER TABLE run_marks ADD COLUMN name TEXT NOT NULL DEFAULT ''"))
    of = sa.select(evaluations.c.seq, jobs.c.spec).join(jobs, jobs.c.id == evaluations.c.job_id)
    for key, spec in connection.execute(of.where(evaluations.c.completed_at.is_not(None))).all():
        keep_right_share(connection, key, verifier_of(spec if isinstance(spec, dict) else {}))


def _add_dropped(connection: sa.Connection) -> None:
    """Completions that a step generated and did not learn from."""
    connection.execute(sa.text("ALTER TABLE rollouts ADD COLUMN dropped VARCHAR NOT NULL DEFAULT ''"))


def keep_right_share(connection: sa.Connection, key: int, verifier: Verifier) -> None:
    """Write what an evaluation came to beside it: an index of its completions, by which many runs are sorted at once."""
    items = sa.select(evaluation_items.c.problem_id, evaluation_items.c.rewards).where(evaluation_items.c.evaluation == key)
    found = right_share((tuple(row) for row in connection.execute(items)), verifier)
    if found is not None:
        values = {"problems": found.problems, "right": found.value, "right_low": found.low, "right_high": found.high}
        connection.execute(evaluations.update().where(evaluations.c.seq == key).values(values))


def _add_following(connection: sa.Connection) -> None:
    """Runs of two stages: which job the second one waits for and begins from."""
    connection.execute(sa.text("ALTER TABLE jobs ADD COLUMN follows VARCHAR NOT NULL DEFAULT ''"))
    _add_index(connection, jobs, "jobs_by_follows")


def _add_answer_marks(connection: sa.Connection) -> None:
    """What people say of answers on which two judges differ."""
    METADATA.create_all(connection, tables=[answer_marks])


def _add_studies(connection: sa.Connection) -> None:
    """Runs of a study: which job plans them."""
    connection.execute(sa.text("ALTER TABLE jobs ADD COLUMN study VARCHAR NOT NULL DEFAULT ''"))
    _add_index(connection, jobs, "jobs_by_study")


def _add_judgements(connection: sa.Connection) -> None:
    """What reward models say of completions."""
    METADATA.create_all(connection, tables=[judgements])


VERSION = 12
"""The version of the tables above. A change raises it and adds the migration that leads there."""

MIGRATIONS: Mapping[int, Migration] = {
    2: _add_curation,
    3: _add_completion_and_keeping,
    4: _add_attempts,
    5: _add_processes,
    6: _add_what_was_text,
    7: _add_names_and_shares,
    8: _add_dropped,
    9: _add_following,
    10: _add_answer_marks,
    11: _add_studies,
    12: _add_judgements,
}
"""version -> what changes a database of the version before into it."""


def found_version(connection: sa.Connection) -> int:
    """The version of the tables that are there, 0 where there are none."""
    if not sa.inspect(connection).has_table(schema_versions.name):
        return 0
    return connection.scalar(sa.select(sa.func.max(schema_versions.c.version))) or 0


def migrate(
    connection: sa.Connection, now: float, migrations: Mapping[int, Migration] = MIGRATIONS, version: int = VERSION
) -> int:
    """Bring the database behind an open write transaction to `version` and return the version that it had (0: fresh).

    The caller commits, so a failing migration leaves neither its changes nor its record. Processes that start together
    take turns.
    """
    take_turn(connection, "schema")
    current = found_version(connection)
    if current == 0:
        METADATA.create_all(connection)
        connection.execute(schema_versions.insert().values(version=version, applied_at=now))
        return 0
    for number in range(current + 1, version + 1):
        migrations[number](connection)
        connection.execute(schema_versions.insert().values(version=number, applied_at=now))
    return current
