"""Questions to vectors by the words that they share: an embedding without a model, to compare a model's with.

Latent semantic analysis: weighted counts of words and word pairs, reduced to their strongest directions. Needs scikit-learn,
which it imports when it runs.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IDENTITY = "tf-idf@1"
"""Raised whenever the same texts give other vectors."""
WIDTH = 256
SEED = 42

_MOST_TERMS = 20_000
"""The most frequent are kept: half the time of 50,000 on GSM8K, and as near to a model. Bounds the memory elsewhere."""


def word_vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """(N, D) float32 with D at most 256, rows of any length; zeros for a text without words.

    Source: Deerwester et al. 1990, Indexing by Latent Semantic Analysis; the randomized decomposition is Halko et al. 2011.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.utils.extmath import randomized_svd

    # Every run of word characters is a word, single digits too: numbers are what two problems may share.
    counts = TfidfVectorizer(
        ngram_range=(1, 2), token_pattern=r"\w+", sublinear_tf=True, max_features=_MOST_TERMS, dtype=np.float32
    )
    if not any(counts.build_analyzer()(text) for text in texts):
        return np.zeros((len(texts), 1), np.float32)
    weights = counts.fit_transform(texts)
    left, strengths, _ = randomized_svd(weights, n_components=min(WIDTH, *weights.shape), random_state=SEED)
    vectors: NDArray[np.float32] = (left * strengths).astype(np.float32)
    # What is left of a text without words is rounding, which must not be blown up to length 1.
    vectors[np.diff(weights.indptr) == 0] = 0
    return vectors
