"""Figures and tables of test-time scaling: what several completions a problem come to. Nothing here knows Streamlit."""

import html
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import figures, theme
from training.data.problem import Problem
from training.evaluation.scaling import (
    SEARCHES,
    STRATEGIES,
    SampledScore,
    Samples,
    StrategyName,
    most_samples,
    of_problems,
    pass_rate,
    sampled_score,
    strategies_of,
)
from training.store.evaluations import SearchName
from training.text import with_interval

COLOURS: Mapping[StrategyName, str] = {
    "pass": theme.QUIET,
    "majority": theme.TOPICS[3],
    "best": theme.TOPICS[0],
    "weighted": theme.TOPICS[1],
}
"""pass@k is what the others could reach at most: grey."""
NAMES: Mapping[StrategyName, str] = {name: strategy.title.format(k="k") for name, strategy in STRATEGIES.items()}
DASHES: Mapping[SearchName, str] = {"samples": "solid", "beam": "dash", "dvts": "dot"}
"""How completions came about -> how its line is drawn."""
_SYMBOLS: Mapping[SearchName, str] = {"samples": "circle", "beam": "diamond", "dvts": "triangle-up-open"}
"""And its points: one that lies on another leaves that to be seen."""
_OF_SEARCHES = ("best", "weighted")
"""What is drawn of a search: what its judge chooses."""

AXES: Mapping[str, str] = {"k": "k, completions a problem", "tokens": "tokens a problem"}

Curves = Sequence[SampledScore]


@dataclass(frozen=True)
class Line:
    """One evaluation in a figure."""

    title: str
    search: SearchName
    curves: Curves


def curves_figure(lines: Sequence[Line], axis: str, lowest: float) -> go.Figure:
    """Every strategy over k, or over the tokens that a problem cost, with 95% bands; searches of several sizes are one line.

    Args:
        lines: of one model.
        axis: a key of `AXES`.
        lowest: where the axis of shares begins, for all models alike.
    """
    figure = go.Figure()
    for (search, strategy), scores in drawn(lines).items():
        colour, name = COLOURS[strategy], called(search, NAMES[strategy])
        places = [float(score.k if axis == "k" else score.tokens) for score in scores]
        if len(scores) > 1 and search == "samples":
            low, high = ([getattr(score, end) for score in scores] for end in ("low", "high"))
            figure.add_trace(figures.band(np.array(places), np.array(low), np.array(high), colour, legendgroup=name))
        figure.add_trace(
            go.Scatter(
                name=name,
                legendgroup=name,
                x=places,
                y=[score.value for score in scores],
                mode="lines+markers",
                line={"color": colour, "dash": DASHES[search], "width": 2},
                marker={"size": 7, "symbol": _SYMBOLS[search]},
                customdata=[
                    [called(search, score.title), with_interval(score.value, score.low, score.high, ".1%")] for score in scores
                ],
                hovertemplate="%{customdata[0]}: %{customdata[1]}<extra></extra>",
                error_y=None if search == "samples" else _errors(scores, colour),
            )
        )
    figures.quiet(figure)
    ticks = _doublings(max((score.k if axis == "k" else score.tokens for line in lines for score in line.curves), default=1))
    figure.update_xaxes(title={"text": AXES[axis]}, type="log", tickvals=ticks, ticktext=[f"{tick:,}" for tick in ticks])
    figure.update_yaxes(title={"text": "share of problems"}, tickformat=".0%", range=[lowest, 1.01])
    return figure


def called(search: SearchName, figure: str) -> str:
    """A figure of completions that came about so: `beam search, best of k`."""
    return ", ".join(filter(None, (SEARCHES[search], figure)))


def lowest_share(lines: Sequence[Line]) -> float:
    """Where an axis of shares begins so that all intervals are on it."""
    low = min((score.low for line in lines for score in line.curves), default=0.0)
    return max(0.0, float(np.floor(10 * low)) / 10) - 0.01


def curves_frame(lines: Sequence[Line]) -> pd.DataFrame:
    """Every figure as numbers, for a file: one row an evaluation, strategy and k."""
    rows = [
        {"evaluation": line.title, "search": line.search, "figure": score.title, "k": score.k, "tokens": score.tokens}
        | {"value": score.value, "low": score.low, "high": score.high, "problems": score.problems}
        for line in lines
        for score in line.curves
    ]
    columns = ["evaluation", "search", "figure", "k", "tokens", "value", "low", "high", "problems"]
    return pd.DataFrame(rows, columns=columns)


def largest_frame(lines: Sequence[Line]) -> pd.DataFrame:
    """One row an evaluation: its figures with all of its completions, each with its interval."""
    rows = []
    for line in lines:
        last = {score.strategy: score for score in line.curves}  # the largest k is the latest
        first = next(iter(last.values()))
        row: dict[str, object] = {"evaluation": line.title, "problems": first.problems, "k": first.k}
        row |= {"tokens a problem": f"{first.tokens:,.0f}" if first.tokens else "not on record"}
        rows.append(row | {NAMES[name]: with_interval(found.value, found.low, found.high) for name, found in last.items()})
    return pd.DataFrame(rows)


def groups_frame(samples: Samples, groups: Mapping[str, str]) -> pd.DataFrame:
    """One row a group of problems and strategy, in the order of the groups: the figure with all completions of its problems.

    Args:
        groups: problem id -> its group; problems without one are left out.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for problem_id, group in groups.items():
        if problem_id in samples:
            members[group].append(problem_id)
    rows = []
    for group, ids in members.items():
        within = of_problems(samples, ids)
        for name in strategies_of(samples):
            score = sampled_score(within, name, most_samples(within))
            rows.append((group, score.problems, NAMES[name], score.k, score.value, score.low, score.high))
    return pd.DataFrame(rows, columns=["group", "problems", "strategy", "k", "value", "low", "high"])


def groups_figure(frame: pd.DataFrame, unit: str) -> go.Figure:
    """`groups_frame` as points with intervals, strategies beside each other."""
    figure = go.Figure()
    groups = list(dict.fromkeys(frame["group"]))
    strategies = [name for name in NAMES if NAMES[name] in set(frame["strategy"])]
    for number, name in enumerate(strategies):
        shown = frame[frame["strategy"] == NAMES[name]]
        shift = (number - (len(strategies) - 1) / 2) * 0.16
        figure.add_trace(
            go.Scatter(
                name=NAMES[name],
                x=[groups.index(group) + shift for group in shown["group"]],
                y=shown["value"].tolist(),
                mode="markers",
                marker={"color": COLOURS[name], "size": 9},
                error_y=_bars(shown["value"], shown["low"], shown["high"], COLOURS[name]),
                customdata=[[group, count] for group, count in zip(shown["group"], shown["problems"], strict=True)],
                hovertemplate=f"{NAMES[name]}, %{{customdata[0]}}: %{{y:.1%}} of %{{customdata[1]:,}} problems<extra></extra>",
            )
        )
    figures.quiet(figure)
    sizes = frame.groupby("group")["problems"].max()
    labels = [f"{html.escape(group, quote=False)}<br>n = {sizes[group]:,}" for group in groups]
    figure.update_xaxes(title={"text": unit}, tickvals=list(range(len(groups))), ticktext=labels)
    figure.update_xaxes(range=[-0.6, max(len(groups), 1) - 0.4])
    figure.update_yaxes(title={"text": "share of problems"}, tickformat=".0%", range=[-0.03, 1.03])
    return figure


def thirds(samples: Samples) -> dict[str, str]:
    """Problem id -> by how many of its completions are right, hardest first: up to a third, two thirds, more."""
    names = ("hard: up to 1/3 right", "middling: up to 2/3", "easy: more")
    rates = {problem_id: pass_rate(drawn, 1) for problem_id, drawn in samples.items()}
    ordered = sorted(rates, key=lambda problem_id: rates[problem_id])
    return {problem_id: names[sum(rates[problem_id] > limit + 1e-9 for limit in (1 / 3, 2 / 3))] for problem_id in ordered}


def problems_frame(samples: Samples, problems: Mapping[str, Problem]) -> pd.DataFrame:
    """One row a problem: the share of its completions that is right, and whether each strategy's answer of all of them is."""
    rows = []
    for problem_id, drawn in samples.items():
        problem = problems.get(problem_id)
        row: dict[str, object] = {"problem": problem_id, "gold": problem.gold if problem else ""}
        row |= {"right": pass_rate(drawn, 1)}
        row |= {NAMES[name]: bool(STRATEGIES[name].rate(drawn, len(drawn), 0)) for name in strategies_of(samples)}
        rows.append(row | {"question": problem.question if problem else ""})
    return pd.DataFrame(rows)


def drawn(lines: Sequence[Line]) -> dict[tuple[SearchName, StrategyName], list[SampledScore]]:
    """(search, strategy) -> its points in a figure, in the order of k; of a search only what a judge chooses."""
    found: dict[tuple[SearchName, StrategyName], list[SampledScore]] = defaultdict(list)
    for line in lines:
        for score in line.curves:
            if line.search == "samples" or score.strategy in _OF_SEARCHES:
                found[line.search, score.strategy].append(score)
    return {key: sorted(scores, key=lambda score: score.k) for key, scores in found.items()}


def _doublings(largest: float) -> list[int]:
    return [2**power for power in range(int(np.log2(max(largest, 1))) + 1)]


def _errors(scores: Sequence[SampledScore], colour: str) -> dict[str, object]:
    value, low, high = (pd.Series([getattr(score, name) for score in scores]) for name in ("value", "low", "high"))
    return _bars(value, low, high, colour)


def _bars(value: pd.Series, low: pd.Series, high: pd.Series, colour: str) -> dict[str, object]:
    ends = {"array": (high - value).tolist(), "arrayminus": (value - low).tolist()}
    return {"type": "data", "symmetric": False, "thickness": 1.6, "width": 0, "color": colour} | ends
