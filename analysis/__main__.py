"""The terminal's way to atlases: build one, report its findings, export it, and remake the demo's map that ships."""

import argparse
import dataclasses
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from analysis.atlas import Atlas, AtlasParameters, Progress, Stage, build_atlas
from analysis.cache import Cache
from analysis.findings import findings
from analysis.projector import export_projector
from training.errors import HomeError
from training.home import DEMO_ATLAS, Home
from training.jobs import job_process
from training.problems import load_problems
from training.store import Store
from training.terminal import run_command

REJECTED_SHOWN = 5


class StageTimes:
    """Seconds from the first to the last report of each stage; a stage read from the cache reports nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spans: dict[Stage, tuple[float, float]] = {}

    def note(self, progress: Progress) -> None:
        now = self._clock()
        start, _ = self._spans.get(progress.stage, (now, now))
        self._spans[progress.stage] = (start, now)

    @property
    def seconds(self) -> dict[Stage, float]:
        return {stage: round(end - start, 2) for stage, (start, end) in self._spans.items()}


def build(source: str, parameters: AtlasParameters, home: Home, report: Callable[[Progress], None]) -> Atlas:
    """Load a source and build its atlas in the home's cache.

    Raises:
        SourceError, ModelError, HomeError: as `load_problems` and `build_atlas` say.
    """
    return build_atlas(load_problems(source, home), parameters, Cache.from_home(home), report)


def ship_demo(report: Callable[[Progress], None], folder: Path = DEMO_ATLAS) -> Atlas:
    """Build the demo's atlas from nothing and replace the ready-made one with it.

    Raises:
        ModelError: as `build_atlas` says.
        HomeError: the folder cannot be written.
    """
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / "atlas"
        atlas = build_atlas(load_problems("demo"), AtlasParameters(), Cache(fresh), report)
        try:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(fresh, folder)
        except OSError as error:
            raise HomeError(
                f"{folder} cannot be written ({error}).", "Run this in a checkout that you may write to."
            ) from error
    return atlas


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for an error that is explained on stderr, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    return run_command(options.command, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m analysis", description="Atlases of problem sets.")
    commands = parser.add_subparsers(required=True, metavar="build | report | export | ship")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--source", default="auto", metavar="S", help="demo, hub (GSM8K), auto, or a folder or file (default: auto)"
    )
    common.add_argument(
        "--model",
        default=AtlasParameters.model,
        metavar="M",
        help="sentence-transformers model: a Hub name or a folder (default: %(default)s)",
    )
    facts = argparse.ArgumentParser(add_help=False)
    facts.add_argument("--json", action="store_true", help="print JSON instead of text")

    for name, command, parents, summary in (
        ("build", _build, [common, facts], "compute embeddings, neighbours and layout, as far as the cache lacks them"),
        ("report", _report, [common, facts], "say what the neighbours tell about splits, difficulty and leakage"),
        ("export", _export, [common], "write files for the TensorFlow Embedding Projector"),
        ("ship", _ship, [], "remake the demo's ready-made map in assets/demo-atlas (for developers)"),
    ):
        subparser = commands.add_parser(name, parents=parents, help=summary, description=f"{summary.capitalize()}.")
        subparser.set_defaults(command=command)
        if command is _build:
            subparser.add_argument("--job", metavar="ID", help="report progress to this job in the run store; pages use it")
        if command is _export:
            subparser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder to write into")
    return parser


def _build(options: argparse.Namespace) -> int:
    home = Home.from_environment()
    times = StageTimes()
    with _as_job(options.job, home) as tell_store:

        def note(progress: Progress) -> None:
            times.note(progress)
            tell_store(progress)

        atlas = _build_with_bar(options, home, note)
        print(json.dumps(_built_facts(atlas, times, home), indent=2) if options.json else _built_text(atlas, times))
    return 0


def _built_facts(atlas: Atlas, times: StageTimes, home: Home) -> dict[str, object]:
    problem_set = atlas.problem_set
    return {
        "name": problem_set.name,
        "source": problem_set.source,
        "notice": problem_set.notice,
        "problems": len(problem_set.problems),
        "rejected": [str(rejection) for rejection in problem_set.rejected],
        "model": atlas.parameters.model,
        "width": atlas.embeddings.shape[1],
        "seconds": times.seconds,
        "cache": str(Cache.from_home(home).root),
    }


@contextmanager
def _as_job(job_id: str | None, home: Home) -> Iterator[Callable[[Progress], None]]:
    """What passes progress on to the run store, and stops on request, for a build that was submitted as a job."""
    if job_id is None:
        yield lambda progress: None
        return
    with job_process(Store.open(home.store_url), job_id) as process:
        process.begin()

        def tell(progress: Progress) -> None:
            process.check_stop()
            process.progress(progress.fraction, 1.0, progress.message)

        process.progress(0.0, 1.0, "loading the problems")
        yield tell


def _built_text(atlas: Atlas, times: StageTimes) -> str:
    problem_set = atlas.problem_set
    counts = ", ".join(f"{len(problem_set.of_split(split)):,} {split}" for split in ("train", "test"))
    lines = [problem_set.notice] if problem_set.notice else []
    lines.append(f"{problem_set.name}: {len(problem_set.problems):,} problems ({counts}), model {atlas.parameters.model}")
    if problem_set.rejected:
        lines.append(f"{len(problem_set.rejected):,} rows rejected:")
        lines += [f"  {rejection}" for rejection in problem_set.rejected[:REJECTED_SHOWN]]
        lines += ["  ..."] if len(problem_set.rejected) > REJECTED_SHOWN else []
    for stage in ("embeddings", "neighbors", "layout"):
        seconds = times.seconds.get(stage)
        lines.append(f"  {stage:<10} " + ("from the cache" if seconds is None else f"{seconds:,.1f} s"))
    return "\n".join(lines)


def _report(options: argparse.Namespace) -> int:
    found = findings(_build_with_bar(options, Home.from_environment()))
    if options.json:
        print(json.dumps(dataclasses.asdict(found) | {"readings": found.readings}, indent=2))
        return 0
    print("\n".join(found.readings) or "There is nothing to find without a train and a test split and differing step counts.")
    if found.leakage is not None:
        print("\nNearest test and train problems:")
        for pair in found.leakage.pairs:
            print(f"  {pair.cosine:.3f}  {pair.test_id:<10} {pair.train_id}")
    return 0


def _export(options: argparse.Namespace) -> int:
    written = export_projector(_build_with_bar(options, Home.from_environment()), options.out)
    print("\n".join(str(file) for file in written))
    print(f"Show it with: tensorboard --logdir {options.out}   (then choose the bookmark for the layout)")
    return 0


def _ship(options: argparse.Namespace) -> int:
    with _Bar() as bar:
        atlas = ship_demo(bar.show)
    size_mib = sum(file.stat().st_size for file in DEMO_ATLAS.iterdir()) / 2**20
    print(f"{DEMO_ATLAS}: {len(atlas.problem_set.problems):,} problems, {size_mib:.1f} MiB")
    return 0


def _build_with_bar(options: argparse.Namespace, home: Home, note: Callable[[Progress], None] = lambda progress: None) -> Atlas:
    def report(progress: Progress) -> None:
        note(progress)
        bar.show(progress)

    with _Bar() as bar:
        return build(options.source, AtlasParameters(model=options.model), home, report)


class _Bar:
    """A progress bar on stderr, drawn on a terminal only, and only once there is something to wait for."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, progress: Progress) -> None:
        if self._bar is None:
            self._bar = tqdm(total=1.0, disable=None, bar_format="{desc} |{bar}| {percentage:3.0f}% {elapsed}")
        self._bar.set_description_str(progress.message, refresh=False)
        self._bar.update(progress.fraction - self._bar.n)


if __name__ == "__main__":
    sys.exit(main())
