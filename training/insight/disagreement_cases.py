"""Answers on which two judges differ, in full: to be read, to be marked, and as files for other programs. Only reads."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from training.data.problem import Problem
from training.data.rows import spreadsheet_text
from training.insight.disagreement import Differing, Disagreement
from training.insight.judge_errors import Marks
from training.insight.judges import completions_of
from training.rewards.forms import AnswerForm
from training.store import Store
from training.store.answer_marks import AnswerMark

_READ = 500


@dataclass(frozen=True)
class Case:
    """An answer on which the judges differ, as it stands in a file."""

    problem: str
    question: str
    gold: str
    completion: str
    answer: str
    """As it is extracted."""
    first_judge: str
    first_verdict: str
    second_judge: str
    second_verdict: str
    mark: str
    """"right", "wrong", "unclear", or empty where nobody has said anything."""
    who: str
    marked_at: str
    """ISO 8601, in UTC."""
    step: int
    """Of the first completion with this answer."""
    times: int
    """How many completions have it."""
    digest: str
    """By which marks know it."""


def read_cases(
    store: Store,
    found: Disagreement,
    answers: Sequence[Differing],
    marks: Marks,
    problems: Mapping[str, Problem],
    form: AnswerForm,
) -> list[Case]:
    """Some of those that differ, in the order given; without those that the job has forgotten since."""
    completions = completions_of(found.part, [answer.seq for answer in answers])
    with store.reading() as connection:
        rows = {row.seq: row for row in connection.execute(sa.select(completions))}
    return [
        _case(found, answer, rows[answer.seq], marks.get(answer.key), problems.get(answer.problem_id), form)
        for answer in answers
        if answer.seq in rows
    ]


def _case(
    found: Disagreement, answer: Differing, row: sa.Row, mark: AnswerMark | None, problem: Problem | None, form: AnswerForm
) -> Case:
    verdicts = ("right", "wrong") if answer.first_says_right else ("wrong", "right")
    return Case(
        problem=answer.problem_id,
        question=problem.question if problem else "",
        gold=problem.gold if problem else "",
        completion=row.completion,
        answer=form.answer(row.completion),
        first_judge=found.judges[0],
        first_verdict=verdicts[0],
        second_judge=found.judges[1],
        second_verdict=verdicts[1],
        mark=mark.verdict if mark else "",
        who=mark.who if mark else "",
        marked_at=datetime.fromtimestamp(mark.marked_at, UTC).isoformat(timespec="seconds") if mark else "",
        step=row.step,
        times=answer.times,
        digest=answer.digest,
    )


def case_lines(cases: Iterable[Case]) -> Iterator[bytes]:
    """Each case as a line of JSON."""
    return (json.dumps(asdict(case), ensure_ascii=False).encode(errors="replace") + b"\n" for case in cases)


def case_table(cases: Iterable[Case]) -> Iterator[bytes]:
    """The cases as CSV with a header, as RFC 4180 says; nothing in it is calculated by a spreadsheet."""
    yield _csv_line(Case.__dataclass_fields__)
    for case in cases:
        yield _csv_line(asdict(case).values())


def _csv_line(cells: Iterable[str | int]) -> bytes:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_NONNUMERIC).writerow(
        [spreadsheet_text(cell) if isinstance(cell, str) else cell for cell in cells]
    )
    return line.getvalue().encode(errors="replace")


CASE_FILES: Mapping[str, Callable[[Iterable[Case]], Iterator[bytes]]] = {".jsonl": case_lines, ".csv": case_table}
"""By the end of a file's name, what writes it."""


def case_file(
    store: Store, found: Disagreement, marks: Marks, problems: Mapping[str, Problem], form: AnswerForm, suffix: str
) -> Iterator[bytes]:
    """All that differ, marked or not, in the order in which they are marked; read a batch at a time.

    Args:
        suffix: of `CASE_FILES`.
    """
    starts = range(0, len(found.differing), _READ)
    batches = (read_cases(store, found, found.differing[at : at + _READ], marks, problems, form) for at in starts)
    return CASE_FILES[suffix](case for batch in batches for case in batch)
