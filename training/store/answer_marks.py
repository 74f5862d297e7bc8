"""What people say of answers on which two judges differ: right, wrong, or unclear. Rows of the run store.

A mark is of a text: every completion of the job that answers the problem in the same words has it. It belongs to the two
judges between which it was given, whichever comes first, as it is a random sample only of the answers on which those differ.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from training.store import Store
from training.store.schema import answer_marks

AnswerVerdict = Literal["right", "wrong", "unclear"]

Judges = tuple[str, str]
"""Two reward functions by name."""
AnswerKey = tuple[str, str]
"""A problem's id, and the digest of what was answered to it."""


@dataclass(frozen=True)
class AnswerMark:
    """What somebody said of an answer."""

    verdict: AnswerVerdict
    who: str
    """An account's e-mail address, or how they came in."""
    marked_at: float
    """Unix seconds."""


def answer_digest(problem_id: str, completion: str) -> str:
    """What tells an answer from others: 32 hexadecimal digits, as good as drawn by lot, so that their order is a random one."""
    text = f"{problem_id}\0{completion}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def mark_answer(store: Store, job_id: str, judges: Judges, key: AnswerKey, verdict: AnswerVerdict | None, who: str) -> None:
    """Say what an answer is, in place of what was said before; `None` takes that back.

    Raises:
        StoreError: there is no such job.
    """
    store.job(job_id)
    problem_id, digest = key
    row = _between(job_id, judges) | {"problem_id": problem_id, "digest": digest}
    with store.writing(turn=f"answers {job_id}") as connection:
        connection.execute(answer_marks.delete().where(*(answer_marks.c[name] == value for name, value in row.items())))
        if verdict is not None:
            said = {"verdict": verdict, "who": who, "marked_at": store.now()}
            connection.execute(answer_marks.insert().values(row | said))


def marked_answers(store: Store, job_id: str, judges: Judges) -> Mapping[AnswerKey, AnswerMark]:
    """What was said of the job's answers between two judges."""
    of_them = (answer_marks.c[name] == value for name, value in _between(job_id, judges).items())
    with store.reading() as connection:
        rows = connection.execute(sa.select(answer_marks).where(*of_them)).all()
    return {(row.problem_id, row.digest): AnswerMark(row.verdict, row.who, row.marked_at) for row in rows}


def _between(job_id: str, judges: Judges) -> dict[str, str]:
    judge, other_judge = sorted(judges)
    return {"job_id": job_id, "judge": judge, "other_judge": other_judge}
