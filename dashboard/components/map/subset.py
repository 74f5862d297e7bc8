"""Taking the current problems further: save them as a subset, export them, train on them."""

import re
from collections.abc import Sequence

import streamlit as st

from analysis.export import FORMATS
from analysis.projector import STANDALONE_STEPS, TENSORBOARD_STEPS, projector_zip
from dashboard import data
from dashboard.access import acts
from dashboard.actions import save_subset
from dashboard.addresses import LAUNCH
from dashboard.components.shared.errors import boundary, render_error
from dashboard.components.shared.going import Page, go_to
from dashboard.exploration import Exploration, described
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import plain
from training.data.problem import Problem, ProblemSet
from training.errors import AtlasError
from training.store.curation import Subset, list_subsets, subset_ids
from training.text import count

_MIME = {"jsonl": "application/jsonl", "csv": "text/csv"}
_UNNAMED = "selection"
"""The name of what is trained on without being saved first."""


def render_take_further(shown: Exploration, state: State) -> None:
    """Three buttons for the current problems."""
    with st.popover("Save", icon=":material/bookmark_add:"):
        _render_save(shown, state)
    with st.popover("Export", icon=":material/download:"):
        _render_export(shown)
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
            st.toast(plain(f"Saved as {subset.reference}. The filters and Launch offer it."))


def _render_export(shown: Exploration) -> None:
    rows = shown.current.nonzero()[0].tolist()
    problems = [shown.atlas.problem_set.problems[row] for row in rows]
    st.caption(f"{count(len(problems), 'problem')}, as they are selected now.")
    name = file_name(shown.atlas.problem_set.name)
    for ending in FORMATS:
        render_download(problems, ending, name)
    st.download_button(
        "Embedding Projector",
        data=data.file_queue().making(lambda: projector_zip(shown.atlas, rows)),
        file_name=f"{name}-projector.zip",
        mime="application/zip",
        key=Keys.EXPORT,
        on_click="ignore",
        width="stretch",
        disabled=len(rows) < 2,
        help=f"Unpack the zip into a folder. {TENSORBOARD_STEPS.format(folder='FOLDER')} {STANDALONE_STEPS}",
    )


def render_download(problems: list[Problem], ending: str, name: str, label: str = "") -> None:
    """A button that makes its file when it is pressed."""
    st.download_button(
        label or ending.upper(),
        data=data.file_queue().making(lambda: FORMATS[ending](problems)),
        file_name=f"{name}.{ending}",
        mime=_MIME[ending],
        key=f"download {name} {ending}",
        on_click="ignore",
        width="content" if label else "stretch",
    )


def file_name(title: str) -> str:
    """A title as the beginning of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-") or "problems"


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
