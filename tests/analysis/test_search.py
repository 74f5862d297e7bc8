"""Search: words, regular expressions and meaning find what they should, and what cannot be searched for is explained."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from analysis import embed, search
from analysis.convert import LOWEST_COSINE
from analysis.search import QUERY_CHARACTERS, QUERY_WORDS, match_text, rank_by_meaning
from analysis.search_pool import SearchBusyError, SearchError, SearchPool, Texts
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
    matches = match_text(Texts.of(QUESTIONS), query, mode, SearchPool())
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
        ("(" * 900, "too many brackets inside one another"),
        ("\ud800(", "at character 2"),
    ],
)
def test_an_error_in_a_regular_expression_is_explained(pattern: str, explanation: str) -> None:
    with pytest.raises(SearchError) as caught:
        found(pattern, "regex")
    assert explanation in caught.value.problem
    assert "search by words" in caught.value.remedy
    assert len(caught.value.problem) < 200


ENDLESS = r"(a|aa)+b"
MANY_AS = Texts.of(["a" * 200])


def test_a_regular_expression_that_never_ends_is_ended() -> None:
    with pytest.raises(SearchError, match=r"takes more than 0\.5 seconds") as caught:
        match_text(MANY_AS, ENDLESS, "regex", SearchPool(time_limit_s=0.5))
    assert "repetition" in caught.value.remedy


def test_a_regular_expression_that_takes_all_memory_is_ended() -> None:
    with pytest.raises(SearchError, match="memory"):
        match_text(Texts.of(["a" * 500_000]), r"(?:(a)|b)*?c", "regex", SearchPool(memory_bytes=64 << 20))


@pytest.mark.parametrize("mode", ["words", "regex"])
def test_nothing_is_searched_without_questions(mode: search.Mode) -> None:
    assert match_text(Texts.of([]), "a", mode, SearchPool()).shape == (0,)


def test_a_query_has_an_end() -> None:
    asked: list[object] = []
    pool = SearchPool()
    pool.rows = lambda *given: asked.append(given)  # type: ignore[method-assign, assignment, return-value]
    for query, mode in [("a" * (QUERY_CHARACTERS + 1), "words"), ("a" * (QUERY_CHARACTERS + 1), "regex")]:
        with pytest.raises(SearchError, match="characters"):
            match_text(MANY_AS, query, mode, pool)  # type: ignore[arg-type]
    with pytest.raises(SearchError, match="words"):
        match_text(MANY_AS, " ".join(map(str, range(QUERY_WORDS + 1))), "words", pool)
    assert asked == []
    assert found("a " * (QUERY_CHARACTERS // 2)) == [0, 1, 2]  # one word, however often it is said


def test_searches_wait_for_each_other_and_only_so_long() -> None:
    """Two processes are at work at most, whoever asks; who waits too long is told to try again."""
    at_once, most, lock = 0, 0, threading.Lock()
    go_on = threading.Event()
    pool = SearchPool(2, patience_s=60.0)

    def asked(*_: object) -> dict[str, object]:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        go_on.wait(60)
        with lock:
            at_once -= 1
        return {"rows": []}

    pool._asked = asked  # type: ignore[method-assign]
    with ThreadPoolExecutor(12) as sessions:
        found = [sessions.submit(pool.rows, MANY_AS, []) for _ in range(12)]
        hurried = SearchPool(2, patience_s=0.0)
        hurried._free = pool._free
        while at_once < 2:
            time.sleep(0.01)
        with pytest.raises(SearchBusyError):
            hurried.rows(MANY_AS, [])
        go_on.set()
        assert [one.result(60) for one in found] == [{"rows": []}] * 12
    assert most == 2


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
