"""One run: where it stands, its figures and curves, its completions and log; redrawn every second while it is active."""

import time
from typing import Literal

import pandas as pd
import streamlit as st

from dashboard import curves, data
from dashboard.components.completions import render_group
from dashboard.components.errors import boundary, render_error
from dashboard.components.plot import render_plot
from dashboard.state import Keys
from dashboard.text import count, duration, percent, plain, significant
from training.config import RunConfig, parse_config
from training.launch import backend_named, resume_run
from training.store import Job, Status

POLL_S = 1.0
_CURVES_IN_A_ROW = 3
_HEADLINE_HELP = "Mean of the latest 5 steps, and its change since the first 5."
_Color = Literal["gray", "blue", "orange", "green", "red"]
_BADGES: dict[Status, tuple[_Color, str]] = {
    "queued": ("gray", ":material/hourglass_empty:"),
    "running": ("blue", ":material/play_arrow:"),
    "stopping": ("orange", ":material/pause:"),
    "stopped": ("gray", ":material/stop:"),
    "finished": ("green", ":material/check:"),
    "failed": ("red", ":material/error:"),
    "lost": ("red", ":material/help:"),
}


def render_run(run_id: str) -> None:
    """The whole view of one run.

    Raises:
        StoreError: there is no such run.
    """
    run = data.store().job(run_id)
    st.fragment(_render_live, run_every=POLL_S if run.active else None)(run_id, run.active)
    with st.expander("Configuration"):
        st.json(run.spec)
    with st.expander("Log"):
        st.code(backend_named(run.backend, data.home()).logs(run) or "Nothing was printed yet.", language=None, height=320)


def render_status(status: Status) -> None:
    """A status as a coloured badge with its word."""
    color, icon = _BADGES[status]
    st.badge(status, color=color, icon=icon)


def _render_live(run_id: str, was_active: bool) -> None:
    run = data.store().job(run_id)
    if was_active and not run.active:
        st.rerun(scope="app")
    with boundary():
        config = parse_config(run.spec)
        frame = data.scalars_of(run_id)
        _render_header(run, curves.step_time_s(frame))
        if run.status in ("failed", "lost"):
            render_error(run.reason, "Resume goes on from the latest checkpoint, or from the start when there is none.")
        if frame.empty:
            st.caption("Curves and completions appear with the first step.")
            return
        _render_headlines(frame, config)
        _render_curves(run, frame, config)
        _render_completions(run, config)


def _render_header(run: Job, step_time_s: float | None) -> None:
    name, status, progress, action = st.columns([2, 1, 5, 1], vertical_alignment="center")
    name.subheader(plain(run.id), anchor=False)
    with status:
        render_status(run.status)
    progress.progress(run.fraction, text=plain(_progress_line(run, step_time_s)))
    with action:
        _render_action(run)


def _progress_line(run: Job, step_time_s: float | None) -> str:
    parts = [f"step {run.done:,.0f} of {run.total:,.0f}"]
    if step_time_s:
        parts.append(f"{significant(step_time_s)} s a step")
    if run.active:
        if step_time_s and run.message == "training":
            parts.append(f"{duration(step_time_s * (run.total - run.done))} left")
        parts.append("waiting for its turn" if run.status == "queued" else run.message)
    else:
        parts.append(run.reason)
        if run.started_at and run.ended_at:
            parts.append(f"took {duration(run.ended_at - run.started_at)}")
    return ", ".join(part for part in parts if part)


def _render_action(run: Job) -> None:
    if run.active:
        stopping = run.status == "stopping"
        stop_help = "Ends the run at its next step, with a checkpoint."
        if st.button("Stop", key=Keys.STOP, disabled=stopping, help=stop_help, width="stretch"):
            with boundary():
                data.store().request_stop(run.id)
                st.rerun()
    elif run.status != "finished" and st.button("Resume", key=Keys.RESUME, type="primary", width="stretch"):
        with boundary():
            resume_run(data.store(), data.home(), run.id)
            st.rerun()


def _render_headlines(frame: pd.DataFrame, config: RunConfig) -> None:
    found = curves.headlines(frame, config)
    for column, headline in zip(st.columns(len(found)), found, strict=True):
        value = percent(headline.value) if headline.is_share else significant(headline.value)
        column.metric(headline.title, value, _change(headline), delta_color="off", delta_arrow="off", help=_HEADLINE_HELP)


def _change(headline: curves.Headline) -> str | None:
    """`+0.26`, `−13 points`; nothing for no change."""
    if not headline.change:
        return None
    size = abs(headline.change)
    amount = f"{significant(round(100 * size, 1))} points" if headline.is_share else significant(size)
    return f"{'+' if headline.change > 0 else '−'}{amount}"


def _render_curves(run: Job, frame: pd.DataFrame, config: RunConfig) -> None:
    shown = curves.run_curves(config)
    for start in range(0, len(shown), _CURVES_IN_A_ROW):
        columns = st.columns(_CURVES_IN_A_ROW)
        for column, curve in zip(columns, shown[start : start + _CURVES_IN_A_ROW], strict=False):
            latest = frame[curve.name].dropna() if curve.name in frame else pd.Series(dtype=float)
            with column:
                render_plot(
                    data.curve_spec(run.id, curve, config.max_steps),
                    key=f"curve {curve.key}",
                    view=f"{run.id} {curve.key}",
                    alt=f"{curve.title} by step" + (f", now {significant(float(latest.iloc[-1]))}" if len(latest) else ""),
                    height="200px",
                )


def _render_completions(run: Job, config: RunConfig) -> None:
    last = data.store().last_rollout_step(run.id)
    if not last:
        return
    st.subheader("Completions", anchor=False)
    follow_column, step_column, group_column = st.columns([1, 2, 2], vertical_alignment="bottom")
    follow = follow_column.toggle("Latest step", value=True, key=Keys.FOLLOW, help="Off: choose any step.")
    step = last
    if not follow and last > 1:
        key = f"{Keys.STEP} {run.id}"
        # A resumed run may have gone back behind the step that was chosen.
        st.session_state[key] = min(int(st.session_state.get(key, last)), last)
        step = int(step_column.select_slider("Step", range(1, last + 1), key=key))
    rollouts = data.store().rollouts(run.id, step)
    groups = sorted({rollout.group_index for rollout in rollouts})
    with group_column:
        group = st.segmented_control(
            "Group",
            groups,
            default=groups[0],
            required=True,
            format_func=lambda index: str(index + 1),
            key=f"{Keys.GROUP} {run.id}",
        )
    chosen = [rollout for rollout in rollouts if rollout.group_index == group]
    if not chosen:
        return
    problem = data.problems_by_id(config.source).get(chosen[0].problem_id)
    st.caption(
        f"Step {chosen[0].step:,}, group {chosen[0].group_index + 1} of {len(groups)}, {count(len(chosen), 'completion')}"
    )
    render_group(chosen, problem, config.reward_weights)


def started(run: Job) -> str:
    """When the run was launched, in this machine's time."""
    return time.strftime("%d %b %H:%M", time.localtime(run.created_at))
