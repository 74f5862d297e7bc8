"""What stands above the list of runs: which are listed, in which order, grouped by what, with which columns; how they look."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import streamlit as st

from dashboard import data
from dashboard.memory import RunList
from dashboard.run_rows import COLUMN_NAMES, SETTING_NAMES, SORTABLE, USUAL_COLUMNS
from dashboard.state import State
from training.settings import SETTINGS
from training.store import Status
from training.store.run_marks import known_tags

_STATUS_COLOURS: dict[Status, str] = {
    "queued": "gray",
    "running": "blue",
    "stopping": "orange",
    "stopped": "gray",
    "finished": "green",
    "failed": "red",
    "lost": "red",
}
_HELP = {
    "verifier": "The measure by which an answer of the run is right: that of before and after.",
    "before": "Share of test problems that are right by the run's verifier before training, with its 95% interval.",
    "after": "The same in the latest evaluation since.",
    "change": "After less before, with its 95% interval, as if they were of different problems: rather too wide.",
    "final reward": "Mean total reward of the last 5 steps.",
    "reward": "Total reward by step, from 0 to the highest that the run can reach.",
    "stages": "What the model learnt from: reference solutions (sft), rewards (grpo), or one behind the other.",
    "took": "Training time; pauses before a resume are left out.",
}


def render_controls(state: State) -> None:
    """Two rows: what is listed, and how."""
    search, statuses, tags, archived = st.columns([4, 3, 3, 2], vertical_alignment="bottom")
    search.text_input(
        "Search", placeholder="Name, run, preset, model, tag or note", icon=":material/search:", **RunList.search.bind_text()
    )
    statuses.multiselect("Status", list(get_args(Status)), placeholder="All", **RunList.statuses.bind())
    found = sorted({*known_tags(data.store()), *state.run_list.tags}, key=str.casefold)
    tags.multiselect("Tags", found, placeholder="All", **RunList.tags.bind())
    archived.toggle("Show archived", help="Also list the runs that were archived.", **RunList.archived.bind())
    sort, group, columns, rising = st.columns([4, 3, 3, 2], vertical_alignment="bottom")
    sort.selectbox("Sort by", SORTABLE, help="Over all pages; runs without a value come last.", **RunList.sort.bind())
    group.selectbox(
        "Group by",
        ["", *SETTING_NAMES],
        format_func=lambda name: name or "no setting",
        help="Means over the runs that share a value, with 95% intervals.",
        **RunList.by.bind(),
    )
    rising.toggle("Smallest first", **RunList.rising.bind())
    with columns.popover("Columns", icon=":material/view_column:", width="stretch"):
        st.multiselect(
            "Columns", COLUMN_NAMES, help="Any setting of a run is one; they are in the address.", **RunList.columns.bind()
        )
        st.button("The usual columns", on_click=RunList.columns.reset, disabled=state.run_list.columns == USUAL_COLUMNS)


def column_config(names: Sequence[str], tags: Sequence[str]) -> Mapping[str, Any]:
    """How each column of the list looks.

    Args:
        names: of the columns.
        tags: that occur in it.
    """
    column = st.column_config
    known = {
        "colour": column.ImageColumn("", width=28, pinned=True, help="The colour of the run, wherever it is drawn."),
        "run": column.TextColumn(width=220 if "id" in names else 150, pinned=True),
        "id": column.TextColumn(width=90),
        "stages": column.TextColumn(width=90, help=_HELP["stages"]),
        "after, against baseline": column.TextColumn(width=210, help="With its 95% interval, where the verifier is the same."),
        "reward, against baseline": column.TextColumn(width=110),
        "differs in": column.TextColumn(width=180, help="Settings that are not the baseline's."),
        "status": column.MultiselectColumn(
            width=90, options=list(_STATUS_COLOURS), color=list(_STATUS_COLOURS.values()), disabled=True
        ),
        "progress": column.ProgressColumn(width=90, format="%d%%", min_value=0, max_value=100),
        "reward": column.LineChartColumn(width=100, y_min=0, y_max=1, help=_HELP["reward"]),
        "verifier": column.TextColumn(width=110, help=_HELP["verifier"]),
        "before": column.TextColumn(width=140, help=_HELP["before"]),
        "after": column.TextColumn(width=140, help=_HELP["after"]),
        "change": column.TextColumn(width=170, help=_HELP["change"]),
        "final reward": column.TextColumn(width=90, help=_HELP["final reward"]),
        "steps": column.TextColumn(width=90),
        "took": column.TextColumn(width=90, help=_HELP["took"]),
        "launched": column.DatetimeColumn(width=110, format="D MMM HH:mm"),
        "backend": column.TextColumn(width=70),
        "tags": column.MultiselectColumn(width=130, options=list(tags), color="auto", disabled=True),
        "note": column.TextColumn(width=220),
        "model": column.TextColumn(width=130),
        "how it stands": column.TextColumn(width=260),
    }
    return {name: known.get(name) or column.TextColumn(width=110, help=_setting_help(name)) for name in names}


def _setting_help(name: str) -> str:
    table, _, inner = name.partition(".")
    return f"Weight of this reward function: {inner}." if inner else SETTINGS[table].description
