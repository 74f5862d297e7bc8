"""The atlas of a problem set: embeddings, then neighbours, then layout, each cached by what it was computed from.

`build_atlas` computes what is missing and belongs into a job; `open_atlas` only reads, needs no torch, and is what a page
calls. How a stage computes is for its own module.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import embed, layout
from analysis.cache import Arrays, Cache, cache_key
from analysis.neighbors import Neighbors, nearest_neighbors
from training.problems import ProblemSet

Stage = Literal["embeddings", "neighbors", "layout"]


@dataclass(frozen=True)
class AtlasParameters:
    """What determines an atlas besides its problems."""

    model: str = embed.DEFAULT_MODEL
    """A sentence-transformers model: its name on the Hub, or its folder."""
    neighbors: int = 15
    """K, the problem itself not counted."""
    min_dist: float = 0.3
    """UMAP's least distance between points of the layout."""
    seed: int = 42
    """UMAP's random state."""


@dataclass(frozen=True)
class Atlas:
    """A problem set with its map; row i of every array is problem i."""

    problem_set: ProblemSet
    parameters: AtlasParameters
    embeddings: NDArray[np.float32]
    """(N, D), rows of unit length."""
    neighbors: Neighbors
    layout: NDArray[np.float32]
    """(N, 2)."""


@dataclass(frozen=True)
class Progress:
    """How far a build is."""

    stage: Stage
    done: int
    """Problems done in this stage."""
    total: int
    fraction: float
    """Of the whole build, 0 to 1; stages weigh as much as they last on GSM8K."""
    message: str


@dataclass(frozen=True)
class _Keys:
    """Where the three stages lie in the cache; each key contains the one it depends on."""

    embeddings: str
    neighbors: str
    layout: str


_SPANS: dict[Stage, tuple[float, float]] = {"embeddings": (0.0, 0.86), "neighbors": (0.86, 0.88), "layout": (0.88, 1.0)}
_VERBS: dict[Stage, str] = {"embeddings": "embedding", "neighbors": "comparing", "layout": "laying out"}


def build_atlas(
    problem_set: ProblemSet,
    parameters: AtlasParameters,
    cache: Cache,
    report: Callable[[Progress], None],
    embedder: embed.Embedder = embed.embed,
) -> Atlas:
    """Compute the stages that the cache lacks, and store each as soon as it is there.

    Args:
        problem_set: the problems, at least one.
        parameters: model, K and layout settings.
        cache: read first, written after.
        report: called at the start of a stage that is computed, after every batch or block, and at its end.
        embedder: turns questions into vectors; tests put a small one here.

    Raises:
        ModelError: the model cannot be found, loaded or verified, or returns something that is not a number.
        HomeError: the cache cannot be written.
    """
    embed.fetch_model(parameters.model)
    keys = _keys(problem_set, parameters)
    total = len(problem_set.problems)

    def reporter(stage: Stage) -> Callable[[int], None]:
        return lambda done: report(_progress(stage, done, total))

    def computed(key: str, compute: Callable[[], Arrays]) -> Arrays:
        stored = cache.read(key)
        if stored is None:
            stored = compute()
            cache.write(key, stored)
        return stored

    def compute_embeddings() -> Arrays:
        on_batch = reporter("embeddings")
        on_batch(0)
        questions = [problem.question for problem in problem_set.problems]
        return _pack_embeddings(embedder(questions, parameters.model, on_batch))

    embeddings = _unpack_embeddings(computed(keys.embeddings, compute_embeddings))

    def compute_neighbors() -> Arrays:
        on_block = reporter("neighbors")
        on_block(0)
        found = nearest_neighbors(embeddings, parameters.neighbors, on_block)
        return {"indices": found.indices, "similarities": found.similarities}

    neighbors = Neighbors(**computed(keys.neighbors, compute_neighbors))

    def compute_layout() -> Arrays:
        on_end = reporter("layout")
        on_end(0)
        points = layout.lay_out(embeddings, neighbors, min_dist=parameters.min_dist, seed=parameters.seed)
        on_end(total)
        return {"layout": points}

    points = computed(keys.layout, compute_layout)["layout"]
    return Atlas(problem_set, parameters, embeddings, neighbors, points)


def open_atlas(problem_set: ProblemSet, parameters: AtlasParameters, cache: Cache) -> Atlas | None:
    """Read a finished atlas from the cache; `None` when any part of it is missing or damaged.

    Raises:
        ModelError: the model is unknown on this machine, so nothing can have been built with it.
    """
    keys = _keys(problem_set, parameters)
    embeddings = cache.read(keys.embeddings)
    neighbors = cache.read(keys.neighbors)
    points = cache.read(keys.layout)
    if embeddings is None or neighbors is None or points is None:
        return None
    return Atlas(problem_set, parameters, _unpack_embeddings(embeddings), Neighbors(**neighbors), points["layout"])


def atlas_frame(atlas: Atlas) -> pd.DataFrame:
    """One row a problem, in order: id, split, steps (int), equations (int), gold, question, x, y."""
    problems = atlas.problem_set.problems
    return pd.DataFrame(
        {
            "id": [problem.id for problem in problems],
            "split": [problem.split for problem in problems],
            "steps": [len(problem.steps) for problem in problems],
            "equations": [len(problem.equations) for problem in problems],
            "gold": [problem.gold for problem in problems],
            "question": [problem.question for problem in problems],
            "x": atlas.layout[:, 0],
            "y": atlas.layout[:, 1],
        }
    )


def _keys(problem_set: ProblemSet, parameters: AtlasParameters) -> _Keys:
    embeddings = cache_key(
        "embeddings", version=1, problems=problem_set.content_hash, model=embed.model_identity(parameters.model)
    )
    neighbors = cache_key("neighbors", version=1, embeddings=embeddings, count=parameters.neighbors)
    points = cache_key("layout", version=1, neighbors=neighbors, min_dist=parameters.min_dist, seed=parameters.seed)
    return _Keys(embeddings, neighbors, points)


def _progress(stage: Stage, done: int, total: int) -> Progress:
    start, end = _SPANS[stage]
    return Progress(
        stage=stage,
        done=done,
        total=total,
        fraction=start + (end - start) * done / total,
        message=f"{_VERBS[stage]} {done:,} of {total:,} questions",
    )


def _pack_embeddings(embeddings: NDArray[np.float32]) -> Arrays:
    """As float16: half the disk, and with the default model no cosine between questions moves by 0.0001."""
    return {"embeddings": embeddings.astype(np.float16)}


def _unpack_embeddings(stored: Arrays) -> NDArray[np.float32]:
    """(N, D) float32, rows of unit length again; builds use these too, so that both see the same numbers."""
    return embed.unit_rows(stored["embeddings"].astype(np.float32))
