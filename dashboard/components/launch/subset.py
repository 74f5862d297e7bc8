"""What a run trains on: the whole train split or a saved subset, its size and its steps beside those of the whole split."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import data
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.panes import panes
from dashboard.keys import Keys
from dashboard.launch_changes import WHOLE, Base
from dashboard.memory import Launch
from dashboard.sources import readable_source
from dashboard.state import State
from dashboard.text import plain
from training.data.problem import ProblemSet
from training.errors import AtlasError, SourceError
from training.store.curation import Subset, list_subsets, subset_ids
from training.text import count


def subset_settings(base: Base, state: State) -> Mapping[str, str]:
    """The settings that follow from the subset chosen: itself, and the source that it was taken from."""
    subsets = _subsets()
    reference = _chosen(base, state, subsets)
    if reference in subsets:
        return {"subset": reference, "source": subsets[reference].source}
    return {"subset": reference}


def settings_of(base: Base, state: State) -> dict[str, Any]:
    """What the form holds, as `parse_config` takes it, unchecked."""
    return {**base.values(state.launch.changes), **subset_settings(base, state)}


def problems_of(source: str) -> ProblemSet:
    """A source that the session may have read; nothing is fetched.

    Raises:
        SourceError: it may not, or the source cannot be read.
    """
    return data.problem_set(readable_source(source))


def render_subset(base: Base, state: State) -> None:
    """The choice, what it amounts to, and its histogram."""
    subsets = _subsets()
    chosen = _chosen(base, state, subsets)
    source = str(settings_of(base, state)["source"])
    choice, picture = panes("subset", [2, 3], gap="medium")
    with choice:
        _render_choice(base, subsets, chosen)
        try:
            problems = problems_of(source)
        except AtlasError:  # said beside the button
            return
        _render_size(problems, subsets.get(chosen), state)
    if chosen and chosen not in subsets:
        return
    with picture:
        ids = frozenset(subset_ids(data.store(), subsets[chosen])) if chosen else None
        render_chart(
            data.train_steps_spec(problems, chosen, ids),
            key=Keys.LAUNCH_HISTOGRAM,
            alt=f"Steps of the train problems of {plain(chosen) if chosen else 'the whole split'}, as shares",
            height="190px",
        )


def _render_choice(base: Base, subsets: Mapping[str, Subset], chosen: str) -> None:
    def take() -> None:
        picked = str(st.session_state[Keys.LAUNCH_SUBSET])
        state = State()
        state.launch.subset = ""
        if picked != (_chosen(base, state, subsets) or WHOLE):
            state.launch.subset = picked

    missing = [chosen] if chosen and chosen not in subsets else []
    st.session_state[Keys.LAUNCH_SUBSET] = chosen or WHOLE
    st.selectbox(
        "Train on",
        [WHOLE, *subsets, *missing],
        format_func=lambda name: _title(name, subsets),
        help="Subsets are saved on the Explore page, and belong to the source they were taken from.",
        key=Keys.LAUNCH_SUBSET,
        on_change=take,
    )


def _render_size(problems: ProblemSet, subset: Subset | None, state: State) -> None:
    train = problems.of_split("train")
    if subset is None:
        st.caption(plain(f"{problems.name}: {count(len(train), 'train problem')}; the test split stays complete."))
        _render_shown_source(problems, state)
        return
    trainable = len({problem.id for problem in train}.intersection(subset_ids(data.store(), subset)))
    share = f"{trainable:,} of {count(len(train), 'train problem')}"
    st.caption(plain(f"From {problems.name}: {subset.how}. {share}; the test split stays complete."))


def _render_shown_source(problems: ProblemSet, state: State) -> None:
    """The other pages may show other problems than the preset trains on."""
    try:
        shown = data.problem_set(state.source)
    except SourceError:
        return
    if shown.content_hash == problems.content_hash:
        return
    st.button(
        f"Train on {plain(shown.name)} instead",
        key="train on what is shown",
        type="tertiary",
        icon=":material/swap_horiz:",
        help="The source that the sidebar and the map show.",
        on_click=Launch.changes.set,
        args=({**state.launch.changes, "source": shown.source},),
    )


def _title(reference: str, subsets: Mapping[str, Subset]) -> str:
    if reference == WHOLE:
        return "the whole train split"
    return f"{reference}, {count(subsets[reference].size, 'problem')}" if reference in subsets else f"{reference}, not there"


def _subsets() -> dict[str, Subset]:
    """By reference, newest first."""
    return {subset.reference: subset for subset in list_subsets(data.store())}


def _chosen(base: Base, state: State, subsets: Mapping[str, Subset]) -> str:
    """The subset's reference, empty for the whole split; a bare name is its newest version."""
    asked = state.launch.subset or base.config.subset
    if asked in ("", WHOLE) or asked in subsets:
        return "" if asked == WHOLE else asked
    return next((reference for reference, subset in subsets.items() if subset.name == asked), asked)
