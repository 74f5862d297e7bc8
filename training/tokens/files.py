"""Scored tokens as a table for other programs."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from training.tokens.scores import COLUMNS, Scored, token_rows

_PLACE = ("step", "group", "completion")
_TEXTS = ("token", "shown", "likeliest", "against_likeliest")
"""Columns that CSV has as JSON strings: a token may be a line break, `NA`, or what a spreadsheet takes for a formula."""

Place = tuple[int, int, int]
"""Step, group and completion, all counted from 1."""


def table_rows(scored: Sequence[tuple[Place, Scored]]) -> list[dict[str, Any]]:
    """A row a token: where its completion stands, then `training.tokens.scores.COLUMNS`."""
    return [dict(zip(_PLACE, place, strict=True)) | row for place, found in scored for row in token_rows(found)]


def csv_text(scored: Sequence[tuple[Place, Scored]]) -> str:
    """The table as CSV; what is not finite is left empty."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, [*_PLACE, *COLUMNS], lineterminator="\n")
    writer.writeheader()
    for row in table_rows(scored):
        writer.writerow(row | {name: json.dumps(row[name], ensure_ascii=False) for name in _TEXTS})
    return stream.getvalue()
