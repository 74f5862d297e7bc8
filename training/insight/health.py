"""Health signals of a run, from its ledger and scalars: what a person should look at, and the rows that show it.

A signal is a reason to look, not a verdict: it names steps, groups and completions, and leaves the judgement and all
showing to others. Only reads. A new signal is one function and one entry in `SIGNALS`.

The thresholds have to leave a good run alone. They were held against 100 steps of the `demo` preset (hard correctness
0.28 -> 0.82 in training), whose figures stand beside each, and lie well beyond them. The same preset with correctness
weighted 0.1, integer weighted 2 and a learning rate of 3e-4 (soft correctness 0.61 -> 0.02, the reward 2.08 -> 2.39) is
named for that alone, from step 35 of 60 on.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from training.groups import Group, Kind, Rollout, Verifier, groups_of
from training.rewards import verifier_of
from training.rewards.forms import AnswerForm, form_of
from training.store import Store
from training.text import agree, count, span

MIN_STEPS = 10
"""Shorter runs are not judged: the two windows that are compared would have fewer than 5 steps each."""

WINDOW_SHARE = 4
"""A window is a quarter of the run: "now" is its last quarter, long enough to average over problems hard and easy."""

MIN_WINDOW = 5

STANDARD_ERRORS = 2.5
"""A mean has changed when it moved by more than this many standard errors of the difference between two windows' steps.

With correctness drawn at random from the demo's steps, and a reward made to rise, fewer than 1 run in 100 was named
(2.0: 2 in 100); with the demo's own rewards, in order or in 1,200 random draws of 10 to 100 steps, none.
"""

MIN_FALL = 0.05
"""Correctness, 0 to 1. A smaller fall is not worth a person's time even when it is no accident."""

FLAT_SHARE = 0.5
"""Groups without variance. From here on a step costs twice the completions it learns from. Demo: 0.17 at the end."""

CUT_SHARE = 0.1
"""Completions cut off. Above it most groups of 8 hold one that is judged by its length: 1 - 0.9^8 = 0.57. Demo: 0."""

UNMARKED_SHARE = 0.1
"""Completions that end of themselves and mark no answer, as for `CUT_SHARE`. Demo: 0."""

REPEAT_SHARE = 0.75
"""Copies among the completions that could be one, in groups not yet all right: 8 then hold two or three texts. Demo: 0.57."""

ENTROPY_SHARE = 0.2
"""Entropy of the last window against the first. Demo: 0.65, with most of its skill gained."""

MASTERED = 0.9
"""Hard correctness from which certainty is what one wants, so that low entropy is no reason to look."""

MAX_EVIDENCE = 5

_HARD, _SOFT = "correctness", "soft_correctness"

_KIND_WORDS: dict[Kind, str] = {
    "mixed": "right and wrong alike",
    "right": "all right",
    "wrong": "all wrong",
    "unjudged": "right or wrong unknown",
}


@dataclass(frozen=True)
class Evidence:
    """One place in the ledger to look at."""

    step: int
    group_index: int | None
    """`None`: the whole step."""
    position: int | None
    """`None`: the whole group."""
    shows: str
    """What is to be seen there."""


@dataclass(frozen=True)
class Finding:
    """What a signal found: one sentence that says where to look and why, and the rows, most telling first."""

    sentence: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Unchecked:
    """A signal that this run's records cannot answer."""

    reason: str


@dataclass(frozen=True)
class Record:
    """What the signals read: the rollouts that a run learnt from, by step, in order, and its entropy by step."""

    steps: tuple[tuple[Rollout, ...], ...]
    entropy: dict[int, float]
    verifier: Verifier
    form: AnswerForm
    """In which the answers are asked for."""

    @cached_property
    def window(self) -> int:
        """Steps in a window."""
        return max(MIN_WINDOW, len(self.steps) // WINDOW_SHARE)

    @cached_property
    def recent(self) -> tuple[tuple[Rollout, ...], ...]:
        """The steps of the last window."""
        return self.steps[-self.window :]

    @cached_property
    def recent_groups(self) -> list[Group]:
        """The groups of the last window, in training order."""
        return groups_of(rollout for step in self.recent for rollout in step)

    @cached_property
    def reward_names(self) -> list[str]:
        """The functions on record."""
        return list(self.steps[0][0].rewards)


@dataclass(frozen=True)
class Signal:
    """One entry of the registry."""

    name: str
    title: str
    find: Callable[[Record], Finding | Unchecked | None]
    """`None` where there is nothing to look at."""
    passed: str
    """What is true of a run in which it finds nothing, as a sentence."""


@dataclass(frozen=True)
class Health:
    """All signals of a run."""

    steps: int
    """Steps in the ledger; below `MIN_STEPS` nothing was checked."""
    findings: dict[str, Finding]
    """By the signal's name, in the registry's order."""
    unchecked: dict[str, str]
    """Name of a signal -> why it could not be checked."""

    @property
    def passed(self) -> list[str]:
        """Names of the signals that were checked and found nothing."""
        checked = SIGNALS if self.steps >= MIN_STEPS else {}
        return [name for name in checked if name not in self.findings and name not in self.unchecked]

    @property
    def verdict(self) -> str:
        """How many checks passed, in a sentence."""
        passed, checked = len(self.passed), len(SIGNALS) - len(self.unchecked)
        could = f" that could be made on {count(self.steps, 'step')}" if self.unchecked else f" on {count(self.steps, 'step')}"
        return f"All {checked} checks passed{could}." if not self.findings else f"{passed} of {checked} checks passed{could}."


def examine(store: Store, job_id: str) -> Health:
    """Check a run, active or ended.

    Raises:
        StoreError: there is no such run.
    """
    run = store.job(job_id)
    steps: dict[int, list[Rollout]] = defaultdict(list)
    for rollout in store.rollouts(job_id):
        if not rollout.dropped:
            steps[rollout.step].append(rollout)
    scalars = store.scalars(job_id)
    return check(
        Record(
            steps=tuple(tuple(steps[step]) for step in sorted(steps)),
            entropy={s.step: s.value for s in scalars if s.name == "entropy" and s.value is not None},
            verifier=verifier_of(run.spec),
            form=form_of(run.spec),
        )
    )


def check(record: Record) -> Health:
    """Put every signal to a record."""
    if len(record.steps) < MIN_STEPS:
        return Health(len(record.steps), {}, {})
    results = {name: signal.find(record) for name, signal in SIGNALS.items()}
    return Health(
        steps=len(record.steps),
        findings={name: result for name, result in results.items() if isinstance(result, Finding)},
        unchecked={name: result.reason for name, result in results.items() if isinstance(result, Unchecked)},
    )


def reward_without_skill(record: Record) -> Finding | Unchecked | None:
    """The total rises while hard and soft correctness fall, from the window with the best soft correctness to the last one.

    The total holds the correctness it is compared with, so that chance moves them together: apart they move for a reason.
    """
    if missing := [name for name in (_HARD, _SOFT) if name not in record.reward_names]:
        return Unchecked(f"the run does not record {' and '.join(missing)}")
    earlier = _best_window(record)
    reward = _change(_course(earlier), _course(record.recent))
    hard, soft = (_change(_course(earlier, name), _course(record.recent, name)) for name in (_HARD, _SOFT))
    if not reward.rises or not all(skill.falls and skill.before - skill.after >= MIN_FALL for skill in (hard, soft)):
        return None
    wrong = [r for step in record.recent for r in step if r.total is not None and r.rewards[_HARD] == 0 == r.rewards[_SOFT]]
    return Finding(
        f"Look at what is paid for: from {_span(earlier)} to {_span(record.recent)} the reward rose from {reward} "
        f"while hard correctness fell from {hard} and soft correctness from {soft}.",
        _evidence(
            sorted(wrong, key=lambda rollout: -(rollout.total or 0)), lambda rollout: f"wrong, yet paid {rollout.total:.2f}"
        ),
    )


def flat_groups(record: Record) -> Finding | None:
    """Groups whose completions all earned the same: nothing in them is better than the rest, so they teach nothing."""
    flat = [group for group in record.recent_groups if group.is_flat]
    share = len(flat) / len(record.recent_groups)
    if share < FLAT_SHARE:
        return None
    kinds = Counter(group.kind(record.verifier) for group in flat)
    split = ", ".join(f"{count / len(record.recent_groups):.0%} {_KIND_WORDS[kind]}" for kind, count in kinds.most_common())
    telling = sorted(flat, key=lambda group: (-kinds[group.kind(record.verifier)], -group.step))
    return Finding(
        f"Look at the choice of problems: in {share:.0%} of the groups of {_span(record.recent)} all completions earned the "
        f"same, so that nothing was learnt from them ({split}).",
        tuple(
            Evidence(g.step, g.index, None, f"{_KIND_WORDS[g.kind(record.verifier)]}, {len(g.rollouts)} equal rewards")
            for g in telling[:MAX_EVIDENCE]
        ),
    )


def cut_off(record: Record) -> Finding | None:
    """Completions that ran into the length limit: they have no answer, whatever their reasoning was worth."""
    rollouts = [rollout for step in record.recent for rollout in step]
    cut = [rollout for rollout in rollouts if rollout.finish_reason == "length"]
    if len(cut) / len(rollouts) < CUT_SHARE:
        return None
    return Finding(
        f"Look at the length limit: {len(cut) / len(rollouts):.0%} of the completions of {_span(record.recent)} were cut off, "
        f"at {max(rollout.tokens for rollout in cut):,} tokens.",
        _evidence(reversed(cut), lambda rollout: f"cut off after {rollout.tokens:,} tokens"),
    )


def no_answer(record: Record) -> Finding | None:
    """Completions that end of themselves and mark no answer in the form asked for: wrong for another reason than the others."""
    rollouts = [rollout for step in record.recent for rollout in step]
    unmarked = [r for r in rollouts if r.finish_reason != "length" and not record.form.has_block(r.completion)]
    share = len(unmarked) / len(rollouts)
    if share < UNMARKED_SHARE:
        return None
    return Finding(
        f"Look at how answers are marked: {share:.0%} of the completions of {_span(record.recent)} end without an answer in "
        f"the form asked for ({record.form.name}).",
        _evidence(reversed(unmarked), lambda rollout: "marks no answer"),
    )


def repeats(record: Record) -> Finding | None:
    """The same text again and again within a group that is not all right: the policy no longer explores."""
    groups = [group.rollouts for group in record.recent_groups if group.kind(record.verifier) != "right"]
    possible = sum(len(group) - 1 for group in groups)
    copies = sum(len(group) - len({rollout.completion for rollout in group}) for group in groups)
    if not possible or copies / possible < REPEAT_SHARE:
        return None
    commonest = [Counter(rollout.completion for rollout in group).most_common(1)[0] for group in groups]
    by_copies = sorted(zip(groups, commonest, strict=True), key=lambda pair: -pair[1][1])[:MAX_EVIDENCE]
    firsts = [(next(r for r in group if r.completion == text), count, len(group)) for group, (text, count) in by_copies]
    return Finding(
        f"Look at how alike the completions of a group are: in the groups of {_span(record.recent)} that are not all right, "
        f"{copies / possible:.0%} of the completions that could repeat another of their group do.",
        tuple(Evidence(r.step, r.group_index, r.position, f"{count} of {size} are this text") for r, count, size in firsts),
    )


def entropy_collapse(record: Record) -> Finding | Unchecked | None:
    """The policy became certain of its next token before it became right."""
    first, last = (
        [(step[0].step, record.entropy[step[0].step]) for step in steps if step[0].step in record.entropy]
        for steps in (record.steps[: record.window], record.recent)
    )
    if not first or not last:
        return Unchecked("the run does not log its entropy")
    before, after = (_mean([value for _, value in values]) for values in (first, last))
    skill = _course(record.recent, _HARD)
    if after >= ENTROPY_SHARE * before or (skill and _mean(skill) >= MASTERED):
        return None
    lowest = sorted(last, key=lambda pair: pair[1])[:MAX_EVIDENCE]
    return Finding(
        f"Look at whether the run still explores: entropy fell from {before:.3f} in {_span(record.steps[: record.window])} to "
        f"{after:.3f} in {_span(record.recent)}.",
        tuple(Evidence(step, None, None, f"entropy {value:.3f}") for step, value in lowest),
    )


def silent_rewards(record: Record) -> Finding | None:
    """Reward functions that were 0, or could not be computed, for every completion of the run."""
    fired = {name for step in record.steps for rollout in step for name, value in rollout.rewards.items() if value}
    silent = [name for name in record.reward_names if name not in fired]
    if not silent:
        return None
    rollouts = [rollout for step in record.steps for rollout in step]
    best = sorted(rollouts, key=lambda rollout: -math.inf if rollout.total is None else rollout.total, reverse=True)
    return Finding(
        f"Look at what {' and '.join(silent)} {agree(len(silent), 'asks', 'ask')} for: "
        f"not one of {len(rollouts):,} completions earned anything there.",
        _evidence(best, lambda rollout: f"among the best paid ({_amount(rollout.total)}), nothing from {' and '.join(silent)}"),
    )


SIGNALS: dict[str, Signal] = {
    signal.name: signal
    for signal in (
        Signal(
            "reward_without_skill",
            "Reward rises, correctness falls",
            reward_without_skill,
            "The reward does not rise while hard and soft correctness fall.",
        ),
        Signal(
            "flat_groups",
            "Groups without variance",
            flat_groups,
            f"In the last quarter, in fewer than {FLAT_SHARE:.0%} of the groups all completions earned the same.",
        ),
        Signal(
            "cut_off",
            "Completions cut off",
            cut_off,
            f"In the last quarter, fewer than {CUT_SHARE:.0%} of the completions ran into the length limit.",
        ),
        Signal(
            "no_answer",
            "Completions without an answer",
            no_answer,
            f"In the last quarter, fewer than {UNMARKED_SHARE:.0%} of the completions mark no answer in the form asked for.",
        ),
        Signal(
            "repeats",
            "Repeated completions",
            repeats,
            f"In groups that are not all right, fewer than {REPEAT_SHARE:.0%} of the completions that could repeat another do.",
        ),
        Signal(
            "entropy_collapse",
            "Entropy collapse",
            entropy_collapse,
            f"Entropy stays above {ENTROPY_SHARE:.0%} of what it was at first, or answers are right by now.",
        ),
        Signal(
            "silent_rewards",
            "Reward functions that never fire",
            silent_rewards,
            "Every reward function paid something for some completion.",
        ),
    )
}


@dataclass(frozen=True)
class _Change:
    """Two windows' means, and whether the difference is more than the spread between steps explains."""

    before: float
    after: float
    error: float
    """Standard error of the difference."""

    def __str__(self) -> str:
        return span(self.before, self.after, ".2f")

    @property
    def rises(self) -> bool:
        return self.after - self.before > STANDARD_ERRORS * self.error

    @property
    def falls(self) -> bool:
        return self.before - self.after > STANDARD_ERRORS * self.error


def _best_window(record: Record) -> Sequence[Sequence[Rollout]]:
    """The window before the last one with the highest soft correctness, so that a rise at first does not hide the fall."""
    starts = range(0, len(record.steps) - 2 * record.window + 1, record.window)
    windows = [record.steps[start : start + record.window] for start in starts]
    return max(windows, key=lambda steps: _mean(_course(steps, _SOFT) or [-math.inf]))


def _change(before: Sequence[float], after: Sequence[float]) -> _Change:
    if min(len(before), len(after)) < 2:
        return _Change(0.0, 0.0, math.inf)
    return _Change(_mean(before), _mean(after), math.sqrt(_variance(before) / len(before) + _variance(after) / len(after)))


def _course(steps: Sequence[Sequence[Rollout]], reward: str | None = None) -> list[float]:
    """Each step's mean of one reward function, or of the total; steps in which nothing could be scored are left out."""
    columns = [[rollout.total if reward is None else rollout.rewards.get(reward) for rollout in step] for step in steps]
    scored = [[value for value in column if value is not None] for column in columns]
    return [_mean(values) for values in scored if values]


def _evidence(rollouts: Iterable[Rollout], shows: Callable[[Rollout], str]) -> tuple[Evidence, ...]:
    """The first rollout of each group, so that one group does not take all the room."""
    firsts: dict[tuple[int, int], Rollout] = {}
    for rollout in rollouts:
        firsts.setdefault((rollout.step, rollout.group_index), rollout)
    return tuple(Evidence(r.step, r.group_index, r.position, shows(r)) for r in firsts.values())[:MAX_EVIDENCE]


def _amount(total: float | None) -> str:
    return "nothing scorable" if total is None else f"{total:.2f}"


def _span(steps: Sequence[Sequence[Rollout]]) -> str:
    return f"steps {span(steps[0][0].step, steps[-1][0].step, ',')}"


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
