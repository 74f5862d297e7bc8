"""Tables and figures of evaluations: evaluations go in, frames and plotly figures come out. Nothing here knows Streamlit."""

import html
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from dashboard import figures, theme
from training.data.problem import Problem
from training.evaluation.comparison import Difference, pass_rates
from training.evaluation.evaluate import ARTICLE_FIGURES, ARTICLE_TABLE, Score, shown_rows
from training.groups import Verifier, change_of
from training.rewards import REWARDS
from training.store.evaluations import Evaluation
from training.text import count, shorten, span, with_interval

EVALUATION_COLOURS = (theme.QUIET, theme.TOPICS[0], theme.TOPICS[1], theme.TOPICS[3], theme.TOPICS[2], *theme.TOPICS[4:])
"""The first evaluation is what the others are compared with: grey."""

CHANGES: dict[str, str] = {
    "gained": "Gained",
    "lost": "Lost",
    "right": "Right in both",
    "wrong": "Wrong in both",
    "mixed": "As often right",
}
"""Titles of what became of a problem between two evaluations."""

CLUSTERS_SHOWN = 12
SMALLEST_CLUSTER = 3
"""Problems below which a cluster's share says nothing; it still stands in the table."""

_RING, _DOT = {"symbol": "circle-open", "size": 13, "line": {"width": 2}}, {"symbol": "circle", "size": 7}
_SHAPES = (_RING, _DOT)
"""A ring and a dot within: equal values are both seen."""
_SPREAD = 0.2
"""How far evaluations stand apart around one measure or group, of the distance between two."""

GroupScores = Mapping[int | None, tuple[int, Mapping[str, Score]]]
"""As `training.evaluation.comparison.scores_by_group` gives them."""


Differences = Mapping[str, Mapping[str, Difference]]
"""What was subtracted -> the article's measures, as `training.evaluation.comparison.paired_differences` gives them."""


def measure_frame(
    tables: Mapping[str, Mapping[str, Score]], differences: Differences | None = None, *, article: bool
) -> pd.DataFrame:
    """One row a measure, the article's first: its maximum, then value and 95% interval of each evaluation in one cell.

    Args:
        tables: evaluation's title -> its table.
        differences: between two of them.
        article: whether the article's own figures stand beside.
    """
    rows = []
    for key, (title, reward) in shown_rows(tables.values()).items():
        row: dict[str, object] = {"measure": title, "maximum": f"{REWARDS[reward].maximum:.1f}"}
        row |= {name: _shown(table.get(key)) for name, table in tables.items()}
        row |= {name: _shown(found.get(key), "+.3f") for name, found in (differences or {}).items()}
        if article:
            before, after = ARTICLE_FIGURES.get(key, (None, None))
            row |= {"article before": _figure(before), "article after": _figure(after)}
        rows.append(row)
    return pd.DataFrame(rows)


def measure_rows(tables: Mapping[str, Mapping[str, Score]], differences: Differences | None = None) -> pd.DataFrame:
    """The same as numbers, for a file: one row an evaluation, or a difference of two, and measure."""
    named: dict[str, Mapping[str, Score] | Mapping[str, Difference]] = {**tables, **(differences or {})}
    rows = [
        {"evaluation": name, "measure": score.title, "value": score.value, "low": score.low, "high": score.high}
        | {"maximum": score.maximum}
        for name, table in named.items()
        for score in table.values()
    ]
    return pd.DataFrame(rows, columns=["evaluation", "measure", "value", "low", "high", "maximum"])


def measures_figure(tables: Mapping[str, Mapping[str, Score]]) -> go.Figure:
    """Each measure as a share of its maximum, a point and a 95% interval an evaluation."""
    figure = go.Figure()
    measures = shown_rows(tables.values())
    keys = list(measures)
    for place, (name, table) in enumerate(tables.items()):
        rows = [(len(keys) - 1 - keys.index(key), score) for key, score in table.items()]
        heights = [row - _offset(place, len(tables)) for row, _ in rows]
        figure.add_trace(
            _points(name, place, [_share(score) for _, score in rows], heights, [score.title for _, score in rows], axis="x")
        )
    figures.quiet(figure)
    figure.update_layout(margin={"l": 10, "r": 12, "t": 30, "b": 36})
    figure.update_xaxes(title={"text": "share of the maximum"}, tickformat=".0%", range=[-0.02, 1.02], showgrid=True)
    figure.update_xaxes(gridcolor="rgba(138,148,158,0.25)")
    titles = [measures[key][0] for key in reversed(keys)]
    figure.update_yaxes(tickvals=list(range(len(keys))), ticktext=titles, range=[-0.6, len(keys) - 0.4], showgrid=False)
    return figure


def groups_figure(scores: Mapping[str, GroupScores], names: Mapping[int | None, str], measure: str, unit: str) -> go.Figure:
    """Correctness by the groups of the problems, in the order of `names`, a point and a 95% interval an evaluation.

    Args:
        scores: evaluation's title -> its scores by group.
        measure: "hard" or "soft".
    """
    figure = go.Figure()
    for place, (title, by_group) in enumerate(scores.items()):
        rows = [
            (x + _offset(place, len(scores)), by_group[group][1][measure], f"{name}, {by_group[group][0]:,} problems")
            for x, (group, name) in enumerate(names.items())
            if group in by_group and measure in by_group[group][1]
        ]
        places, shares = [x for x, _, _ in rows], [_share(score) for _, score, _ in rows]
        figure.add_trace(_points(title, place, shares, places, [text for _, _, text in rows], axis="y"))
    figures.quiet(figure)
    counts = [_problems(scores, group) for group in names]
    escaped = [html.escape(name, quote=False) for name in names.values()]
    labels = [f"{name}<br>n = {number:,}" for name, number in zip(escaped, counts, strict=True)]
    figure.update_xaxes(title={"text": unit}, tickvals=list(range(len(names))), ticktext=labels, range=[-0.6, len(names) - 0.4])
    figure.update_yaxes(title={"text": ARTICLE_TABLE[measure][0].lower()}, tickformat=".0%", range=[-0.03, 1.03], showgrid=True)
    return figure


def clusters_figure(frame: pd.DataFrame, titles: Sequence[str]) -> go.Figure:
    """The largest clusters, most gained at the top: a line from one evaluation's share to the other's.

    Args:
        frame: `clusters_frame` of the two.
        titles: of the two, or of one evaluation compared with itself, which then has only its points.
    """
    shown = large_clusters(frame).head(CLUSTERS_SHOWN).sort_values(["change", "before"], ignore_index=True)
    sizes = zip(shown["cluster"], shown["problems"], strict=True)
    names = [f"{html.escape(shorten(str(name), 30), quote=False)} ({problems:,})" for name, problems in sizes]
    figure = go.Figure()
    for place, ends in enumerate(zip(shown["before"], shown["after"], strict=True)):
        line = {"color": theme.QUIET, "width": 2}
        figure.add_trace(go.Scatter(x=ends, y=[place, place], mode="lines", line=line, hoverinfo="skip", showlegend=False))
    for number, (title, column) in enumerate(zip(titles, ("before", "after"), strict=False)):
        figure.add_trace(
            go.Scatter(
                name=html.escape(title, quote=False),
                x=shown[column].tolist(),
                y=list(range(len(shown))),
                mode="markers",
                marker={"color": EVALUATION_COLOURS[number], **(_SHAPES[number] if len(titles) > 1 else _DOT)},
                customdata=[list(row) for row in zip(shown["problems"], shown[f"{column} interval"], strict=True)],
                hovertemplate="%{x:.0%} (%{customdata[1]}) of %{customdata[0]:,} problems<extra></extra>",
            )
        )
    figures.quiet(figure)
    figure.update_xaxes(title={"text": "hard correctness"}, tickformat=".0%", range=[-0.03, 1.03], showgrid=True)
    figure.update_xaxes(gridcolor="rgba(138,148,158,0.25)")
    figure.update_yaxes(
        tickvals=list(range(len(shown))), ticktext=names, range=[-0.6, max(len(shown), 1) - 0.4], showgrid=False
    )
    return figure


def clusters_frame(base: GroupScores, against: GroupScores, titles: Mapping[int, str]) -> pd.DataFrame:
    """One row a cluster that both evaluated, the largest first: its problems, hard correctness in both with its interval, and
    the change."""
    rows = []
    for group, (problems, scores) in base.items():
        other = against.get(group)
        if group is None or "hard" not in scores or other is None or "hard" not in other[1]:
            continue
        before, after = scores["hard"], other[1]["hard"]
        intervals = (span(score.low, score.high, ".0%") for score in (before, after))
        change = after.value - before.value
        rows.append((titles.get(group, f"cluster {group}"), problems, before.value, after.value, change, *intervals))
    columns = ["cluster", "problems", "before", "after", "change", "before interval", "after interval"]
    return pd.DataFrame(rows, columns=columns).sort_values("problems", ascending=False, kind="stable", ignore_index=True)


def large_clusters(frame: pd.DataFrame) -> pd.DataFrame:
    """Those of `clusters_frame` with enough problems to be drawn, the largest first."""
    return frame[frame["problems"] >= SMALLEST_CLUSTER]


def clusters_caption(frame: pd.DataFrame) -> str:
    """Which clusters `clusters_figure` shows."""
    large = len(large_clusters(frame))
    shown = f"The {CLUSTERS_SHOWN} largest of {large:,} clusters" if large > CLUSTERS_SHOWN else count(large, "cluster")
    return f"{shown} with at least {SMALLEST_CLUSTER} of the problems (their number in brackets); shares of so few are rough."


def changes_frame(base: Evaluation, against: Evaluation, verifier: Verifier, problems: Mapping[str, Problem]) -> pd.DataFrame:
    """One row a problem that was judged in both evaluations, in the order of `base`.

    Returns:
        `change` (a key of `CHANGES`), `problem`, `steps`, `gold`, the first answer in each and the share right, `question`.
    """
    now, (answers_before, answers_after) = pass_rates(against, verifier), (_first_answers(base), _first_answers(against))
    rows = []
    for problem_id, before in pass_rates(base, verifier).items():
        after, problem = now.get(problem_id), problems.get(problem_id)
        if before is None or after is None:
            continue
        rows.append(
            {
                "change": change_of(before, after),
                "problem": problem_id,
                "steps": len(problem.steps) if problem else None,
                "gold": problem.gold if problem else "",
                "answer before": answers_before[problem_id],
                "answer after": answers_after[problem_id],
                "right before": before,
                "right after": after,
                "question": problem.question if problem else "",
            }
        )
    columns = ["change", "problem", "steps", "gold", "answer before", "answer after", "right before", "right after", "question"]
    return pd.DataFrame(rows, columns=columns)


def _first_answers(evaluation: Evaluation) -> dict[str, str]:
    """Problem id -> the answer of its first completion."""
    return {item.problem_id: shorten(evaluation.form.answer(item.completion), 60) for item in reversed(evaluation.items)}


def _points(
    title: str,
    number: int,
    shares: Sequence[tuple[float, float, float]],
    places: Sequence[float],
    texts: Sequence[str],
    axis: str,
) -> go.Scatter:
    """Points with intervals along `axis`, at `places` on the other one."""
    values = [value for value, _, _ in shares]
    along, across = ("x", "y") if axis == "x" else ("y", "x")
    return go.Scatter(
        name=html.escape(title, quote=False),
        mode="markers",
        marker={"color": EVALUATION_COLOURS[number % len(EVALUATION_COLOURS)], "size": 9},
        customdata=[[text, span(low, high, ".1%")] for text, (_, low, high) in zip(texts, shares, strict=True)],
        hovertemplate=f"%{{customdata[0]}}: %{{{along}:.1%}} (%{{customdata[1]}})<extra></extra>",
        **{along: values, across: list(places), f"error_{along}": _errors(shares, number)},
    )


def _errors(shares: Sequence[tuple[float, float, float]], number: int) -> dict[str, object]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, _, high in shares],
        "arrayminus": [value - low for value, low, _ in shares],
        "thickness": 1.6,
        "width": 0,
        "color": EVALUATION_COLOURS[number % len(EVALUATION_COLOURS)],
    }


def _share(score: Score) -> tuple[float, float, float]:
    return score.value / score.maximum, score.low / score.maximum, score.high / score.maximum


def _offset(place: int, number: int) -> float:
    """Evaluations around one place, the first uppermost or leftmost."""
    return (place - (number - 1) / 2) * min(_SPREAD, 0.7 / max(1, number))


def _problems(scores: Mapping[str, GroupScores], group: int | None) -> int:
    return max(by_group[group][0] if group in by_group else 0 for by_group in scores.values())


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _shown(score: Score | Difference | None, form: str = ".3f") -> str:
    return "" if score is None else with_interval(score.value, score.low, score.high, form)
