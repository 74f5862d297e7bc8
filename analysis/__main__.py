"""The terminal's way to atlases: build one, report what it says, export it, and remake the demo's map that ships."""

import argparse
import dataclasses
import json
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from tqdm import tqdm

from analysis.atlas import (
    MAX_SEED,
    STAGES,
    STORED_NEIGHBORS,
    Atlas,
    AtlasParameters,
    Progress,
    Stage,
    build_atlas,
    stage_keys,
)
from analysis.cache import Cache
from analysis.export import FORMATS
from analysis.findings import Correlation, steps_and_pass_rate
from analysis.jobs import build, stopgap_notice
from analysis.outcomes import job_outcomes
from analysis.projector import STANDALONE_STEPS, TENSORBOARD_STEPS, ExportError, export_projector, standalone_link
from analysis.report import report_json
from analysis.search import prepare_encoder
from training.data.problems import ProblemSet, load_problems
from training.errors import ConfigError, HomeError
from training.files import replace_file
from training.home import DEMO_ATLAS, Home
from training.options import Parser
from training.store import Store
from training.store.curation import matching_subset, subset_ids
from training.terminal import check_ctrl_c, run_command

REJECTED_SHOWN = 5
PAIRS_SHOWN = 20
PROJECTOR = "projector"
"""The export that is a folder of files."""

Number = TypeVar("Number", int, float)


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


def ship_demo(report: Callable[[Progress], None], folder: Path = DEMO_ATLAS) -> Atlas:
    """Build the demo's atlas from nothing and replace the ready-made one with it.

    Raises:
        ModelError: as `build_atlas` says.
        HomeError: the folder cannot be written.
    """
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / "atlas"
        problems = load_problems("demo")
        atlas = build_atlas(problems, AtlasParameters(), Cache(fresh), report)
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            # Not what the other model's neighbours were found with: the report has what came of it.
            for key in stage_keys(problems, AtlasParameters()).values():
                shutil.copy(fresh / f"{key}.npz", folder)
        except OSError as error:
            raise HomeError(
                f"{folder} cannot be written ({error}).", "Run this in a checkout that you may write to."
            ) from error
    return atlas


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for an error that is explained on stderr, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    return run_command(options.command, options)


def _parser() -> Parser:
    parser = Parser(prog="python -m analysis", description="Atlases of problem sets.")
    commands = parser.add_subparsers(required=True, metavar="build | report | export | prepare | ship")
    source, model, layout = _source_options(), _model_options(), _layout_options()
    facts = Parser(add_help=False)
    facts.add_argument("--json", action="store_true", help="print JSON instead of text")

    for name, command, parents, summary in (
        ("build", _build, [source, model, layout, facts], "compute the atlas, as far as the cache lacks it"),
        (
            "report",
            _report,
            [source, model, layout, facts],
            "say what the atlas tells about splits, topics, difficulty, leakage",
        ),
        ("export", _export, [source, model, layout], "write problems as files, or the map for the Embedding Projector"),
        ("prepare", _prepare, [model], "make a model ready for search by meaning"),
        ("ship", _ship, [], "remake the demo's ready-made map in assets/demo-atlas (for developers)"),
    ):
        subparser = commands.add_parser(name, parents=parents, help=summary, description=f"{summary.capitalize()}.")
        subparser.set_defaults(command=command)
        if command is _report:
            subparser.add_argument("--run", metavar="ID", help="also say how the pass rate in this run goes with the steps")
        if command is _export:
            subparser.add_argument(
                "--format", choices=(PROJECTOR, *FORMATS), default=PROJECTOR, help="what to write (default: %(default)s)"
            )
            subparser.add_argument("--subset", metavar="S", help="only a saved subset's problems: a name, or name@version")
            subparser.add_argument(
                "--out", required=True, type=Path, metavar="PATH", help="the folder (projector) or file (others) to write"
            )
            subparser.add_argument(
                "--served-at",
                type=_web_address,
                metavar="URL",
                help="where the folder will be served, for a link that opens it at projector.tensorflow.org",
            )
    return parser


def _source_options() -> Parser:
    options = Parser(add_help=False)
    options.add_argument(
        "--source", default="auto", metavar="S", help="demo, hub (GSM8K), auto, or a folder or file (default: auto)"
    )
    return options


def _model_options() -> Parser:
    options = Parser(add_help=False)
    options.add_argument(
        "--model",
        default=AtlasParameters.model,
        metavar="M",
        help="sentence-transformers model, a Hub name or a folder, or tf-idf (default: %(default)s)",
    )
    return options


def _layout_options() -> Parser:
    options = Parser(add_help=False)
    options.add_argument(
        "--neighbors",
        type=_between(2, STORED_NEIGHBORS, int),
        default=AtlasParameters.neighbors,
        metavar="K",
        help=f"nearest problems that UMAP holds each one to, 2 to {STORED_NEIGHBORS} (default: %(default)s)",
    )
    options.add_argument(
        "--min-dist",
        type=_between(0.0, 1.0, float),
        default=AtlasParameters.min_dist,
        metavar="D",
        help="UMAP's least distance between points, 0 to 1 (default: %(default)s)",
    )
    options.add_argument("--seed", type=_between(0, MAX_SEED, int), default=AtlasParameters.seed, help="UMAP's random state")
    options.add_argument(
        "--compare-with",
        default=AtlasParameters.compare_with,
        metavar="M",
        help="the model whose neighbours this one's are compared with (default: %(default)s)",
    )
    return options


def _between(low: Number, high: Number, kind: Callable[[str], Number]) -> Callable[[str], Number]:
    """What reads a number of an option and says which are possible."""

    def read(text: str) -> Number:
        try:
            number = kind(text)
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return number

    return read


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(f"{text!r} is not the address of a folder, such as https://example.org/map")
    return text


def _parameters(options: argparse.Namespace) -> AtlasParameters:
    return AtlasParameters(options.model, options.neighbors, options.min_dist, options.seed, options.compare_with)


def _build(options: argparse.Namespace) -> int:
    home, times = Home.from_environment(), StageTimes()
    atlas = _build_with_bar(options, home, times.note, keep=True)
    if notice := stopgap_notice(atlas, home):
        print(f"warning: {notice}", file=sys.stderr)
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


def _built_text(atlas: Atlas, times: StageTimes) -> str:
    problem_set = atlas.problem_set
    counts = ", ".join(f"{len(problem_set.of_split(split)):,} {split}" for split in ("train", "test"))
    lines = [problem_set.notice] if problem_set.notice else []
    lines.append(f"{problem_set.name}: {len(problem_set.problems):,} problems ({counts}), model {atlas.parameters.model}")
    if problem_set.rejected:
        lines.append(f"{len(problem_set.rejected):,} rows rejected:")
        lines += [f"  {rejection}" for rejection in problem_set.rejected[:REJECTED_SHOWN]]
        lines += ["  ..."] if len(problem_set.rejected) > REJECTED_SHOWN else []
    for stage in STAGES:
        seconds = times.seconds.get(stage)
        lines.append(f"  {stage:<12} " + ("from the cache" if seconds is None else f"{seconds:,.1f} s"))
    return "\n".join(lines)


def _report(options: argparse.Namespace) -> int:
    home = Home.from_environment()
    atlas = _build_with_bar(options, home)
    assert atlas.report is not None
    explained = atlas.report.explained
    learned = _pass_rate(atlas, Store.open(home.store_url), options.run) if options.run else None
    if options.json:
        facts = json.loads(report_json(atlas.report))
        for name, finding in explained.items():
            facts[name] |= {"reading": finding.reading, "map": finding.address}
        print(json.dumps(facts | ({"pass_rate": dataclasses.asdict(learned)} if learned else {}), indent=2))
        return 0
    for finding in explained.values():
        print(f"{finding.reading}\n    on the map: {finding.address}")
    if learned is not None:
        print(f"Rank correlation of steps with {learned.reading} in {options.run}.")
    if atlas.report.leakage is not None:
        print("\nNearest test and train problems:")
        for pair in atlas.report.leakage.pairs[:PAIRS_SHOWN]:
            print(f"  {pair.cosine:.3f}  {pair.kind:<10}  {pair.test_id:<10} {pair.train_id}")
    return 0


def _pass_rate(atlas: Atlas, store: Store, run_id: str) -> Correlation:
    """How the steps of a problem go with its pass rate in a run.

    Raises:
        StoreError: there is no such run.
        ConfigError: the run trained on other problems or has no pass rates.
    """
    run = store.job(run_id)
    outcomes = job_outcomes(store, run_id)
    found = None
    if run.spec.get("source") == atlas.problem_set.source and "pass_rate" in outcomes:
        known = outcomes["pass_rate"].dropna()
        found = steps_and_pass_rate(atlas.problem_set.problems, dict(zip(known.index, known, strict=True)))
    if found is None:
        raise ConfigError(
            f"{run_id} has no differing pass rates of {atlas.problem_set.name}.",
            "Name a training run on this source that has trained for some steps.",
        )
    return found


def _export(options: argparse.Namespace) -> int:
    home = Home.from_environment()
    if options.format != PROJECTOR:
        problem_set = load_problems(options.source, home)
        kept = _kept_rows(problem_set, options.subset, home)
        content = FORMATS[options.format]([problem_set.problems[row] for row in kept])
        try:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            replace_file(options.out, lambda stream: stream.write(content))
        except OSError as error:
            raise ExportError(
                f"{options.out} cannot be written ({error.strerror or error}).", "Name a file that you may write to."
            ) from error
        print(options.out)
        return 0
    atlas = _build_with_bar(options, home)
    rows = _kept_rows(atlas.problem_set, options.subset, home) if options.subset else None
    print("\n".join(str(file) for file in export_projector(atlas, options.out, rows, address=options.served_at or "")))
    print(TENSORBOARD_STEPS.format(folder=shlex.quote(str(options.out))))
    print(STANDALONE_STEPS)
    if options.served_at:
        print(f"With the folder at {options.served_at}, readable for other sites (CORS): {standalone_link(options.served_at)}")
    return 0


def _kept_rows(problem_set: ProblemSet, reference: str | None, home: Home) -> Sequence[int]:
    """Rows of a subset's problems; of all when none is named."""
    if reference is None:
        return range(len(problem_set.problems))
    store = Store.open(home.store_url)
    kept = set(subset_ids(store, matching_subset(store, reference, problem_set.whole)))
    return [row for row, problem in enumerate(problem_set.problems) if problem.id in kept]


def _prepare(options: argparse.Namespace) -> int:
    prepare_encoder(options.model, Home.from_environment())
    print(f"{options.model} is ready for search by meaning.")
    return 0


def _ship(options: argparse.Namespace) -> int:
    with _Bar() as bar:
        atlas = ship_demo(bar.show)
    size_mib = sum(file.stat().st_size for file in DEMO_ATLAS.iterdir()) / 2**20
    print(f"{DEMO_ATLAS}: {len(atlas.problem_set.problems):,} problems, {size_mib:.1f} MiB")
    return 0


def _build_with_bar(
    options: argparse.Namespace, home: Home, note: Callable[[Progress], None] = lambda progress: None, *, keep: bool = False
) -> Atlas:
    """The atlas that the options name.

    Args:
        keep: whether it is built to be kept, so that a cache that cannot be written is an error and not just told.
    """
    told: set[str] = set()

    def tell_once(error: HomeError) -> None:
        if str(error) not in told:
            print(f"warning: {error}", file=sys.stderr)
        told.add(str(error))

    def report(progress: Progress) -> None:
        check_ctrl_c()
        note(progress)
        bar.show(progress)

    with _Bar() as bar:
        return build(options.source, _parameters(options), home, report, None if keep else tell_once)


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
