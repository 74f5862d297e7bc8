"""The terminal's way to atlases: build one, report what it says, export it, and remake the demo's map that ships."""

import dataclasses
import json
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from analysis.against import Against, against_json
from analysis.atlas import (
    STAGES,
    Atlas,
    AtlasParameters,
    Progress,
    Stage,
    build_atlas,
    stage_keys,
    stopgap_notice,
)
from analysis.build_command import (
    DEFAULTS,
    Bar,
    CompareWith,
    MinDist,
    Model,
    Neighbors,
    Seed,
    build_with_bar,
    with_bar,
)
from analysis.cache import Cache
from analysis.export import FORMATS
from analysis.findings import Correlation, steps_and_pass_rate
from analysis.frame import cluster_titles
from analysis.jobs import look_for
from analysis.leakage import COPIES, Leakage
from analysis.map_table import TABLE_FORMATS, map_table
from analysis.outcomes import job_outcomes
from analysis.pools_command import tell_pools
from analysis.projector import STANDALONE_STEPS, TENSORBOARD_STEPS, ExportError, export_projector, standalone_link
from analysis.repeats import REPEAT_KINDS
from analysis.report import report_json
from analysis.search import prepare_encoder
from analysis.sources_command import manage_sources, show_problems
from analysis.subset_command import save_without_copies, save_without_repeats
from training.command_line.parameters import AsJson
from training.command_line.sources import MappedColumns, SourceLine, mapped, warn_of_left_out
from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.errors import ConfigError, HomeError
from training.files import replace_file
from training.home import DEMO_ATLAS, Home
from training.insight.agreement import Agreement, agreement_of
from training.store import Store
from training.store.curation import matching_subset, named_clusters, subset_ids
from training.terminal import new_program, run_program

PAIRS_SHOWN = 20
PROJECTOR = "projector"
"""The export that is a folder of files."""


_MAP_TABLES = {f"map-{ending}": write for ending, write in TABLE_FORMATS.items()}
_FORMS = (PROJECTOR, *FORMATS, *_MAP_TABLES)


def _known_format(text: str) -> str:
    if text not in _FORMS:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(_FORMS)}")
    return text


def _web_address(text: str | None) -> str | None:
    try:
        parts = urlsplit(text or "http://not.given")
    except ValueError:  # such as http://[
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise typer.BadParameter(f"{text!r} is not the address of a folder, such as https://example.org/map")
    return text


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
    return run_program(new_program(COMMANDS, "Atlases of problem sets."), "python -m analysis", arguments)


def build_map(
    source: SourceLine = "auto",
    columns: MappedColumns = None,
    model: Model = DEFAULTS.model,
    neighbors: Neighbors = DEFAULTS.neighbors,
    min_dist: MinDist = DEFAULTS.min_dist,
    seed: Seed = DEFAULTS.seed,
    compare_with: CompareWith = DEFAULTS.compare_with,
    as_json: AsJson = False,
) -> int:
    """Compute the atlas, as far as the cache lacks it."""
    home, times = Home.from_environment(), StageTimes()
    parameters = AtlasParameters(model, neighbors, min_dist, seed, compare_with)
    atlas = build_with_bar(mapped(source, columns, home), parameters, home, times.note, keep=True)
    if notice := stopgap_notice(atlas.problem_set, parameters, Cache.from_home(home)):
        print(f"warning: {notice}", file=sys.stderr)
    print(json.dumps(_built_facts(atlas, times, home), indent=2) if as_json else _built_text(atlas, times))
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
    for stage in STAGES:
        seconds = times.seconds.get(stage)
        lines.append(f"  {stage:<12} " + ("from the cache" if seconds is None else f"{seconds:,.1f} s"))
    return "\n".join(lines)


def report_findings(
    source: SourceLine = "auto",
    columns: MappedColumns = None,
    model: Model = DEFAULTS.model,
    neighbors: Neighbors = DEFAULTS.neighbors,
    min_dist: MinDist = DEFAULTS.min_dist,
    seed: Seed = DEFAULTS.seed,
    compare_with: CompareWith = DEFAULTS.compare_with,
    as_json: AsJson = False,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="also say how the steps go with the pass rate in this run, and where its answers contradict gold",
        ),
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="S", help="also look for the problems of another source, such as a public test set")
    ] = None,
) -> int:
    """Say what the atlas tells about splits, topics, difficulty, leakage."""
    home = Home.from_environment()
    line = mapped(source, columns, home)
    atlas = build_with_bar(line, AtlasParameters(model, neighbors, min_dist, seed, compare_with), home)
    assert atlas.report is not None
    other = with_bar(lambda tell, unkept: look_for(against, atlas, home, tell, unkept)) if against else None
    explained = atlas.report.explained
    learned, agreement = _of_run(atlas, Store.open(home.store_url), run) if run else (None, None)
    if as_json:
        facts = json.loads(report_json(atlas.report))
        for name, finding in explained.items():
            said = dataclasses.asdict(finding)
            facts[name] |= said | {"map": said.pop("address")}
        if learned is not None:
            facts["pass_rate"] = dataclasses.asdict(learned)
        if agreement is not None:
            facts["agreement"] = dataclasses.asdict(agreement) | {"reading": agreement.reading}
        if other is not None:
            facts["against"] = json.loads(against_json(other)) | {"reading": other.reading}
        print(json.dumps(facts, indent=2))
        return 0
    for finding in explained.values():
        print(f"{finding.question} {finding.answer} {finding.numbers}")
        print(f"    how: {finding.method}\n    on the map: {finding.address}")
    if learned is not None:
        print(f"Rank correlation of steps with {learned.reading} in {run}.")
    if agreement is not None:
        _print_agreement(agreement, atlas.problem_set)
    if other is not None:
        _print_against(other)
    if atlas.report.duplicates is not None and atlas.report.duplicates.pairs:
        print("\nProblems that repeat an earlier one of their split:")
        for repeat in atlas.report.duplicates.pairs[:PAIRS_SHOWN]:
            print(f"  {REPEAT_KINDS[repeat.kind]:<32} {repeat.problem_id:<10} {repeat.original_id}")
    if atlas.report.leakage is not None:
        _print_pairs(atlas.report.leakage)
    return 0


def _print_pairs(leakage: Leakage) -> None:
    nearest = [pair for pair in leakage.pairs if pair.kind not in COPIES]
    for title, pairs in (("Near copies", leakage.copies), ("Nearest that share a topic only", nearest)):
        if pairs:
            print(f"\n{title}, test and train problem:")
        for pair in pairs[:PAIRS_SHOWN]:
            print(f"  {pair.cosine:.3f}  {pair.kind:<10}  {pair.test_id:<10} {pair.train_id}")


def _print_against(other: Against) -> None:
    print(other.reading)
    for match in other.matches[:PAIRS_SHOWN]:
        print(f"  {REPEAT_KINDS[match.kind]:<32} {match.other_id:<10} {match.problem_id}")
    shown = {(match.other_id, match.problem_id) for match in other.matches}
    for pair in [pair for pair in other.near.pairs if (pair.test_id, pair.train_id) not in shown][:PAIRS_SHOWN]:
        print(f"  {pair.cosine:.3f}  {pair.kind:<24} {pair.test_id:<10} {pair.train_id}")


def _print_agreement(agreement: Agreement, problem_set: ProblemSet) -> None:
    print(agreement.reading)
    golds = {problem.id: problem.gold for problem in problem_set.problems}
    for agreed in agreement.against_gold[:PAIRS_SHOWN]:
        counted = f"{agreed.agreeing:,} of {agreed.completions:,}"
        print(f"  {agreed.problem_id:<10} gold {golds.get(agreed.problem_id, '?'):<10} {counted} say {agreed.answer}")


def _of_run(atlas: Atlas, store: Store, run_id: str) -> tuple[Correlation, Agreement]:
    return _pass_rate(atlas, store, run_id), agreement_of(store, run_id)


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


def export_problems(
    out: Annotated[Path, typer.Option(metavar="PATH", help="the folder (projector) or file (others) to write")],
    source: SourceLine = "auto",
    columns: MappedColumns = None,
    model: Model = DEFAULTS.model,
    neighbors: Neighbors = DEFAULTS.neighbors,
    min_dist: MinDist = DEFAULTS.min_dist,
    seed: Seed = DEFAULTS.seed,
    compare_with: CompareWith = DEFAULTS.compare_with,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="|".join(_FORMS),
            callback=_known_format,
            help="what to write: for the Embedding Projector, problems to read in again, or a table with the map's columns too",
        ),
    ] = PROJECTOR,
    subset: Annotated[
        str | None, typer.Option(metavar="S", help="only a saved subset's problems: a name, or name@version")
    ] = None,
    served_at: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            callback=_web_address,
            help="where the folder will be served, for a link that opens it at projector.tensorflow.org",
        ),
    ] = None,
) -> int:
    """Write problems as files, or the map for the Embedding Projector."""
    home = Home.from_environment()
    line = mapped(source, columns, home)
    if form in FORMATS:
        problem_set = load_problems(line, home)
        warn_of_left_out(problem_set)
        _write(out, FORMATS[form]([problem_set.problems[row] for row in _kept_rows(problem_set, subset, home)]))
        return 0
    atlas = build_with_bar(line, AtlasParameters(model, neighbors, min_dist, seed, compare_with), home)
    rows = _kept_rows(atlas.problem_set, subset, home) if subset else None
    if form in _MAP_TABLES:
        _write(out, _MAP_TABLES[form](map_table(atlas, _titles(atlas, home), rows)))
        return 0
    print("\n".join(str(file) for file in export_projector(atlas, out, rows, address=served_at or "")))
    print(TENSORBOARD_STEPS.format(folder=shlex.quote(str(out))))
    print(STANDALONE_STEPS)
    if served_at:
        print(f"With the folder at {served_at}, readable for other sites (CORS): {standalone_link(served_at)}")
    return 0


def _titles(atlas: Atlas, home: Home) -> Mapping[int, str]:
    """The clusters' titles, names given by hand included."""
    if atlas.clusters is None:
        return {}
    named = named_clusters(Store.open(home.store_url), atlas.problem_set.content_hash)
    return cluster_titles(atlas.clusters, [problem.id for problem in atlas.problem_set.problems], named)


def _write(out: Path, content: bytes) -> None:
    """Write a file and say so.

    Raises:
        ExportError: it cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, lambda stream: stream.write(content))
    except OSError as error:
        raise ExportError(
            f"{out} cannot be written ({error.strerror or error}).", "Name a file that you may write to."
        ) from error
    print(out)


def _kept_rows(problem_set: ProblemSet, reference: str | None, home: Home) -> Sequence[int]:
    """Rows of a subset's problems; of all when none is named."""
    if reference is None:
        return range(len(problem_set.problems))
    store = Store.open(home.store_url)
    kept = set(subset_ids(store, matching_subset(store, reference, problem_set.whole)))
    return [row for row, problem in enumerate(problem_set.problems) if problem.id in kept]


def prepare_model(model: Model = DEFAULTS.model) -> int:
    """Make a model ready for search by meaning."""
    prepare_encoder(model, Home.from_environment())
    print(f"{model} is ready for search by meaning.")
    return 0


def ship_map() -> int:
    """Remake the demo's ready-made map in assets/demo-atlas (for developers)."""
    with Bar() as bar:
        atlas = ship_demo(bar.show)
    size_mib = sum(file.stat().st_size for file in DEMO_ATLAS.iterdir()) / 2**20
    print(f"{DEMO_ATLAS}: {len(atlas.problem_set.problems):,} problems, {size_mib:.1f} MiB")
    return 0


COMMANDS: Mapping[str, Callable[..., int]] = {
    "problems": show_problems,
    "sources": manage_sources,
    "build": build_map,
    "report": report_findings,
    "export": export_problems,
    "subset": save_without_repeats,
    "clean": save_without_copies,
    "pools": tell_pools,
    "prepare": prepare_model,
    "ship": ship_map,
}


if __name__ == "__main__":
    sys.exit(main())
