"""What commands share that need a map: the options that say which, and a progress bar while it is made."""

import sys
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer
from tqdm import tqdm

from analysis.atlas import MAX_SEED, STORED_NEIGHBORS, Atlas, AtlasParameters, Progress
from analysis.jobs import build
from analysis.language import model_notice
from training.command_line.sources import warn_of_left_out
from training.errors import HomeError
from training.home import Home
from training.terminal import check_ctrl_c

Made = TypeVar("Made")

DEFAULTS = AtlasParameters()

Model = Annotated[str, typer.Option(metavar="M", help="sentence-transformers model, a Hub name or a folder, or tf-idf")]
Neighbors = Annotated[
    int, typer.Option(min=2, max=STORED_NEIGHBORS, metavar="K", help="nearest problems that UMAP holds each one to")
]
MinDist = Annotated[float, typer.Option(min=0, max=1, metavar="D", help="UMAP's least distance between points")]
Seed = Annotated[int, typer.Option(min=0, max=MAX_SEED, help="UMAP's random state")]
CompareWith = Annotated[str, typer.Option(metavar="M", help="the model whose neighbours this one's are compared with")]


def build_with_bar(
    source: str,
    parameters: AtlasParameters,
    home: Home,
    note: Callable[[Progress], None] = lambda progress: None,
    *,
    keep: bool = False,
) -> Atlas:
    """The atlas of a source.

    Args:
        keep: whether it is built to be kept, so that a cache that cannot be written is an error and not just told.
    """

    def make(tell: Callable[[Progress], None], unkept: Callable[[HomeError], None]) -> Atlas:
        def report(progress: Progress) -> None:
            note(progress)
            tell(progress)

        return build(source, parameters, home, report, None if keep else unkept)

    atlas = with_bar(make)
    warn_of_left_out(atlas.problem_set.whole)
    if notice := model_notice([problem.question for problem in atlas.problem_set.problems], parameters.model):
        print(f"warning: {notice}", file=sys.stderr)
    return atlas


def with_bar(make: Callable[[Callable[[Progress], None], Callable[[HomeError], None]], Made]) -> Made:
    """What is made while a bar shows its progress; what cannot be kept is told once.

    Args:
        make: takes what is told of the progress, and what of a stage that the cache does not take.
    """
    told: set[str] = set()

    def tell_once(error: HomeError) -> None:
        if str(error) not in told:
            print(f"warning: {error}", file=sys.stderr)
        told.add(str(error))

    def report(progress: Progress) -> None:
        check_ctrl_c()
        bar.show(progress)

    with Bar() as bar:
        return make(report, tell_once)


class Bar:
    """A progress bar on stderr, drawn on a terminal only, and only once there is something to wait for."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, progress: Progress) -> None:
        if self._bar is None:
            self._bar = tqdm(total=1.0, disable=None, bar_format="{desc} |{bar}| {percentage:3.0f}% {elapsed}")
        self._bar.set_description_str(progress.message, refresh=False)
        self._bar.update(progress.fraction - self._bar.n)
