"""The findings: the answer first, its numbers, what it means, how it was computed, its figure, a button to the map."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice

import pandas as pd
import streamlit as st

from analysis.atlas import Atlas, AtlasParameters
from analysis.finding import Finding
from analysis.findings import Correlation, Difficulty, Mixing, Topics, steps_and_pass_rate
from analysis.honesty import Honesty
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
    finding: Finding
    meaning: str
    """Why it matters, in one sentence."""
    button: str = ""
    """What shows it on the map; empty where nothing does."""


def render_mixing(atlas: Atlas, mixing: Mixing, state: State) -> None:
    """Whether test problems lie among train problems."""
    heading = Heading(
        "mixing",
        mixing,
        "If they were not, a score on test would measure other wording as well as skill.",
        "Show the splits on the map",
    )
    figure = finding_figures.mixing_figure(mixing.test_share, mixing.chance, mixing.base_rate)
    if render_finding(atlas, heading, spec(figure), height="150px"):
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
        topics,
        "A topic on its own is learned and tested apart from the rest: look at it before you judge a score.",
        f"Show “{titles[topics.island.number]}” on the map",
    )
    figure = finding_figures.topics_figure(topics, titles)
    if render_finding(atlas, heading, spec(figure), height="320px"):
        show_on_map(state, colour="cluster", clusters=(topics.island.number,))


def render_difficulty(atlas: Atlas, difficulty: Difficulty, state: State) -> None:
    """Whether position tells how many steps a problem takes, and what else goes along with them."""
    basis = map_data.distinct(atlas)
    steps = map_data.frame(atlas)["steps"].to_numpy()[basis.rows]
    figure = finding_figures.difficulty_figure(steps, steps[basis.indices].mean(axis=1))
    heading = Heading(
        "difficulty",
        difficulty,
        "Where it says little, a region of the map is a topic, not a level: choosing by region does not choose by difficulty.",
        "Show the steps on the map",
    )
    if render_finding(atlas, heading, spec(figure)):
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
        honesty,
        "A flat map cannot keep all neighbours; coloured by the share kept, it says where not to trust it.",
        "Show the neighbours kept on the map",
    )
    assert atlas.kept is not None
    if render_finding(atlas, heading, spec(finding_figures.kept_figure(atlas.kept, honesty.chance))):
        show_on_map(state, colour="kept")


def render_finding(atlas: Atlas, heading: Heading, figure: Spec | None, *, height: str = "260px") -> bool:
    """The words beside the figure, if there is one; whether the button was pressed."""
    finding = heading.finding
    st.subheader(finding.question, anchor=False, divider="gray")
    words, chart = panes(f"finding {heading.key}", [2, 3], gap="large", vertical_alignment="center")
    with words:
        st.markdown(f"**{plain(finding.answer)}** {plain(finding.numbers)}")
        st.caption(heading.meaning)
        with st.container(horizontal=True, vertical_alignment="center"):
            pressed = bool(heading.button) and st.button(plain(heading.button), key=f"show {heading.key}")
            with st.popover("How this was computed", type="tertiary", icon=":material/calculate:", key=f"how {heading.key}"):
                st.markdown(plain(finding.method))
                st.caption("The same figures in a terminal:")
                st.code(report_command(State().source, atlas.parameters), language="bash", wrap_lines=True)
    if figure is not None:
        with chart:
            render_chart(figure, key=f"figure {heading.key}", alt=f"{finding.question} {finding.reading}", height=height)
    return pressed


def report_command(source: str, parameters: AtlasParameters) -> str:
    """What computes the findings in a terminal."""
    usual = AtlasParameters()
    differing = {name.replace("_", "-"): value for name, value in asdict(parameters).items() if value != getattr(usual, name)}
    options = {"source": source} | differing
    return " ".join(("python -m analysis report", *(f"--{name} {shlex.quote(str(value))}" for name, value in options.items())))


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
