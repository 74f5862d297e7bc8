"""What the addresses say of pages that other pages lead to: their own page writes these fields, and so does who leads there."""

from typing import Any

from dashboard.state import Field, State

Fields = tuple["Field[Any]", ...]

EXPLORE: Fields = (
    State.source,
    State.model,
    State.neighbors,
    State.min_dist,
    State.seed,
    State.colour,
    State.view,
    State.density,
    State.labels,
    State.split,
    State.steps,
    State.clusters,
    State.where,
    State.subset,
    State.query,
    State.query_mode,
    State.problem,
)
LAUNCH: Fields = (State.preset, State.launch_from, State.launch_changes, State.launch_subset, State.launch_backend)
RUN: Fields = (
    State.run,
    State.run_tab,
    State.smoothing,
    State.curve_window,
    State.map_colour,
    State.map_step,
    State.map_window,
    State.map_problem,
    State.change_kind,
    State.browse,
    State.at_step,
    State.at_group,
    State.at_completion,
    State.differences,
    State.rollout_text,
    State.rollout_verdict,
    State.rollout_reward,
    State.rollout_level,
    State.rollout_order,
)
"""Of one run."""
MEASURING: Fields = (State.evaluate_part,)
