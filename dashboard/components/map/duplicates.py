"""Problems that repeat an earlier one of their split: how many, which, and the data without them saved as a subset."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from analysis.atlas import Atlas
from analysis.repeats import REPEAT_KINDS, Duplicates, without_repeats
from dashboard import data, finding_figures, map_data
from dashboard.access import acts
from dashboard.actions import save_subset
from dashboard.components.map.findings import Heading, render_finding, show_on_map
from dashboard.components.map.subset import render_download
from dashboard.components.shared.errors import boundary
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.figures import spec
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import file_name, plain
from training.data.problem import SPLITS
from training.text import count

_DISTINCT = "distinct"
_TALLEST_PX = 240


def render_duplicates(atlas: Atlas, duplicates: Duplicates, state: State) -> None:
    """The finding, then the pairs and what is left without them."""
    heading = Heading(
        "duplicates",
        duplicates,
        "Copies are trained on more often than they should, and make intervals and other findings look surer than they are.",
        "Show the repeats on the map",
    )
    if not duplicates.pairs:
        render_finding(atlas, replace(heading, button=""), None)
        return
    splits = [split for split in SPLITS if duplicates.problems[split]]
    bars = {f"{split}, {words}": duplicates.counts[kind][split] for split in splits for kind, words in REPEAT_KINDS.items()}
    if render_finding(atlas, heading, spec(finding_figures.counts_figure(bars))):
        both = [problem for pair in duplicates.pairs for problem in (pair.problem_id, pair.original_id)]
        show_on_map(state, colour="split", atlas=atlas, problems=both, how=count(len(duplicates.pairs), "repeat"))
    _render_pairs(atlas, duplicates)
    _render_distinct(atlas)


def _render_pairs(atlas: Atlas, duplicates: Duplicates) -> None:
    questions = {problem.id: problem.question for problem in atlas.problem_set.problems}
    table = pd.DataFrame(
        {
            "problem": [pair.problem_id for pair in duplicates.pairs],
            "repeats": [pair.original_id for pair in duplicates.pairs],
            "how": [REPEAT_KINDS[pair.kind] for pair in duplicates.pairs],
            "question": [questions[pair.problem_id][:300] for pair in duplicates.pairs],
        }
    )
    column_config = {"question": st.column_config.TextColumn(width="large")}
    render_table(
        table, key=Keys.DUPLICATES, hide_index=True, height=fitted_height(len(table), _TALLEST_PX), column_config=column_config
    )


def _render_distinct(atlas: Atlas) -> None:
    """What is left without the chosen kinds of repeats, and where to take it."""
    found = map_data.repeated(atlas)
    offered = [kind for kind in REPEAT_KINDS if any(repeat.kind == kind for repeat in found.values())]
    chosen = st.pills(
        "Drop problems that repeat another",
        offered,
        selection_mode="multi",
        default=offered[:1],
        format_func=REPEAT_KINDS.__getitem__,
        key=Keys.DUPLICATE_KINDS,
    )
    everything = atlas.problem_set.whole
    kept = list(without_repeats(everything.problems, found, chosen))
    lost = len(everything.problems) - len(kept)
    sizes = " and ".join(f"{sum(problem.split == split for problem in kept):,} {split}" for split in SPLITS)
    st.markdown(f"**Dropping {count(lost, 'problem')} leaves {sizes}.**")
    with st.container(horizontal=True):
        render_download(kept, "jsonl", f"{file_name(atlas.problem_set.name)}-{_DISTINCT}", label="Export without repeats")
        if st.button("Save as a subset", key="save distinct", **acts(disabled=not lost)):
            how = f"without {lost:,} problems that repeat another {' or '.join(REPEAT_KINDS[kind] for kind in chosen)}"
            with boundary():
                subset = save_subset(data.store(), _DISTINCT, everything, [problem.id for problem in kept], how)
                st.toast(plain(f"Saved as {subset.reference}. Launch offers it under “Train on”."))
