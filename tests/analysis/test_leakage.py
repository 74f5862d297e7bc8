"""Pairs of test and train problems, their kinds, what is left without them, and GSM8K's figures."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter

from analysis import leakage, neighbors
from analysis.atlas import AtlasParameters, open_atlas
from analysis.cache import Cache
from analysis.embed import unit_rows
from analysis.leakage import (
    Leakage,
    LeakagePair,
    PairKind,
    choose_pairs,
    find_leakage,
    find_names,
    nearest_test,
    without_leaks,
    words,
)
from training.data.problem import Problem
from training.data.problems import load_problems
from training.data.reader import parse_problem
from training.home import Home

EIGHT_HATS = "Every day Ann buys 3 red hats and 5 blue hats. How many hats does Ann have after 1 day?"


def problem(split: str, index: int, question: str, answer: str = "3+5=<<3+5=8>>8\n#### 8") -> Problem:
    return parse_problem({"question": question, "answer": answer}, f"{split}-{index}", split)


def identical(count: int) -> NDArray[np.float32]:
    return np.tile(np.eye(1, 8, dtype=np.float32), (count, 1))


def found(problems: list[Problem], embeddings: NDArray[np.float32]) -> Leakage:
    result = find_leakage(problems, embeddings)
    assert result is not None
    return result


def pair_of(train: Problem, test: Problem, cosine: float = 1.0) -> LeakagePair:
    """The only pair of two problems and of a train problem that names Ann, Bob and Cy inside a sentence."""
    names = problem("train", 9, "Here are Ann, Bob and Cy.", "#### 1")
    embeddings = np.zeros((3, 3), np.float32)
    embeddings[:, 0] = (1.0, 0.0, cosine)
    embeddings[:, 1] = (0.0, 0.0, np.sqrt(1 - cosine**2))
    embeddings[1, 2] = 1.0
    [pair] = found([train, names, test], embeddings).pairs
    assert (pair.test_id, pair.train_id) == (test.id, train.id)
    return pair


def test_case_white_space_and_punctuation_leave_a_pair_verbatim() -> None:
    pair = pair_of(problem("train", 0, EIGHT_HATS), problem("test", 0, EIGHT_HATS.upper().replace(" ", " \t\n") + " …"))
    assert (pair.kind, pair.overlap, pair.cosine) == ("verbatim", 1.0, 1.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3*3=", "3^3="),
        ("What is 12 + 5?", "What is 12 - 5?"),
        ("-7 + 2", "7 + 2"),
        ("8 / 4", "8 * 4"),
        ("10 - 4 * 2", "(10 - 4) * 2"),
        ("A pen costs 3,5 euros.", "A pen costs 35 euros."),
    ],
)
def test_questions_with_other_operators_signs_or_numbers_are_not_the_same(one: str, other: str) -> None:
    pair = pair_of(problem("train", 0, one, "#### 1"), problem("test", 0, other, "#### 2"))
    assert pair.kind == ("template" if "pen" in one else "topic")


def test_formulas_with_other_numbers_share_a_template() -> None:
    train = problem("train", 0, r"What is $\frac{3}{4} + 2$?", "#### 1")
    assert pair_of(train, problem("test", 0, r"What is $\frac{5}{8} + 1$?", "#### 2")).kind == "template"
    assert pair_of(train, problem("test", 0, r"what is $\frac{3}{4}+2$", "#### 1")).kind == "verbatim"


def test_other_numbers_and_names_make_a_template_whatever_the_cosine() -> None:
    other = EIGHT_HATS.replace("Ann", "Bob").replace("3", "1,200").replace("5", "7.5")
    pair = pair_of(problem("train", 0, EIGHT_HATS), problem("test", 0, other, "<<1200+7=1207>>\n#### 1207"), cosine=0.1)
    assert pair.kind == "template"
    assert pair.overlap < 0.5


def test_a_changed_word_is_a_template_only_with_the_same_operations() -> None:
    train = problem("train", 0, EIGHT_HATS)
    other = EIGHT_HATS.replace("red", "green").replace("3", "4")
    assert pair_of(train, problem("test", 0, other, "<<4+5=9>>\n#### 9")).kind == "template"
    assert pair_of(train, problem("test", 0, other, "<<4*5=20>>\n#### 20")).kind == "topic"


def test_the_same_numbers_and_solution_in_other_words_are_a_paraphrase() -> None:
    train = problem("train", 0, EIGHT_HATS)
    told = "Hats: 3 in red, 5 in blue, bought by Cy within 1 day. Their sum?"
    assert pair_of(train, problem("test", 0, told), cosine=0.9).kind == "paraphrase"
    assert pair_of(train, problem("test", 0, told, "<<5-3=2>>\n#### 2"), cosine=0.9).kind == "topic"
    assert pair_of(train, problem("test", 0, told.replace("5", "6")), cosine=0.9).kind == "topic"


def test_one_split_alone_has_no_leakage() -> None:
    assert find_leakage([problem("test", 0, EIGHT_HATS)], identical(1)) is None
    assert find_leakage([problem("train", 0, EIGHT_HATS)], identical(1)) is None
    assert find_leakage([], identical(0)) is None


@pytest.mark.parametrize("block_bytes", [1, 4000, neighbors.BLOCK_BYTES])
def test_every_pair_is_found_with_its_exact_overlap(block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "BLOCK_BYTES", block_bytes)
    random = np.random.default_rng(0)
    questions = [" ".join(random.choice(["a", "b", "c", "7"], size)) for size in random.integers(1, 12, 90)]
    problems = [problem("train" if index < 60 else "test", index, question) for index, question in enumerate(questions)]
    embeddings = unit_rows(random.normal(size=(90, 3)).astype(np.float32))
    result = found(problems, embeddings)

    grams = [{tuple(text[i : i + 3]) for i in range(max(1, len(text) - 2))} for text in map(words, questions)]
    overlap = {(i, j): len(grams[i] & grams[j]) / len(grams[i] | grams[j]) for i in range(60, 90) for j in range(60)}
    cosine = embeddings @ embeddings.T
    seen = {(pair.test_id, pair.train_id): pair for pair in result.pairs}
    for (test, train), expected in overlap.items():
        pair = seen.get((f"test-{test}", f"train-{train}"))
        if expected >= leakage.OVERLAP_FLOOR or cosine[test, train] >= leakage.COSINE_FLOOR:
            assert pair is not None
            assert (pair.overlap, pair.cosine) == pytest.approx((expected, cosine[test, train]), abs=1e-6)
    assert result.found == len(result.pairs) == len(seen)
    assert [pair.cosine for pair in result.pairs] == sorted((pair.cosine for pair in result.pairs), reverse=True)
    assert result.highest == pytest.approx(cosine[60:, :60].max())
    assert result.above["0.85"] == (cosine[60:, :60].max(axis=1) > 0.85).sum()
    assert sum(result.counts.values()) == len(result.pairs)


def test_too_many_pairs_keep_the_nearest_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leakage, "MAX_PAIRS", 7)
    monkeypatch.setattr(neighbors, "BLOCK_BYTES", 1)
    angles = np.linspace(0, 0.5, 40)
    embeddings = np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)
    problems = [problem("test" if index % 4 == 0 else "train", index, f"Question {index}") for index in range(40)]
    result = found(problems, embeddings)
    cosines = sorted((embeddings[::4] @ np.delete(embeddings, np.s_[::4], axis=0).T).ravel(), reverse=True)
    assert [pair.cosine for pair in result.pairs] == pytest.approx(cosines[:7])
    assert (len(result.pairs), result.found) == (7, 300)
    assert result.floor == result.pairs[-1].cosine > leakage.COSINE_FLOOR


def test_questions_that_are_hostile_or_all_equal_are_compared() -> None:
    questions = ["?!", "🎉", "1", "a " * 500_000, "<script>alert(1)</script>\t\x00", "多少个苹果？", "²½ ٣", "A, " * 500_000]
    problems = [problem("train" if index < 4 else "test", index, question) for index, question in enumerate(questions)]
    kinds = {(pair.test_id, pair.train_id): pair.kind for pair in found(problems, identical(8)).pairs}
    assert len(kinds) == 16
    assert [pair for pair, kind in kinds.items() if kind == "verbatim"] == [("test-7", "train-3")]


def test_progress_is_reported_in_test_problems() -> None:
    done: list[int] = []
    find_leakage([problem("train", 0, "a"), problem("test", 0, "b"), problem("test", 1, "c")], identical(3), done.append)
    assert done == [2]


def test_leakage_survives_json() -> None:
    adapter = TypeAdapter(Leakage)
    result = found([problem("train", 0, EIGHT_HATS), problem("test", 0, EIGHT_HATS)], identical(2))
    assert adapter.validate_json(adapter.dump_json(result)) == result
    assert result.answer == "Yes."
    assert result.numbers.startswith(
        "Of 1 test problem, 1 has a near copy among train: 1 pair with 1 train problem (1 verbatim)."
    )


def test_topics_alone_are_no_leak() -> None:
    result = found([problem("train", 0, EIGHT_HATS), problem("test", 0, "What is 7 + 7?", "#### 14")], identical(2))
    assert [pair.kind for pair in result.pairs] == ["topic"]
    assert (result.answer, result.copies) == ("No.", ())
    assert result.numbers.startswith(
        "Of 1 test problem, none has a near copy among train. Another 1 near pair shares a topic only."
    )


def test_pairs_are_chosen_by_kind_and_if_asked_by_nearness() -> None:
    kinds: tuple[PairKind, ...] = ("topic", "verbatim", "template", "paraphrase")
    pairs = [LeakagePair(f"test-{n}", f"train-{n}", 0.9 - n / 10, 0.5, kind) for n, kind in enumerate(kinds)]
    assert [pair.kind for pair in choose_pairs(pairs)] == ["verbatim", "template", "paraphrase"]
    assert [pair.kind for pair in choose_pairs(pairs, least_cosine=0.7)] == ["verbatim", "template"]
    assert [pair.kind for pair in choose_pairs(pairs, ("topic",))] == ["topic"]


def test_words_keep_numbers_and_apostrophes() -> None:
    assert words("Ann’s 1,200 HATS cost $2.50; isn't it?") == ["ann's", "1200", "hats", "cost", "2.50", "isn't", "it"]


def test_names_are_what_stands_with_a_capital_inside_sentences() -> None:
    texts = ["On Monday, Ann met Will. Will they go?", "He will ask whether they will. Then Ann says no."]
    assert find_names(texts) == {"monday", "ann"}


@pytest.mark.parametrize("block_bytes", [1, 400, neighbors.BLOCK_BYTES])
def test_the_nearest_other_test_problem_is_found_for_every_problem(block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "BLOCK_BYTES", block_bytes)
    random = np.random.default_rng(0)
    embeddings = unit_rows(random.normal(size=(50, 4)).astype(np.float32))
    is_test = random.random(50) < 0.4
    rows, cosines = nearest_test(embeddings, is_test)
    expected = embeddings @ embeddings.T
    expected[:, ~is_test] = -2
    np.fill_diagonal(expected, -2)
    assert (rows.dtype, cosines.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(rows, expected.argmax(axis=1))
    np.testing.assert_allclose(cosines, expected.max(axis=1), atol=1e-6)


def test_without_another_test_problem_nothing_is_nearest() -> None:
    rows, cosines = nearest_test(identical(3), np.array([False, True, False]))
    assert rows.tolist() == [1, -1, 1]
    assert np.isnan(cosines).tolist() == [False, True, False]
    rows, cosines = nearest_test(identical(2), np.array([False, False]))
    assert rows.tolist() == [-1, -1]
    assert np.isnan(cosines).all()


def test_dropping_leaks_takes_one_side_and_keeps_the_order() -> None:
    problems = [problem("train", 0, "a"), problem("train", 1, "b"), problem("test", 0, "c"), problem("test", 1, "d")]
    pairs = [("test-1", "train-0"), ("test-1", "train-1")]
    assert [kept.id for kept in without_leaks(problems, pairs, "test")] == ["train-0", "train-1", "test-0"]
    assert [kept.id for kept in without_leaks(problems, pairs, "train")] == ["test-0", "test-1"]
    assert without_leaks(problems, [], "test") == tuple(problems)


def test_gsm8k_has_little_leakage_and_five_shared_templates(gsm8k_home: Home) -> None:
    atlas = open_atlas(load_problems("auto", gsm8k_home), AtlasParameters(), Cache.from_home(gsm8k_home))
    assert atlas is not None
    result = found(list(atlas.problem_set.problems), atlas.embeddings)
    assert result.highest == pytest.approx(0.896, abs=0.005)
    assert result.tests == 1319
    assert result.above == {"0.80": pytest.approx(90, abs=5), "0.85": pytest.approx(13, abs=2)}
    assert (result.floor, result.found) == (leakage.COSINE_FLOOR, len(result.pairs))
    templates = {(pair.test_id, pair.train_id) for pair in result.pairs if pair.kind == "template"}
    assert templates == {
        ("test-632", "train-20"),
        ("test-824", "train-3726"),
        ("test-602", "train-1314"),
        ("test-602", "train-5162"),
        ("test-168", "train-6624"),
    }
    assert [(pair.test_id, pair.train_id) for pair in result.pairs if pair.kind == "paraphrase"] == [("test-1291", "train-936")]
    assert result.counts["verbatim"] == 0
    assert {(pair.test_id, pair.train_id) for pair in result.copies} == templates | {("test-1291", "train-936")}
    assert result.answer == "Hardly."
    assert "5 have a near copy among train: 6 pairs with 6 train problems" in result.numbers
    kept = without_leaks(atlas.problem_set.problems, [(pair.test_id, pair.train_id) for pair in result.copies], "train")
    assert len(kept) == 8_792 - 6
