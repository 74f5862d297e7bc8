"""Everything that is measured of an atlas, put together: made once by the build, kept as JSON, read by page and terminal.

What each finding means is for `analysis.findings`, `analysis.leakage`, `analysis.repeats`, `analysis.verifier` and
`analysis.honesty`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from analysis import findings, honesty, leakage, repeats, verifier
from analysis.cache import Arrays
from analysis.clusters import Clusters
from analysis.finding import Finding
from analysis.neighbors import Neighbors
from training.data.problem import Problem

NEIGHBORS = 15
"""K of every figure here."""


@dataclass(frozen=True)
class Explained:
    """A finding in words."""

    question: str
    answer: str
    numbers: str
    method: str
    address: str
    """Of the page that shows it on the map, relative to the dashboard's."""


@dataclass(frozen=True)
class Report:
    """All findings of one atlas; `None` where the data cannot give one."""

    mixing: findings.Mixing | None
    topics: findings.Topics | None
    difficulty: findings.Difficulty | None
    leakage: leakage.Leakage | None
    duplicates: repeats.Duplicates | None
    verifier: verifier.VerifierReport
    honesty: honesty.Honesty | None

    @property
    def explained(self) -> dict[str, Explained]:
        """Each finding that there is: what it says, and where to see it."""
        island = self.topics.island.number if self.topics else 0
        gravity = list(verifier.REMARK_KINDS)
        gravest = min(self.verifier.remarks, key=lambda remark: gravity.index(remark.kind), default=None)
        repeated = self.duplicates.pairs if self.duplicates else ()
        addresses = {
            "mixing": "/?colour=split",
            "topics": f"/?colour=cluster&cluster={island}",
            "difficulty": "/?colour=steps",
            "leakage": "/?colour=nearest_test",
            "duplicates": f"/?problem={repeated[0].problem_id}" if repeated else "/",
            "verifier": f"/?problem={gravest.problem_id}" if gravest else "/",
            "honesty": "/?colour=kept",
        }
        found: dict[str, Finding | None] = {name: getattr(self, name) for name in addresses}
        return {
            name: Explained(finding.question, finding.answer, finding.numbers, finding.method, addresses[name])
            for name, finding in found.items()
            if finding is not None
        }


_JSON = TypeAdapter(Report)


def make_report(
    problems: Sequence[Problem],
    embeddings: NDArray[np.float32],
    neighbors: Neighbors,
    clusters: Clusters,
    kept: NDArray[np.float32],
    layouts: Sequence[NDArray[np.float32]],
    other: tuple[str, Neighbors] | None,
) -> Report:
    """Measure an atlas; the same each time (seeded).

    Args:
        problems: N problems.
        embeddings: (N, D) float32, rows of unit length.
        neighbors: in the space of the embeddings.
        clusters: of the problems.
        kept: (N,) as `honesty.kept_neighbors` gives for the map.
        layouts: (N, 2) each: the map and, for its stability, maps with other seeds.
        other: another embedding model's name and its neighbours, if there is one to compare with.
    """
    is_test = np.array([problem.split == "test" for problem in problems], bool)
    steps = np.array([len(problem.steps) for problem in problems], np.int64)
    indices = neighbors.first(NEIGHBORS).indices
    found = repeats.find_repeats(problems, neighbors)
    basis = repeats.distinct(problems, found, embeddings, indices)
    rows = basis.rows
    mixing = findings.measure_mixing(is_test[rows], basis.indices, replace(clusters, labels=clusters.labels[rows]))
    difficulty = findings.measure_difficulty(
        steps[rows], basis.indices, findings.step_features([problems[row] for row in rows])
    )
    return Report(
        mixing=mixing and replace(mixing, left_out=basis.left_out),
        topics=findings.describe_topics(clusters, indices, is_test, steps, [problem.id for problem in problems]),
        difficulty=difficulty and replace(difficulty, left_out=basis.left_out),
        leakage=leakage.find_leakage(problems, embeddings),
        duplicates=repeats.describe_repeats(problems, found, basis.left_out),
        verifier=verifier.check_problems(problems),
        honesty=honesty.measure_honesty(
            kept, indices, layouts, (other[0], other[1].first(NEIGHBORS).indices) if other else None
        ),
    )


def report_json(report: Report) -> bytes:
    """The report as JSON; NaN, which JSON lacks, as null."""
    return _JSON.dump_json(report)


def pack_report(report: Report) -> Arrays:
    """As an array of bytes, for the cache."""
    return {"json": np.frombuffer(report_json(report), np.uint8)}


def unpack_report(stored: Arrays) -> Report:
    """What `pack_report` packed."""
    return _JSON.validate_json(stored["json"].tobytes())
