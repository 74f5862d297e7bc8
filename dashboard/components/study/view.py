"""A study's page: how it stands, what each setting does, its arms, what they cost, where two differ, its runs."""

from collections.abc import Sequence

import streamlit as st

from dashboard import data, figures, study_data
from dashboard.access import acts
from dashboard.actions import add_seeds, resume_run, stop_run
from dashboard.comparison_tables import reading_of
from dashboard.components.run.compared_on_map import render_compared_map
from dashboard.components.run.list_controls import column_config
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.errors import boundary, fragment, render_error
from dashboard.components.shared.status import render_status
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.group_figure import group_figure
from dashboard.keys import Keys
from dashboard.memory import Studied
from dashboard.state import State
from dashboard.study_figures import NAMED_ARMS, cost_figure, cost_words, effect_figure, effect_height
from dashboard.study_tables import arm_table, arms_met, run_rows
from dashboard.text import plain
from training.rewards import title_of
from training.store import Job
from training.store.overview import reward_sparklines
from training.studies.members import Member
from training.studies.plan import StudySpec
from training.studies.results import ArmResult, StudyResult
from training.text import count

_POLL_S = 2.0
_MOST_PX = 420
_CHART_PX = 320


def render_study(study_id: str, state: State) -> None:
    """Everything of a study; while it is at work its head and runs follow, and the rest when a run has finished."""
    job, spec, members = study_data.study_members(study_id)
    at_work = job.active or any(member.active for member in members)
    finished = sum(member.finished for member in members)
    poll_s = _POLL_S if at_work else None
    fragment(_render_standing, run_every=poll_s)(study_id, at_work, finished)
    found = study_data.study_results(study_id)
    if found.arms:
        _render_effects(found, spec)
        _render_arms(found, "Trials" if spec.search else "Arms")
        _render_curves(found.arms)
        _render_where(found, spec, state)
    else:
        st.caption("What the settings do is shown here once runs have finished with an evaluation.")
    fragment(_render_runs, run_every=poll_s)(study_id, state)


def _render_standing(study_id: str, was_at_work: bool, had_finished: int) -> None:
    with boundary():
        job, spec, members = study_data.study_members(study_id)
        _render_head(job, spec, members)
        at_work = job.active or any(member.active for member in members)
        if (at_work, sum(member.finished for member in members)) != (was_at_work, had_finished):
            st.rerun(scope="app")


def _render_head(job: Job, spec: StudySpec, members: Sequence[Member]) -> None:
    status, progress, actions = st.columns([1.1, 4, 2.4], vertical_alignment="center")
    with status:
        render_status(job.status)
    done = sum(member.finished for member in members)
    progress.progress(min(1.0, done / spec.runs), f"{done:,} of {count(spec.runs, 'run')} finished")
    with actions, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        _render_actions(job, spec)
    if job.status in ("failed", "lost"):
        render_error(job.reason, "Resume goes on with what has not finished.")
    elif job.active:
        st.caption(plain(job.message))


def _render_actions(job: Job, spec: StudySpec) -> None:
    store, home = data.store(), data.home()
    if job.active:
        ends = "Ends its runs at their next steps, each with a checkpoint."
        if st.button("Stop", key=f"{Keys.STUDY} stop", **acts(disabled=job.status == "stopping", help=ends)):
            with boundary():
                stop_run(store, home, job.id)
                st.rerun(scope="app")
    elif job.status != "finished":
        goes_on = "Goes on with the runs that have not finished."
        if st.button("Resume", key=f"{Keys.STUDY} resume", type="primary", **acts(help=goes_on)):
            with boundary():
                resume_run(store, home, job.id)
                st.rerun(scope="app")
    if spec.search is None:
        with st.popover("More seeds", icon=":material/add:"):
            seeds = st.number_input("Further seeds", 1, 100, 1, help=f"Each is {count(len(spec.arms), 'run')}.")
            if st.button("Add them", key=f"{Keys.STUDY} seeds", type="primary", **acts()):
                with boundary():
                    add_seeds(store, home, job.id, int(seeds))
                    st.rerun(scope="app")


def _render_effects(found: StudyResult, spec: StudySpec) -> None:
    if spec.search is not None:
        best = max(found.arms, key=lambda arm: arm.after.value)
        told = f"The best of {count(len(found.arms), 'finished trial')}: {best.arm.label}, {best.after.value:.3f} right."
        st.markdown(plain(f"{told} It was chosen as the best of many with one seed, so it is likely to do worse again."))
        return
    st.subheader("What each setting does", anchor=False)
    if not found.effects:
        st.caption("No two finished runs differ in one setting alone yet.")
        return
    alt = "; ".join(f"{effect.title}: {effect.reading}" for effect in found.effects)
    spec_of_figure = figures.spec(effect_figure(found.effects))
    render_chart(spec_of_figure, key=f"{Keys.STUDY} effects", alt=alt, height=effect_height(found.effects))
    for effect in found.effects:
        st.markdown(f"**{plain(effect.title)}.** {plain(effect.reading)}")
    st.caption(
        f"Right by {title_of(found.verifier.name).lower()}. Pairs are runs alike in all else, seed included. Seeds and "
        "problems both count as drawn from many (two-way clustered variance); p-values are corrected by Holm's method. Filled: "
        "more than chance."
    )


def _render_arms(found: StudyResult, title: str) -> None:
    st.subheader(title, anchor=False)
    table = arm_table(found.arms)
    height = fitted_height(len(table), _MOST_PX)
    render_table(
        table,
        key=f"{Keys.STUDY} arms",
        hide_index=True,
        height=height,
        column_config={"tokens a run": st.column_config.NumberColumn(format="localized")},
        alt=f"{count(len(table), 'arm')} of the study",
    )
    st.caption(
        f"Shares of {count(found.problems, 'problem')} right by {title_of(found.verifier.name).lower()}, means over runs with "
        "95% intervals by Student's t: of two or three seeds they are wide."
    )


def _render_curves(arms: Sequence[ArmResult]) -> None:
    left, right = st.columns(2)
    courses = reward_sparklines(data.store(), [run_id for arm in arms for run_id in arm.run_ids])
    drawn = {arm.arm.label: [courses[run] for run in arm.run_ids if run in courses] for arm in arms[:NAMED_ARMS]}
    drawn = {label: runs for label, runs in drawn.items() if runs}
    height = figures.height_with_legend(_CHART_PX, min(len(arms), NAMED_ARMS))
    with left:
        st.subheader("Reward by arm", anchor=False)
        if drawn:
            ends = ", ".join(f"{label} ends at {sum(run[-1] for run in runs) / len(runs):.3f}" for label, runs in drawn.items())
            alt = f"Total reward over the steps, mean of each arm with its 95% interval: {ends}"
            render_chart(figures.spec(group_figure(drawn)), key=f"{Keys.STUDY} curves", alt=alt, height=height)
        if len(arms) > len(drawn):
            st.caption(f"The first {count(len(drawn), 'arm')} of {len(arms):,}.")
    with right:
        st.subheader("What it costs", anchor=False)
        costs = figures.spec(cost_figure(arms))
        render_chart(costs, key=f"{Keys.STUDY} cost", alt=cost_words(arms), height=height)


def _render_where(found: StudyResult, spec: StudySpec, state: State) -> None:
    """On which problems two arms differ."""
    if len(found.arms) < 2:
        return
    st.subheader("Where two arms differ", anchor=False)
    labels = [arm.arm.label for arm in found.arms]
    for field, usual in ((Studied.first, labels[0]), (Studied.other, labels[-1])):
        if field.get() not in labels:
            field.set(usual)
    left, right = st.columns(2)
    left.selectbox("One arm", labels, **Studied.first.bind())
    right.selectbox("Another", labels, **Studied.other.bind())
    first, other = (found.arms[labels.index(label)] for label in (state.studied.first, state.studied.other))
    if first is other:
        st.caption("Choose two different arms.")
        return
    met = arms_met(first, other)
    if met.empty:
        st.caption("No problem was measured in both.")
        return
    st.markdown(plain(reading_of(met, first.arm.label, other.arm.label)))
    st.caption("This interval is over problems alone, of the seeds that were run; the effects above count other seeds too.")
    with boundary():
        render_compared_map(met, str(spec.base["source"]), first.arm.label, other.arm.label, state)


def _render_runs(study_id: str, state: State) -> None:
    with boundary(tells_away=False):
        *_, members = study_data.study_members(study_id)
        if not members:
            return
        st.subheader("Runs", anchor=False)
        table = run_rows(members)
        choice = render_table(
            table,
            key=f"{Keys.STUDY} runs",
            hide_index=True,
            height=fitted_height(len(table), _MOST_PX),
            on_select="rerun",
            selection_mode="single-row",
            column_config=column_config(("status", "progress", "how it stands"), ()),
            alt=f"{count(len(table), 'run')} of the study",
        )
        st.caption("Choose a row to open its run.")
        chosen = choice["selection"]["rows"]
        if chosen and chosen[0] < len(members):
            state.shown.run = members[chosen[0]].run.id
            state.open_run(state.shown.run)
            st.rerun(scope="app")
