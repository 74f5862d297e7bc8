"""Where problems come from: a file or folder of any known layout or with a mapping, the Hub, the demo.

Rows are parsed here once, at the edge; everything after works on `Problem`. A row that cannot be read is rejected with its
reason, never hidden. How problems are embedded, shown or trained on is for others.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

from training.data import hub
from training.data.bad_row import BadRow
from training.data.files import Chosen, SplitFile, chosen_files
from training.data.hold_out import held_out
from training.data.layouts import says
from training.data.problem import Problem, ProblemSet, Rejection
from training.data.reader import RowReader, layout_of
from training.data.rows import read_rows
from training.data.sources import BUILT_IN, Source, parse_source
from training.errors import SourceError, shown
from training.home import DEMO_DATA, Home


def load_problems(source: str, home: Home | None = None, *, fetch: bool = True) -> ProblemSet:
    """Load a source: "demo", "hub" (GSM8K), "auto", a named one, or a line as `training.data.sources` describes it.

    "auto" takes the folder in `GRPO_ATLAS_DATA` if it is set, else the Hub if it answers within seconds, else the demo,
    and says in `notice` when and why it is the demo.

    Args:
        source: what to load.
        home: where the Hub's data and named sources are kept; read from the environment when left out.
        fetch: whether the Hub may be asked; without it only what was fetched before is read.

    Raises:
        SourceError: the source is unknown, cannot be read, or holds no usable problem.
    """
    if source == "demo":
        return _load_demo()
    home = home or Home.from_environment()
    parsed = parse_source(source, home)
    if parsed.location in BUILT_IN:
        if parsed.options():
            raise SourceError(f"{parsed.location} takes no options.", "Name a folder, a file or hub:owner/name with them.")
        return _load_built_in(parsed.location, home, fetch)
    if parsed.hub_name is not None:
        return _load_hub(_hub_data(parsed), parsed, home, fetch)
    path = parsed.path
    assert path is not None
    if not path.exists():
        raise SourceError(
            f"There is no source {shown(source)}.",
            "Use demo, hub, hub:owner/name, auto, a named source, or the path of a folder or file.",
        )
    name = source if source != str(parsed) and "/" not in source else path.name
    return load_folder(path, name=name, source=str(parsed), spec=parsed)


def _load_built_in(name: str, home: Home, fetch: bool) -> ProblemSet:
    if name == "demo":
        return _load_demo()
    return _load_auto(home, fetch) if name == "auto" else _load_hub(hub.GSM8K, Source("hub"), home, fetch)


def _load_demo() -> ProblemSet:
    return load_folder(DEMO_DATA, name="Demo", source="demo")


def source_place(source: str, home: Home) -> Path | None:
    """The file or folder that a source is read from; `None` for the demo, and for what has not been fetched from the Hub.

    Raises:
        SourceError: as `parse_source`.
    """
    if source == "auto" and home.data is not None:
        return home.data
    if source in ("auto", "hub"):
        return hub.snapshot(hub.GSM8K, home.cache)
    parsed = parse_source(source, home)
    return hub.snapshot(_hub_data(parsed), home.cache) if parsed.hub_name is not None else parsed.path


def needs_fetch(source: str, home: Home) -> bool:
    """Whether a source lies on the Hub and has not been fetched yet."""
    return (source == "hub" or parse_source(source, home).hub_name is not None) and source_place(source, home) is None


def load_folder(path: Path, *, name: str, source: str, spec: Source | None = None, rows: int | None = None) -> ProblemSet:
    """Read a file, or a folder of any form that `chosen_files` knows.

    A file whose name says no split takes each row's `split` column, "train" when it has none.

    Args:
        path: where it lies.
        name: what people call it.
        source: the line that stands for it.
        spec: how it is to be read where that is not as everybody does.
        rows: how many of each file are read, `None` for all.

    Raises:
        SourceError: no such file, one that cannot be read, rows that nothing says how to read, or no usable row.
    """
    spec = spec or Source(source)
    chosen = chosen_files(path, spec.splits)
    layout = layout_of(chosen.files[0].path, spec.columns)
    problem_set = _collect(chosen, RowReader(layout, spec.splits), rows, name=name, source=source)
    if not spec.hold_out.size:
        return problem_set
    return replace(problem_set, problems=_ordered(held_out(problem_set.problems, spec.hold_out)))


def _collect(chosen: Chosen, reader: RowReader, most: int | None, *, name: str, source: str) -> ProblemSet:
    """Parse the rows of the files into a set; ids count rows within each split."""
    problems: list[Problem] = []
    rejected: list[Rejection] = []
    counts: Counter[str] = Counter()
    ids: set[str] = set()
    measured_on = cache(lambda: _measured_on(chosen, reader))  # rows are read once more for it
    for file, line, named, row in _rows(chosen.files, reader, most):
        split = ""
        try:
            said = reader.split(named, row)
            split = "train" if said == "train" else "test"
            if split == "test" and named is None and said != measured_on():
                raise BadRow(f"it is of the split {said}, and {measured_on()} is what is measured on")
            index = counts[split]
            counts[split] += 1
            if isinstance(row, BadRow):
                raise row
            problem_id = reader.id(row, f"{split}-{index}")
            if problem_id in ids:
                raise BadRow("another row has the same id", repr(problem_id))
            problems.append(reader.problem(row, problem_id, "train" if split == "train" else "test"))
            ids.add(problem_id)
        except BadRow as bad:
            rejected.append(Rejection(file, line, bad.reason, split, bad.detail))
    if not problems:
        first = f" The first reason: {rejected[0]}." if rejected else ""
        raise SourceError(
            f"{source} holds no usable problem ({len(rejected):,} rows rejected).{first}",
            "Look at how its rows are read (`python -m analysis problems --source ...`), and map its columns (--columns).",
        )
    return ProblemSet(
        name=name,
        source=source,
        problems=_ordered(problems),
        rejected=tuple(rejected),
        layout=reader.layout.name,
        read_as=says(reader.layout.name, reader.columns),
        columns=reader.columns,
        left_out=chosen.left_out,
    )


def _rows(files: Sequence[SplitFile], reader: RowReader, most: int | None) -> Iterator[tuple[str, int, str | None, object]]:
    """(file, line, the split that its name says, row) of all files."""
    for file in files:
        for line, row in islice(read_rows(file.path, reader.columns.roots()), most):
            yield file.path.name, line, file.split, row


def _measured_on(chosen: Chosen, reader: RowReader) -> str:
    """Which of the test splits that rows name is measured on: the first of `TEST` that there is."""
    if all(file.split is not None for file in chosen.files):
        return ""
    column = reader.columns.split or "split"
    named = {
        reader.splits.split(row.get(column))
        for file in chosen.files
        if file.split is None
        for _, row in read_rows(file.path, (column,))
        if isinstance(row, dict)
    }
    return next((name for name in reader.splits.tests if name in named), "")


def _ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.split != "train"))


def _hub_data(source: Source) -> hub.HubData:
    return hub.HubData(source.hub_name or "", source.config, source.revision)


def _load_hub(data: hub.HubData, spec: Source, home: Home, fetch: bool) -> ProblemSet:
    folder = hub.fetch(data, home.cache) if fetch else hub.snapshot(data, home.cache)
    name = "GSM8K" if data == hub.GSM8K else data.name
    if folder is None:
        raise SourceError(f"{name} has not been fetched from the Hub yet.", "Build its map, which fetches it.")
    return load_folder(folder, name=name, source=str(spec), spec=spec)


def _load_auto(home: Home, fetch: bool) -> ProblemSet:
    if home.data is not None:
        return load_problems(str(home.data), home)
    try:
        return load_problems("hub", home, fetch=fetch)
    except SourceError as error:
        notice = f"This is the generated demo data set. {error}"
        return replace(load_problems("demo", home), notice=notice)
