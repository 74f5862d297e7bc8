"""The language of a data set, and what a map makes of it."""

import numpy as np
import pytest

from analysis.clusters import name_clusters
from analysis.embed import DEFAULT_MODEL, TFIDF
from analysis.language import MULTILINGUAL_MODEL, language_of, model_notice
from analysis.leakage import find_leakage
from training.data.problems import load_problems
from training.data.reader import parse_problem

NAMES = ("Ann", "Bob", "Cy", "Dee")
GERMAN = [
    f"{name} hat {number} {fruit} im Korb und kauft noch 5 {fruit} dazu. Wie viele {fruit} hat {name} jetzt im Korb?"
    for number in range(3, 8)
    for name in ("Anna", "Jonas", "Mia")
    for fruit in ("Äpfel", "Birnen")
]


@pytest.mark.parametrize(
    ("language", "questions"),
    [
        ("en", ["Ann has 3 hats and buys 5 more. How many hats does she have?"] * 3),
        ("de", GERMAN),
        ("ru", ["У Маши 3 яблока, она купила ещё 5. Сколько у неё теперь яблок?"] * 3),
        ("zh", ["小明有3个苹果，又买了5个。他一共有几个苹果？现在他吃了两个，还剩下几个苹果？"] * 3),
        ("en", ["3*3=", "3^3=", "-7 + 2"]),
        ("en", ["?" * 1_000_000]),
        ("en", []),
    ],
)
def test_the_language_of_most_questions_is_found(language: str, questions: list[str]) -> None:
    assert language_of(questions) == language


def test_the_demo_is_english_and_needs_no_other_model() -> None:
    questions = [problem.question for problem in load_problems("demo").problems]
    assert language_of(questions) == "en"
    assert model_notice(questions, DEFAULT_MODEL) == ""


def test_another_language_on_the_english_model_is_told_with_a_model_that_knows_it() -> None:
    assert MULTILINGUAL_MODEL in model_notice(GERMAN, DEFAULT_MODEL)
    assert MULTILINGUAL_MODEL in model_notice(GERMAN, f"sentence-transformers/{DEFAULT_MODEL}")
    assert model_notice(GERMAN, MULTILINGUAL_MODEL) == model_notice(GERMAN, TFIDF) == ""


def test_german_clusters_are_named_by_nouns_and_not_by_what_every_question_has() -> None:
    labels = np.array(["Birnen" in question for question in GERMAN], np.int16)
    # Both halves have more than a fifth of the questions, so a word of theirs counts as common: a third topic makes it rarer.
    others = [f"Der Zug fährt um {hour} Uhr ab. Wann ist der Zug am Ziel?" for hour in range(150)]
    names = name_clusters(np.concatenate([labels, np.full(150, 2, np.int16)]), [*GERMAN, *others])
    assert "äpfel" in names[0]
    assert "birnen" in names[1]


@pytest.mark.parametrize(("language", "kind"), [("de", "topic"), ("en", "template")])
def test_capitals_are_names_in_english_alone(language: str, kind: str) -> None:
    ours = (
        GERMAN
        if language == "de"
        else [f"At the fair {name} wins {n} hats. How many has {name}?" for name in NAMES for n in "34"]
    )
    one, other = (GERMAN[0], GERMAN[1]) if language == "de" else (ours[0], ours[2])
    rows = [("train", one, "3*5"), ("test", other, "3+5"), *(("train", question, "1/1") for question in ours)]
    problems = [
        parse_problem({"question": question, "answer": f"<<{sum_}=8>>\n#### 8"}, f"{split}-{row}", split)  # type: ignore[arg-type]
        for row, (split, question, sum_) in enumerate(rows)
    ]
    found = find_leakage(problems, np.eye(len(problems), dtype=np.float32))
    assert found is not None
    assert {pair.kind for pair in found.pairs if pair.train_id == "train-0"} == {kind}
