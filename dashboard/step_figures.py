"""A step at a glance: its completions as a frame, histograms whose bars filter, advantage against length, its groups."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import figures, theme
from training.groups import Verifier, is_flat
from training.rewards import title_of
from training.store.ledger import StepRow

TOTAL, TOKENS, ADVANTAGE = "total", "tokens", "advantage"
REWARD = "reward:"
"""How columns of reward functions begin."""
_BINS = 12
"""As many as are told apart; fewer distinct values each have their own."""
_OUTCOMES = {"right": theme.TOPICS[3], "wrong": theme.TOPICS[5], "not judged": theme.QUIET}
_MANY_POINTS = 2_000
"""More are drawn by WebGL."""
_OPEN = 0.35


@dataclass(frozen=True)
class Bin:
    """Completions of which a column lies between two values, both included."""

    column: str
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.column},{self.low!r},{self.high!r}"

    @property
    def words(self) -> str:
        """As `total 2.5 to 3`."""
        ends = dict.fromkeys(f"{end:.4g}" for end in (self.low, self.high))
        return f"{column_title(self.column).lower()} {' to '.join(ends)}"


def parse_bin(text: str) -> Bin:
    """A bin as its text says it; raises `ValueError` where it is none."""
    column, low, high = text.rsplit(",", 2)
    found = Bin(column, float(low), float(high))
    if not (math.isfinite(found.low) and math.isfinite(found.high) and found.low <= found.high):
        raise ValueError(text)
    return found


def column_title(column: str) -> str:
    """A column for people."""
    return title_of(column.removeprefix(REWARD)) if column.startswith(REWARD) else _TITLES.get(column, column)


_TITLES = {TOTAL: "Total reward", TOKENS: "Length, tokens", ADVANTAGE: "Advantage"}


def step_frame(rows: Iterable[StepRow], verifier: Verifier) -> pd.DataFrame:
    """A row a completion, in training order.

    Columns: group, position (from 0), problem, outcome, dropped, total, advantage, tokens, and `reward:<function>` each; NaN
    where a reward was not computed.
    """
    found = list(rows)
    words = {True: "right", False: "wrong", None: "not judged"}
    names = dict.fromkeys(name for row in found for name in row.rewards)
    return pd.DataFrame(
        {
            "group": [row.group_index for row in found],
            "position": [row.position for row in found],
            "problem": [row.problem_id for row in found],
            "outcome": [words[verifier.is_right(row.rewards)] for row in found],
            "dropped": [row.dropped for row in found],
            TOTAL: np.array([row.total for row in found], dtype=float),
            ADVANTAGE: np.array([row.advantage for row in found], dtype=float),
            TOKENS: np.array([row.tokens for row in found], dtype=float),
        }
        | {f"{REWARD}{name}": np.array([row.rewards.get(name) for row in found], dtype=float) for name in names}
    )


def reward_columns(frame: pd.DataFrame) -> list[str]:
    """The total and every reward function."""
    return [TOTAL, *(column for column in map(str, frame) if column.startswith(REWARD))]


def bins_of(frame: pd.DataFrame, column: str) -> list[Bin]:
    """The bins of a column, from low to high, each with a completion or more; their ends are values that there are."""
    values = np.sort(frame[column].dropna().to_numpy())
    distinct = np.unique(values)
    if len(distinct) <= _BINS:
        return [Bin(column, float(value), float(value)) for value in distinct]
    edges = np.histogram_bin_edges(values, _BINS)
    parts = np.split(values, np.searchsorted(values, edges[1:-1]))
    return [Bin(column, float(part[0]), float(part[-1])) for part in parts if len(part)]


def within(frame: pd.DataFrame, chosen: Bin) -> pd.DataFrame:
    """The completions of a bin; none where the step has no such column."""
    if chosen.column not in frame:
        return frame.iloc[:0]
    return frame[frame[chosen.column].between(chosen.low, chosen.high)]


def places_of(frame: pd.DataFrame) -> list[tuple[int, int]]:
    """Group and position of each completion, from 0."""
    return list(zip(frame["group"].tolist(), frame["position"].tolist(), strict=True))


def histogram(frame: pd.DataFrame, column: str, chosen: Bin | None = None) -> go.Figure:
    """How many completions earned what, by outcome; a bar's `customdata` is its bin. The chosen one stands out."""
    bins = bins_of(frame, column)
    centres = [(found.low + found.high) / 2 for found in bins]
    gaps = np.diff(centres)
    width = 0.9 * float(gaps.min()) if len(gaps) else max(1e-3, 0.1 * abs(centres[0])) if centres else 1.0
    figure = go.Figure()
    for outcome, colour in _OUTCOMES.items():
        rows = frame[frame["outcome"] == outcome]
        if rows.empty:
            continue
        figure.add_bar(
            x=centres,
            y=[len(within(rows, found)) for found in bins],
            width=width if column != TOKENS else None,
            name=outcome,
            customdata=list(map(str, bins)),
            marker={"color": colour, "opacity": [_opacity(found, chosen) for found in bins], "line": {"width": 0}},
            hovertext=[f"{found.words}, {outcome}" for found in bins],
            hovertemplate="%{hovertext}: %{y:,}<extra></extra>",
        )
    figures.quiet(figure, view=column)
    # Lengths are compared, right beside wrong; of rewards the whole counts.
    figure.update_layout(barmode="group" if column == TOKENS else "stack", bargap=0.1, showlegend=column == TOKENS)
    figure.update_layout(margin={"t": 26 if column == TOKENS else 8, "l": 36, "b": 36}, dragmode=False)
    figure.update_xaxes(title={"text": column_title(column)}, nticks=6, tickformat=",.3~g", tickangle=0)
    figure.update_yaxes(rangemode="tozero", nticks=4)
    return figure


def _opacity(found: Bin, chosen: Bin | None) -> float:
    return 1.0 if chosen is None or chosen == found or chosen.column != found.column else _OPEN


def advantage_against_length(frame: pd.DataFrame) -> go.Figure:
    """A point a completion that was learnt from; its `customdata` is its group and position."""
    learnt = frame[frame["dropped"] == ""]
    trace = go.Scattergl if len(learnt) > _MANY_POINTS else go.Scatter
    figure = go.Figure()
    for outcome, colour in _OUTCOMES.items():
        rows = learnt[learnt["outcome"] == outcome]
        if not rows.empty:
            figure.add_trace(
                trace(
                    x=rows[TOKENS].to_numpy(),
                    y=rows[ADVANTAGE].to_numpy(),
                    mode="markers",
                    name=outcome,
                    marker={"color": colour, "size": 6, "opacity": 0.75, "symbol": "x" if outcome == "wrong" else "circle"},
                    customdata=[f"{group},{position}" for group, position in places_of(rows)],
                    hovertext=[f"group {group + 1}, completion {position + 1}" for group, position in places_of(rows)],
                    hovertemplate=f"%{{hovertext}}, {outcome}: %{{x:,}} tokens, advantage %{{y:+.2f}}<extra></extra>",
                )
            )
    figures.quiet(figure, view=ADVANTAGE)
    figure.update_layout(margin={"t": 26, "l": 36, "b": 36}, dragmode=False)
    figure.update_xaxes(title={"text": _TITLES[TOKENS]}, rangemode="tozero", nticks=6)
    figure.update_yaxes(title={"text": "advantage"}, zeroline=True, zerolinecolor="rgba(138,148,158,0.6)", nticks=5)
    return figure


def in_words(frame: pd.DataFrame, column: str) -> str:
    """A histogram's text alternative."""
    values = frame[column].dropna()
    if values.empty:
        return f"{column_title(column)}: not computed for any completion"
    left = len(frame) - len(values)
    missing = f", {left:,} not computed" if left else ""
    spread = f"mean {values.mean():.3g}, {values.min():.3g} to {values.max():.3g}"
    return f"{column_title(column)} of {len(values):,} completions: {spread}{missing}"


def lengths_in_words(frame: pd.DataFrame) -> str:
    """How long right completions are, and wrong ones."""
    means = frame.groupby("outcome")[TOKENS].mean()
    told = [f"{outcome} {means[outcome]:,.0f}" for outcome in _OUTCOMES if outcome in means]
    return f"Mean length in tokens: {', '.join(told)}"


def groups_table(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a group, the widest spread of totals first: group (from 1), spread, right, mean, tokens, problem, signal."""
    rows = [_group_row(part) for _, part in frame.groupby("group", sort=True)]
    table = pd.DataFrame(rows, columns=["group", "spread", "right", "mean", "tokens", "problem", "signal"])
    return table.sort_values(["spread", "group"], ascending=[False, True], ignore_index=True)


def _group_row(part: pd.DataFrame) -> dict[str, object]:
    judged = part[part["outcome"] != "not judged"]
    totals = part[TOTAL].dropna()
    return {
        "group": int(part["group"].iloc[0]) + 1,
        "problem": part["problem"].iloc[0],
        "right": float((judged["outcome"] == "right").mean()) if len(judged) else None,
        "mean": float(totals.mean()) if len(totals) else None,
        "spread": float(totals.max() - totals.min()) if len(totals) else 0.0,
        "tokens": float(part[TOKENS].mean()),
        "signal": not is_flat(_listed(totals)) and part["dropped"].iloc[0] == "",
    }


def _listed(totals: "pd.Series[float]") -> Sequence[float]:
    return [float(total) for total in totals]
