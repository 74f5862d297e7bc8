"""Files that nobody means: what people, programs and disks make of a row of problems, and of a file of settings."""

import datetime
import decimal
import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

GOOD = {"question": "Tom has 3 apples and buys 8 more. How many?", "answer": "3+8=<<3+8=11>>11\n#### 11"}
GOOD_LINE = json.dumps(GOOD).encode()
DEEP = 100_000
DIGITS = "9" * 6000

BAD_LINES: Mapping[str, bytes] = {
    "deep lists": b'{"question": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and unfinished": b"[" * DEEP,
    "rather deep": b'{"question": "q", "answer": "#### 1", "more": ' + b"[" * 300 + b"]" * 300 + b"}",
    "a long number": GOOD_LINE[:-1] + f', "weight": {DIGITS}}}'.encode(),
    "a long question number": f'{{"question": {DIGITS}, "answer": "#### 1"}}'.encode(),
    "a number that is none": b'{"question": NaN, "answer": Infinity}',
    "not UTF-8": b'{"question": "\xff\xfe", "answer": "#### 1"}',
    "UTF-16": GOOD_LINE.decode().encode("utf-16"),
    "a null": b"\x00",
    "a list": b"[]",
    "nothing": b"null",
    "cut off": GOOD_LINE[:-5],
}
"""Each is one row that cannot be used."""


def deep_parquet() -> pa.Table:
    """Columns of every kind that Python cannot hold beside the two that are wanted."""
    far = pa.array([2**62, 2**62], pa.int64())
    return pa.table(
        {
            "question": [GOOD["question"]] * 2,
            "answer": [GOOD["answer"]] * 2,
            "seen": far.cast(pa.timestamp("us")),
            "when": far.cast(pa.timestamp("ns", tz="Mars/Olympus")),
            "took": far.cast(pa.duration("s")),
            "price": pa.array([decimal.Decimal("1.50")] * 2, pa.decimal128(38, 20)),
            "picture": pa.array([b"\xff\x00"] * 2),
            "tree": pa.array([{"a": [{"b": 1}]}] * 2),
            "day": pa.array([datetime.date(1, 1, 1)] * 2),
        }
    )


def questions_of(column: pa.Array) -> pa.Table:
    """A table whose first question is no text, and whose second row is good, where the type allows it."""
    return pa.table({"question": column, "answer": [GOOD["answer"]] * len(column)})


BAD_COLUMNS: Mapping[str, Callable[[], pa.Array]] = {
    "timestamps": lambda: pa.array([2**62], pa.int64()).cast(pa.timestamp("us")),
    "timestamps of a strange zone": lambda: pa.array([0], pa.int64()).cast(pa.timestamp("ns", tz="Mars/Olympus")),
    "durations": lambda: pa.array([2**62], pa.int64()).cast(pa.duration("s")),
    "decimals": lambda: pa.array([decimal.Decimal("1.5")]),
    "bytes": lambda: pa.array([b"\xff\xfe"]),
    "structures": lambda: pa.array([{"a": {"b": [1]}}]),
    "lists": lambda: pa.array([["a"]]),
    "nothing": lambda: pa.array([None], pa.string()),
    "no text in a text": lambda: pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
    ),
}


def write_parquet(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path)
    return path


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    """Bound by a short relative name: a socket's path may have 108 bytes only."""
    before = Path.cwd()
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(path.parent)
        try:
            made.bind(path.name)
        finally:
            os.chdir(before)


NO_FILES: Mapping[str, Callable[[Path], Any]] = {
    "pipe": make_pipe,
    "socket": make_socket,
    "folder": lambda path: path.mkdir(),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "link to itself": lambda path: path.symlink_to(path),
    "link to nothing": lambda path: path.symlink_to(path.parent / "nowhere"),
}
"""What can stand in a file's place."""

NO_PATHS = (
    "~nosuchuser",
    "~nosuchuser/x",
    "x" * 5000,
    "/" + "x" * 5000,
    "a/" * 3000,
    "nul\0byte",
    "half\udc80",
    "/proc/self/mem/x",
    "/dev/null/x",
    "",
)
"""What is written where a path is asked for."""

BAD_SETTINGS: Mapping[str, bytes] = {
    "deep lists": b"max_steps = " + b"[" * DEEP + b"]" * DEEP,
    "deep tables": b"x = " + b"{a=" * DEEP + b"1" + b"}" * DEEP,
    "deep keys": b".".join([b"a"] * 20_000) + b" = 1",
    "a deep header": b"[" + b" . ".join([b"a"] * 20_000) + b"]",
    "deep rewards": b"model = 'demo'\nrewards." + b".".join([b"a"] * 25) + b" = 1",
    "a long number": f"max_steps = {DIGITS}".encode(),
    "a number that is none": b'model = "demo"\nlearning_rate = nan',
    "infinity": b'model = "demo"\nbeta = inf',
    "a date": b"max_steps = 1979-05-27T07:32:00Z",
    "not UTF-8": b'model = "\xff\xfe"',
    "UTF-16": 'model = "demo"'.encode("utf-16"),
    "huge": b"#" * 10_000_000,
    "nothing": b"",
    "no TOML": b"\x00\x01",
    "a thousand settings": b"".join(b"x%d = 1\n" % number for number in range(1000)),
    "a null": b'model = "a\\u0000b"',
}
"""Each is a file of settings that no run can begin with."""
