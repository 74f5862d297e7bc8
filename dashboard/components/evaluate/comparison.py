"""Evaluations side by side: the article's table, what changed problem by problem, and where: by steps, by cluster."""

from collections.abc import Collection, Mapping, Sequence

import streamlit as st

from analysis.atlas import AtlasParameters
from analysis.export import csv_text
from dashboard import data, evaluation_figures, figures, map_data
from dashboard.addresses import EVALUATIONS, LAUNCH, Fields
from dashboard.components.evaluate.changes import render_changes
from dashboard.components.evaluate.report import render_report
from dashboard.components.evaluate.results import render_results
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.going import Page, go_to
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import render_table
from dashboard.evaluation_catalogue import Measured, catalogue, default_ids, first_job, short_titles
from dashboard.keys import Keys
from dashboard.memory import Evaluated
from dashboard.state import State
from dashboard.text import plain
from training.evaluation.comparison import (
    answers_reading,
    compare_evaluations,
    paired_differences,
    scores_by_group,
)
from training.evaluation.evaluate import ARTICLE_NAMES, ARTICLE_TABLE, evaluation_table
from training.models.checkpoints import recorded_checkpoints
from training.store import TRAINED_KINDS
from training.store.evaluations import Evaluation, evaluation_headings
from training.text import count, percent

_PAIRED_NOTE = " The difference is the mean of later minus earlier problem by problem, with its paired 95% interval."
_WHOLE_INTERVALS = 5
"""Columns of the table up to which an interval stands in one line in any window."""


def render_comparison(state: State) -> Fields:
    """The whole part; returns the fields that its address shares."""
    entries = evaluations_on_record()
    if not entries:
        st.write("A run that evaluates (the demo preset does) leaves its table here, before and after training.")
        with st.container(horizontal=True):
            if st.button("Launch a run", type="primary"):
                go_to(Page.LAUNCH, LAUNCH)
            if st.button("Measure a model"):
                state.evaluated.part = "measure"
                st.rerun()
        return ()
    shown = _render_choice(state, entries)
    titles = short_titles(shown)
    evaluations = {titles[measured.id]: data.evaluation(measured.heading.key) for measured in shown}
    base, against = _pair(state, shown)
    pair = {titles[measured.id]: evaluations[titles[measured.id]] for measured in (base, against)}
    _render_table(state, evaluations, pair, shown)
    _render_settings(shown, titles)
    if len(shown) > 1:
        _render_pair(shown, titles)
        before, after = pair[titles[base.id]], pair[titles[against.id]]
        _render_readings(before, after)
        render_changes(state, base, (titles[base.id], before), (titles[against.id], after))
    elif any(run.id == shown[0].subject for run in data.store().active_jobs(TRAINED_KINDS)):
        st.caption("The second evaluation follows when training is done.")
    _render_where(shown[0], pair)
    _render_samples(state, shown, evaluations)
    return EVALUATIONS


def evaluations_on_record() -> list[Measured]:
    """Every complete evaluation; see `catalogue` for their order."""
    headings = evaluation_headings(data.store())
    jobs = data.store().jobs_named({heading.job_id for heading in headings})
    return catalogue(headings, jobs, recorded_checkpoints(data.store()))


def _render_choice(state: State, entries: Sequence[Measured]) -> list[Measured]:
    """Which run or model, and which evaluations beside each other; all of one source."""
    jobs = list(dict.fromkeys(measured.heading.job_id for measured in entries))
    named = [state.evaluated.job, state.shown.run, *(found.rpartition(":")[0] for found in state.evaluated.evaluations)]
    job_id = next((job for job in named if job in jobs), first_job(entries))
    runs = {measured.heading.job_id for measured in entries if measured.is_run}
    titles = {measured.heading.job_id: measured.title for measured in reversed(entries)}
    job_column, several, report = st.columns([2, 5, 1.2], vertical_alignment="bottom")
    st.session_state[Keys.EVALUATED_RUN] = job_id

    def choose() -> None:
        _take(state, str(st.session_state[Keys.EVALUATED_RUN]), runs)
        state.evaluated.evaluations, state.evaluated.base, state.evaluated.against, state.evaluated.answered = (), "", "", ""

    job_column.selectbox(
        "Run or model",
        jobs,
        key=Keys.EVALUATED_RUN,
        on_change=choose,
        format_func=lambda job: job if job in runs else titles[job],
    )
    _take(state, job_id, runs)
    first = next(measured for measured in entries if measured.heading.job_id == job_id)
    offered = {measured.id: measured for measured in entries if measured.has_problems_of(first)}
    asked = tuple(found for found in state.evaluated.evaluations if found in offered)[: data.EVALUATIONS]
    state.evaluated.evaluations = asked or default_ids(entries, job_id)
    with several:
        st.multiselect(
            "Evaluations",
            list(offered),
            format_func=lambda found: offered[found].title,
            max_selections=data.EVALUATIONS,
            help="Any number side by side, of this run, of others, of checkpoints and models; all of the same problems.",
            **Evaluated.evaluations.bind(),
        )
    with report:
        if job_id in runs:
            render_report(job_id)
    chosen = state.evaluated.evaluations or default_ids(entries, job_id)
    return [offered[found] for found in chosen]


def _take(state: State, job_id: str, runs: Collection[str]) -> None:
    """Other pages know the chosen run; an evaluation of a model alone concerns this one only."""
    state.evaluated.job = "" if job_id in runs else job_id
    if job_id in runs:
        state.shown.run = job_id


def _render_table(
    state: State, evaluations: Mapping[str, Evaluation], pair: Mapping[str, Evaluation], shown: Sequence[Measured]
) -> None:
    tables = {title: evaluation_table(evaluation) for title, evaluation in evaluations.items()}
    differences = _differences(pair)
    left, right = panes("measures", [3, 2], gap="medium")
    with left:
        frame = evaluation_figures.measure_frame(tables, differences, article=state.evaluated.article)
        # Its cells wrap, unlike those of a data frame: nothing is cut in a small window.
        st.table(
            (frame if len(frame.columns) > _WHOLE_INTERVALS else frame.replace(" to ", "\u00a0to\u00a0", regex=True))
            .rename(columns=plain)
            .set_index("measure"),
            border="horizontal",
            alt="Each measure with its 95% interval",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.toggle(
                "The article's figures beside",
                help="Of another model on other data: Llama-3.1-8B-Instruct on half of GSM8K's test split, 300 steps.",
                **Evaluated.article.bind(),
            )
            st.download_button(
                "CSV",
                data=data.file_queue().making(lambda: csv_text(evaluation_figures.measure_rows(tables, differences))),
                file_name="evaluations.csv",
                mime="text/csv",
                icon=":material/download:",
                type="tertiary",
                on_click="ignore",
            )
            render_results(shown, dict(zip((measured.id for measured in shown), evaluations, strict=True)))
        st.caption(_problems_note(evaluations) + (_PAIRED_NOTE if differences else ""))
        if state.evaluated.article:
            called = ", ".join(f"{ARTICLE_TABLE[key][0]} is its {name}" for key, name in ARTICLE_NAMES.items())
            st.caption(f"What the article calls otherwise: {called}.")
        unmarked = {title: reading for title, evaluation in evaluations.items() if (reading := answers_reading(evaluation))}
        if unmarked:
            st.caption(plain(f"{'; '.join(f'{title}: {reading}' for title, reading in unmarked.items())}."))
    with right:
        render_chart(
            figures.spec(evaluation_figures.measures_figure(tables)),
            key=Keys.MEASURES_CHART,
            height=figures.height_with_legend(270, len(tables)),
            alt="The measures as shares of their maximum: "
            + "; ".join(
                f"{title}, hard correctness {percent(table['hard'].value)}"
                for title, table in tables.items()
                if "hard" in table
            ),
        )


def _differences(pair: Mapping[str, Evaluation]) -> evaluation_figures.Differences:
    """Of the two that are compared; none where there is only one."""
    if len(pair) < 2:
        return {}
    (first, before), (last, after) = pair.items()
    return {f"{last} − {first}": paired_differences(before, after)}


def _problems_note(evaluations: Mapping[str, Evaluation]) -> str:
    sizes = {title: evaluation.problems for title, evaluation in evaluations.items()}
    first = next(iter(evaluations.values()))
    if len(set(sizes.values())) == 1:
        problems = count(next(iter(sizes.values())), f"{first.split} problem")
    else:
        problems = "; ".join(f"{plain(title)}: {count(size, f'{first.split} problem')}" for title, size in sizes.items())
    several = any(len(evaluation.items) > sizes[title] for title, evaluation in evaluations.items())
    resampled = " (bootstrap over problems where each has several completions, if there are ten or more)" if several else ""
    return f"{problems}. Each figure is a mean, with its 95% Wilson interval{resampled} in brackets."


def _render_settings(shown: Sequence[Measured], titles: Mapping[str, str]) -> None:
    """How completions were drawn; said one by one where that differs."""
    if len({measured.settings for measured in shown}) == 1:
        st.caption(plain(f"Completions: {shown[0].settings}."))
        return
    parts = "; ".join(f"{titles[measured.id]}: {measured.settings}" for measured in shown)
    st.caption(plain(f"Completions were drawn differently, which alone changes figures. {parts}."))


def _pair(state: State, shown: Sequence[Measured]) -> tuple[Measured, Measured]:
    """The two that are compared problem by problem: the first and the last, unless others are chosen."""
    by_id = {measured.id: measured for measured in shown}
    if state.evaluated.base not in by_id:
        state.evaluated.base = shown[0].id
    if state.evaluated.against not in by_id:
        state.evaluated.against = shown[-1].id
    return by_id[state.evaluated.base], by_id[state.evaluated.against]


def _render_pair(shown: Sequence[Measured], titles: Mapping[str, str]) -> None:
    """Which two are compared, where there are more."""
    st.subheader("Problem by problem", anchor=False)
    if len(shown) > 2:
        columns = st.columns([2, 2, 4])
        for column, label, field in ((columns[0], "From", Evaluated.base), (columns[1], "To", Evaluated.against)):
            column.selectbox(label, list(titles), format_func=titles.__getitem__, **field.bind())


def _render_readings(before: Evaluation, after: Evaluation) -> None:
    """The paired test in words; with several completions a problem there is no pair to test."""
    if any(found.problems < len(found.items) for found in (before, after)):
        st.caption(
            "The paired test needs one completion a problem in both evaluations; with several, a problem counts as gained "
            "when a larger share of its completions is right."
        )
        return
    for comparison in compare_evaluations(before, after).values():
        st.markdown(plain(comparison.reading))


def _render_where(measured: Measured, pair: Mapping[str, Evaluation]) -> None:
    """Correctness by the number of steps, and by the clusters of the source's map where it is built."""
    source = measured.source
    problems = data.problems_by_id(source, measured.content_hash)
    if not problems:
        st.caption(plain(f"The problems of {source} cannot be read any more, so there is no breakdown by steps or cluster."))
        return
    st.subheader("Where", anchor=False)
    left, right = panes("where", 2, gap="medium")
    with left:
        steps = {problem_id: len(problem.steps) for problem_id, problem in problems.items()}
        scores = {title: scores_by_group(evaluation, steps) for title, evaluation in pair.items()}
        numbers = sorted({number for found in scores.values() for number in found if number is not None})
        names: dict[int | None, str] = {number: str(number) for number in numbers}
        st.markdown("**By number of steps**")
        render_chart(
            figures.spec(evaluation_figures.groups_figure(scores, names, "hard", "steps of the reference solution")),
            key=Keys.STEPS_SCORES,
            height="320px",
            alt="Hard correctness by the number of steps",
        )
    with right:
        st.markdown("**By cluster of the map**")
        _render_clusters(source, pair)


def _render_clusters(source: str, pair: Mapping[str, Evaluation]) -> None:
    atlas = data.atlas(data.mapped_problems(source), AtlasParameters())
    if atlas is None or atlas.clusters is None:
        st.caption("The source's map has no clusters yet; Explore builds them.")
        return
    ids = [problem.id for problem in atlas.problem_set.problems]
    clusters = dict(zip(ids, atlas.clusters.labels.tolist(), strict=True))
    scored = [scores_by_group(evaluation, clusters) for evaluation in pair.values()]
    frame = evaluation_figures.clusters_frame(scored[0], scored[-1], map_data.cluster_titles(atlas))
    titles = list(pair)
    render_chart(
        figures.spec(evaluation_figures.clusters_figure(frame, titles)),
        key=Keys.CLUSTER_SCORES,
        height="320px",
        alt="Hard correctness by cluster, the largest clusters, most gained at the top",
    )
    st.caption(evaluation_figures.clusters_caption(frame))
    columns = {"before": titles[0], "after": titles[-1]} if len(titles) > 1 else {"before": titles[0]}
    numbers = {**columns, "change": "change"} if len(titles) > 1 else columns
    config = {name: st.column_config.NumberColumn(title, format="percent") for name, title in numbers.items()}
    config |= {f"{name} interval": st.column_config.TextColumn(f"{title}, 95%") for name, title in columns.items()}
    with st.popover("All clusters", type="tertiary", icon=":material/table:"):
        order = ["cluster", "problems", *(found for name in columns for found in (name, f"{name} interval"))]
        order += ["change"] if len(titles) > 1 else []
        render_table(frame[order], hide_index=True, column_config=config, width=640)


def _render_samples(state: State, shown: Sequence[Measured], evaluations: Mapping[str, Evaluation]) -> None:
    """The way to what several completions a problem come to, where there are several."""
    several = [one for one, found in zip(shown, evaluations.values(), strict=True) if len(found.items) > found.problems]
    if not several:
        return
    st.subheader("With several tries", anchor=False)
    st.caption("pass@k, majorities, and what a judge chooses of several completions a problem stand in a part of their own.")
    if st.button("Test-time scaling", icon=":material/stacked_line_chart:"):
        state.scaled.shown, state.evaluated.part = tuple(one.id for one in several), "scaling"
        st.rerun()
