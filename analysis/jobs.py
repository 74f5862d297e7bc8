"""The kinds of jobs that make maps and ready models for search; entry points in pyproject.toml name them to `training.jobs`."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from pydantic import BaseModel, ConfigDict

from analysis.against import Against, compare
from analysis.atlas import Atlas, AtlasParameters, Progress, build_atlas, embed_problems, map_sample, stopgap_notice
from analysis.cache import Cache
from analysis.embed import TFIDF, embed, encoders_folder
from analysis.search import prepare_encoder
from training.data.problems import load_problems
from training.errors import HomeError
from training.home import Home
from training.jobs.job_process import JobProcess
from training.jobs.kinds import JobType
from training.terminal import check_ctrl_c


class BuildSpec(BaseModel):
    """Everything that decides a map; its fields besides the source are those of `AtlasParameters`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    model: str
    neighbors: int
    min_dist: float
    seed: int
    compare_with: str

    @classmethod
    def of(cls, source: str, parameters: AtlasParameters) -> "BuildSpec":
        """The spec of a source's map."""
        return cls(source=source, **asdict(parameters))

    @property
    def parameters(self) -> AtlasParameters:
        return AtlasParameters(**self.model_dump(exclude={"source"}))


class PrepareSpec(BaseModel):
    """Which model is made ready for search by meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str


def build(
    source: str,
    parameters: AtlasParameters,
    home: Home,
    report: Callable[[Progress], None],
    unkept: Callable[[HomeError], None] | None = None,
) -> Atlas:
    """Load a source and build its atlas in the home's cache.

    Args:
        unkept: as of `build_atlas`.

    Raises:
        SourceError, ModelError, HomeError: as `load_problems` and `build_atlas` say.
    """
    embedder = partial(embed, encoders=encoders_folder(home))
    return build_atlas(map_sample(load_problems(source, home)), parameters, Cache.from_home(home), report, embedder, unkept)


def look_for(
    source: str,
    atlas: Atlas,
    home: Home,
    report: Callable[[Progress], None],
    unkept: Callable[[HomeError], None] | None = None,
) -> Against:
    """Look for another source's problems in an atlas.

    Args:
        unkept: as of `build_atlas`.

    Raises:
        SourceError, ModelError, HomeError: as `load_problems` and `build_atlas` say.
    """
    other, mapped = map_sample(load_problems(source, home)), atlas.problem_set
    if atlas.parameters.model == TFIDF:  # whose vectors compare only when made of all texts together
        questions = [problem.question for problem in (*mapped.problems, *other.problems)]
        vectors = embed(questions, TFIDF, lambda done: None)
        return compare(mapped, vectors[: len(mapped.problems)], other, vectors[len(mapped.problems) :])
    embedder = partial(embed, encoders=encoders_folder(home))
    vectors = embed_problems(other, atlas.parameters, Cache.from_home(home), report, embedder, unkept)
    return compare(mapped, atlas.embeddings, other, vectors)


def _build(process: JobProcess, home: Home, spec: BuildSpec) -> None:
    def tell(progress: Progress) -> None:
        check_ctrl_c()
        process.check_stop()
        process.progress(progress.fraction, 1.0, progress.message)

    process.begin()
    process.progress(0.0, 1.0, "loading the problems")
    atlas = build(spec.source, spec.parameters, home, tell)
    process.reason = f"{len(atlas.problem_set.problems):,} problems of {atlas.problem_set.name} are mapped"
    if notice := stopgap_notice(atlas.problem_set, atlas.parameters, Cache.from_home(home)):
        print(f"warning: {notice}", flush=True)


def _prepare(process: JobProcess, home: Home, spec: PrepareSpec) -> None:
    process.begin()
    prepare_encoder(spec.model, home)
    process.reason = f"{spec.model} is ready for search by meaning"


BUILD = JobType("build", BuildSpec.model_validate, _build)
PREPARE = JobType("prepare", PrepareSpec.model_validate, _prepare)
