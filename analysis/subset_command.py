"""`python -m analysis subset`: problems saved under a name, without those that repeat an earlier one."""

from typing import Annotated

import typer

from analysis.repeats import EXACT_KINDS, REPEAT_KINDS, find_repeats, without_repeats
from training.command_line.sources import MappedColumns, SourceLine, mapped, warn_of_left_out
from training.data.problem import SPLITS
from training.data.problems import load_problems
from training.home import Home
from training.store import Store
from training.store.curation import SubsetError, save_subset

Kinds = Annotated[
    str,
    typer.Option(
        "--drop-duplicates",
        metavar="|".join(EXACT_KINDS),
        help="which repeats go: question for those word for word, template also for those with other numbers",
    ),
]


def save_without_repeats(
    name: Annotated[str, typer.Argument(help="what the subset is called")],
    source: SourceLine = "auto",
    columns: MappedColumns = None,
    drop: Kinds = EXACT_KINDS[0],
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
    subset = save_subset(Store.open(home.store_url), name, problem_set, [problem.id for problem in kept], how)
    sizes = ", ".join(f"{sum(problem.split == split for problem in kept):,} {split}" for split in SPLITS)
    print(f"{subset.reference}: {sizes}, {how}")
    return 0
