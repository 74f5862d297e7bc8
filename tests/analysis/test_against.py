"""Another source's problems looked for in this one."""

import numpy as np
from pydantic import TypeAdapter

from analysis.against import Against, Match, against_json, compare
from analysis.embed import unit_rows
from training.data.problem import ProblemSet, Split
from training.data.reader import parse_problem


def problem_set(name: str, *questions: tuple[Split, str]) -> ProblemSet:
    problems = [
        parse_problem({"question": question, "answer": f"It is so.\n#### {row}"}, f"{split}-{row}", split)
        for row, (split, question) in enumerate(questions)
    ]
    return ProblemSet(name, name.casefold(), tuple(problems))


OURS = problem_set(
    "Ours",
    ("train", "Ann has 3 hats. How many?"),
    ("train", "What is 3 + 4?"),
    ("train", "A barn door?"),
    ("test", "Only in our test split?"),
)
THEIRS = problem_set(
    "Theirs",
    ("train", "A barn door?"),
    ("test", "ann has 3 hats, how many"),
    ("test", "What is 3 - 4?"),
    ("test", "What is 5 + 40?"),
    ("test", "Only in our test split?"),
    ("test", "The door of a barn?"),
)


def vectors(*angles: float) -> np.ndarray:
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


def test_their_test_problems_are_looked_for_among_our_train_problems() -> None:
    found = compare(OURS, vectors(0, 1, 2, 3), THEIRS, vectors(2, 0, 3, 3, 3, 2.1))
    assert (found.source, found.name, found.others, found.problems) == ("theirs", "Theirs", 5, 3)
    assert found.counts == {"question": 1, "template": 1}
    assert found.matches == (Match("test-1", "train-0", "question"), Match("test-3", "train-1", "template"))
    assert ("test-5", "train-2") in {(pair.test_id, pair.train_id) for pair in found.near.pairs}
    assert found.reading.startswith("Of 5 problems of Theirs, 1 word for word, 1 but for the numbers stand among 3 here; ")
    assert TypeAdapter(Against).validate_json(against_json(found)) == found


def test_of_a_source_with_one_split_all_problems_are_looked_at() -> None:
    ours, theirs = problem_set("Ours", ("test", "A?"), ("test", "B?")), problem_set("Theirs", ("train", "b"))
    found = compare(ours, unit_rows(np.eye(2, dtype=np.float32)), theirs, np.eye(2, dtype=np.float32)[1:])
    assert (found.others, found.problems, found.counts["question"], found.near.highest) == (1, 2, 1, 1.0)
