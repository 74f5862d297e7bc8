"""What preflight found, beside the launch button: findings with remedies, what to expect, memory by part."""

import html
import re
from collections.abc import Sequence

import streamlit as st

from dashboard import theme
from dashboard.text import plain
from training.config import RunConfig, StageConfig
from training.machines import Machine
from training.preflight.expectation import Expectation
from training.preflight.memory import MemoryEstimate
from training.preflight.subject import Finding
from training.settings import SETTINGS, step_words
from training.text import count, duration, percent, significant

_COLOURS = {"error": "red", "warning": "orange", "note": "gray"}

_TITLES = {plain(name): plain(setting.title) for name, setting in SETTINGS.items()}
_NAME = re.compile(
    rf"(?<![\w\\./-])({'|'.join(map(re.escape, sorted(_TITLES, key=len, reverse=True)))})(?![\w/])(?: ?(\\=) ?)?"
)
"""A setting's name in a text that is escaped for Markdown; a value may be given to it."""

_STYLE = (
    f"<style>.memory {{ --bar: {theme.TRAIN}; --over: {theme.TEST}; --quiet: {theme.QUIET}; }}</style>"
    + """<style>
.memory .part { display: grid; grid-template-columns: 1fr auto; gap: .15rem .5rem; font-size: .8rem; padding: .3rem 0; }
.memory .size { font-variant-numeric: tabular-nums; }
.memory .track, .memory .how { grid-column: 1 / -1; }
.memory .how { font-size: .72rem; opacity: .7; }
.memory .track { height: .45rem; background: rgba(138,148,158,.22); border-radius: 2px; overflow: hidden; }
.memory .bar { height: 100%; background: var(--bar); }
.memory .over .bar { background: var(--over); }
.memory .peak { font-weight: 600; border-top: 1px solid rgba(138,148,158,.35); }
</style>"""
)


def summary(config: StageConfig) -> str:
    """What the configuration amounts to."""
    steps, completions = (
        f"{count(config.max_steps, 'step')} of {step_words(config)}",
        config.max_steps * config.completions_per_step,
    )
    if not isinstance(config, RunConfig):
        return f"{steps}, {count(completions, 'solution')} in all."
    in_all = count(completions // config.num_iterations, "completion")
    return f"{steps}, {in_all} in all. The highest total reward is {significant(config.maximum_reward or 0.0)}."


def render_findings(findings: Sequence[Finding]) -> None:
    """Each with its remedy, errors first."""
    if not findings:
        st.markdown(":green[:material/check:] No problems found.")
    for finding in findings:
        badge = f":{_COLOURS[finding.severity]}-badge[{finding.severity}]"
        st.markdown(f"{badge} :small[{titled(finding.text)}]  \n:small[:gray[{titled(finding.remedy)}]]")


def titled(text: str) -> str:
    """A text as Markdown, with settings by the titles that the form gives them."""

    def title(match: re.Match[str]) -> str:
        name, is_given = match.groups()
        is_word = "_" not in name  # such as model or temperature
        return match[0] if is_word and not is_given else f"*{_TITLES[name]}*{' = ' if is_given else ''}"

    return _NAME.sub(title, plain(text))


def render_expectation(expected: Expectation) -> None:
    """Time, tokens, and how often a problem is met."""
    st.markdown(f":small[**{plain(time_line(expected))}**]")
    tokens = f"At most {expected.most_tokens:,}" if expected.tokens is None else f"About {significant(expected.tokens)}"
    met = f"each train problem is met {significant(expected.epochs)} times on average"
    basis = f" Going by {', '.join(expected.basis)}." if expected.basis else ""
    of = "completion tokens" if expected.learns_from == "completions" else "tokens of solutions"
    st.caption(plain(f"{tokens} {of}; {met}.{basis}"))


def time_line(expected: Expectation) -> str:
    """How long the run takes, as far as earlier runs tell."""
    if expected.step_time_s is None:
        return "Time: unknown, as no similar run has been made here yet."
    steps = f"{count(expected.steps, 'step')} of {significant(expected.step_time_s)} s"
    evaluations = count(expected.evaluations, "evaluation")
    if expected.total_s is None:
        return f"About {duration(expected.steps * expected.step_time_s)} for {steps}, and {evaluations} of unknown length."
    return f"About {duration(expected.total_s)}: {steps}" + (f" and {evaluations}." if expected.evaluations else ".")


def render_memory(memory: MemoryEstimate | None, machine: Machine | None) -> None:
    """The estimate, folded; its line says the peak and what there is."""
    if memory is None:
        st.caption("Memory: the model's sizes are not known here.")
        return
    total, device = _device(memory, machine)
    room = f" of {significant(total)} GiB on {device}" if total else ""
    with st.expander(plain(f"Memory: about {significant(memory.peak_gib)} GiB{room}"), key="launch memory"):
        st.html(_STYLE + memory_html(memory, total))
        st.caption("An estimate, with every completion at its greatest length; generating and learning take turns.")


def _device(memory: MemoryEstimate, machine: Machine | None) -> tuple[float | None, str]:
    """(GiB of what the estimate is for, what it is called); (`None`, "") where that is not known."""
    if memory.is_smallest:
        return memory.gpu_gib, "the smallest GPU that it fits"
    if machine is None:
        return None, ""
    return (machine.gpu.memory_gib, machine.gpu.name) if machine.gpu else (machine.memory_gib, "this machine")


def memory_html(memory: MemoryEstimate, total_gib: float | None) -> str:
    """The parts as HTML, each a bar of what the device has, then the peak.

    Args:
        total_gib: of the device; without it bars are parts of the peak.
    """
    whole = total_gib or memory.peak_gib
    rows = [_part(part.name, part.gib, whole, f"{_when(part.phase)}{part.how}") for part in memory.parts]
    share = f", {percent(memory.peak_gib / total_gib)} of {significant(total_gib)} GiB" if total_gib else ""
    rows.append(_part("Peak", memory.peak_gib, whole, f"while {memory.peak_phase}{share}", "peak"))
    return f'<div class="memory">{"".join(rows)}</div>'


def _when(phase: str) -> str:
    return "" if phase == "always" else f"while {phase}: "


def _part(name: str, gib: float, whole: float, how: str, kind: str = "") -> str:
    over = " over" if gib > whole else ""
    size = f"{significant(gib)} GiB" if gib >= 0.1 else f"{significant(gib * 1024)} MiB"
    bar = f'<div class="track"><div class="bar" style="width:{min(1.0, gib / whole):.1%}"></div></div>'
    return (
        f'<div class="part {kind}{over}"><span>{html.escape(name)}</span><span class="size">{size}</span>{bar}'
        f'<span class="how">{html.escape(how)}</span></div>'
    )
