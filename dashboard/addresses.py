"""What the pages' addresses say: each page writes these fields, and so does who leads to it from another one."""

from dashboard.fields import AnyField
from dashboard.memory import (
    Compared,
    Completions,
    Evaluated,
    Filtering,
    Judging,
    Launch,
    MapLook,
    MapParameters,
    RunList,
    RunLog,
    RunMap,
    Scaled,
    Search,
    Selection,
    ShownRun,
    Studied,
    Tokens,
    Workbench,
)
from dashboard.state import State

Fields = tuple[AnyField, ...]

_LAYOUT: Fields = (MapParameters.model, MapParameters.neighbors, MapParameters.min_dist, MapParameters.seed)

EXPLORE: Fields = (State.source, *_LAYOUT, *MapLook.shared(), *Filtering.shared(), Selection.problem)
INSIGHTS: Fields = (State.source, *MapParameters.shared(), *Workbench.shared())
LAUNCH: Fields = tuple(Launch.shared())
RUN_LIST: Fields = tuple(RunList.shared())
RUN: Fields = (
    *ShownRun.shared(),
    *RunMap.shared(),
    *RunLog.shared(),
    Evaluated.change,
    *Completions.shared(),
    *Tokens.shared(),
    *Search.shared(),
    *Judging.shared(),
)
"""Of one run."""
COMPARED: Fields = (Compared.runs, Compared.curves, ShownRun.smoothing, ShownRun.axis, ShownRun.window, Compared.by)
"""Of several runs."""
STUDY: Fields = tuple(Studied.shared())
"""Of a study."""
MEASURING: Fields = (Evaluated.part,)
EVALUATIONS: Fields = (ShownRun.run, *(field for field in Evaluated.shared() if field is not Evaluated.part))
"""Of evaluations that are compared, besides the part of the page."""
SCALING: Fields = tuple(Scaled.shared())
"""Of test-time scaling, besides the part of the page."""
