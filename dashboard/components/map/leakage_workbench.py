"""The leakage workbench: near train/test pairs, ranked and typed, kept or dropped, and the cleaned split taken further."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from analysis.atlas import Atlas
from analysis.leakage import (
    COPIES,
    PAIR_KINDS,
    Leakage,
    LeakagePair,
    choose_pairs,
    cleaning_words,
    copies_sentence,
    without_leaks,
)
from dashboard import data, finding_figures, map_data
from dashboard.access import acts
from dashboard.actions import judge_pairs, save_subset
from dashboard.components.map.findings import Heading, render_finding, show_on_map
from dashboard.components.map.subset import render_download
from dashboard.components.shared.errors import boundary, shielded
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.figures import spec
from dashboard.keys import Keys
from dashboard.memory import Workbench
from dashboard.state import State
from dashboard.text import file_name, plain
from training.data.problem import Split
from training.store.curation import judged_pairs
from training.text import count

_RANKS = {"cosine": "Cosine", "overlap": "Word 3-grams"}
"""What the pairs are ranked and cut by: a field of `LeakagePair` -> its name."""
_SHOWN = 1000
"""Rows of the table."""
_TALLEST_PX = 320
_CLEANED = "cleaned"


def render_leakage(atlas: Atlas, leakage: Leakage, state: State) -> None:
    """The finding, then the chosen pairs, near copies unless others are, and what to do with them."""
    heading = Heading(
        "leakage",
        leakage,
        "A near copy in train can be remembered instead of solved; read the pairs before trusting a score.",
    )
    assert atlas.nearest_test is not None
    is_train = (map_data.frame(atlas)["split"] == "train").to_numpy()
    render_finding(atlas, heading, spec(finding_figures.leakage_figure(atlas.nearest_test[is_train], state.workbench.cosine)))
    ranked, threshold = _render_choice(leakage, state)
    verdicts = judged_pairs(data.store(), atlas.problem_set.content_hash)
    above = [pair for pair in ranked if getattr(pair, state.workbench.rank) >= threshold]
    _render_below(ranked[len(above) :])
    _render_pairs(atlas, above, verdicts, state)
    dropped = [(pair.test_id, pair.train_id) for pair in above if verdicts.get((pair.test_id, pair.train_id), True)]
    limit = f"{_RANKS[state.workbench.rank].lower()} of at least {threshold:.2f}" if threshold else ""
    _render_cleaned(atlas, dropped, copies_sentence(leakage.tests, above, state.workbench.kinds), limit, state)


def _render_choice(leakage: Leakage, state: State) -> tuple[Sequence[LeakagePair], float]:
    """Kinds, rank and threshold; the pairs of these kinds, ranked, and the threshold."""
    kinds, rank, threshold = st.columns([2, 1, 2], vertical_alignment="bottom")
    chosen = kinds.pills(
        "Pairs to drop",
        list(PAIR_KINDS),
        selection_mode="multi",
        help=" ".join(f"{kind.capitalize()}: {meaning}" for kind, meaning in PAIR_KINDS.items()),
        **Workbench.kinds.bind(),
    )
    rank.segmented_control("Rank by", list(_RANKS), format_func=_RANKS.__getitem__, required=True, **Workbench.rank.bind())
    by_cosine = state.workbench.rank == "cosine"
    cut = threshold.slider(
        f"Minimum, {_RANKS[state.workbench.rank].lower()}",
        0.0,
        1.0,
        step=0.01,
        help=f"0 leaves it to the kinds. Pairs are recorded from a cosine of {leakage.floor:.2f} up, or where their wording is "
        "alike.",
        **(Workbench.cosine.bind() if by_cosine else Workbench.overlap.bind()),
    )
    return sorted(choose_pairs(leakage.pairs, chosen), key=lambda pair: -getattr(pair, state.workbench.rank)), cut


def _render_below(pairs: Sequence[LeakagePair]) -> None:
    """A hint at grave pairs that the threshold cuts off."""
    counts = Counter(pair.kind for pair in pairs)
    grave = ", ".join(f"{counts[kind]:,} {kind}" for kind in PAIR_KINDS if counts[kind] and kind in COPIES)
    if grave:
        st.caption(f"Near copies lie below the minimum and are kept: {grave}. Set it to 0 to drop them too.")


def _render_pairs(atlas: Atlas, pairs: Sequence[LeakagePair], verdicts: Mapping[tuple[str, str], bool], state: State) -> None:
    questions = {problem.id: problem.question for problem in atlas.problem_set.problems}
    shown = pairs[:_SHOWN]
    table = pd.DataFrame(
        {
            "verdict": [_verdict(verdicts.get((pair.test_id, pair.train_id))) for pair in shown],
            "kind": [pair.kind for pair in shown],
            "cosine": [pair.cosine for pair in shown],
            "3-grams": [pair.overlap for pair in shown],
            "test": [pair.test_id for pair in shown],
            "test question": [questions[pair.test_id][:300] for pair in shown],
            "train": [pair.train_id for pair in shown],
            "train question": [questions[pair.train_id][:300] for pair in shown],
        }
    )
    more = f", the first {_SHOWN:,} listed" if len(pairs) > _SHOWN else ""
    st.markdown(f"**{count(len(pairs), 'pair')}{more}.** Choose rows to judge them, to read them side by side, or to see them.")
    choice = render_table(
        table,
        key=Keys.PAIRS,
        on_select="rerun",
        selection_mode="multi-row",
        hide_index=True,
        height=fitted_height(len(shown), _TALLEST_PX),
        column_config={
            "verdict": st.column_config.TextColumn(width=110, help="Pairs of the chosen kinds are dropped unless kept."),
            "kind": st.column_config.TextColumn(width="small"),
            "cosine": st.column_config.NumberColumn(format="%.3f", width="small"),
            "3-grams": st.column_config.NumberColumn(format="%.2f", width="small", help="Jaccard index of the word 3-grams."),
            "test": st.column_config.TextColumn(width="small"),
            "train": st.column_config.TextColumn(width="small"),
            "test question": st.column_config.TextColumn(width="large"),
            "train question": st.column_config.TextColumn(width="large"),
        },
    )
    chosen = [shown[row] for row in choice["selection"]["rows"] if row < len(shown)]
    _render_judging(atlas, chosen, shown, state)
    if chosen:
        _render_side_by_side(atlas, chosen[0])


def _verdict(drop: bool | None) -> str:
    return "by kind" if drop is None else "drop" if drop else "keep"


def _render_judging(atlas: Atlas, chosen: Sequence[LeakagePair], listed: Sequence[LeakagePair], state: State) -> None:
    """What can be done with the chosen pairs; without a choice all that are listed can be looked at."""

    def judge(drop: bool | None) -> None:
        judge_pairs(data.store(), atlas.problem_set.content_hash, {(pair.test_id, pair.train_id): drop for pair in chosen})

    with st.container(horizontal=True):
        for label, drop in (("Drop", True), ("Keep", False), ("By kind", None)):
            st.button(label, key=f"judge {label}", on_click=shielded(judge), args=(drop,), **acts(disabled=not chosen))
        looked_at = chosen or listed
        label = f"Show {count(len(looked_at), 'pair')} on the map"
        if st.button(label, key="show pairs", disabled=not looked_at, help="Selects both problems of each pair."):
            both = [problem for pair in looked_at for problem in (pair.test_id, pair.train_id)]
            state.look.pairs = True
            show_on_map(state, colour="split", atlas=atlas, problems=both, how=count(len(looked_at), "leakage pair"))


def _render_side_by_side(atlas: Atlas, pair: LeakagePair) -> None:
    st.caption(f"{pair.kind.capitalize()}: {PAIR_KINDS[pair.kind]}")
    for column, problem_id in zip(panes("pair", 2, gap="large"), (pair.test_id, pair.train_id), strict=True):
        problem = atlas.problem_set.problems[map_data.row_of(atlas, problem_id) or 0]
        with column, st.container(border=True):
            st.markdown(f"**{plain(problem.id)}**")
            st.text(problem.question)
            st.caption(plain(" · ".join(f"{equation.expression} = {equation.result}" for equation in problem.equations)))
            st.markdown(f"Gold answer  **{plain(problem.gold)}**")


def _render_cleaned(atlas: Atlas, dropped: Sequence[tuple[str, str]], found: str, limit: str, state: State) -> None:
    """What is left when the dropped pairs lose one side, and where to take it."""
    chosen = st.segmented_control(
        "Drop from",
        ["train", "test"],
        required=True,
        default="train",
        key=Keys.LEAKAGE_SIDE,
        help="Which problem of a pair is removed.",
    )
    side: Split = "test" if chosen == "test" else "train"
    everything = atlas.problem_set.whole
    kept = list(without_leaks(everything.problems, dropped, side))
    lost = len(everything.problems) - len(kept)
    sizes = " and ".join(f"{sum(problem.split == split for problem in kept):,} {split}" for split in ("train", "test"))
    st.markdown(f"**{found} Dropping {count(lost, f'{side} problem')} leaves {sizes}.**")
    with st.container(horizontal=True):
        name = f"{file_name(atlas.problem_set.name)}-{_CLEANED}"
        render_download(kept, "jsonl", name, label="Export the cleaned data")
        if st.button("Save as a subset", key="save cleaned", **acts(disabled=not lost)):
            made = cleaning_words(lost, side, state.workbench.kinds, limit)
            with boundary():
                subset = save_subset(data.store(), _CLEANED, everything, [problem.id for problem in kept], made)
                st.toast(plain(f"Saved as {subset.reference}. Launch offers it under “Train on”."))
