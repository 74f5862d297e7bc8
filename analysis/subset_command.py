"""Problems saved under a name, on the command line: without those that repeat an earlier one, or near copies of test."""

from collections.abc import Sequence
from typing import Annotated

import typer

from analysis.atlas import AtlasParameters
from analysis.build_command import DEFAULTS, Model, build_with_bar
from analysis.leakage import COPIES, PAIR_KINDS, choose_pairs, cleaning_words, copies_sentence, without_leaks
from analysis.repeats import EXACT_KINDS, REPEAT_KINDS, find_repeats, without_repeats
from training.command_line.sources import MappedColumns, SourceLine, mapped, warn_of_left_out
from training.data.problem import SPLITS, Problem, ProblemSet, Split
from training.data.problems import load_problems
from training.home import Home
from training.store import Store
from training.store.curation import SubsetError, judged_pairs, save_subset

_COPIES = ",".join(COPIES)

Name = Annotated[str, typer.Argument(help="what the subset is called")]
Repeats = Annotated[
    str,
    typer.Option(
        "--drop-duplicates",
        metavar="|".join(EXACT_KINDS),
        help="which repeats go: question for those word for word, template also for those with other numbers",
    ),
]
Kinds = Annotated[
    str,
    typer.Option(metavar=",".join(PAIR_KINDS), help="which pairs of a test and a train problem lose one, joined with commas"),
]
LeastCosine = Annotated[float, typer.Option(min=0, max=1, metavar="C", help="only pairs that are at least so near")]
Side = Annotated[str, typer.Option(metavar="|".join(SPLITS), help="which problem of a pair goes")]


def save_without_repeats(
    name: Name, source: SourceLine = "auto", columns: MappedColumns = None, drop: Repeats = EXACT_KINDS[0]
) -> int:
    """Save a source's problems as a subset without those that repeat an earlier one of their split."""
    if drop not in EXACT_KINDS:
        raise typer.BadParameter(f"{drop!r} is none of {', '.join(EXACT_KINDS)}", param_hint="--drop-duplicates")
    home = Home.from_environment()
    problem_set = load_problems(mapped(source, columns, home), home)
    warn_of_left_out(problem_set)
    kinds = EXACT_KINDS[: EXACT_KINDS.index(drop) + 1]
    kept = without_repeats(problem_set.problems, find_repeats(problem_set.problems), kinds)
    lost = len(problem_set.problems) - len(kept)
    if not lost:
        raise SubsetError(f"No problem of {problem_set.name} repeats another.", "All of them can be trained on as they are.")
    how = f"without {lost:,} problems that repeat another {' or '.join(REPEAT_KINDS[kind] for kind in kinds)}"
    _save(Store.open(home.store_url), name, problem_set, kept, how)
    return 0


def save_without_copies(
    name: Name,
    source: SourceLine = "auto",
    columns: MappedColumns = None,
    model: Model = DEFAULTS.model,
    kinds: Kinds = _COPIES,
    least_cosine: LeastCosine = 0.0,
    drop_from: Side = "train",
) -> int:
    """Save a source's problems as a subset without near copies between train and test, as the page Insights finds them."""
    chosen = tuple(kind.strip() for kind in kinds.split(","))
    if unknown := [kind for kind in chosen if kind not in PAIR_KINDS]:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(PAIR_KINDS)}", param_hint="--kinds")
    side: Split | None = next((split for split in SPLITS if split == drop_from), None)
    if side is None:
        raise typer.BadParameter(f"{drop_from!r} is none of {', '.join(SPLITS)}", param_hint="--drop-from")
    home = Home.from_environment()
    atlas = build_with_bar(mapped(source, columns, home), AtlasParameters(model), home)
    problem_set = atlas.problem_set.whole
    leakage = atlas.report.leakage if atlas.report else None
    pairs = choose_pairs(leakage.pairs, chosen, least_cosine) if leakage else ()
    store = Store.open(home.store_url)
    verdicts = judged_pairs(store, atlas.problem_set.content_hash)
    dropped = [(pair.test_id, pair.train_id) for pair in pairs if verdicts.get((pair.test_id, pair.train_id), True)]
    kept = without_leaks(problem_set.problems, dropped, side)
    lost = len(problem_set.problems) - len(kept)
    if leakage is None or not lost:
        raise SubsetError(
            f"No test problem of {problem_set.name} has such a copy among train.", "All of them can be trained on as they are."
        )
    print(copies_sentence(leakage.tests, pairs, chosen))
    limit = f"a cosine of at least {least_cosine:.2f}" if least_cosine else ""
    _save(store, name, problem_set, kept, cleaning_words(lost, side, chosen, limit))
    return 0


def _save(store: Store, name: str, problem_set: ProblemSet, kept: Sequence[Problem], how: str) -> None:
    subset = save_subset(store, name, problem_set, [problem.id for problem in kept], how)
    sizes = ", ".join(f"{sum(problem.split == split for problem in kept):,} {split}" for split in SPLITS)
    print(f"{subset.reference}: {sizes}, {how}")
