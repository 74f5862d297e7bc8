"""Atlases are built once per content, opened without torch, and never stale."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.atlas import AtlasParameters, Progress, atlas_frame, build_atlas, open_atlas
from analysis.cache import Cache
from analysis.embed import unit_rows
from training.errors import ModelError
from training.home import Home
from training.problems import ProblemSet, load_problems, parse_problem


class FakeEmbedder:
    """Vectors from a hash of the text; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, texts: Sequence[str], model: str, report: Callable[[int], None]) -> NDArray[np.float32]:
        self.calls += 1
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") for text in texts]
        report(len(texts))
        return unit_rows(np.stack([np.random.default_rng(seed).normal(size=8) for seed in seeds]).astype(np.float32))


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
        (built.neighbors.indices, opened.neighbors.indices),
        (built.neighbors.similarities, opened.neighbors.similarities),
    ):
        assert np.array_equal(one, other)
        assert one.dtype == other.dtype
    assert built.embeddings.shape == (30, 8)
    assert built.embeddings.dtype == built.layout.dtype == np.float32
    assert built.layout.shape == (30, 2)


@pytest.mark.parametrize("count", [1, 2, 11])
def test_a_few_problems_make_an_atlas(count: int, cache: Cache, parameters: AtlasParameters) -> None:
    atlas = build_atlas(problem_set(count), parameters, cache, ignore, FakeEmbedder())
    assert atlas.layout.shape == (count, 2)
    assert np.isfinite(atlas.layout).all()


def test_a_second_build_computes_nothing(cache: Cache, parameters: AtlasParameters) -> None:
    embedder, reports = FakeEmbedder(), list[Progress]()
    build_atlas(problem_set(30), parameters, cache, ignore, embedder)
    build_atlas(problem_set(30), parameters, cache, reports.append, embedder)
    assert embedder.calls == 1
    assert reports == []


def test_changed_layout_settings_keep_the_embeddings(cache: Cache, parameters: AtlasParameters) -> None:
    embedder = FakeEmbedder()
    first = build_atlas(problem_set(30), parameters, cache, ignore, embedder)
    again = AtlasParameters(model=parameters.model, neighbors=5, seed=1)
    assert open_atlas(problem_set(30), again, cache) is None
    second = build_atlas(problem_set(30), again, cache, ignore, embedder)
    assert embedder.calls == 1
    assert second.neighbors.indices.shape == (30, 5)
    assert not np.array_equal(first.layout, second.layout)


def test_changed_problems_or_model_make_another_atlas(cache: Cache, parameters: AtlasParameters) -> None:
    build_atlas(problem_set(30), parameters, cache, ignore, FakeEmbedder())
    assert open_atlas(problem_set(30, "pears"), parameters, cache) is None
    (Path(parameters.model) / "config.json").write_text('{"changed": true}')
    assert open_atlas(problem_set(30), parameters, cache) is None


@pytest.mark.parametrize("stage", ["embeddings", "neighbors", "layout"])
def test_a_stage_cut_short_is_missing_and_built_again(stage: str, cache: Cache, parameters: AtlasParameters) -> None:
    first = build_atlas(problem_set(30), parameters, cache, ignore, FakeEmbedder())
    (file,) = cache.root.glob(f"{stage}-*")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert open_atlas(problem_set(30), parameters, cache) is None
    build_atlas(problem_set(30), parameters, cache, ignore, FakeEmbedder())
    opened = open_atlas(problem_set(30), parameters, cache)
    assert opened is not None
    assert np.array_equal(opened.layout, first.layout)


def test_progress_rises_to_one_and_says_what_is_done(cache: Cache, parameters: AtlasParameters) -> None:
    reports: list[Progress] = []
    build_atlas(problem_set(30), parameters, cache, reports.append, FakeEmbedder())
    fractions = [progress.fraction for progress in reports]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert [progress.stage for progress in reports] == ["embeddings"] * 2 + ["neighbors"] * 2 + ["layout"] * 2
    assert reports[1].message == "embedding 30 of 30 questions"


def test_an_unknown_model_is_an_error_for_reader_and_builder(cache: Cache) -> None:
    parameters = AtlasParameters(model="no-such-model")
    with pytest.raises(ModelError):
        open_atlas(problem_set(30), parameters, cache)
    with pytest.raises(ModelError):
        build_atlas(problem_set(30), parameters, cache, ignore)


def test_the_frame_has_one_row_a_problem_in_order(cache: Cache, parameters: AtlasParameters) -> None:
    atlas = build_atlas(problem_set(30), parameters, cache, ignore, FakeEmbedder())
    frame = atlas_frame(atlas)
    assert list(frame.columns) == ["id", "split", "steps", "equations", "gold", "question", "x", "y"]
    assert list(frame["id"]) == [problem.id for problem in atlas.problem_set.problems]
    assert frame.loc[7, ["id", "split", "steps", "equations", "gold"]].tolist() == ["train-7", "train", 2, 1, "7"]
    assert np.array_equal(frame[["x", "y"]].to_numpy(), atlas.layout)


OPEN_DEMO = """
import sys
import analysis.atlas, analysis.cache, analysis.findings, analysis.neighbors, analysis.projector
from training.home import Home
from training.problems import load_problems

problems = load_problems("demo")
cache = analysis.cache.Cache.from_home(Home.from_environment())
atlas = analysis.atlas.open_atlas(problems, analysis.atlas.AtlasParameters(), cache)
assert atlas is not None, "assets/demo-atlas is not of this demo data: python -m analysis ship"
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
    assert atlas.layout.shape == (8792, 2)
