"""How a source is read: which column is what, with the first rows as they would be read, and a name to keep it under."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.access import acts, require_act
from dashboard.components.shared.errors import boundary
from dashboard.components.shared.table import render_table
from dashboard.fields import LONG_TEXT_CHARACTERS, TEXT_CHARACTERS
from dashboard.text import plain
from training.allowed import allowed_source
from training.data.answers import PLACES
from training.data.columns import LETTER, Columns
from training.data.files import SplitNames, chosen_files
from training.data.left_out import left_out
from training.data.problem import ProblemSet
from training.data.problems import load_folder, source_place
from training.data.rows import column_names
from training.data.sources import HoldOut, Source, keep_source, parse_source
from training.data.steps import SPLITTERS
from training.errors import SourceError
from training.text import count

PREVIEWED_ROWS = 500
"""Rows of each file that the preview reads."""
_SHOWN_ROWS = 8

_FOUND = {
    "": "automatic",
    "column": "the cell itself",
    LETTER: "the letter of its choice, by number",
    **{name: words for name, (_, words, _) in PLACES.items()},
}
_HELP = {
    "question": "A column, or a template such as {Body} {Question}. messages.user is the last turn of the user.",
    "solution": "The reference solution; its steps are counted.",
    "gold": "Where the answer that counts is found; none where a reward decides.",
    "found": "How the answer is found there. A regular expression goes between slashes; its group is the answer.",
    "split": "The column that says train or test, where the files' names do not.",
    "id": "A column with a name of its own for each row; the rows are counted without.",
}


@st.dialog("How the problems are read", width="large")
def render_source_dialog(line: str, take: Callable[[str], None]) -> None:
    """Change how a source is read, and show it so.

    Args:
        line: the source as it is now.
        take: shows the source of another line.
    """
    with boundary():
        source = parse_source(allowed_source(line, data.home()), data.home())
        changed = _render_mapping(source)
        problem_set = _render_preview(changed)
        _render_ends(changed, problem_set, take)


def _render_mapping(source: Source) -> Source:
    """The fields, and the source as they say."""
    names = _column_names(source)
    if names:
        st.caption(f"Columns: {plain(', '.join(names))}")
    mapped: dict[str, str] = {}
    left, right = st.columns(2)
    for place, field in enumerate(fields(Columns)):
        if field.name not in _HELP:
            continue
        with (left, right)[place % 2]:
            mapped[field.name] = _choice(field.name, getattr(source.columns, field.name), names)
    with st.expander("Splits and steps"):
        steps = st.selectbox("Steps are", ["", *SPLITTERS], format_func=lambda name: name or "automatic", key="source steps")
        comma = st.toggle("3,5 is three and a half", value=source.columns.decimal == "comma", key="source comma")
        test = st.text_input("Measured on the split", source.splits.test, max_chars=TEXT_CHARACTERS, key="source test")
        train = st.text_input("Trained on the split", source.splits.train, max_chars=TEXT_CHARACTERS, key="source train")
        size = st.number_input(
            "Train problems held out as test",
            0.0,
            value=source.hold_out.size,
            help="Below 1 a share, else a number; where there is no test split. The same problems each time.",
            key="source hold out",
        )
    columns = replace(source.columns, **mapped, steps=steps, decimal="comma" if comma else "")
    return replace(source, columns=columns, splits=SplitNames(train, test), hold_out=replace(source.hold_out, size=size))


def _choice(name: str, value: str, columns: Sequence[str]) -> str:
    """One part of the mapping: a column that there is, or what a person writes."""
    options = list(dict.fromkeys(["", *(_FOUND if name == "found" else columns), *([value] if value else [])]))
    chosen = st.selectbox(
        {"found": "The answer is", "id": "Id"}.get(name, name.capitalize()),
        options,
        index=options.index(value),
        format_func=lambda option: _FOUND.get(option, option) if name == "found" else option or "automatic",
        accept_new_options=True,
        help=_HELP[name],
        key=f"source {name}",
    )
    return str(chosen or "")[:LONG_TEXT_CHARACTERS]


def _column_names(source: Source) -> Sequence[str]:
    place = source_place(str(source), data.home())
    if place is None:
        return ()
    return column_names(chosen_files(place, source.splits).files[0].path)


def _render_preview(source: Source) -> ProblemSet | None:
    """The first rows as they would be read, and why others are not."""
    place = source_place(str(source), data.home())
    if place is None:
        st.caption("Nothing of it is on this machine yet, so there are no rows to show.")
        return None
    # A part of the rows may leave too few to hold some out.
    found = load_folder(
        place, name=place.name, source=str(source), spec=replace(source, hold_out=HoldOut()), rows=PREVIEWED_ROWS
    )
    st.markdown(f"**{plain(found.read_as)}**")
    kinds = pd.Series([problem.gold_kind for problem in found.problems]).value_counts()
    golds = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items())
    st.caption(f"Of the first rows {count(len(found.problems), 'problem')} can be read. Gold answers: {golds}.")
    render_table(
        pd.DataFrame(
            [
                {"split": p.split, "question": p.question, "gold": p.gold, "kind": p.gold_kind, "steps": len(p.steps)}
                for p in found.problems[:_SHOWN_ROWS]
            ]
        ),
        hide_index=True,
        width="stretch",
    )
    for words in filter(None, (left_out(found), *found.left_out)):
        st.caption(plain(words))
    return found


def _render_ends(source: Source, found: ProblemSet | None, take: Callable[[str], None]) -> None:
    """Using it, with or without a name."""
    name = st.text_input(
        "Name",
        max_chars=60,
        placeholder="my-problems",
        help="Kept under this name it is offered everywhere.",
        key="source name",
    )
    if st.button("Use it", type="primary", key="use source", **acts(disabled=found is None)):
        require_act()
        if name:
            keep_source(data.home(), name, source)
        take(name or str(source))
        st.rerun()


def kept_lines() -> dict[str, str]:
    """Name -> line of the sources that are kept; none where the file cannot be read, which is said where one is taken."""
    try:
        return dict(data.named_sources())
    except SourceError:
        return {}
