"""Rows of files that others wrote, in any of the usual formats: each is read, or there is a reason why it is not.

Whatever a parser raises becomes a `BadRow` where it concerns one row and a `SourceError` where it concerns the file, so that
nothing behind this module meets a parser's exception. What a row means is for others.
"""

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from training.data.bad_row import BadRow
from training.errors import SourceError, shown
from training.paths import open_file, reason

LINE_BYTES = 16 * 2**20
"""A longer line is not read into memory but rejected."""

MOST_LEVELS = 100
"""How deeply a row may be nested. A bound of our own: Python's depends on where it is asked."""

JSON_BYTES = 2**30
"""A larger file of JSON that is not JSON Lines is not read: it would be in memory twice."""

SHORT_CELL_BYTES = 256
"""Columns of a Parquet file whose cells take more on average are read only if they are asked for."""

_BATCH_ROWS = 1024
_FIRST_ROWS = 100
"""Rows whose keys are the columns of a file that does not name them."""
_NAME_CHARACTERS = 60
_NUMBER = re.compile(r"\s*[-+]?[\d.,]*\d\s*")
_NEGATIVE = re.compile(r"-[0-9][0-9,]*(\.[0-9]+)?([eE][+-]?[0-9]+)?")

Rows = Iterator[tuple[int, object]]
"""(line counted from 1, or the row's number where a file has no lines; the row, or the `BadRow` that says why not)."""


def kind_of(file: Path) -> str | None:
    """The format of a file by the end of its name, without that of its compression; `None` where it is none of ours."""
    name = file.name.casefold()
    for ending in _COMPRESSIONS:
        name = name.removesuffix(ending)
    return next((suffix for suffix in _FORMATS if name.endswith(suffix)), None)


def column_names(file: Path) -> tuple[str, ...]:
    """The names of a file's columns, and of the fields inside them as `column.field`; of JSON those of the first rows.

    Raises:
        SourceError: as `read_rows`.
    """
    kind = _FORMATS.get(kind_of(file) or "")
    if kind is not None and kind.names is not None:
        with _parsing(file), _opened(file) as stream:
            return tuple(kind.names(stream))
    rows = [row for _, row in islice(read_rows(file, None), _FIRST_ROWS) if isinstance(row, dict)]
    return tuple(dict.fromkeys(name for row in rows for name in _names(row)))


def read_rows(file: Path, columns: Sequence[str] | None) -> Rows:
    """The rows of a file as they come.

    Args:
        columns: all that is wanted of a row, `None` for everything. Of others a format that lets them be passed over reads
            only what is short: it may colour a map.

    Raises:
        SourceError: the file is of another kind, is not there, is no file, or cannot be read on.
    """
    kind = _FORMATS.get(kind_of(file) or "")
    if kind is None:
        raise SourceError(
            f"{shown(str(file))} is no file of rows.",
            f"Its name has to end in {', '.join(SUFFIXES)}, with .gz or .zst or without.",
        )
    with _parsing(file), _opened(file) as stream:
        yield from kind.rows(stream, columns)


@contextmanager
def _parsing(file: Path) -> Iterator[None]:
    """Turn whatever opening and parsing a file raises into a `SourceError`."""
    try:
        yield
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{file} cannot be read ({reason(error)}).", "Check the path and its permissions.") from error
    except UnicodeError as error:
        raise SourceError(
            f"{file} is not written in UTF-8 ({reason(error)}).", 'Save it as UTF-8; spreadsheets call it "CSV UTF-8".'
        ) from error
    except Exception as error:  # each parser has exceptions of its own
        kind = (kind_of(file) or "").removeprefix(".").capitalize()
        raise SourceError(
            f"{file} is not a readable {kind} file ({reason(error)}).", "Write it again, for example with pandas."
        ) from error


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """A file's bytes, decompressed."""
    compression = next((name for ending, name in _COMPRESSIONS.items() if file.name.casefold().endswith(ending)), None)
    with open_file(file) as stream:
        if compression is None:
            yield stream
            return
        import pyarrow as pa

        with pa.CompressedInputStream(pa.PythonFile(stream, "r"), compression) as decompressed:
            yield io.BufferedReader(decompressed)


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
        raise BadRow(f"the line is not JSON ({error.msg.removesuffix(' at')} at column {error.colno})") from None
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


def _jsonl_rows(stream: BinaryIO, columns: Sequence[str] | None) -> Rows:
    for number, line in enumerate(read_lines(stream), start=1):
        if isinstance(line, BadRow):
            yield number, line
        elif line.strip():
            try:
                rows = _table_in(parse_json(line))
            except BadRow as bad:
                rows = [bad]
            yield from ((number, row) for row in rows)


def _json_rows(stream: BinaryIO, columns: Sequence[str] | None) -> Rows:
    """An array of objects, alone or inside an object, one for each split; pandas' columns; JSON Lines under another name."""
    content = stream.read(JSON_BYTES + 1)
    if len(content) > JSON_BYTES:
        raise OSError(f"it is larger than {JSON_BYTES // 2**20:,} MiB; write it as JSON Lines")
    try:
        value = parse_json(content)
    except BadRow:
        yield from _jsonl_rows(io.BytesIO(content), columns)
        return
    yield from enumerate(_table_of(value), start=1)


def _table_in(value: object) -> Sequence[object]:
    """The rows in one line: the row that it is, or those of an array of objects."""
    return value if isinstance(value, list) and _is_table(value) else [value]


def _table_of(value: object) -> Sequence[object]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        tables: list[list[Any]] = [inner for inner in value.values() if _is_table(inner)]
        if len(tables) == 1:
            return tables[0]
        if value and len(tables) == len(value):  # a table for each split
            return [{"split": name, **row} for name, table in value.items() for row in table]
        if value and all(isinstance(cells, dict) for cells in value.values()):  # df.to_json()
            names = list(dict.fromkeys(place for cells in value.values() for place in cells))
            return [{name: cells.get(place) for name, cells in value.items()} for place in names]
        if value and all(isinstance(cells, list) for cells in value.values()):  # df.to_dict("list")
            return [dict(zip(value, cells, strict=False)) for cells in zip(*value.values(), strict=False)]
    return [value]


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _delimited(separator: str) -> Callable[[BinaryIO, Sequence[str] | None], Rows]:
    def rows(stream: BinaryIO, columns: Sequence[str] | None) -> Rows:
        csv.field_size_limit(LINE_BYTES)  # Python's own would end the file at a cell of 128 KiB
        text = io.TextIOWrapper(stream, encoding=_encoding(stream), newline="")
        first = text.readline()
        reader = csv.reader(chain([first] if first else [], text), delimiter=_separator(first, separator), strict=True)
        header = next(reader, None)
        if header is None:
            return
        if not _is_header(header):
            names = ["question", "answer"] if len(header) == 2 else [f"column {place}" for place in range(1, len(header) + 1)]
            yield reader.line_num, dict(zip(names, header, strict=True))
            header = names
        while (cells := next(reader, None)) is not None:
            if cells:
                yield reader.line_num, _record(header, cells)

    return rows


def _encoding(stream: BinaryIO) -> str:
    """UTF-8, unless the first bytes say UTF-16: so spreadsheets save "Unicode text"."""
    assert isinstance(stream, io.BufferedReader)
    return "utf-16" if stream.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _separator(first: str, usual: str) -> str:
    """What parts the cells of a table, by its first line: spreadsheets of half the world write semicolons."""
    return usual if usual in first else next((mark for mark in ";\t" if mark in first), usual)


def _is_header(cells: Sequence[str]) -> bool:
    """Whether a table's first line names its columns: short words, each another, none of them a number."""
    short = all(cell and len(cell) <= _NAME_CHARACTERS and not cell.strip().endswith((".", "?")) for cell in cells)
    return short and len(set(cells)) == len(cells) and not any(_NUMBER.fullmatch(cell) for cell in cells)


def _record(header: Sequence[str], cells: Sequence[str]) -> object:
    if len(cells) != len(header):
        return BadRow("the line has another number of cells than the first", f"{len(cells)} instead of {len(header)}")
    return dict(zip(header, map(_unmarked, cells), strict=True))


def _unmarked(text: str) -> str:
    """A cell without the apostrophe by which spreadsheets, and `spreadsheet_text`, mark a text that begins like a formula."""
    return text[1:] if text.startswith("'") and text[1:].lstrip().startswith(FORMULA) else text


def spreadsheet_text(text: str) -> str:
    """The text as a cell that shows it: with an apostrophe before it where it would be calculated. A negative number is one."""
    is_formula = text.lstrip().startswith(FORMULA) and not _NEGATIVE.fullmatch(text)
    return f"'{text}" if is_formula else text


def _parquet_names(stream: BinaryIO) -> Iterator[str]:
    import pyarrow.parquet as pq

    return _schema_names(pq.ParquetFile(stream).schema_arrow)


def _parquet_rows(stream: BinaryIO, columns: Sequence[str] | None) -> Rows:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(stream)
    names = file.schema_arrow.names
    wanted = names if columns is None else {*columns, *_short_columns(file)}
    present = [name for name in names if name in wanted]
    if not present:
        yield from ((number, {}) for number in range(1, file.metadata.num_rows + 1))
        return
    yield from _batches(file.iter_batches(batch_size=_BATCH_ROWS, columns=present), columns)


def _short_columns(file: Any) -> frozenset[str]:
    """The columns whose cells are single values, or lists of words or numbers, and short, as the file's own summary says."""
    import pyarrow.types as types

    def is_plain(kind: Any) -> bool:
        tests = (types.is_string, types.is_large_string, types.is_integer, types.is_floating, types.is_boolean)
        return any(test(kind) for test in tests) or (types.is_list(kind) and any(test(kind.value_type) for test in tests[:-1]))

    plain = {field.name for field in file.schema_arrow if is_plain(field.type)}
    meta = file.metadata
    sizes: Counter[str] = Counter()
    for group in map(meta.row_group, range(meta.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            sizes[column.path_in_schema.split(".", 1)[0]] += column.total_uncompressed_size
    return frozenset(name for name, size in sizes.items() if name in plain and size <= SHORT_CELL_BYTES * max(1, meta.num_rows))


def _arrow_names(stream: BinaryIO) -> Iterator[str]:
    return _schema_names(_arrow_reader(stream).schema)


def _arrow_rows(stream: BinaryIO, columns: Sequence[str] | None) -> Rows:
    yield from _batches(iter(_arrow_reader(stream)), columns)


def _arrow_reader(stream: BinaryIO) -> Any:
    import pyarrow as pa

    return pa.ipc.open_stream(stream)


def _schema_names(schema: Any) -> Iterator[str]:
    """The names of columns, and of the fields of those that are structures; `.user` of those that are conversations."""
    import pyarrow.types as types

    for field in schema:
        yield field.name
        if types.is_struct(field.type):
            yield from (f"{field.name}.{inner.name}" for inner in field.type)
        elif types.is_list(field.type) and types.is_struct(field.type.value_type):
            yield f"{field.name}.user"


def _names(row: Mapping[str, Any]) -> Iterator[str]:
    """As `_schema_names`, of a row of JSON."""
    for name, value in row.items():
        yield name
        if isinstance(value, dict):
            yield from (f"{name}.{inner}" for inner in value)
        elif _is_table(value):
            yield f"{name}.user"


def _batches(batches: Iterator[Any], columns: Sequence[str] | None) -> Rows:
    number = 0
    for batch in batches:
        for row in _batch_rows(batch, columns):
            number += 1
            yield number, row


def _batch_rows(batch: Any, columns: Sequence[str] | None) -> Iterator[object]:
    """A batch's rows as dictionaries; one by one where a value somewhere cannot be turned into one of Python's."""
    try:
        yield from batch.to_pylist()
        return
    except Exception:  # pyarrow, pandas and Python's dates each have their own
        single = [batch.slice(place, 1) for place in range(batch.num_rows)]
    for row in single:
        yield _single_row(row, columns)


def _single_row(row: Any, columns: Sequence[str] | None) -> object:
    """The one row of a batch; a value that cannot be had spoils it only if its column was asked for."""
    cells = {}
    for name, column in zip(row.schema.names, row.columns, strict=True):
        try:
            cells[name] = column.to_pylist()[0]
        except Exception as error:
            if columns is None or name in columns:
                return BadRow("the row cannot be read", reason(error))
    return cells


@dataclass(frozen=True)
class _Format:
    rows: Callable[[BinaryIO, Sequence[str] | None], Rows]
    names: Callable[[BinaryIO], Iterator[str]] | None = None
    """The names of its columns, where it says them before its rows."""


_FORMATS: Mapping[str, _Format] = {
    ".jsonl": _Format(_jsonl_rows),
    ".parquet": _Format(_parquet_rows, _parquet_names),
    ".json": _Format(_json_rows),
    ".csv": _Format(_delimited(",")),
    ".tsv": _Format(_delimited("\t")),
    ".arrow": _Format(_arrow_rows, _arrow_names),
}
"""By the end of a file's name; where a split is there in several, the first counts."""

SUFFIXES = tuple(_FORMATS)

FORMULA = tuple("=+-@＝＋－＠")
"""What a spreadsheet's cell that is calculated begins with, white space aside; some programs take the wide forms too."""

_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
