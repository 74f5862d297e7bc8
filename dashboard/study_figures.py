"""A study's figures: what each setting does, and what each arm costs against what it comes to. Nothing here knows Streamlit."""

from collections.abc import Sequence

import plotly.graph_objects as go

from dashboard import figures, theme
from training.store.run_table import Mean
from training.studies.effects import Effect
from training.studies.results import ArmResult

NAMED_ARMS = 10
"""That many stand in a legend; what is pointed at says of further ones which it is."""
_ROW_PX = 34
_FRAME_PX = 90


def effect_height(effects: Sequence[Effect]) -> str:
    """As CSS."""
    return f"{_FRAME_PX + _ROW_PX * len(effects)}px"


def effect_figure(effects: Sequence[Effect]) -> go.Figure:
    """A point an effect with its 95% interval, if there is one, the first on top; filled where it is more than chance."""
    shown = list(reversed(effects))
    titles = [effect.title for effect in shown]
    is_sure = [bool(effect.is_more_than_chance) for effect in shown]
    figure = go.Figure(
        go.Scatter(
            x=[effect.difference for effect in shown],
            y=titles,
            mode="markers",
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [effect.interval[1] - effect.difference if effect.interval else None for effect in shown],
                "arrayminus": [effect.difference - effect.interval[0] if effect.interval else None for effect in shown],
                "color": theme.TRAIN,
                "thickness": 2,
            },
            marker={
                "color": theme.TRAIN,
                "size": 10,
                "symbol": ["circle" if sure else "circle-open" for sure in is_sure],
                "line": {"width": 2},
            },
            customdata=[effect.reading for effect in shown],
            hovertemplate="%{y}: %{x:+.3f}<br>%{customdata}<extra></extra>",
        )
    )
    figures.quiet(figure, view="effects")
    figure.add_vline(x=0, line={"color": theme.QUIET, "width": 1})
    figure.update_xaxes(title={"text": "difference in the share right"}, tickformat="+.3~f")
    figure.update_yaxes(showgrid=False)
    return figure


def cost_figure(arms: Sequence[ArmResult]) -> go.Figure:
    """A point an arm: tokens generated a run against the share right after it, each with its 95% interval."""
    figure = go.Figure()
    for place, arm in enumerate(arms):
        colour = theme.CATEGORIES[place % len(theme.CATEGORIES)]
        figure.add_trace(
            go.Scatter(
                x=[arm.tokens.value],
                y=[arm.after.value],
                error_x=_bar(arm.tokens, colour),
                error_y=_bar(arm.after, colour),
                name=arm.arm.label,
                showlegend=place < NAMED_ARMS,
                mode="markers",
                marker={"color": colour, "size": 10},
                hovertemplate=f"{arm.arm.label}: %{{y:.3f}} right, %{{x:,.0f}} tokens a run<extra></extra>",
            )
        )
    figures.quiet(figure, view="cost")
    figure.update_xaxes(title={"text": "tokens generated a run"}, tickformat=",")
    figure.update_yaxes(title={"text": "share right after"})
    return figure


def _bar(mean: Mean, colour: str) -> dict[str, object]:
    low, high = mean.interval or (mean.value, mean.value)
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - mean.value],
        "arrayminus": [mean.value - low],
        "color": colour,
    }


def cost_words(arms: Sequence[ArmResult]) -> str:
    """The figure's text alternative."""
    told = [f"{arm.arm.label} {arm.after.words} for {arm.tokens.value:,.0f} tokens" for arm in arms]
    return f"Share right against tokens generated a run: {'; '.join(told)}"
