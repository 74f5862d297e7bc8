"""The flat map of a run's page, whatever colours it."""

from analysis.atlas import Atlas
from dashboard import data, map_data
from dashboard.components.map.map_plot import MapParts, Timeline, render_map
from dashboard.components.shared.style import RUN_MAP_HEIGHT
from dashboard.figures import Spec
from dashboard.keys import Keys
from dashboard.state import State


def selected_ids(atlas: Atlas, state: State) -> frozenset[str]:
    """The ids of the problems selected on a run's map."""
    problems = atlas.problem_set.problems
    return frozenset(problems[row].id for row in state.run_map.rows if row < len(problems))


def render_run_map(
    atlas: Atlas, spec: Spec, words: str, state: State, timeline: Timeline | None = None, *, key: str = Keys.TRAINING_MAP
) -> None:
    """The map with its texts and cluster names; a click chooses the problem that is ringed, a lasso or a name selects several.

    Args:
        spec: a figure of the atlas's flat layout.
        words: the map's text alternative.
        timeline: what colours it step by step.
        key: the widget's key.
    """

    def choose(row: int) -> None:
        state.run_map.problem = atlas.problem_set.problems[row].id

    def select(rows: list[int]) -> None:
        state.run_map.rows = tuple(rows)

    texts, overlay = map_data.map_texts(atlas.problem_set), map_data.map_overlay(atlas, map_data.cluster_titles(atlas), "2-D")
    render_map(
        MapParts(spec, texts, overlay, words, state.run_map.rows),
        key=key,
        view=f"{atlas.problem_set.content_hash} {atlas.parameters} run",
        name=f"{state.shown.run}-map",
        height=RUN_MAP_HEIGHT,
        files=data.web_files(),
        chosen=map_data.row_of(atlas, state.run_map.problem),
        on_selected=select,
        on_clicked=choose,
        timeline=timeline,
    )
