"""The atlas of a problem set: what is computed from it, stage by stage, each cached by what it was computed from.

`build_atlas` computes what is missing and belongs into a job; `open_atlas` only reads, needs no torch, and is what a page
calls: it shows what there is while a build goes on. How a stage computes is for its own module.
"""

import itertools
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis import clusters, embed, honesty, layout
from analysis.cache import Arrays, Cache, cache_key
from analysis.clusters import Clusters
from analysis.layout_process import WORTH_IT, layout_process
from analysis.leakage import nearest_test
from analysis.neighbors import Neighbors, nearest_neighbors
from analysis.report import Report, make_report, pack_report, unpack_report
from training.data.problem import ProblemSet
from training.errors import HomeError, ModelError

Stage = Literal["embeddings", "neighbors", "pca", "nearest_test", "layout", "clusters", "layout_3d", "report"]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""In the order in which they are built: what makes a map first."""
View = Literal["2-D", "3-D", "PCA"]

STORED_NEIGHBORS = 50
"""Neighbours found for each problem, so that a layout with more or fewer of them needs no new search."""
MAX_SEED = 2**31 - 1
MAP_LIMIT = 200_000
"""The most problems on one map. Exact neighbours take time by the square of it, and a browser holds no more points."""
SAMPLE_SEED = 42
OTHER_SEEDS = (1, 2)
"""Added to the map's seed for the maps that its stability is measured by."""
STABILITY_LIMIT = 20_000
"""With more problems than this no further maps are made to measure the map's stability."""
CLUSTER_LAYOUT_LIMIT = 20_000
"""With more problems than this clusters are found on the map itself: a layout more takes longer than it is worth."""


@dataclass(frozen=True)
class AtlasParameters:
    """What determines an atlas besides its problems."""

    model: str = embed.DEFAULT_MODEL
    """A sentence-transformers model: its name on the Hub, or its folder; or `tf-idf`."""
    neighbors: int = 15
    """UMAP's K, the problem itself not counted; 2 to `STORED_NEIGHBORS`."""
    min_dist: float = 0.3
    """UMAP's least distance between points of the layout, 0 to 1."""
    seed: int = 42
    """UMAP's random state, 0 to `MAX_SEED`."""
    compare_with: str = embed.TFIDF
    """The embedding model that the neighbours are compared with."""


@dataclass(frozen=True)
class Atlas:
    """A problem set with its map; row i of every array is problem i. What is `None` has not been built yet."""

    problem_set: ProblemSet
    parameters: AtlasParameters
    embeddings: NDArray[np.float32]
    """(N, D), rows of unit length."""
    neighbors: Neighbors
    """(N, `STORED_NEIGHBORS`) or fewer."""
    pca: NDArray[np.float32]
    """(N, 3) principal components."""
    layout: NDArray[np.float32] | None = None
    """(N, 2)."""
    layout_3d: NDArray[np.float32] | None = None
    """(N, 3)."""
    kept: NDArray[np.float32] | None = None
    """(N,) share of a problem's true neighbours that are its neighbours in the layout."""
    nearest_test: NDArray[np.float32] | None = None
    """(N,) cosine to the nearest other test problem, NaN where there is none."""
    clusters: Clusters | None = None
    report: Report | None = None

    @property
    def stages(self) -> int:
        """How many stages are there; all of them when the atlas is complete."""
        later = (self.nearest_test, self.layout, self.clusters, self.layout_3d, self.report)
        return 3 + sum(part is not None for part in later)

    @property
    def complete(self) -> bool:
        return self.stages == len(STAGES)

    @property
    def views(self) -> Mapping[View, NDArray[np.float32]]:
        """The layouts that are there, the best first."""
        layouts: dict[View, NDArray[np.float32] | None] = {"2-D": self.layout, "3-D": self.layout_3d, "PCA": self.pca[:, :2]}
        return {view: points for view, points in layouts.items() if points is not None}


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


def map_sample(problem_set: ProblemSet, limit: int = MAP_LIMIT) -> ProblemSet:
    """The problems that a map shows: all, or an even sample (seeded, order kept) where there are more than `limit`."""
    total = len(problem_set.problems)
    if total <= limit:
        return problem_set
    rows = np.sort(np.random.default_rng(SAMPLE_SEED).choice(total, limit, replace=False))
    notice = f"The map shows a random {limit:,} of {total:,} problems; training uses all of them."
    problems = tuple(problem_set.problems[row] for row in rows)
    return replace(problem_set, problems=problems, notice=notice, sampled_from=problem_set)


def build_atlas(
    problem_set: ProblemSet,
    parameters: AtlasParameters,
    cache: Cache,
    tell: Callable[[Progress], None],
    embedder: embed.Embedder = embed.embed,
    unkept: Callable[[HomeError], None] | None = None,
) -> Atlas:
    """Compute the stages that the cache lacks, and store each as soon as it is there.

    Args:
        problem_set: the problems, at least one and at most `MAP_LIMIT`.
        parameters: models and layout settings.
        cache: read first, written after.
        tell: called at the start of a stage that is computed, after every batch or block, and at its end.
        embedder: turns questions into vectors; tests put a small one here.
        unkept: called with each stage that the cache does not take; the build then goes on without it.

    Raises:
        ModelError: a model cannot be found, loaded or verified, or returns something that is not a number.
        HomeError: the cache cannot be written, and there is no `unkept`.
    """
    embed.fetch_model(parameters.model)
    embed.fetch_model(parameters.compare_with)
    build = _Build(problem_set, parameters, cache, tell, embedder, unkept)
    is_long = len(problem_set.problems) >= WORTH_IT and not cache.has(stage_keys(problem_set, parameters)["embeddings"])
    with layout_process() if is_long else nullcontext() as process:
        if process is not None:
            build.lay_out = process.lay_out
        for stage in STAGES:
            build.arrays(stage)
    return _assemble(problem_set, parameters, build.arrays)


def embed_problems(
    problem_set: ProblemSet,
    parameters: AtlasParameters,
    cache: Cache,
    tell: Callable[[Progress], None],
    embedder: embed.Embedder = embed.embed,
    unkept: Callable[[HomeError], None] | None = None,
) -> NDArray[np.float32]:
    """(N, D) float32, rows of unit length: the first stage of `build_atlas` alone, with the same arguments and errors."""
    embed.fetch_model(parameters.model)
    return _Build(problem_set, parameters, cache, tell, embedder, unkept).embeddings


def open_atlas(problem_set: ProblemSet, parameters: AtlasParameters, cache: Cache) -> Atlas | None:
    """Read an atlas from the cache, as far as it is built; `None` before there is anything to show.

    Raises:
        ModelError: the model is unknown on this machine, so nothing can have been built with it.
    """
    keys = stage_keys(problem_set, parameters)
    found = {stage: cache.read(keys[stage]) for stage in STAGES}
    if any(found[stage] is None for stage in ("embeddings", "neighbors", "pca")):
        return None
    return _assemble(problem_set, parameters, found.get)


def _assemble(problem_set: ProblemSet, parameters: AtlasParameters, arrays: Callable[[Stage], Arrays | None]) -> Atlas:
    """The atlas of the stages that are there, the first three at least."""
    embeddings, neighbors, pca = (arrays(stage) for stage in ("embeddings", "neighbors", "pca"))
    assert embeddings is not None
    assert neighbors is not None
    assert pca is not None
    found_layout, layout_3d, tests = arrays("layout"), arrays("layout_3d"), arrays("nearest_test")
    found_clusters, found_report = arrays("clusters"), arrays("report")
    return Atlas(
        problem_set=problem_set,
        parameters=parameters,
        embeddings=_unpack_embeddings(embeddings),
        neighbors=Neighbors(**neighbors),
        pca=pca["points"],
        layout=found_layout["points"] if found_layout else None,
        kept=found_layout["kept"] if found_layout else None,
        layout_3d=layout_3d["points"] if layout_3d else None,
        nearest_test=tests["cosines"] if tests else None,
        clusters=clusters.unpack_clusters(found_clusters) if found_clusters else None,
        report=unpack_report(found_report) if found_report else None,
    )


def stage_keys(problem_set: ProblemSet, parameters: AtlasParameters) -> Mapping[Stage, str]:
    """Where the stages lie in the cache; each key contains those it depends on."""
    embeddings = cache_key(
        "embeddings", version=1, problems=problem_set.content_hash, model=embed.model_identity(parameters.model)
    )
    neighbors = cache_key("neighbors", version=2, embeddings=embeddings, count=STORED_NEIGHBORS)
    settings = {"neighbors": parameters.neighbors, "min_dist": parameters.min_dist, "seed": parameters.seed}
    flat = cache_key("layout", version=2, graph=neighbors, **settings)
    found_clusters = cache_key("clusters", version=3, layout=flat)
    return {
        "embeddings": embeddings,
        "neighbors": neighbors,
        "pca": cache_key("pca", version=1, embeddings=embeddings),
        "nearest_test": cache_key("nearest_test", version=1, embeddings=embeddings),
        "layout": flat,
        "clusters": found_clusters,
        "layout_3d": cache_key("layout_3d", version=1, graph=neighbors, **settings),
        "report": cache_key("report", version=3, clusters=found_clusters, other=_comparison_identity(parameters)),
    }


def stopgap_notice(problem_set: ProblemSet, parameters: AtlasParameters, cache: Cache) -> str:
    """What to know of where a map is kept, in words; mostly nothing. See `Cache.stopgap_notice`.

    Raises:
        ModelError: the embedding model is unknown on this machine.
    """
    return cache.stopgap_notice(stage_keys(problem_set, parameters).values())


def _comparison_identity(parameters: AtlasParameters) -> str:
    """The other model's identity; its name where it is not on this machine, as nothing was compared with it then."""
    try:
        return embed.model_identity(parameters.compare_with)
    except ModelError:
        return parameters.compare_with


class _Build:
    """One build: gives each stage's arrays, from the cache or computed on first demand."""

    def __init__(
        self,
        problem_set: ProblemSet,
        parameters: AtlasParameters,
        cache: Cache,
        tell: Callable[[Progress], None],
        embedder: embed.Embedder,
        unkept: Callable[[HomeError], None] | None,
    ) -> None:
        self.problem_set = problem_set
        self.parameters = parameters
        self.cache = cache
        self.tell = tell
        self.embedder = embedder
        self.unkept = unkept
        self.lay_out: Callable[..., NDArray[np.float32]] = layout.lay_out
        self._keys = stage_keys(problem_set, parameters)
        self._arrays: dict[Stage, Arrays] = {}

    def arrays(self, stage: Stage) -> Arrays:
        if stage not in self._arrays:
            stored = self.cache.read(self._keys[stage])
            if stored is None:
                total = len(self.problem_set.problems)
                self.tell(_progress(stage, 0, total))
                stored = _WORK[stage].compute(self, lambda done: self.tell(_progress(stage, done, total)))
                self._keep(stage, stored)
                self.tell(_progress(stage, total, total))
            self._arrays[stage] = stored
        return self._arrays[stage]

    def _keep(self, stage: Stage, arrays: Arrays) -> None:
        try:
            self.cache.write(self._keys[stage], arrays)
        except HomeError as error:
            if self.unkept is None:
                raise
            self.unkept(error)

    @cached_property
    def embeddings(self) -> NDArray[np.float32]:
        return _unpack_embeddings(self.arrays("embeddings"))

    @property
    def neighbors(self) -> Neighbors:
        return Neighbors(**self.arrays("neighbors"))

    def layout(self, dimensions: int, *, min_dist: float | None = None, seed: int | None = None) -> NDArray[np.float32]:
        """(N, dimensions): the layout with the parameters asked for, or with others where they are given."""
        return self.lay_out(
            embeddings=self.embeddings,
            neighbors=self.neighbors.first(self.parameters.neighbors),
            dimensions=dimensions,
            min_dist=self.parameters.min_dist if min_dist is None else min_dist,
            seed=self.parameters.seed if seed is None else seed,
        )


Advance = Callable[[int], None]
"""Takes the number of problems done in a stage."""


@dataclass(frozen=True)
class _StageWork:
    """How a stage is computed and told."""

    doing: str
    """What the person reads while it lasts."""
    seconds: float
    """How long it takes on GSM8K on two cores, for its share of the progress bar."""
    compute: Callable[[_Build, Advance], Arrays]


def _embeddings(build: _Build, advance: Advance) -> Arrays:
    questions = [problem.question for problem in build.problem_set.problems]
    vectors = build.embedder(questions, build.parameters.model, advance)
    # As float16: half the disk, and with the default model no cosine between questions moves by 0.0001.
    return {"embeddings": vectors.astype(np.float16)}


def _unpack_embeddings(stored: Arrays) -> NDArray[np.float32]:
    """(N, D) float32, rows of unit length again; builds use these too, so that both see the same numbers."""
    return embed.unit_rows(stored["embeddings"].astype(np.float32))


def _neighbors(build: _Build, advance: Advance) -> Arrays:
    found = nearest_neighbors(build.embeddings, STORED_NEIGHBORS, advance)
    return {"indices": found.indices, "similarities": found.similarities}


def _pca(build: _Build, advance: Advance) -> Arrays:
    return {"points": layout.principal_components(build.embeddings, 3)}


def _nearest_test(build: _Build, advance: Advance) -> Arrays:
    is_test = np.array([problem.split == "test" for problem in build.problem_set.problems])
    rows, cosines = nearest_test(build.embeddings, is_test)
    return {"rows": rows, "cosines": cosines}


def _layout(build: _Build, advance: Advance) -> Arrays:
    points = build.layout(2)
    return {"points": points, "kept": honesty.kept_neighbors(points, build.neighbors)}


def _layout_3d(build: _Build, advance: Advance) -> Arrays:
    return {"points": build.layout(3)}


def _clusters(build: _Build, advance: Advance) -> Arrays:
    questions = [problem.question for problem in build.problem_set.problems]
    spaces = {"the map": build.arrays("layout")["points"]}
    if len(questions) <= CLUSTER_LAYOUT_LIMIT:
        dimensions = clusters.SPACE_DIMENSIONS
        spaces[f"UMAP in {dimensions} dimensions"] = build.layout(dimensions, min_dist=clusters.SPACE_MIN_DIST)
    return clusters.pack_clusters(clusters.find_clusters(spaces, build.embeddings, build.neighbors, questions))


def _report(build: _Build, advance: Advance) -> Arrays:
    layouts = [build.arrays("layout")["points"]]
    if len(build.problem_set.problems) <= STABILITY_LIMIT:
        layouts += [build.layout(2, seed=build.parameters.seed + shift) for shift in OTHER_SEEDS]
    return pack_report(
        make_report(
            problems=build.problem_set.problems,
            embeddings=build.embeddings,
            neighbors=build.neighbors,
            clusters=clusters.unpack_clusters(build.arrays("clusters")),
            kept=build.arrays("layout")["kept"],
            layouts=layouts,
            other=_other_neighbors(build, advance),
        )
    )


def _other_neighbors(build: _Build, advance: Advance) -> tuple[str, Neighbors] | None:
    """The name and the neighbours of the model to compare with; `None` where that is the map's own."""
    parameters = replace(build.parameters, model=build.parameters.compare_with)
    if embed.model_identity(parameters.model) == embed.model_identity(build.parameters.model):
        return None
    other = _Build(
        build.problem_set, parameters, build.cache, lambda progress: advance(progress.done), build.embedder, build.unkept
    )
    return parameters.model, other.neighbors


_WORK: Mapping[Stage, _StageWork] = {
    "embeddings": _StageWork("embedding", 106, _embeddings),
    "neighbors": _StageWork("comparing", 2, _neighbors),
    "pca": _StageWork("projecting", 1, _pca),
    "nearest_test": _StageWork("comparing with test", 1, _nearest_test),
    "layout": _StageWork("laying out", 22, _layout),
    "clusters": _StageWork("clustering", 8, _clusters),
    "layout_3d": _StageWork("laying out in 3-D", 6, _layout_3d),
    "report": _StageWork("measuring", 25, _report),
}


def _progress(stage: Stage, done: int, total: int) -> Progress:
    work = _WORK[stage]
    whole = sum(other.seconds for other in _WORK.values())
    before = sum(other.seconds for other in itertools.takewhile(lambda other: other is not work, _WORK.values()))
    amount = f"{done:,} of {total:,}" if stage == "embeddings" else f"{total:,}"
    return Progress(
        stage=stage,
        done=done,
        total=total,
        fraction=(before + work.seconds * done / total) / whole,
        message=f"{work.doing} {amount} questions",
    )
