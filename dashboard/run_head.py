"""What the head of a run's page says: where the run stands, and its five figures. Nothing here knows Streamlit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dashboard.curves import ACCURACY, LOSS, reward_scalar, step_time_s
from dashboard.run_changes import Change, step_change
from training.config import RunConfig, StageConfig
from training.rewards import title_of, verifier_named
from training.store import LOCAL, Job, Status
from training.store.scalar_series import EMPTY, Series
from training.text import count, duration

LATEST_STEPS = 5
"""Steps that a figure is the mean of: one step's mean is noise."""
FLAT_GROUPS = "frac_reward_zero_std"
_ANSWERS = 3
"""Figures of evaluations alone, beside the two of training."""


@dataclass(frozen=True)
class Figure:
    """One of the figures above the tabs, as text."""

    title: str
    value: str
    change: str
    """`+13.0 points (+5.2 to +20.8)`; empty while there is nothing to compare."""
    basis: str
    """What is compared."""


@dataclass(frozen=True)
class Head:
    """All that moves in the head."""

    status: Status
    fraction: float
    line: str
    figures: tuple[Figure, ...]
    tab: str = ""
    """What the browser's tab says while the run goes on, `demo-3 84/150`; empty when it has ended."""


@dataclass(frozen=True)
class Headline:
    """What one of the figures is of."""

    name: str
    """Of a scalar."""
    title: str
    maximum: float | None = None
    """What its values are divided by, to be shown as shares; `None` for those that are shown as they are."""


def headlines(config: StageConfig) -> list[Headline]:
    """Total reward, the verifier, hard and soft correctness, format and groups without variance, as far as the run has them.

    Of a run that generates no completions the loss, the token accuracy, and what its evaluations judge.
    """
    judged = dict.fromkeys((config.verifier, "correctness", "soft_correctness", "soft_format"))
    if not isinstance(config, RunConfig):
        answers = [Headline(reward_scalar(name), title_of(name), verifier_named(name).maximum) for name in judged]
        return [Headline(LOSS, "Loss"), Headline(ACCURACY, "Token accuracy", 1.0), *answers[:_ANSWERS]]
    shares = [
        Headline(reward_scalar(name), title_of(name), verifier_named(name).maximum)
        for name in judged
        if name in config.reward_weights or name == config.verifier
    ]
    return [Headline("reward", "Total reward"), *shares, Headline(FLAT_GROUPS, "Groups without variance", 1.0)]


def head_names(config: StageConfig) -> frozenset[str]:
    """The scalars that the head needs."""
    return frozenset({"step_time", *(headline.name for headline in headlines(config))})


def head_of(run: Job, config: StageConfig, series: Mapping[str, Series], changes: Mapping[str, Change]) -> Head:
    """The head of a run.

    Args:
        run: the run as it is now.
        config: its configuration.
        series: of `head_names`.
        changes: by the name of a scalar, see `run_changes.RunChanges`; of others the steps tell.
    """
    line = progress_line(run, step_time_s(series["step_time"]))
    figures = [
        _figure(headline, series.get(headline.name, EMPTY), changes.get(headline.name), is_over=not run.active)
        for headline in headlines(config)
        if len(series.get(headline.name, EMPTY)[1]) or headline.name in changes
    ]
    tab = f"{run.id} {run.done:.0f}/{run.total:.0f}" if run.active else ""
    return Head(run.status, run.fraction, line, tuple(figures), tab)


def progress_line(run: Job, step_time_s: float | None) -> str:
    """Step, where it runs if not here, pace and time left; of a run that has ended, why and how long it took."""
    place = "" if run.backend == LOCAL else f" on {run.backend}"
    is_whole = run.status == "finished" and run.done >= run.total and bool(run.reason)
    parts = [f"{run.reason if is_whole else f'step {run.done:,.0f} of {run.total:,.0f}'}{place}"]
    if step_time_s:
        parts.append(f"{step_time_s:,.2f} s per step")
    if run.active:
        if step_time_s and run.phase == "training":
            parts.append(f"{duration(step_time_s * (run.total - run.done))} left")
        parts.append("waiting for its turn" if run.status == "queued" else run.message)
    else:
        is_told_below = run.status in ("failed", "lost")
        parts.append("" if is_whole or is_told_below else run.reason.rstrip("."))
        if run.started_at and run.ended_at:
            parts.append(f"took {duration(run.ended_at - run.started_at)}")
    return ", ".join(part for part in parts if part)


def change_text(change: Change, *, is_share: bool) -> str:
    """`+13.0 points (+5.2 to +20.8)`, or that nothing is clear: a change within its interval is no gain and no loss."""
    scale, digits, unit = (100.0, 1, " points") if is_share else (1.0, 2, "")
    amount, low, high = (_signed(scale * part, digits) for part in (change.difference, change.low, change.high))
    if change.low == change.high == 0:
        return "no change"
    if change.is_clear:
        return f"{amount}{unit} ({low} to {high})"
    return f"no clear change ({low} to {high}{unit})"


def basis_text(change: Change, *, is_share: bool) -> str:
    """What is compared, in words."""
    return _BASES[change.basis](change, is_share)


def _of_evaluations(change: Change, is_share: bool) -> str:
    before, after = (_as_text(value, is_share=is_share) for value in (change.before, change.after))
    return f"{before} to {after} on the same {count(change.number, f'{change.split} problem')}"


_BASES: Mapping[str, Callable[[Change, bool], str]] = {
    "evaluations": _of_evaluations,
    "problems": lambda change, is_share: f"{count(change.number, 'problem')} met early and late",
    "steps": lambda change, is_share: f"first against last {change.number:,} steps, other problems",
}


def _figure(headline: Headline, series: Series, change: Change | None, *, is_over: bool) -> Figure:
    """The latest steps' mean; once the run is over its last evaluation, where that is what is compared."""
    is_share = headline.maximum is not None
    values = series[1] / (headline.maximum or 1.0)
    change = change or step_change(values)
    is_told = change is not None and ((is_over and change.basis == "evaluations") or not len(values))
    latest = change.after if change is not None and is_told else float(values[-LATEST_STEPS:].mean())
    value = _as_text(latest, is_share=is_share)
    if change is None:
        return Figure(headline.title, value, "", "")
    return Figure(headline.title, value, change_text(change, is_share=is_share), basis_text(change, is_share=is_share))


def _as_text(value: float, *, is_share: bool) -> str:
    return f"{value:.1%}" if is_share else f"{value:,.2f}"


def _signed(number: float, digits: int) -> str:
    """`+5.2`, `−0.3`, `0.0`."""
    text = f"{number:+,.{digits}f}".replace("-", "−")
    return text[1:] if float(f"{number:.{digits}f}") == 0 else text
