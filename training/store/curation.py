"""What people decide about a data set, kept in the store: named subsets, names of clusters, verdicts on leakage pairs.

Everything refers to the data set's content hash, so that it is never applied to other data. A subset never changes: saving
under its name again makes the next version.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from training.data.problem import ProblemSet
from training.errors import AtlasError, shown
from training.store import Store
from training.store.schema import cluster_names, pair_verdicts, subsets

_NAME = re.compile(r"[^@\s/\\.-](?:[^@/\\]{0,58}[^@\s/\\])?")
"""In a command line and in a file's name a subset is called so too, so it begins neither as an option nor as a hidden file."""

Pair = tuple[str, str]
"""(test id, train id)."""


class SubsetError(AtlasError):
    """A subset is not there, cannot be named so, or belongs to other data."""


@dataclass(frozen=True)
class Subset:
    """A saved selection of problems; its ids are read by `subset_ids`."""

    name: str
    version: int
    source: str
    content_hash: str
    """Of the data set that it was taken from."""
    size: int
    how: str
    """How it was made, in words."""
    created_at: float

    @property
    def reference(self) -> str:
        """`name@version`, by which configurations and addresses name it."""
        return f"{self.name}@{self.version}"


_FIELDS = tuple(Subset.__dataclass_fields__)


def save_subset(store: Store, name: str, problem_set: ProblemSet, problem_ids: Sequence[str], how: str) -> Subset:
    """Save problems under a name, as its next version.

    Raises:
        SubsetError: the name is none for a subset, no problem is given, or one is not in the problem set.
    """
    name = name.strip()
    if not (_NAME.fullmatch(name) and name.isprintable()):
        raise SubsetError(
            f"A subset cannot be named {shown(name)}.",
            "Use 1 to 60 characters on one line, without @, / and \\, beginning with neither a dot nor a dash.",
        )
    chosen = set(problem_ids)
    ordered = [problem.id for problem in problem_set.problems if problem.id in chosen]
    if not ordered:
        raise SubsetError("There is no problem to save.", "Select some on the map, or loosen the filters.")
    if len(ordered) < len(chosen):
        strange = next(iter(chosen.difference(ordered)))
        raise SubsetError(f"There is no problem {strange!r} in {problem_set.name}.", "Select again on the present map.")
    with store.writing(turn=f"subset {name}") as connection:
        newest = connection.scalar(sa.select(sa.func.max(subsets.c.version)).where(subsets.c.name == name))
        subset = Subset(
            name=name,
            version=(newest or 0) + 1,
            source=problem_set.source,
            content_hash=problem_set.content_hash,
            size=len(ordered),
            how=how,
            created_at=store.now(),
        )
        connection.execute(subsets.insert().values(**vars(subset), problem_ids=ordered))
    return subset


def list_subsets(store: Store, content_hash: str | None = None) -> list[Subset]:
    """The saved subsets, newest first; of one data set when its hash is given."""
    query = sa.select(*(subsets.c[field] for field in _FIELDS)).order_by(subsets.c.seq.desc())
    if content_hash is not None:
        query = query.where(subsets.c.content_hash == content_hash)
    with store.reading() as connection:
        return [Subset(**row) for row in connection.execute(query).mappings()]


def find_subset(store: Store, reference: str) -> Subset:
    """The subset called `name@version`, or the newest version of a bare name.

    Raises:
        SubsetError: there is none.
    """
    name, _, version = reference.partition("@")
    for subset in list_subsets(store):
        if subset.name == name and version in ("", str(subset.version)):
            return subset
    raise SubsetError(
        f"There is no subset {shown(reference)}.", "Save one on the Explore page; its selection has a Save button."
    )


def subset_ids(store: Store, subset: Subset) -> tuple[str, ...]:
    """Ids of the subset's problems, in the data set's order."""
    query = sa.select(subsets.c.problem_ids).where(subsets.c.name == subset.name, subsets.c.version == subset.version)
    with store.reading() as connection:
        return tuple(connection.execute(query).scalar_one())


def matching_subset(store: Store, reference: str, problem_set: ProblemSet) -> Subset:
    """`find_subset` for use with this problem set.

    Raises:
        SubsetError: there is no such subset, or it was taken from other data.
    """
    subset = find_subset(store, reference)
    if subset.content_hash != problem_set.content_hash:
        raise SubsetError(
            f"The subset {subset.reference} was taken from other data than {problem_set.name} holds now.",
            f"Choose the source it was made from ({subset.source}), or save the subset anew.",
        )
    return subset


def restrict(problem_set: ProblemSet, store: Store, reference: str) -> ProblemSet:
    """The problem set with its train split narrowed to a subset; the test split stays whole.

    Raises:
        SubsetError: as `matching_subset`, or the subset holds no train problem.
    """
    subset = matching_subset(store, reference, problem_set)
    chosen = set(subset_ids(store, subset))
    kept = tuple(problem for problem in problem_set.problems if problem.split == "test" or problem.id in chosen)
    if all(problem.split == "test" for problem in kept):
        raise SubsetError(f"The subset {subset.reference} holds no train problem.", "Choose a subset with train problems.")
    return replace(problem_set, name=f"{problem_set.name}, {subset.reference}", problems=kept)


def name_cluster(store: Store, content_hash: str, problem_id: str, name: str) -> None:
    """Give a name to the cluster around its typical problem; an empty name takes it away.

    The name belongs to the problem, so it stays with the cluster when the map is built anew with other parameters.
    """
    table = cluster_names
    row = {"content_hash": content_hash, "problem_id": problem_id}
    with store.writing(turn=f"clusters {content_hash}") as connection:
        connection.execute(table.delete().where(table.c.content_hash == content_hash, table.c.problem_id == problem_id))
        if name.strip():
            connection.execute(table.insert().values(row | {"name": name.strip(), "named_at": store.now()}))


def named_clusters(store: Store, content_hash: str) -> Mapping[str, str]:
    """Typical problem's id -> the name given to its cluster, the oldest name first."""
    query = sa.select(cluster_names).where(cluster_names.c.content_hash == content_hash).order_by(cluster_names.c.named_at)
    with store.reading() as connection:
        return {row.problem_id: row.name for row in connection.execute(query)}


def judge_pairs(store: Store, content_hash: str, verdicts: Mapping[Pair, bool | None]) -> None:
    """Record for leakage pairs whether to drop (`True`) or keep them; `None` takes the verdict back."""
    table = pair_verdicts
    with store.writing(turn=f"pairs {content_hash}") as connection:
        for (test_id, train_id), drop in verdicts.items():
            key = {"content_hash": content_hash, "test_id": test_id, "train_id": train_id}
            connection.execute(table.delete().where(*(table.c[name] == value for name, value in key.items())))
            if drop is not None:
                connection.execute(table.insert().values(key | {"drop": drop}))


def judged_pairs(store: Store, content_hash: str) -> Mapping[Pair, bool]:
    """The verdicts on a data set's pairs: whether to drop them."""
    query = sa.select(pair_verdicts).where(pair_verdicts.c.content_hash == content_hash)
    with store.reading() as connection:
        return {(row.test_id, row.train_id): row.drop for row in connection.execute(query)}
