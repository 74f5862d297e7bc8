"""Taking the current problems further: save them as a subset, export them, train on them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from analysis.export import FORMATS
from analysis.map_table import TABLE_FORMATS, map_table
from analysis.projector import STANDALONE_STEPS, TENSORBOARD_STEPS, projector_zip
from dashboard import data
from dashboard.access import acts
from dashboard.actions import save_subset
from dashboard.addresses import LAUNCH
from dashboard.components.map.atlas_map import map_parts
from dashboard.components.map.map_page import map_page
from dashboard.components.shared.closing import close_popover, closing_popover
from dashboard.components.shared.errors import boundary, render_error
from dashboard.components.shared.going import Page, go_to
from dashboard.exploration import Exploration, described
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import file_name, plain
from training.data.problem import Problem, ProblemSet
from training.errors import AtlasError
from training.store.curation import Subset, list_subsets, subset_ids
from training.text import count

_MIME = {
    "jsonl": "application/jsonl",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "html": "text/html",
    "zip": "application/zip",
}
_NAME_CHARACTERS = 40
_UNNAMED = "selection"
"""The name of what is trained on without being saved first."""


def render_take_further(shown: Exploration, state: State) -> None:
    """Three buttons for the current problems."""
    _tell_saved(state)
    with closing_popover("Save", Keys.SAVE, icon=":material/bookmark_add:"):
        _render_save(shown, state)
    with st.popover("Export", icon=":material/download:"):
        _render_export(shown, state)
    trainable = int((shown.frame["split"][shown.current] == "train").sum())
    if st.button(
        "Train on these",
        icon=":material/rocket_launch:",
        **acts(
            disabled=trainable == 0,
            help=f"Opens Launch with these problems selected; {count(trainable, 'train problem')} of them can be trained on.",
        ),
    ):
        with boundary():
            whole = shown.atlas.problem_set.whole
            subset = saved_subset(_UNNAMED, whole, shown.ids, described(shown, state)) if shown.narrowed else None
            state.launch.subset = subset.reference if subset is not None else ""
            go_to(Page.LAUNCH, LAUNCH)


def _render_save(shown: Exploration, state: State) -> None:
    with st.form("save subset", border=False, clear_on_submit=True):
        name = st.text_input("Name", key=Keys.SUBSET_NAME, max_chars=60, placeholder="many steps, no money")
        st.caption(f"{count(int(shown.current.sum()), 'problem')}: {plain(described(shown, state))}")
        pressed = st.form_submit_button("Save subset", type="primary", **acts())
    if pressed:
        try:
            subset = save_subset(data.store(), name, shown.atlas.problem_set.whole, shown.ids, described(shown, state))
        except AtlasError as error:
            render_error(error.problem, error.remedy)
        else:
            state.selection.saved = subset.reference  # with the next run, as an open popover cannot be closed any more
            st.rerun(scope="fragment")


def _tell_saved(state: State) -> None:
    """Close what was open to save a subset, and say that it is saved."""
    if not state.selection.saved:
        return
    close_popover(Keys.SAVE)
    st.toast(plain(f"Saved as {state.selection.saved}. The filters and Launch offer it."))
    state.selection.saved = ""


def _render_export(shown: Exploration, state: State) -> None:
    rows = shown.current.nonzero()[0].tolist()
    problem_set = shown.atlas.problem_set
    problems = [problem_set.problems[row] for row in rows]
    name = export_name(shown, state)
    st.caption(f"{count(len(problems), 'problem')}, as they are selected now.")
    for ending, label in (("jsonl", "Problems, JSON Lines"), ("csv", "Problems, CSV")):
        render_download(problems, ending, name, label, wide=True)
    for ending, label in (("csv", "CSV"), ("parquet", "Parquet")):
        _render_file(
            f"Table with the map's columns, {label}", partial(_table_file, shown, rows, ending), f"{name}-table.{ending}"
        )
    parts, dark = map_parts(shown, state), st.context.theme.type == "dark"  # here: files are made outside of the session
    _render_file("The map as one HTML file", lambda: map_page(parts, problem_set, name, dark=dark), f"{name}-map.html")
    _render_file(
        "Embedding Projector",
        lambda: projector_zip(shown.atlas, rows),
        f"{name}-projector.zip",
        key=Keys.EXPORT,
        disabled=len(rows) < 2,
        help=f"Unpack the zip into a folder. {TENSORBOARD_STEPS.format(folder='FOLDER')} {STANDALONE_STEPS}",
    )
    st.caption("A picture of the map: the camera and the frame beside it.")


def _table_file(shown: Exploration, rows: Sequence[int], ending: str) -> bytes:
    return TABLE_FORMATS[ending](map_table(shown.atlas, shown.titles, rows))


def _render_file(label: str, make: Callable[[], bytes], name: str, *, key: str = "", **settings: Any) -> None:
    """A button for a file that is made when it is asked for."""
    st.download_button(
        label,
        data=data.file_queue().making(make),
        file_name=name,
        mime=_MIME[name.rpartition(".")[2]],
        key=key or f"download {name}",
        on_click="ignore",
        **({"width": "stretch"} | settings),
    )


def render_download(problems: list[Problem], ending: str, name: str, label: str, *, wide: bool = False) -> None:
    """A button for problems as a file."""
    _render_file(label, lambda: FORMATS[ending](problems), f"{name}.{ending}", width="stretch" if wide else "content")


def export_name(shown: Exploration, state: State) -> str:
    """What a file of the current problems is called: by the source, what was asked for, and how many they are."""
    chosen = file_name(described(shown, state)).lower() if shown.narrowed else "all"
    return (
        f"{file_name(shown.atlas.problem_set.name)}-{chosen[:_NAME_CHARACTERS].strip('-')}-{int(shown.current.sum())}-problems"
    )


def saved_subset(name: str, problem_set: ProblemSet, ids: Sequence[str], how: str) -> Subset:
    """The subset that holds exactly these problems: one that is saved already, or a new one.

    Args:
        name: of the new one.
        ids: in the order of the problem set.

    Raises:
        SubsetError: there are none.
        AccessError: the session may not save one.
    """
    for subset in list_subsets(data.store(), problem_set.content_hash):
        if subset.size == len(ids) and subset_ids(data.store(), subset) == tuple(ids):
            return subset
    return save_subset(data.store(), name, problem_set, ids, how)
