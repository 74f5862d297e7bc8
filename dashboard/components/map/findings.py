"""The findings: what each is, what it means, its figure, and a button that shows it on the map."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import pandas as pd
import streamlit as st

from analysis.atlas import Atlas
from analysis.findings import Correlation, Difficulty, Honesty, Mixing, Topics, steps_and_pass_rate
from dashboard import data, finding_figures, map_data
from dashboard.addresses import EXPLORE
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.going import Page, go_to
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import render_table
from dashboard.figures import Spec, spec
from dashboard.state import State
from dashboard.text import plain
from training.store import RUN_KINDS
from training.store.job_search import jobs_on
from training.text import span

_RUNS_LOOKED_AT = 3
"""The newest runs on a source, whose pass rates are held against the steps."""


@dataclass(frozen=True)
class Heading:
    """How a finding is presented."""

    key: str
    title: str
    reading: str
    meaning: str
    """Why it matters, in one sentence."""
    button: str = ""
    """What shows it on the map; empty where nothing does."""


def render_mixing(atlas: Atlas, mixing: Mixing, state: State) -> None:
    """Whether test problems lie among train problems."""
    heading = Heading(
        "mixing",
        "Are the splits mixed?",
        mixing.reading,
        "If they were not, a score on test would measure other wording as well as skill.",
        "Show the splits on the map",
    )
    figure = finding_figures.mixing_figure(mixing.test_share, mixing.chance, mixing.base_rate)
    if render_finding(heading, spec(figure), height="150px"):
        show_on_map(state, colour="split")
    if mixing.outlying:
        outlying = [
            {
                "cluster": map_data.cluster_titles(atlas)[share.number],
                "problems": share.size,
                "test": share.test_share,
                "chance": span(*share.chance, ".0%"),
            }
            for share in mixing.outlying
        ]
        render_table(
            pd.DataFrame(outlying),
            hide_index=True,
            column_config={"test": st.column_config.NumberColumn("share of test", format="percent")},
        )


def render_topics(atlas: Atlas, topics: Topics, state: State) -> None:
    """Which topics there are, and how much each lies by itself."""
    titles = map_data.cluster_titles(atlas)
    heading = Heading(
        "topics",
        "Which topics are there?",
        topics.reading,
        "A topic on its own is learned and tested apart from the rest: look at it before you judge a score.",
        f"Show “{titles[topics.island.number]}” on the map",
    )
    figure = finding_figures.topics_figure(topics, titles)
    if render_finding(heading, spec(figure), height="320px"):
        show_on_map(state, colour="cluster", clusters=(topics.island.number,))


def render_difficulty(atlas: Atlas, difficulty: Difficulty, state: State) -> None:
    """Whether position tells how many steps a problem takes, and what else goes along with them."""
    basis = map_data.distinct(atlas)
    steps = map_data.frame(atlas)["steps"].to_numpy()[basis.rows]
    figure = finding_figures.difficulty_figure(steps, steps[basis.indices].mean(axis=1))
    heading = Heading(
        "difficulty",
        "Does position predict difficulty?",
        difficulty.reading,
        "Where it says little, a region of the map is a topic, not a level: choosing by region does not choose by difficulty.",
        "Show the steps on the map",
    )
    if render_finding(heading, spec(figure)):
        show_on_map(state, colour="steps")
    correlations = [*difficulty.correlations, *_pass_rates(atlas)]
    if correlations:
        figure = finding_figures.correlations_figure(correlations)
        words = ", ".join(correlation.reading for correlation in correlations)
        render_chart(spec(figure), key="figure correlations", alt=f"Rank correlations with steps: {words}")


def render_honesty(atlas: Atlas, honesty: Honesty, state: State) -> None:
    """How far the map can be trusted."""
    heading = Heading(
        "honesty",
        "Is the map honest?",
        honesty.reading,
        "A flat map cannot keep all neighbours; coloured by the share kept, it says where not to trust it.",
        "Show the neighbours kept on the map",
    )
    assert atlas.kept is not None
    if render_finding(heading, spec(finding_figures.kept_figure(atlas.kept, honesty.chance))):
        show_on_map(state, colour="kept")


def render_finding(heading: Heading, figure: Spec, *, height: str = "260px") -> bool:
    """The words beside the figure; whether the button was pressed."""
    st.subheader(heading.title, anchor=False, divider="gray")
    words, chart = panes(f"finding {heading.key}", [2, 3], gap="large", vertical_alignment="center")
    with words:
        st.markdown(plain(heading.reading))
        st.caption(heading.meaning)
        pressed = bool(heading.button) and st.button(plain(heading.button), key=f"show {heading.key}")
    with chart:
        alt = f"{heading.title}. {heading.reading}"
        render_chart(figure, key=f"figure {heading.key}", alt=alt, height=height)
    return pressed


def show_on_map(
    state: State,
    *,
    colour: str,
    atlas: Atlas | None = None,
    problems: Sequence[str] = (),
    how: str = "",
    clusters: tuple[int, ...] = (),
) -> None:
    """Go to Explore with a colouring and, if given, problems selected or clusters filtered by.

    Args:
        atlas: the problems' map.
        problems: ids; the first is opened too.
        how: how they were chosen.
    """
    state.filters.clear()
    state.selection.clear()
    state.look.colour, state.filters.clusters = colour, clusters
    if atlas is not None and problems:
        rows = {map_data.row_of(atlas, problem) for problem in problems}
        state.selection.rows = tuple(sorted(row for row in rows if row is not None))
        state.selection.picked, state.selection.problem = (how,), problems[0]
    go_to(Page.EXPLORE, EXPLORE)


def _pass_rates(atlas: Atlas) -> Iterable[Correlation]:
    """Of the newest runs on this source, how the steps go with the pass rate."""
    problem_set = atlas.problem_set
    for run in islice(jobs_on(data.store(), RUN_KINDS, problem_set.source, problem_set.whole.content_hash), _RUNS_LOOKED_AT):
        outcomes = data.outcomes(run.id)
        if "pass_rate" not in outcomes:
            continue
        known = outcomes["pass_rate"].dropna()
        found = steps_and_pass_rate(problem_set.problems, dict(zip(known.index, known, strict=True)))
        if found is not None:
            yield Correlation(f"pass rate in {run.id}", found.rho, found.interval, found.problems)
