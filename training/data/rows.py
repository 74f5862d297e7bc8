"""Rows of files that others wrote, JSON Lines or Parquet: each is read, or there is a reason why it is not.

Whatever a parser raises becomes a `BadRow` where it concerns one row and a `SourceError` where it concerns the file, so that
nothing behind this module meets a parser's exception. What a row means is for others.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from training.errors import SourceError, shown
from training.paths import is_folder, open_file, reason

LINE_BYTES = 16 * 2**20
"""A longer line is not read into memory but rejected."""

MOST_LEVELS = 100
"""How deeply a row may be nested. A bound of our own: Python's depends on where it is asked."""

_BATCH_ROWS = 1024

Rows = Iterator[tuple[int, object]]
"""(line counted from 1, or the row's number where a file has no lines; the row, or the `BadRow` that says why not)."""


class BadRow(ValueError):
    """Why a single row is rejected."""


def data_files(folder: Path, beginnings: Sequence[str]) -> list[Path]:
    """The files of a folder whose names begin so, in that order; a Hub snapshot's `main/` counts as the folder.

    Raises:
        SourceError: it cannot be looked into, or has none.
    """
    for place in filter(is_folder, (folder, folder / "main")):
        try:
            known = sorted(path for path in place.iterdir() if path.suffix in _READERS)
        except OSError as error:
            raise SourceError(f"{place} cannot be read ({reason(error)}).", "Check its permissions.") from error
        if files := [path for beginning in beginnings for path in known if path.name.startswith(beginning)]:
            return files
    raise SourceError(
        f"{folder} has no {' or '.join(beginnings)} file.", f"Put {beginnings[0]}.jsonl and the like (or .parquet) into it."
    )


def read_rows(file: Path, columns: Sequence[str]) -> Rows:
    """The rows of a file as they come.

    Args:
        columns: all that is wanted of a row. Others are not read where the format lets them be passed over.

    Raises:
        SourceError: the file is of another kind, is not there, is no file, or cannot be read on.
    """
    read = _READERS.get(file.suffix)
    if read is None:
        raise SourceError(f"{shown(str(file))} is neither .jsonl nor .parquet.", "Convert it to JSON Lines or Parquet.")
    try:
        with open_file(file) as stream:
            yield from read(stream, columns)
    except OSError as error:
        raise SourceError(f"{file} cannot be read ({reason(error)}).", "Check the path and its permissions.") from error
    except Exception as error:  # each parser has exceptions of its own
        kind = file.suffix.removeprefix(".").capitalize()
        raise SourceError(
            f"{file} is not a readable {kind} file ({reason(error)}).", "Write it again, for example with pandas."
        ) from error


def read_lines(stream: BinaryIO) -> Iterator[bytes | BadRow]:
    """The lines of a stream; in place of one that is too long the reason, without reading it into memory."""
    while line := stream.readline(LINE_BYTES + 1):
        if len(line) <= LINE_BYTES:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(LINE_BYTES)
        yield BadRow(f"the line is longer than {LINE_BYTES // 2**20} MiB")


def parse_json(line: bytes) -> object:
    """What one line of JSON says.

    Raises:
        BadRow: it is not UTF-8, not JSON, nested too deeply, or holds a number that is too long.
    """
    try:
        value: object = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise BadRow("the line is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadRow(f"the line is not JSON ({error.msg} at column {error.colno})") from None
    except RecursionError:
        raise BadRow("the line is nested too deeply") from None
    except ValueError:
        raise BadRow("a number in the line has too many digits") from None
    if line.count(b"[") + line.count(b"{") > MOST_LEVELS and _is_deep(value):
        raise BadRow("the line is nested too deeply")
    return value


def _is_deep(value: object) -> bool:
    """Whether a value has more than `MOST_LEVELS`; looked at level by level, as recursion would end first."""
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _inside(value: object) -> Sequence[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _jsonl_rows(stream: BinaryIO, columns: Sequence[str]) -> Rows:
    for number, line in enumerate(read_lines(stream), start=1):
        if isinstance(line, BadRow):
            yield number, line
        elif line.strip():
            try:
                yield number, parse_json(line)
            except BadRow as bad:
                yield number, bad


def _parquet_rows(stream: BinaryIO, columns: Sequence[str]) -> Rows:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(stream)
    present = [name for name in columns if name in file.schema_arrow.names]
    if not present:
        yield from ((number, {}) for number in range(1, file.metadata.num_rows + 1))
        return
    number = 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=present):
        for row in _batch_rows(batch):
            number += 1
            yield number, row


def _batch_rows(batch: Any) -> Iterator[object]:
    """A batch's rows as dictionaries; one by one where a value somewhere cannot be turned into one of Python's."""
    try:
        yield from batch.to_pylist()
        return
    except Exception:  # pyarrow, pandas and Python's dates each have their own
        single = [batch.slice(place, 1) for place in range(batch.num_rows)]
    for row in single:
        try:
            yield row.to_pylist()[0]
        except Exception as error:
            yield BadRow(f"the row cannot be read ({reason(error)})")


_READERS: Mapping[str, Callable[[BinaryIO, Sequence[str]], Rows]] = {".jsonl": _jsonl_rows, ".parquet": _parquet_rows}
"""By the end of a file's name."""
