"""How long a query by meaning takes once the model is open.

`python -m tests.bench.meaning_search`
"""

import time
from statistics import median

import numpy as np

from analysis.embed import DEFAULT_MODEL, unit_rows
from analysis.search import prepare_encoder, rank_by_meaning, search_encoder
from training.home import Home

GOAL_S = 0.3
QUERIES = ["how old is her brother", "a discount on shoes", "filling a tank with water", "pizza shared among friends", "speed"]


def main() -> None:
    home = Home.from_environment()
    prepare_encoder(DEFAULT_MODEL, home)
    started = time.monotonic()
    encoder = search_encoder(DEFAULT_MODEL, home)
    assert encoder is not None
    print(f"opening the model: {time.monotonic() - started:.2f} s")
    embeddings = unit_rows(np.random.default_rng(0).normal(size=(8792, encoder.width)).astype(np.float32))
    seconds = []
    for query in QUERIES * 10:
        started = time.monotonic()
        rank_by_meaning(query, encoder, embeddings)
        seconds.append(time.monotonic() - started)
    print(f"embedding and ranking: median {median(seconds) * 1000:.1f} ms, highest {max(seconds) * 1000:.1f} ms")
    print(f"ratio to the goal of {GOAL_S} s: {max(seconds) / GOAL_S:.3f}")


if __name__ == "__main__":
    main()
