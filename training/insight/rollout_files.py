"""A run's ledger as files for other programs: JSON Lines and Parquet, read a batch at a time; `import` reads both back."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, BinaryIO

import sqlalchemy as sa

from training.groups import Rollout
from training.store import Store
from training.store.schema import rollouts

_BATCH = 1_000


def rollout_lines(store: Store, job_id: str) -> Iterator[bytes]:
    """Every rollout as a line of JSON, in training order."""
    for batch in _batches(store, job_id):
        yield from (json.dumps(asdict(rollout), ensure_ascii=False).encode() + b"\n" for rollout in batch)


def write_parquet(store: Store, job_id: str, file: BinaryIO) -> None:
    """Every rollout as a row of a Parquet file, in training order; `rewards` is a structure with a field for each function."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer, schema = None, None
    try:
        for batch in _batches(store, job_id):
            rows = [asdict(rollout) for rollout in batch]
            if writer is None:
                schema = _schema(list(rows[0]["rewards"]))
                writer = pq.ParquetWriter(file, schema, compression="zstd")
            writer.write_table(pa.Table.from_pylist(rows, schema))
        if writer is None:
            pq.write_table(_schema([]).empty_table(), file)
    finally:
        if writer is not None:
            writer.close()


def _schema(rewards: list[str]) -> Any:
    import pyarrow as pa

    numbers = {"step": pa.int64(), "group_index": pa.int64(), "position": pa.int64(), "tokens": pa.int64()}
    numbers |= {"total": pa.float64(), "advantage": pa.float64()}
    kinds = {name: numbers.get(name, pa.string()) for name in Rollout.__dataclass_fields__}
    kinds["rewards"] = pa.struct([(name, pa.float64()) for name in rewards or ["none"]])
    return pa.schema(list(kinds.items()))


def _batches(store: Store, job_id: str) -> Iterator[list[Rollout]]:
    after: tuple[int, int] = (0, 0)
    fields = tuple(Rollout.__dataclass_fields__)
    key = sa.tuple_(rollouts.c.step, rollouts.c.seq)
    while True:
        of_run = sa.select(rollouts).where(rollouts.c.job_id == job_id, key > sa.tuple_(*map(sa.literal, after)))
        query = of_run.order_by(rollouts.c.step, rollouts.c.seq).limit(_BATCH)
        with store.reading() as connection:
            rows = connection.execute(query).mappings().all()
        if rows:
            yield [Rollout(**{name: row[name] for name in fields}) for row in rows]
        if len(rows) < _BATCH:
            return
        after = (rows[-1]["step"], rows[-1]["seq"])
