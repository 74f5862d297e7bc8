"""Search: words, regular expressions and meaning find what they should, and what cannot be searched for is explained."""

from pathlib import Path

import numpy as np
import pytest

from analysis import embed, search
from analysis.convert import LOWEST_COSINE
from analysis.search import SearchError, match_text, rank_by_meaning
from tests.embedding_testing import make_tiny_model
from training.errors import ModelError
from training.home import Home

QUESTIONS = [
    "Anna has 3 apples. How many years old is she?",
    "Ben sold gold for $5.50 in 2\u00a0years. He is OLD.",
    "Straße, 数学の問題, (a+b)*c",
    "",
]


def found(query: str, mode: search.Mode = "words") -> list[int]:
    matches = match_text(QUESTIONS, query, mode)
    assert matches.dtype == np.bool_
    assert matches.shape == (len(QUESTIONS),)
    return [int(row) for row in np.flatnonzero(matches)]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", [0, 1, 2, 3]),
        ("   ", [0, 1, 2, 3]),
        ("old", [0, 1]),
        ("OLD years", [0, 1]),
        ("old apples", [0]),
        ("old -apples", [1]),
        ("-old", [2, 3]),
        ('"years old"', [0]),
        ('"years   OLD"', [0]),
        ('"2 years"', [1]),
        ('-"years old"', [1, 2, 3]),
        ('"ears old"', []),
        ('"year"', []),
        ("year", [0, 1]),
        ('"years old', [0]),
        ('""', [0, 1, 2, 3]),
        ("$5.50", [1]),
        ("5.5.", []),
        ("数学", [2]),
        ("STRASSE", []),
        ("(a+b)*c", [2]),
        ("\\", []),
    ],
)
def test_words_find(query: str, rows: list[int]) -> None:
    assert found(query) == rows


@pytest.mark.parametrize(
    ("pattern", "rows"),
    [("", [0, 1, 2, 3]), (r"\bold\b", [0, 1]), (r"(?-i:\bold\b)", [0]), (r"^$", [3]), (r"\d+ \w+", [0, 1]), ("学", [2])],
)
def test_a_regular_expression_finds(pattern: str, rows: list[int]) -> None:
    assert found(pattern, "regex") == rows


@pytest.mark.parametrize(
    ("pattern", "explanation"),
    [
        ("(", "at character 1: missing ), unterminated subpattern"),
        ("ab[", "at character 3: unterminated character set"),
        ("*", "at character 1: nothing to repeat"),
        ("a{99999999999}", "a number is too large"),
        ("(" * 5000, "too many brackets inside one another"),
        ("\ud800(", "at character 2"),
    ],
)
def test_an_error_in_a_regular_expression_is_explained(pattern: str, explanation: str) -> None:
    with pytest.raises(SearchError) as caught:
        found(pattern, "regex")
    assert explanation in caught.value.problem
    assert "search by words" in caught.value.remedy
    assert len(caught.value.problem) < 200


def test_a_regular_expression_that_never_ends_is_ended() -> None:
    with pytest.raises(SearchError, match=r"takes more than 0\.5 seconds") as caught:
        match_text(["a" * 200], r"(a|aa)+b", "regex", time_limit_s=0.5)
    assert "repetition" in caught.value.remedy


def test_a_regular_expression_runs_over_no_questions() -> None:
    assert match_text([], "a", "regex").shape == (0,)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_model(tmp_path_factory.mktemp("tiny-model")))


@pytest.fixture(scope="module")
def prepared(model: str, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("home"))})
    assert search.search_encoder(model, home) is None
    assert search.encoder_stamp(model, home) == "none"
    search.prepare_encoder(model, home)
    return home


def test_a_question_is_nearest_to_itself_in_meaning(model: str, prepared: Home) -> None:
    encoder = search.search_encoder(model, prepared)
    assert encoder is not None
    embeddings = embed.embed(QUESTIONS, model, lambda done: None, embed.encoders_folder(prepared))
    cosines = rank_by_meaning(QUESTIONS[1], encoder, embeddings)
    assert cosines.dtype == np.float32
    assert cosines.argmax() == 1
    assert cosines[1] > LOWEST_COSINE


@pytest.mark.parametrize("query", ["", " \n"])
def test_a_blank_query_has_no_meaning(query: str, model: str, prepared: Home) -> None:
    encoder = search.search_encoder(model, prepared)
    assert encoder is not None
    with pytest.raises(SearchError, match="Type a few words"):
        rank_by_meaning(query, encoder, np.zeros((4, 16), np.float32))


def test_the_stamp_stays_while_the_encoder_does(model: str, prepared: Home) -> None:
    stamp = search.encoder_stamp(model, prepared)
    search.prepare_encoder(model, prepared)
    assert search.encoder_stamp(model, prepared) == stamp != "none"


def test_words_alone_cannot_be_searched_by_meaning(home: Home) -> None:
    for ask in (search.search_encoder, search.prepare_encoder):
        with pytest.raises(SearchError, match="Search by words"):
            ask(embed.TFIDF, home)
    assert search.encoder_stamp(embed.TFIDF, home) == "none"


def test_an_unknown_model_is_an_error(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="name a folder"):
        search.search_encoder("no-such-model", home)
