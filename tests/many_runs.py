"""A store with many made-up runs, written in one go."""

from collections.abc import Callable
from typing import Any

from training.presets import load_preset
from training.store import Store, schema

Changes = Callable[[int], dict[str, Any]]


def nothing(number: int) -> dict[str, Any]:
    return {}


def add_runs(store: Store, runs: int, changes: Changes = nothing, *, steps: int = 5) -> None:
    """Add demo-1, demo-2 and so on: finished training runs, each with some steps.

    Args:
        changes: number -> what is otherwise in the row of that run.
    """
    spec = load_preset("demo").model_dump(mode="json")
    finished = {
        "kind": "train",
        "name": "demo",
        "backend": "local",
        "status": "finished",
        "reason": "done",
        "accelerator": False,
    }
    rows = []
    for number in range(1, runs + 1):
        at = 1000.0 + number
        times = {"created_at": at, "started_at": at, "ended_at": at + 60, "heartbeat_at": at + 60}
        row = (
            finished
            | times
            | {"id": f"demo-{number}", "spec": spec | {"seed": number}, "done": float(steps), "total": float(steps)}
        )
        rows.append(row | changes(number))
    ids = [row["id"] for row in rows]
    scalars = [
        {"job_id": run_id, "step": step, "name": "reward", "value": step / steps, "time": 1000.0 + step}
        for run_id in ids
        for step in range(1, steps + 1)
    ]
    sessions = [{"job_id": row["id"], "started_at": row["started_at"], "ended_at": row["ended_at"]} for row in rows]
    with store.writing() as connection:
        for table, values in ((schema.jobs, rows), (schema.scalars, scalars), (schema.sessions, sessions)):
            if values:
                connection.execute(table.insert(), values)


def tag(store: Store, tags: dict[str, list[str]]) -> None:
    """Run id -> its tags, for many at once."""
    rows = [{"job_id": run_id, "tags": kept, "note": "", "archived": False} for run_id, kept in tags.items()]
    with store.writing() as connection:
        connection.execute(schema.run_marks.insert(), rows)
