"""Which test problems the train split already holds, and how: word for word, with other numbers, in other words.

Exact over all pairs of a test and a train problem, in blocks of test rows, so that memory does not grow with their product.
Cleaning drops near copies (`COPIES`), unless a person decides otherwise; `without_leaks` makes the cleaned data set.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from analysis.finding import Finding
from analysis.language import ENGLISH, language_of
from analysis.neighbors import block_rows, nearest_among
from training.data.duplicates import same_words
from training.data.problem import Problem, Split
from training.text import agree, count

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

PairKind = Literal["verbatim", "template", "paraphrase", "topic"]
PAIR_KINDS: dict[PairKind, str] = {
    "verbatim": "The same question, but for case, white space and punctuation; operators, signs and brackets count.",
    "template": "The same text once numbers and names are masked, or nearly so and solved by the same operations.",
    "paraphrase": "The same numbers and the same gold answer or operations, told in other words.",
    "topic": "Near in meaning or wording, but another question.",
}
"""From the gravest to the mildest; a pair is of the first kind that it fits."""
COPIES: tuple[PairKind, ...] = ("verbatim", "template", "paraphrase")
"""Whoever knows the one problem of such a pair knows the other; of a topic there are thousands of pairs that share nothing."""
A_FEW = 0.01
"""Up to this share of test problems with a near copy a data set hardly leaks."""

THRESHOLDS = (0.80, 0.85)
COSINE_FLOOR = 0.70
"""Pairs from here up are kept: 4,887 of GSM8K's 9.9 million."""
OVERLAP_FLOOR = 0.20
"""Of word 3-grams; GSM8K has eight pairs above, all near in wording."""
TEMPLATE_OVERLAP = 0.40
"""Of masked 3-grams; on GSM8K five pairs above share their operations, all the same exercise, and one from 0.30 up to here."""
MAX_PAIRS = 5000

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*")
_INSIDE_SENTENCE = re.compile(r"(?<=[\w,;)’'&-])\s+([^\W\d_]+)")
_OPERATION = re.compile(r"\*\*|//|[-+*/×÷^]")
_PART_OF_WORD = re.compile(r"\w")
_NUMBER_MASK, _NAME_MASK = "#", "@"


@dataclass(frozen=True, slots=True)
class LeakagePair:
    """A test problem and a train problem that resemble each other."""

    test_id: str
    train_id: str
    cosine: float
    overlap: float
    """Jaccard index of the questions' word 3-grams, numbers kept."""
    kind: PairKind


@dataclass(frozen=True, slots=True)
class Leakage(Finding):
    """How near test problems come to train problems."""

    question: ClassVar[str] = "Does train leak into test?"
    method: ClassVar[str] = (
        "Every test problem is compared with every train problem, by the cosine of their embeddings and by the words of their "
        "questions, numbers and names masked or not. A near copy is verbatim, of the same template, or a paraphrase."
    )

    tests: int
    """Test problems in all."""
    highest: float
    above: dict[str, int]
    """For each threshold, such as "0.80", the test problems whose nearest train problem has a higher cosine."""
    floor: float
    """Every pair with a higher cosine is among `pairs`; `COSINE_FLOOR`, or more where there were too many."""
    found: int
    """Pairs that reached a floor; more than there are `pairs` where they were too many."""
    counts: dict[PairKind, int]
    """Pairs kept, by kind."""
    pairs: tuple[LeakagePair, ...]
    """At most `MAX_PAIRS`, by falling cosine."""

    @property
    def answer(self) -> str:
        affected = len({pair.test_id for pair in self.copies})
        if not affected:
            return "No."
        return "Hardly." if affected <= A_FEW * self.tests else "Yes."

    @property
    def numbers(self) -> str:
        near = " and ".join(f"{number:,} nearer than {threshold}" for threshold, number in self.above.items())
        topics = (
            f"Another {count(self.counts['topic'], 'near pair')} {agree(self.counts['topic'], 'shares', 'share')} a topic only."
        )
        cut = f" Only the {len(self.pairs):,} nearest of {self.found:,} pairs were told apart."
        return (
            f"{copies_sentence(self.tests, self.copies)} {topics} The highest cosine of a test and a "
            f"train problem is {self.highest:.3f}; {near}.{cut if self.found > len(self.pairs) else ''}"
        )

    @property
    def copies(self) -> tuple[LeakagePair, ...]:
        """The pairs that cleaning drops by itself."""
        return choose_pairs(self.pairs)


def copies_sentence(tests: int, pairs: Sequence[LeakagePair], kinds: Collection[str] = COPIES) -> str:
    """How test problems, pairs and train problems go together.

    Args:
        tests: test problems in all.
        kinds: those that were asked for.
    """
    what = "a near copy" if set(kinds) <= set(COPIES) else "a near problem"
    affected, trains = {pair.test_id for pair in pairs}, {pair.train_id for pair in pairs}
    if not pairs:
        return f"Of {count(tests, 'test problem')}, none has {what} among train."
    numbers = Counter(pair.kind for pair in pairs)
    of_kinds = ", ".join(f"{numbers[kind]:,} {kind}" for kind in PAIR_KINDS if numbers[kind])
    return (
        f"Of {count(tests, 'test problem')}, {len(affected):,} {agree(len(affected), 'has', 'have')} {what} among train: "
        f"{count(len(pairs), 'pair')} with {count(len(trains), 'train problem')} ({of_kinds})."
    )


def cleaning_words(lost: int, side: Split, kinds: Collection[str], limit: str = "") -> str:
    """How a cleaned data set came about; `limit` says how near pairs had to be, if that was asked for."""
    return f"without {count(lost, f'{side} problem')} of {', '.join(kinds)} pairs{limit and f' with {limit}'}"


def choose_pairs(
    pairs: Iterable[LeakagePair], kinds: Collection[str] = COPIES, least_cosine: float = 0.0
) -> tuple[LeakagePair, ...]:
    """The pairs of these kinds that are at least so near, order kept."""
    return tuple(pair for pair in pairs if pair.kind in kinds and pair.cosine >= least_cosine)


def find_leakage(
    problems: Sequence[Problem], embeddings: NDArray[np.float32], report: Callable[[int], None] = lambda done: None
) -> Leakage | None:
    """Every pair of a test and a train problem that is near in meaning or wording; `None` without both splits.

    Args:
        problems: N problems.
        embeddings: (N, D) float32, rows of unit length, in the order of the problems.
        report: called after each block with the number of test problems done.
    """
    is_test = np.array([problem.split == "test" for problem in problems], bool)
    tests, trains = np.flatnonzero(is_test), np.flatnonzero(~is_test)
    if not len(tests) or not len(trains):
        return None
    questions = [problem.question for problem in problems]
    names = find_names(questions) if language_of(questions) == ENGLISH else frozenset()
    profiles = [_profile(problem, names) for problem in problems]
    wording = _Shingles([profile.words for profile in profiles], tests, trains)
    template = _Shingles([profile.masked for profile in profiles], tests, trains)
    near, nearest = _near_pairs(embeddings[tests], embeddings[trains], wording, template, report)
    columns = (tests[near.tests], trains[near.trains], near.cosines, wording.overlaps(near), template.overlaps(near))
    pairs = tuple(
        LeakagePair(
            test_id=problems[test].id,
            train_id=problems[train].id,
            cosine=float(cosine),
            overlap=float(overlap),
            kind=_kind(profiles[test], profiles[train], cosine, masked_overlap),
        )
        for test, train, cosine, overlap, masked_overlap in zip(*columns, strict=True)
    )
    return _summary(nearest, near.found, pairs)


def nearest_test(embeddings: NDArray[np.float32], is_test: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For every problem the test problem nearest to it, itself left out.

    Args:
        embeddings: (N, D) float32, rows of unit length.
        is_test: (N,) bool.

    Returns:
        (N,) int32 rows, -1 where there is no other test problem, and (N,) float32 cosines, NaN there.
    """
    return nearest_among(embeddings, np.arange(len(embeddings)), np.flatnonzero(is_test))


def without_leaks(
    problems: Sequence[Problem], pairs_to_drop: Iterable[tuple[str, str]], drop_from: Split
) -> tuple[Problem, ...]:
    """The problems without one side of the given pairs, order kept.

    Args:
        problems: the whole data set.
        pairs_to_drop: (test id, train id).
        drop_from: whether the pair's test problem or its train problem goes; the other one stays.
    """
    dropped = {test_id if drop_from == "test" else train_id for test_id, train_id in pairs_to_drop}
    return tuple(problem for problem in problems if problem.id not in dropped)


def words(text: str) -> list[str]:
    """A text's words and numbers in order, without case, punctuation and thousands commas."""
    return [word.replace(",", "").replace("’", "'") for word in _WORD.findall(text.casefold())]


def find_names(texts: Iterable[str]) -> frozenset[str]:
    """Words that mostly have a capital inside sentences: in English names, days and months; none in scripts without case."""
    capital: Counter[str] = Counter()
    small: Counter[str] = Counter()
    for text in texts:
        for word in _INSIDE_SENTENCE.findall(text):
            (capital if word[0].isupper() else small)[word.casefold()] += 1
    return frozenset(word for word, often in capital.items() if often > small[word])


@dataclass(frozen=True, slots=True)
class _Profile:
    """What two problems are compared by, read once because a question may be long and be in many pairs."""

    same_words: str
    """Equal for questions that are the same word for word, see `training.data.duplicates`."""
    symbols: str
    """The operators, signs and brackets of the question in order."""
    words: list[str]
    masked: list[str]
    """The words with every number and name replaced, so that "Ann's 5 hats" and "Bob's 12 hats" are equal."""
    numbers: list[str]
    """In alphabetical order."""
    operations: str
    """The operators of all equations in order: how the problem is solved, whatever its numbers."""
    gold: str


def _profile(problem: Problem, names: frozenset[str]) -> _Profile:
    text = words(problem.question)
    same = same_words(problem.question)
    return _Profile(
        same_words=same,
        symbols=" ".join(part for part in same.split() if not _PART_OF_WORD.match(part)),
        words=text,
        masked=[_mask(word, names) for word in text],
        numbers=sorted(word for word in text if word[0].isdigit()),
        operations=" ".join(operator for equation in problem.equations for operator in _OPERATION.findall(equation.expression)),
        gold=problem.gold,
    )


def _mask(word: str, names: frozenset[str]) -> str:
    if word[0].isdigit():
        return _NUMBER_MASK
    return _NAME_MASK if word.partition("'")[0] in names else word


def _kind(test: _Profile, train: _Profile, cosine: float, masked_overlap: float) -> PairKind:
    if test.same_words == train.same_words and test.same_words:
        return "verbatim"
    same_symbols = test.symbols == train.symbols
    if test.words and test.masked == train.masked and same_symbols:
        return "template"
    # Without annotated equations only the question's own formulas tell how it is solved.
    same_operations = test.operations == train.operations and (test.operations != "" or same_symbols)
    if masked_overlap >= TEMPLATE_OVERLAP and same_operations:
        return "template"
    same_solution = test.gold == train.gold or (same_operations and test.operations != "")
    if cosine >= COSINE_FLOOR and test.numbers == train.numbers and same_solution:
        return "paraphrase"
    return "topic"


@dataclass(frozen=True, slots=True)
class _Pairs:
    """The nearest pairs so far, at most `MAX_PAIRS`, and how many were seen; rows count within each split."""

    tests: NDArray[np.intp]
    trains: NDArray[np.intp]
    cosines: NDArray[np.float32]
    found: int

    @classmethod
    def none(cls) -> Self:
        return cls(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32), 0)

    def with_more(self, tests: NDArray[np.intp], trains: NDArray[np.intp], cosines: NDArray[np.float32]) -> Self:
        """These and more, which have higher test rows than any here."""
        found = self.found + len(tests)
        if len(self.cosines) == MAX_PAIRS:
            better = cosines > self.cosines[-1]
            tests, trains, cosines = tests[better], trains[better], cosines[better]
        tests, trains = np.concatenate((self.tests, tests)), np.concatenate((self.trains, trains))
        cosines = np.concatenate((self.cosines, cosines))
        best = np.lexsort((trains, tests, -cosines))[:MAX_PAIRS]
        return type(self)(tests[best], trains[best], cosines[best], found)


class _Shingles:
    """Which word 3-grams each text has, as a sparse incidence matrix, and the Jaccard index of test and train texts."""

    def __init__(self, texts: Sequence[Sequence[str]], tests: NDArray[np.intp], trains: NDArray[np.intp]) -> None:
        incidence = _incidence(texts)
        self._tests, self._trains = incidence[tests], incidence[trains]
        self._trains_by_gram = self._trains.T.tocsr()
        self._test_sizes, self._train_sizes = np.diff(self._tests.indptr), np.diff(self._trains.indptr)

    def alike(self, start: int, stop: int, floor: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(row within the block, train row) of the pairs whose overlap reaches a floor above 0."""
        shared = (self._tests[start:stop] @ self._trains_by_gram).tocoo()
        overlaps = self._jaccard(shared.data, shared.row + start, shared.col)
        reached = overlaps >= floor
        return shared.row[reached], shared.col[reached]

    def overlaps(self, pairs: _Pairs) -> NDArray[np.float64]:
        """(P,) of the given pairs."""
        sizes = self._test_sizes[pairs.tests] + self._train_sizes[pairs.trains]
        # A block holds so many entries of index and value, as a few very long questions may be in thousands of pairs.
        block_of = np.cumsum(sizes, dtype=np.int64) // block_rows(2)
        shared = np.empty(len(sizes), np.int32)
        for block in np.split(np.arange(len(sizes)), np.flatnonzero(np.diff(block_of)) + 1):
            both = self._tests[pairs.tests[block]].multiply(self._trains[pairs.trains[block]])
            shared[block] = np.asarray(both.sum(axis=1)).ravel()
        return self._jaccard(shared, pairs.tests, pairs.trains)

    def _jaccard(self, shared: NDArray[np.int32], tests: NDArray[np.intp], trains: NDArray[np.intp]) -> NDArray[np.float64]:
        together = self._test_sizes[tests] + self._train_sizes[trains] - shared
        overlaps: NDArray[np.float64] = np.divide(shared, np.maximum(1, together), dtype=np.float64)
        return overlaps


def _near_pairs(
    tests: NDArray[np.float32],
    trains: NDArray[np.float32],
    wording: _Shingles,
    template: _Shingles,
    report: Callable[[int], None],
) -> tuple[_Pairs, NDArray[np.float32]]:
    """The pairs that reach one of the three floors, and (tests,) float32 each test problem's highest cosine.

    Args:
        tests: (tests, D) float32, rows of unit length.
        trains: (trains, D) float32, likewise.
        wording: the questions as written.
        template: the questions masked.
        report: called after each block with the number of test problems done.
    """
    near = _Pairs.none()
    nearest = np.empty(len(tests), np.float32)
    step = block_rows(len(trains))
    for start in range(0, len(tests), step):
        stop = min(start + step, len(tests))
        cosines = np.clip(tests[start:stop] @ trains.T, -1.0, 1.0)
        nearest[start:stop] = cosines.max(axis=1)
        is_near = cosines >= COSINE_FLOOR
        is_near[wording.alike(start, stop, OVERLAP_FLOOR)] = True
        is_near[template.alike(start, stop, TEMPLATE_OVERLAP)] = True
        rows, columns = np.nonzero(is_near)
        near = near.with_more(rows + start, columns, cosines[rows, columns])
        report(stop)
    return near, nearest


def _summary(nearest: NDArray[np.float32], found: int, pairs: tuple[LeakagePair, ...]) -> Leakage:
    kinds = Counter(pair.kind for pair in pairs)
    return Leakage(
        tests=len(nearest),
        highest=float(nearest.max()),
        above={f"{threshold:.2f}": int((nearest > threshold).sum()) for threshold in THRESHOLDS},
        floor=COSINE_FLOOR if found == len(pairs) else max(COSINE_FLOOR, pairs[-1].cosine),
        found=found,
        counts={kind: kinds[kind] for kind in PAIR_KINDS},
        pairs=pairs,
    )


def _incidence(texts: Sequence[Sequence[str]]) -> "csr_matrix":
    """(N, grams) int32, 1 where a text has a 3-gram; a text of one or two words counts as one gram, one of none has none."""
    from scipy.sparse import csr_matrix

    padded = [[*text, *[""] * (3 - len(text))] if text else [] for text in texts]
    lengths = [len(text) for text in padded]
    if not any(lengths):
        return csr_matrix((len(texts), 1), dtype=np.int32)
    vocabulary: dict[str, int] = {}
    numbered = (vocabulary.setdefault(word, len(vocabulary)) for text in padded for word in text)
    ids = np.fromiter(numbered, np.int64, sum(lengths))
    rows = np.repeat(np.arange(len(texts)), lengths)
    # Numbered in two stages: the product of three vocabulary sizes may not fit 64 bits.
    pairs = np.unique(ids[:-2] * len(vocabulary) + ids[1:-1], return_inverse=True)[1]
    grams = np.unique(pairs * len(vocabulary) + ids[2:], return_inverse=True)[1]
    inside = rows[:-2] == rows[2:]
    ones = np.ones(np.count_nonzero(inside), np.int32)
    incidence = csr_matrix((ones, (rows[:-2][inside], grams[inside])), shape=(len(texts), int(grams.max()) + 1))
    incidence.sum_duplicates()
    incidence.data[:] = 1
    return incidence
