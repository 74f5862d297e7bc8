"""Atlases are built once per content, opened without torch, and never stale."""

import errno
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.atlas import (
    STAGES,
    STORED_NEIGHBORS,
    AtlasParameters,
    Progress,
    Stage,
    build_atlas,
    map_sample,
    open_atlas,
    stage_keys,
)
from analysis.cache import Cache
from tests.fakes import FakeEmbedder
from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.data.reader import parse_problem
from training.errors import HomeError, ModelError
from training.home import Home


def problem_set(count: int, word: str = "apples") -> ProblemSet:
    def problem(index: int) -> object:
        row = {
            "question": f"What are {index} {word}?",
            "answer": f"It is <<{index}+0={index}>>{index}\nSo it is.\n#### {index}",
        }
        split = "test" if index % 5 == 0 else "train"
        return parse_problem(row, f"{split}-{index}", split)

    return ProblemSet(name="Few", source="few", problems=tuple(problem(index) for index in range(count)))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def parameters(tmp_path: Path) -> AtlasParameters:
    """With a model that has an identity and nothing else."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    return AtlasParameters(model=str(model))


def ignore(progress: Progress) -> None:
    pass


def test_what_is_built_is_opened_equal(cache: Cache, parameters: AtlasParameters) -> None:
    problems = problem_set(30)
    assert open_atlas(problems, parameters, cache) is None
    built = build_atlas(problems, parameters, cache, ignore, FakeEmbedder())
    opened = open_atlas(problems, parameters, cache)
    assert opened is not None
    for one, other in (
        (built.embeddings, opened.embeddings),
        (built.layout, opened.layout),
        (built.layout_3d, opened.layout_3d),
        (built.pca, opened.pca),
        (built.kept, opened.kept),
        (built.nearest_test, opened.nearest_test),
        (built.neighbors.indices, opened.neighbors.indices),
        (built.neighbors.similarities, opened.neighbors.similarities),
    ):
        assert one is not None
        assert other is not None
        assert np.array_equal(one, other)
        assert one.dtype == other.dtype
    assert built.report == opened.report
    assert built.complete
    assert built.embeddings.shape == (30, 8)
    assert {view: points.shape for view, points in built.views.items()} == {"2-D": (30, 2), "3-D": (30, 3), "PCA": (30, 2)}


@pytest.mark.parametrize("count", [1, 2, 11])
def test_a_few_problems_make_an_atlas(count: int, cache: Cache, parameters: AtlasParameters) -> None:
    atlas = build_atlas(problem_set(count), parameters, cache, ignore, FakeEmbedder())
    assert atlas.complete
    assert all(len(points) == count and np.isfinite(points).all() for points in atlas.views.values())
    assert open_atlas(problem_set(count), parameters, cache) is not None


def test_identical_embeddings_make_an_atlas(cache: Cache, parameters: AtlasParameters) -> None:
    def same(texts: object, model: str, report: object) -> np.ndarray:
        return np.full((40, 8), 8**-0.5, np.float32)

    atlas = build_atlas(problem_set(40), parameters, cache, ignore, same)
    assert all(np.isfinite(points).all() for points in atlas.views.values())
    assert atlas.clusters is not None
    assert atlas.clusters.names == ()


def test_a_second_build_computes_nothing(cache: Cache, parameters: AtlasParameters) -> None:
    embedder, reports = FakeEmbedder(), list[Progress]()
    build_atlas(problem_set(30), parameters, cache, ignore, embedder)
    calls = embedder.calls
    build_atlas(problem_set(30), parameters, cache, reports.append, embedder)
    assert embedder.calls == calls
    assert reports == []


def test_another_layout_reuses_embeddings_and_neighbors(cache: Cache, parameters: AtlasParameters) -> None:
    embedder, reports = FakeEmbedder(), list[Progress]()
    first = build_atlas(problem_set(60), parameters, cache, ignore, embedder)
    calls = embedder.calls
    again = replace(parameters, neighbors=5, min_dist=0.1, seed=1)
    begun = open_atlas(problem_set(60), again, cache)
    assert begun is not None
    assert list(begun.views) == ["PCA"], "embeddings, neighbours and their components are there at once"
    second = build_atlas(problem_set(60), again, cache, reports.append, embedder)
    assert embedder.calls == calls
    assert {progress.stage for progress in reports} == {"layout", "clusters", "layout_3d", "report"}
    assert second.neighbors.indices.shape == (60, STORED_NEIGHBORS)
    assert first.layout is not None
    assert second.layout is not None
    assert not np.array_equal(first.layout, second.layout)


def test_a_map_is_shown_before_it_is_finished(cache: Cache, parameters: AtlasParameters) -> None:
    build_atlas(problem_set(30), parameters, cache, ignore, FakeEmbedder())
    keys = stage_keys(problem_set(30), parameters)
    seen = []
    for stage in reversed(STAGES):
        (cache.root / f"{keys[stage]}.npz").unlink()
        opened = open_atlas(problem_set(30), parameters, cache)
        seen.append((stage, None if opened is None else list(opened.views), opened is not None and opened.complete))
    assert seen == [
        ("report", ["2-D", "3-D", "PCA"], False),
        ("layout_3d", ["2-D", "PCA"], False),
        ("clusters", ["2-D", "PCA"], False),
        ("layout", ["PCA"], False),
        ("nearest_test", ["PCA"], False),
        ("pca", None, False),
        ("neighbors", None, False),
        ("embeddings", None, False),
    ]


def test_changed_problems_or_model_make_another_atlas(cache: Cache, parameters: AtlasParameters) -> None:
    build_atlas(problem_set(30), parameters, cache, ignore, FakeEmbedder())
    assert open_atlas(problem_set(30, "pears"), parameters, cache) is None
    (Path(parameters.model) / "config.json").write_text('{"changed": true}')
    assert open_atlas(problem_set(30), parameters, cache) is None


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_cut_in_half_is_missing_and_built_again(stage: Stage, cache: Cache, parameters: AtlasParameters) -> None:
    first = build_atlas(problem_set(30), parameters, cache, ignore, FakeEmbedder())
    file = cache.root / f"{stage_keys(problem_set(30), parameters)[stage]}.npz"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    opened = open_atlas(problem_set(30), parameters, cache)
    assert opened is None or not opened.complete
    built = build_atlas(problem_set(30), parameters, cache, ignore, FakeEmbedder())
    opened = open_atlas(problem_set(30), parameters, cache)
    assert opened is not None
    assert opened.complete
    assert first.layout is not None
    assert np.array_equal(built.views["2-D"], first.layout)
    assert opened.report == first.report


def test_a_full_disk_is_an_error_and_leaves_what_was_there(
    cache: Cache, parameters: AtlasParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_atlas(problem_set(30), parameters, cache, ignore, FakeEmbedder())
    before = {file: file.read_bytes() for file in cache.root.iterdir()}

    def full(file: object, *, allow_pickle: bool, **arrays: object) -> None:
        file.write(b"half of it")  # type: ignore[attr-defined]
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(HomeError, match=r"No space left on device.*Free some space"):
        build_atlas(problem_set(30), replace(parameters, seed=7), cache, ignore, FakeEmbedder())
    assert {file: file.read_bytes() for file in cache.root.iterdir()} == before


def test_a_build_goes_on_without_a_cache_where_that_is_only_to_be_told(
    tmp_path: Path, cache: Cache, parameters: AtlasParameters
) -> None:
    (tmp_path / "file").touch()
    told: list[HomeError] = []
    without = Cache(tmp_path / "file" / "cache")
    built = build_atlas(problem_set(30), parameters, without, ignore, FakeEmbedder(), told.append)
    assert built.complete
    assert len(told) >= len(STAGES)
    kept = build_atlas(problem_set(30), parameters, cache, ignore, FakeEmbedder())
    assert np.array_equal(built.views["2-D"], kept.views["2-D"])


def test_progress_rises_to_one_and_says_what_is_done(cache: Cache, parameters: AtlasParameters) -> None:
    reports: list[Progress] = []
    build_atlas(problem_set(30), parameters, cache, reports.append, FakeEmbedder())
    fractions = [progress.fraction for progress in reports]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert tuple(dict.fromkeys(progress.stage for progress in reports)) == STAGES
    assert reports[1].message == "embedding 30 of 30 questions"


def test_a_model_is_not_compared_with_itself(cache: Cache, parameters: AtlasParameters) -> None:
    alone = build_atlas(problem_set(30), replace(parameters, compare_with=parameters.model), cache, ignore, FakeEmbedder())
    compared = build_atlas(problem_set(30), parameters, cache, ignore, FakeEmbedder())
    assert alone.report is not None
    assert alone.report.honesty is not None
    assert alone.report.honesty.agreement is None
    assert compared.report is not None
    assert compared.report.honesty is not None
    assert compared.report.honesty.agreement is not None
    assert compared.report.honesty.agreement.model == "tf-idf"


def test_a_very_large_source_is_mapped_by_an_even_sample() -> None:
    problems = problem_set(500)
    assert map_sample(problems) is problems
    sample = map_sample(problems, limit=100)
    assert len(sample.problems) == 100
    assert sample == map_sample(problems, limit=100)
    ids = [problem.id for problem in problems.problems]
    assert [problem.id for problem in sample.problems] == [name for name in ids if name in {p.id for p in sample.problems}]
    assert sample.notice == "The map shows a random 100 of 500 problems; training uses all of them."


def test_an_unknown_model_is_an_error_for_reader_and_builder(cache: Cache) -> None:
    parameters = AtlasParameters(model="no-such-model")
    with pytest.raises(ModelError):
        open_atlas(problem_set(30), parameters, cache)
    with pytest.raises(ModelError):
        build_atlas(problem_set(30), parameters, cache, ignore)


OPEN_DEMO = """
import sys
import analysis.atlas, analysis.cache, analysis.frame, analysis.projector
from training.home import Home
from training.data.problems import load_problems

problems = load_problems("demo")
cache = analysis.cache.Cache.from_home(Home.from_environment())
atlas = analysis.atlas.open_atlas(problems, analysis.atlas.AtlasParameters(), cache)
assert atlas is not None, "assets/demo-atlas is not of this demo data: python -m analysis ship"
assert atlas.complete, "assets/demo-atlas is not finished: python -m analysis ship"
assert atlas.layout.shape == (len(problems.problems), 2)
assert len(atlas.embeddings) == len(atlas.neighbors.indices) == len(problems.problems)
assert not list(cache.root.parent.rglob("*.npz"))
print([name for name in ("torch", "transformers", "sentence_transformers", "umap", "sklearn", "numba") if name in sys.modules])
"""


def test_the_shipped_demo_opens_in_an_empty_home_without_heavy_imports(home: Home, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", OPEN_DEMO], env=home.environment(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_the_shipped_demo_is_under_5_mib() -> None:
    from training.home import DEMO_ATLAS

    assert sum(file.stat().st_size for file in DEMO_ATLAS.iterdir()) < 5 * 2**20


def test_gsm8k_opens_from_the_cache(gsm8k_home: Home) -> None:
    atlas = open_atlas(load_problems("auto", gsm8k_home), AtlasParameters(), Cache.from_home(gsm8k_home))
    assert atlas is not None
    assert atlas.embeddings.shape == (8792, 384)
    assert atlas.complete
