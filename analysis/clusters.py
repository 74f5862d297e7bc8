"""Topics of a problem set: groups of problems that lie densely together, each named by the words that set it apart.

Found by HDBSCAN in several spaces, of which the one whose groups agree best with the neighbours is taken, and named by
class-based TF-IDF. Where the spaces come from is for `analysis.layout`; what the clusters say is for `analysis.findings`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.cache import Arrays
from analysis.language import ENGLISH, language_of
from analysis.neighbors import Neighbors

SEED = 42
PROBLEMS_PER_LEAST_CLUSTER = 350
"""The least cluster is one problem in so many, which on GSM8K's 8,792 makes 25."""
LEAST_CLUSTER = 5
"""But never fewer problems than this."""
CORE_NEIGHBORS = 10
"""HDBSCAN's `min_samples`. On GSM8K in 8-D, 5, 10 and 25 give modularities of 0.51, 0.49 and 0.44 with 26%, 29% and 37% of
problems unclustered, while two seeds agree at an adjusted Rand index of 0.91, 0.94 and 0.97; in 2-D at min_dist 0.3, 25 finds
but two clusters."""
SPACE_DIMENSIONS = 8
SPACE_MIN_DIST = 0.0
"""What to lay problems out with for the space to cluster in. On GSM8K 5, 8 and 10 dimensions give modularities of 0.48, 0.49
and 0.47 where the map gives 0.42; at the map's min_dist of 0.3, which pushes points apart, 8 give two clusters and 0.06."""
SAMPLE = 20_000
"""Of more problems than this HDBSCAN sees so many, and the others join the nearest of them: scikit-learn's takes time with the
square of N (8-D: 9 s for 25,000, 33 s for 50,000)."""
MODULARITY_NEIGHBORS = 15
WORDS_IN_NAME = 3

UNCLUSTERED = -1

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LATEX = re.compile(r"\[asy\].*?\[/asy\]|\\(?:begin|end)\s*\{[^}]*\}|\\[A-Za-z]+", re.DOTALL)
"""What sets mathematics and pictures and says nothing of them."""
_POSSESSIVE = re.compile(r"['’]s$")
_ENDINGS = frozenset(("", "s", "es", "ies", "y", "e", "d", "ed", "ing", "er", "ers"))
_LONGEST_WORD = 30
"""Longer runs of letters are not words: encoded data, or a script that puts no spaces."""
_SENTENCE_END = '.!?:\n"“”'
_MONTHS = "january february march april may june july august september october november december"
_DAYS = "monday tuesday wednesday thursday friday saturday sunday christmas easter halloween thanksgiving"
_NOT_PERSONS = frozenset(f"{_MONTHS} {_DAYS}".split())
_LEAST_QUESTIONS = 3
"""A name is made of words that occur in at least so many questions."""
_MOST_OF_QUESTIONS = 0.2
"""In other languages than English a word that more of the questions have is a stop word."""


@dataclass(frozen=True)
class Clusters:
    """Which problem belongs to which group."""

    labels: NDArray[np.int16]
    """(N,) number of each problem's cluster, counted from 0 by falling size; -1 unclustered."""
    names: tuple[str, ...]
    """One a cluster, no two alike, such as "years, old, age"."""
    typical: tuple[int, ...]
    """For each cluster the row of the problem nearest to the mean of its embeddings."""
    space: str
    """The space in which they were found; empty where there was none."""
    modularity: Mapping[str, float]
    """What each space's clusters scored."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Problems in each cluster."""
        return tuple(np.bincount(self.labels[self.labels >= 0], minlength=len(self.names)).tolist())


def find_clusters(
    spaces: Mapping[str, NDArray[np.float32]],
    embeddings: NDArray[np.float32],
    neighbors: Neighbors,
    questions: Sequence[str],
) -> Clusters:
    """Cluster in every space and keep the clusters that have the highest modularity; the first of equals.

    Args:
        spaces: name -> (N, d) float32, layouts of few dimensions.
        embeddings: (N, D) float32, rows of unit length.
        neighbors: in the space of the embeddings; the nearest 15 are the graph that modularity is measured on.
        questions: N texts.
    """
    graph = neighbors.first(MODULARITY_NEIGHBORS).indices
    found = {name: _numbered_by_size(_dense_groups(points)) for name, points in spaces.items()}
    scores = {name: modularity(labels, graph) for name, labels in found.items()}
    space = max(scores, key=lambda name: scores[name], default="")
    labels = found[space] if space else np.full(len(embeddings), UNCLUSTERED, np.int16)
    return Clusters(
        labels=labels,
        names=name_clusters(labels, questions),
        typical=_typical(labels, embeddings),
        space=space,
        modularity=scores,
    )


def modularity(labels: NDArray[np.integer], graph: NDArray[np.int32]) -> float:
    """How many more edges stay inside clusters than chance would keep there, as a share of all edges; at most 1.

    The directed form, Q = sum over clusters of L/m - (out * in)/m^2, with m edges of which L lie inside a cluster and `out`
    and `in` start and end there (Leicht and Newman 2008, arXiv:0709.4500). Each unclustered problem is its own cluster.

    Args:
        labels: (N,) with -1 for unclustered.
        graph: (N, K) rows that each row has an edge to.
    """
    if graph.size == 0:
        return 0.0
    own = labels.astype(np.int64)
    alone = np.flatnonzero(own < 0)
    own[alone] = own.max() + 1 + np.arange(len(alone))
    starts, ends = np.repeat(own, graph.shape[1]), own[graph.ravel()]
    inside = (starts == ends).mean()
    by_chance = (np.bincount(starts, minlength=len(own)) / graph.size) @ (np.bincount(ends, minlength=len(own)) / graph.size)
    return float(inside - by_chance)


def name_clusters(labels: NDArray[np.integer], questions: Sequence[str]) -> tuple[str, ...]:
    """Three words for each cluster, no two clusters with the same; "cluster <number>" where no word is left to name it.

    A word's weight in a cluster is its share of the cluster's words times log(1 + A / its count everywhere), A the mean
    number of words of a cluster (class-based TF-IDF: Grootendorst 2022, arXiv:2203.05794). A word counts once a question,
    so that one long question cannot name a cluster; numbers, stop words and names of persons count nowhere. In another language
    than English, words that many questions have are its stop words, and names are not told from other words.
    """
    clusters = int(labels.max(initial=UNCLUSTERED)) + 1
    if clusters == 0:
        return ()
    vocabulary, rows, columns = _count_words(questions)
    clustered = labels[rows] >= 0
    cells = labels[rows[clustered]].astype(np.int64) * len(vocabulary) + columns[clustered]
    counts = np.bincount(cells, minlength=clusters * len(vocabulary)).reshape(clusters, -1)
    rarity = np.log1p(counts.sum() / clusters / np.maximum(counts.sum(axis=0), 1))
    names: list[str] = []
    for number, row in enumerate(counts):
        weights = row * rarity  # the cluster's own number of words would divide all of them alike
        ranked = (vocabulary[column] for column in np.argsort(-weights, kind="stable") if weights[column] > 0)
        names.append(_new_name(ranked, taken=names) or f"cluster {number}")
    return tuple(names)


def pack_clusters(clusters: Clusters) -> Arrays:
    """As arrays that need no pickle, for the cache."""
    return {
        "labels": clusters.labels,
        "names": np.array(clusters.names, np.str_),
        "typical": np.array(clusters.typical, np.int32),
        "space": np.array(clusters.space, np.str_),
        "modularity_spaces": np.array(list(clusters.modularity), np.str_),
        "modularity": np.array(list(clusters.modularity.values()), np.float64),
    }


def unpack_clusters(stored: Arrays) -> Clusters:
    """What `pack_clusters` packed."""
    return Clusters(
        labels=stored["labels"],
        names=tuple(stored["names"].tolist()),
        typical=tuple(stored["typical"].tolist()),
        space=str(stored["space"]),
        modularity=dict(zip(stored["modularity_spaces"].tolist(), stored["modularity"].tolist(), strict=True)),
    )


def _dense_groups(points: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N,) HDBSCAN's labels in no particular order, -1 unclustered; above `SAMPLE` rows those of the nearest sampled row."""
    if len(points) <= SAMPLE:
        return _hdbscan(points)
    from scipy.spatial import cKDTree

    sample = np.random.default_rng(SEED).choice(len(points), SAMPLE, replace=False)
    _, nearest = cKDTree(points[sample]).query(points)
    return np.asarray(_hdbscan(points[sample])[nearest], np.int64)


def _hdbscan(points: NDArray[np.float32]) -> NDArray[np.int64]:
    from sklearn.cluster import HDBSCAN

    least = max(LEAST_CLUSTER, round(len(points) / PROBLEMS_PER_LEAST_CLUSTER))
    if len(points) < 2 * least or (points == points[0]).all():
        return np.full(len(points), UNCLUSTERED, np.int64)
    # A tree, because the alternative that scikit-learn may choose holds all N x N distances.
    finder = HDBSCAN(min_cluster_size=least, min_samples=min(CORE_NEIGHBORS, least), algorithm="kd_tree", copy=True)
    return np.asarray(finder.fit_predict(points), np.int64)


def _numbered_by_size(labels: NDArray[np.int64]) -> NDArray[np.int16]:
    """The same groups, numbered from 0 by falling size; of equal ones the one with the earlier number first."""
    sizes = np.bincount(labels[labels >= 0])
    numbers = np.empty(len(sizes) + 1, np.int16)
    numbers[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    numbers[-1] = UNCLUSTERED
    return numbers[labels]


def _typical(labels: NDArray[np.integer], embeddings: NDArray[np.float32]) -> tuple[int, ...]:
    rows_of = (np.flatnonzero(labels == number) for number in range(int(labels.max(initial=UNCLUSTERED)) + 1))
    return tuple(int(rows[(embeddings[rows] @ embeddings[rows].mean(axis=0)).argmax()]) for rows in rows_of)


def _count_words(questions: Sequence[str]) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """The words that may name a cluster, in alphabetical order, and where they occur: rows and columns, each pair once."""
    capitals, small, in_questions = Counter[str](), Counter[str](), Counter[str]()
    words_of: list[list[str]] = []
    for question in questions:
        words = list(_words(question))
        capitals.update(word for word, capital in words if capital)
        small.update(word for word, capital in words if not capital)
        words_of.append(sorted({word for word, _ in words}))
        in_questions.update(words_of[-1])
    if language_of(questions) == ENGLISH:
        left_out = {word for word, count in capitals.items() if count > small[word]} - _NOT_PERSONS | _stop_words()
    else:
        left_out = {word for word, count in in_questions.items() if count > _MOST_OF_QUESTIONS * len(questions)}
    common = {word for word, count in in_questions.items() if count >= _LEAST_QUESTIONS and len(word) > 1}
    vocabulary = sorted(common - left_out)
    column_of = {word: column for column, word in enumerate(vocabulary)}
    pairs = [(row, column_of[word]) for row, words in enumerate(words_of) for word in words if word in column_of]
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    return vocabulary, rows, columns


def _words(question: str) -> Iterator[tuple[str, bool]]:
    """Each word in small letters without 's, and whether it has a capital that no sentence's beginning explains."""
    question = _LATEX.sub(" ", question)
    for match in _WORD.finditer(question):
        word = _POSSESSIVE.sub("", match.group())
        if len(word) <= _LONGEST_WORD:
            yield word.lower(), word.istitle() and not _begins_sentence(question, match.start())


def _begins_sentence(question: str, start: int) -> bool:
    before = question[max(0, start - 3) : start].rstrip(" ")
    return not before or before[-1] in _SENTENCE_END


def _stop_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS) | {"did", "does", "doing"}


def _new_name(ranked: Iterator[str], taken: Sequence[str]) -> str:
    """The first words that are not forms of each other, the last one exchanged for the next while the name is taken."""
    words: list[str] = []
    for word in ranked:
        if any(_same_stem(word, other) for other in words):
            continue
        words = [*words[: WORDS_IN_NAME - 1], word]
        if len(words) == WORDS_IN_NAME and ", ".join(words) not in taken:
            break
    name = ", ".join(words)
    return "" if name in taken else name


def _same_stem(word: str, other: str) -> bool:
    """Singular and plural or two forms of a verb: equal up to a short ending."""
    shorter, longer = sorted((word, other), key=len)
    stem = shorter.removesuffix("e").removesuffix("y") if len(shorter) > 3 else shorter
    return longer.startswith(stem) and longer[len(stem) :] in _ENDINGS
