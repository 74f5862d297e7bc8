"""Test-time scaling: what an answer made of several completions is worth, over their number or their tokens, and where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from analysis.atlas import AtlasParameters
from analysis.export import csv_text
from dashboard import data, figures, map_data, scaling_figures
from dashboard.addresses import SCALING, Fields
from dashboard.components.evaluate.comparison import evaluations_on_record
from dashboard.components.evaluate.judging import render_judging
from dashboard.components.evaluate.scaled_problems import render_problems
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import render_table
from dashboard.evaluation_catalogue import Measured, default_ids, sampled_catalogue, short_titles
from dashboard.keys import Keys
from dashboard.memory import Scaled
from dashboard.scaling_figures import Line
from dashboard.state import State
from dashboard.text import plain
from training.data.problem import Problem
from training.evaluation.comparison import correctness_measures
from training.evaluation.recorded import Sampled, scorers_of, scoring_rewards
from training.evaluation.scaling import STRATEGIES, Gain, Samples, strategies_of
from training.judging.steps import AGGREGATIONS
from training.rewards import title_of

_SHOWN = 12
"""Evaluations at once."""
_CLUSTERS = 8
"""The largest, which are drawn."""
_FIELD_PX = 260
_UNITS = {"difficulty": "right completions of the problem", "steps": "steps of the reference solution", "cluster": "cluster"}
_GROUPINGS = {"difficulty": "Difficulty", "steps": "Steps", "cluster": "Cluster"}


@dataclass(frozen=True)
class Scale:
    """One evaluation as the part shows it."""

    measured: Measured
    title: str
    sampled: Sampled
    samples: Samples
    line: Line
    gains: Sequence[Gain]
    """What the scorer's choices are worth."""


def render_scaling(state: State) -> Fields:
    """The whole part; returns the fields that its address shares."""
    entries = _entries()
    if not entries:
        st.write("What several completions a problem come to stands here: pass@k, majorities, and what a judge chooses.")
        st.caption("Measure a model with more than one completion per problem, at a temperature above 0.")
        if st.button("Measure a model", type="primary"):
            state.evaluated.part = "measure"
            st.rerun()
        return ()
    shown = _render_choice(state, entries)
    titles = short_titles(shown)
    found = {measured.id: data.sampled(measured.heading.job_id, measured.heading.label) for measured in shown}
    scorer = _render_scorer(state, shown, list(found.values()))
    measure = _render_measure(state, found[shown[-1].id])
    scales = [_scale(state, measured, titles[measured.id], found[measured.id], scorer, measure) for measured in shown]
    _render_curves(state, scales)
    one = _render_of(state, scales)
    problems = data.problems_by_id(one.measured.source, one.measured.content_hash)
    _render_groups(state, one, problems)
    render_problems(state, one.title, one.sampled, one.samples, problems, scorer)
    return SCALING


def _entries() -> list[Measured]:
    """Everything with several completions a problem."""
    store = data.store()
    entries = evaluations_on_record()
    imported = [job for job in store.jobs("import") if store.last_rollout_step(job.id) == 1 and not job.active]
    return sampled_catalogue(entries, store.jobs_named({found.heading.job_id for found in entries}), imported)


def _render_choice(state: State, entries: Sequence[Measured]) -> list[Measured]:
    """Which evaluations are shown: those of a job to begin with, beside them any of the same problems."""
    by_id = {measured.id: measured for measured in entries}
    asked = [found for found in state.scaled.shown if found in by_id] or list(default_ids(entries, _usual(entries)))
    first = by_id[asked[0]]
    offered = {found: measured for found, measured in by_id.items() if measured.has_problems_of(first)}
    state.scaled.shown = tuple(found for found in asked if found in offered)[:_SHOWN]
    left, right = st.columns([2, 5], vertical_alignment="bottom")
    with left:
        _render_job(state, entries, first.heading.job_id)
    with right:
        st.multiselect(
            "Completions of",
            list(offered),
            format_func=lambda found: offered[found].title,
            max_selections=_SHOWN,
            help="Any number side by side: evaluations with several completions a problem, and searches, of the same problems.",
            **Scaled.shown.bind(),
        )
    return [offered[found] for found in state.scaled.shown]


def _usual(entries: Sequence[Measured]) -> str:
    """The job that was chosen, else the newest whose completions were drawn each by itself: a search alone says little."""
    asked = st.session_state.get(Keys.SCALED_JOB)
    jobs = [measured.heading.job_id for measured in entries]
    drawn = [measured.heading.job_id for measured in entries if not measured.is_search]
    return str(asked) if asked in jobs else next(iter(drawn or jobs))


def _render_job(state: State, entries: Sequence[Measured], job_id: str) -> None:
    jobs = {measured.heading.job_id: measured for measured in reversed(entries)}
    st.session_state[Keys.SCALED_JOB] = job_id

    def choose() -> None:
        state.scaled.shown = default_ids(entries, str(st.session_state[Keys.SCALED_JOB]))

    st.selectbox(
        "Run, model or file",
        list(dict.fromkeys(measured.heading.job_id for measured in entries)),
        key=Keys.SCALED_JOB,
        on_change=choose,
        format_func=lambda job: job if jobs[job].is_run and jobs[job].heading.key else jobs[job].title,
    )


def _render_scorer(state: State, shown: Sequence[Measured], found: Sequence[Sampled]) -> str:
    """By whose scores is chosen; empty for nobody. Beside it how a judge is asked."""
    options = _scorers(found)
    if state.scaled.scorer not in options:
        state.scaled.scorer = options[0]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "Chosen by",
            options,
            format_func=lambda name: title_of(name) if name else "no judge yet",
            help="A judge that scored all of these completions, or a reward function that does not know the gold answer.",
            width=_FIELD_PX,
            **Scaled.scorer.bind(),
        )
        of = [(measured.heading.job_id, measured.heading.label) for measured in shown]
        if any(data.is_scored_by_step(*one, state.scaled.scorer) for one in of):
            st.segmented_control(
                "A completion's score is",
                list(AGGREGATIONS),
                format_func=lambda name: AGGREGATIONS[name][0],
                required=True,
                **Scaled.aggregation.bind(),
            )
        with st.container(width=_FIELD_PX):
            render_judging([measured for measured, one in zip(shown, found, strict=True) if one.key is not None])
    return state.scaled.scorer


def _scorers(found: Sequence[Sampled]) -> list[str]:
    """Who scored all of these completions, the usual one first: a judge, of imported files any; else nobody."""
    first, *others = (scorers_of(data.store(), one) for one in found)
    common = [name for name in first if all(name in other for other in others)]
    has_judge = bool(common) and common[0] not in scoring_rewards(found[0])
    is_imported = all(one.key is None for one in found)
    return common if has_judge or (common and is_imported) else ["", *common]


def _render_measure(state: State, last: Sampled) -> str:
    """By which reward function an answer is right, and what the curves are drawn over."""
    measures = {key: verifier.name for key, verifier in correctness_measures(last.evaluation.verifier).items()}
    if last.key is None:
        measures = {last.evaluation.verifier.name: last.evaluation.verifier.name}
    own = next(key for key, name in measures.items() if name == last.evaluation.verifier.name)
    if state.scaled.measure not in measures:
        state.scaled.measure = own
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.segmented_control(
            "Right by", list(measures), format_func=lambda key: title_of(measures[key]), required=True, **Scaled.measure.bind()
        )
        st.segmented_control(
            "Over",
            ("k", "tokens"),
            format_func={"k": "Completions", "tokens": "Tokens"}.__getitem__,
            required=True,
            **Scaled.axis.bind(),
        )
    return measures[state.scaled.measure]


def _scale(state: State, measured: Measured, title: str, sampled: Sampled, scorer: str, measure: str) -> Scale:
    of = measured.heading.job_id, measured.heading.label, scorer, state.scaled.aggregation, measure
    line = Line(title, sampled.evaluation.search, data.curves(*of))
    return Scale(measured, title, sampled, data.samples(*of), line, data.gains(*of))


def _render_curves(state: State, scales: Sequence[Scale]) -> None:
    """A figure a model, the same axis of shares for all; then the figures with all completions."""
    models = _by_model(scales)
    lines = [scale.line for scale in scales]
    axis = state.scaled.axis if any(score.tokens for line in lines for score in line.curves) else "k"
    if axis != state.scaled.axis:
        st.caption("How many tokens these completions took is not on record, so the curves are drawn over their number.")
    lowest = scaling_figures.lowest_share(lines)
    columns = panes("scaling curves", min(2, len(models)), gap="medium")
    for number, (title, of_model) in enumerate(models.items()):
        with columns[number % len(columns)]:
            st.markdown(f"**{plain(title)}**")
            if not scaling_figures.drawn(of_model):
                st.caption("A search is drawn by what a judge chooses of its completions: ask one above.")
                continue
            render_chart(
                figures.spec(scaling_figures.curves_figure(of_model, axis, lowest)),
                key=f"{Keys.SCALING_CHART} {number}",
                height="340px",
                alt=_alt(title, of_model),
            )
    strategies = dict.fromkeys(name for _, name in scaling_figures.drawn(lines)) or strategies_of(scales[0].samples)
    meanings = "; ".join(f"{scaling_figures.NAMES[name]}: {STRATEGIES[name].meaning}" for name in strategies)
    st.caption(f"{meanings}. Bands and bars: 95%.")
    # Its cells wrap, unlike those of a data frame: nothing is cut in a small window.
    st.table(
        scaling_figures.largest_frame(lines)
        .map(lambda cell: plain(cell) if isinstance(cell, str) else cell)
        .set_index("evaluation"),
        border="horizontal",
        alt="The figures with all completions of a problem",
    )
    for scale in scales:
        if scale.gains:
            told = "; ".join(gain.reading for gain in scale.gains)
            st.caption(plain(f"{scale.title}: {told}. Problem by problem, 95% intervals."))
    st.download_button(
        "CSV of all points",
        data=data.file_queue().making(lambda: csv_text(scaling_figures.curves_frame(lines))),
        file_name="scaling.csv",
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )


def _by_model(scales: Sequence[Scale]) -> dict[str, list[Line]]:
    """Title -> the lines of one model: its samples and its searches."""
    found: dict[str, tuple[str, list[Line]]] = {}
    jobs = data.store().jobs_named({scale.measured.heading.job_id for scale in scales})
    for scale in scales:
        spec = jobs[scale.measured.heading.job_id].spec
        model = scale.measured.id if scale.measured.is_run else f"{spec.get('model')} {spec.get('weights')}"
        found.setdefault(model, (scale.title, []))[1].append(scale.line)
    return dict(found.values())


def _alt(title: str, lines: Sequence[Line]) -> str:
    last = {scaling_figures.called(line.search, score.title): score.value for line in lines for score in line.curves}
    return f"{title}: " + ", ".join(f"{name} {value:.3f}" for name, value in last.items())


def _render_of(state: State, scales: Sequence[Scale]) -> Scale:
    """The evaluation that is looked into."""
    st.subheader("Where", anchor=False)
    by_id = {scale.measured.id: scale for scale in scales}
    if state.scaled.of not in by_id:
        state.scaled.of = scales[-1].measured.id
    left, right = st.columns([3, 4], vertical_alignment="bottom")
    with left:
        st.selectbox("Of", list(by_id), format_func=lambda found: by_id[found].title, **Scaled.of.bind())
    with right:
        st.segmented_control("By", list(_GROUPINGS), format_func=_GROUPINGS.__getitem__, required=True, **Scaled.by.bind())
    return by_id[state.scaled.of]


def _render_groups(state: State, one: Scale, problems: Mapping[str, Problem]) -> None:
    """The figures with all completions, by group of the problems."""
    by = state.scaled.by
    groups = _groups(by, one, problems)
    if not groups:
        st.caption("The source's map has no clusters yet; Explore builds them." if by == "cluster" else "The source is gone.")
        return
    frame = scaling_figures.groups_frame(one.samples, groups)
    render_chart(
        figures.spec(scaling_figures.groups_figure(frame, _UNITS[by])),
        key=f"{Keys.SCALING_GROUPS} {by}",
        height="320px",
        alt=f"What all completions come to, by {_UNITS[by]}",
    )
    with st.popover("As a table", type="tertiary", icon=":material/table:"):
        config = {name: st.column_config.NumberColumn(format="percent") for name in ("value", "low", "high")}
        render_table(frame, hide_index=True, column_config=config, width=640)


def _groups(by: str, one: Scale, problems: Mapping[str, Problem]) -> dict[str, str]:
    """Problem id -> its group, in the order in which groups are drawn."""
    if by == "difficulty":
        return scaling_figures.thirds(one.samples)
    if by == "steps":
        steps = {problem_id: len(problem.steps) for problem_id, problem in problems.items() if problem_id in one.samples}
        return {problem_id: str(steps[problem_id]) for problem_id in sorted(steps, key=lambda problem_id: steps[problem_id])}
    return _clusters(one)


def _clusters(one: Scale) -> dict[str, str]:
    """Of the largest clusters of the source's map, those with the most of these problems."""
    if not data.problems_by_id(one.measured.source, one.measured.content_hash):
        return {}
    atlas = data.atlas(data.mapped_problems(one.measured.source), AtlasParameters())
    if atlas is None or atlas.clusters is None:
        return {}
    titles = map_data.cluster_titles(atlas)
    labels = dict(zip((problem.id for problem in atlas.problem_set.problems), atlas.clusters.labels.tolist(), strict=True))
    members: dict[int, list[str]] = {}
    for problem_id in one.samples:
        if (label := labels.get(problem_id, -1)) in titles:
            members.setdefault(label, []).append(problem_id)
    largest = sorted(members, key=lambda label: -len(members[label]))[:_CLUSTERS]
    return {problem_id: titles[label] for label in largest for problem_id in members[label]}
