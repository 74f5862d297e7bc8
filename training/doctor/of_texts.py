"""Signals of completions: cut off, without an answer or with one that nobody can read, without reasoning, repeated, in loops,
and of a length that drifts."""

import re
from collections import Counter

import numpy as np

from training.data.gold import parse_number
from training.doctor.courses import Change, Course, Floats, change, onset
from training.doctor.finding import Evidence, Finding, Result, Unchecked
from training.doctor.record import Record
from training.doctor.telling import (
    ShareAbove,
    extremes,
    from_to,
    rows_of,
    standard_errors,
    steps_in_words,
    steps_of,
)
from training.text import percent, significant

CUT_SHARE = 0.1
"""Completions cut off. Above it most groups of 8 hold one that is judged by its length: 1 - 0.9^8 = 0.57."""

UNMARKED_SHARE = 0.1
"""Completions that end of themselves and mark no answer, as for `CUT_SHARE`."""

UNREADABLE_SHARE = 0.1
"""Marked answers that are no number where right ones are, as for `CUT_SHARE`."""

UNSCORED_SHARE = 0.05
"""Completions that the verifier gives no value: each takes its group's comparison with it."""

BARE_SHARE = 0.3
"""Answers without reasoning, and by how much their share has to have grown: the run's own beginning says what it asks for."""

FEW_WORDS = 5
"""Fewer words beside the answer, or fewer characters than five such words have, are no reasoning."""
_FEW_CHARACTERS = 20

REPEAT_SHARE = 0.75
"""Copies among the completions that could be one, in groups not yet all right: 8 then hold two or three texts."""

LOOP_SHARE = 0.1
"""Completions that go round in circles, as for `CUT_SHARE`."""

LOOPED = 0.5
"""Of a text's sequences of four words, those that stood in it before; prose has few (Welleck et al. 2019, seq-rep-4)."""
_SEQUENCE = 4
LEAST_SEQUENCES = 20

LENGTH_RATIO = 1.5
"""A change of the mean length that is no accident of the problems drawn."""

_LENGTH_ERRORS = 5.0
_MIN_LENGTH_STEPS = 20
_TAG = re.compile(r"<[^<>]{1,40}>")


def cut_off(record: Record) -> Result:
    """Completions that ran into the length limit: they have no answer, whatever their reasoning was worth."""
    share = ShareAbove(record, record.ledger.cut.astype(float), CUT_SHARE)
    if not share.is_above:
        return None
    longest = int(record.ledger.tokens[share.rows].max())
    return Finding(
        f"Look at the length limit: {percent(share.value)} of the completions of {steps_in_words(share.recent)} were cut "
        "off, at "
        f"{longest:,} tokens.",
        share.onset,
        share.arithmetic,
        rows_of(record, share.rows, lambda row: f"cut off after {record.ledger.tokens[row]:,.0f} tokens"),
    )


def _of_texts(record: Record, value: "dict[int, float | None]") -> Floats:
    """(R,) from values by row; NaN where there is none."""
    found = np.full(len(record.ledger), np.nan)
    for row, known in value.items():
        found[row] = np.nan if known is None else known
    return found


def no_answer(record: Record) -> Result:
    """Completions that end of themselves and mark no answer in the form asked for: wrong for another reason than the others."""
    texts, cut = record.ledger.texts, record.ledger.cut
    unmarked = {row: None if cut[row] else float(not record.form.has_block(text)) for row, text in texts.items()}
    share = ShareAbove(record, _of_texts(record, unmarked), UNMARKED_SHARE)
    if not share.is_above:
        return None
    return Finding(
        f"Look at how answers are marked: {percent(share.value)} of the completions of {steps_in_words(share.recent)} end "
        "without "
        f"an answer in the form asked for ({record.form.name}).",
        share.onset,
        share.arithmetic,
        rows_of(record, share.rows, lambda row: "marks no answer"),
    )


def unreadable_answers(record: Record) -> Result:
    """Wrong answers that are no number where right ones are: the verifier may reject what they say for how they say it.

    A share that has fallen by a third since the beginning is being learnt, and left alone.
    """
    marked = {row: text for row, text in record.ledger.texts.items() if record.form.has_block(text)}
    reads = {row: parse_number(record.form.answer(text)) is not None for row, text in marked.items()}
    of_right = [is_number for row, is_number in reads.items() if record.right[row] == 1]
    if len(of_right) < 10 or np.mean(of_right) < 0.95:
        return Unchecked("its right answers are not plainly numbers")
    unread = {row: float(not is_number and record.right[row] != 1) for row, is_number in reads.items()}
    share = ShareAbove(record, _of_texts(record, dict(unread)), UNREADABLE_SHARE)
    if not share.is_above or share.value < share.course.early.mean * 2 / 3:
        return None
    return Finding(
        f"Look at how answers are written: {percent(share.value)} of the answers of {steps_in_words(share.recent)} are no "
        "numbers, where right ones are.",
        share.onset,
        share.arithmetic,
        rows_of(record, share.rows, lambda row: f"answers {_short(record.form.answer(marked[row]))}"),
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 40 else f"{line[:39]}…")


def unscored(record: Record) -> Result:
    """Completions that the verifier could not judge at all."""
    if record.verifier.name not in record.ledger.rewards:
        return Unchecked(f"the run does not record {record.verifier.name}")
    share = ShareAbove(record, np.isnan(record.right).astype(float), UNSCORED_SHARE)
    if not share.is_above:
        return None
    return Finding(
        f"Look at the verifier: {record.verifier.name} gave {percent(share.value)} of the completions of "
        f"{steps_in_words(share.recent)} no value.",
        share.onset,
        share.arithmetic,
        rows_of(record, share.rows, lambda row: f"no value from {record.verifier.name}"),
    )


def no_reasoning(record: Record) -> Result:
    """Answers without reasoning, where the run began with reasoning: the reward pays the answer's form alone."""
    bare = {row: float(_is_bare(record, text)) for row, text in record.ledger.texts.items() if record.form.has_block(text)}
    share = ShareAbove(record, _of_texts(record, dict(bare)), BARE_SHARE)
    if not share.is_above:
        return None
    grown = change(share.course.early, share.recent)
    if not grown.rises or grown.difference < BARE_SHARE * 0.8:
        return None
    return Finding(
        f"Look at what answers stand on: {percent(share.value)} of the answers of {steps_in_words(share.recent)} come with "
        "fewer "
        f"than {FEW_WORDS} words of reasoning.",
        share.onset,
        share.arithmetic,
        rows_of(record, share.rows, lambda row: f"nothing but {_short(record.ledger.texts[row])}"),
    )


def _is_bare(record: Record, text: str) -> bool:
    """Whether hardly anything stands beside a completion's answer and the marks around it."""
    answer = record.form.answer(text)
    before, _, after = text.rpartition(answer) if answer else (text, "", "")
    beside = _TAG.sub(" ", f"{before} {after}")
    return len(beside.split()) < FEW_WORDS and len("".join(beside.split())) < _FEW_CHARACTERS


def repeats(record: Record) -> Result:
    """The same text again and again within a group that is not all right: the policy no longer explores."""
    copied = _of_texts(record, dict(_copies(record)))
    course = record.ledger.by_step(copied)
    if len(course) < 2 or course.recent.mean < REPEAT_SHARE:
        return None
    early = course.early.mean
    return Finding(
        "Look at how alike the completions of a group are: in the groups of "
        f"{steps_in_words(course.recent)} that are not all right, {percent(course.recent.mean)} of the completions that could "
        "repeat another of their group do.",
        onset(course, min(early, REPEAT_SHARE / 2), course.recent.mean),
        f"{percent(course.recent.mean)} against a limit of {percent(REPEAT_SHARE)}; {percent(early)} of "
        f"{steps_in_words(course.early)}.",
        _commonest(record, int(course.recent.steps[0])),
    )


def _copies(record: Record) -> "dict[int, float | None]":
    """Row -> whether it repeats one of its group, of all but the first completion of groups that are not all right."""
    found: dict[int, float | None] = {}
    seen: set[str] = set()
    group = -1
    for row, text in record.ledger.texts.items():
        if (own := int(record.ledger.group_of[row])) != group:
            group, seen = own, {text}
        elif record.groups.kind[own] != "right":
            found[row] = float(text in seen)
            seen.add(text)
    return found


def _commonest(record: Record, since: int) -> tuple[Evidence, ...]:
    """The text that stands most often in a group, of the groups with the most copies from a step on."""
    texts: dict[int, list[int]] = {}
    for row in record.ledger.texts:
        own = int(record.ledger.group_of[row])
        if record.ledger.step[row] >= since and record.groups.kind[own] != "right":
            texts.setdefault(own, []).append(row)
    found = []
    for rows in texts.values():
        text, times = Counter(record.ledger.texts[row] for row in rows).most_common(1)[0]
        found.append((times, next(row for row in rows if record.ledger.texts[row] == text), len(rows)))
    found.sort(key=lambda entry: -entry[0])
    told = {row: f"{times} of {size} are this text" for times, row, size in found}
    return rows_of(record, told, lambda row: told[row])


def loops(record: Record) -> Result:
    """Completions that say the same again and again."""
    looped = {row: _looped(text) for row, text in record.ledger.texts.items()}
    holds = {row: None if part is None else float(part >= LOOPED) for row, part in looped.items()}
    known = _of_texts(record, {row: value or 0.0 for row, value in holds.items()})
    share = ShareAbove(record, known, LOOP_SHARE)
    if not share.is_above:
        return None
    return Finding(
        f"Look at what completions go on with: {percent(share.value)} of those of {steps_in_words(share.recent)} go round in "
        "circles.",
        share.onset,
        f"A loop has {percent(LOOPED)} or more of its sequences of {_SEQUENCE} words twice; {share.arithmetic}",
        rows_of(record, share.rows, lambda row: f"{percent(looped[row] or 0.0)} of its sequences of words stood there before"),
    )


def _looped(text: str) -> float | None:
    """The share of a text's sequences of words, or characters where it has none, that stood in it before; `None` if short."""
    words = text.split()
    parts = words if len(words) * 20 >= len(text) else list("".join(words))
    sequences = len(parts) - _SEQUENCE + 1
    if sequences < LEAST_SEQUENCES:
        return None
    return 1 - len({tuple(parts[start : start + _SEQUENCE]) for start in range(sequences)}) / sequences


def length_drift(record: Record) -> Result:
    """Completions become much longer or shorter while the share of right ones does not rise."""
    course = record.tokens
    if len(course) < _MIN_LENGTH_STEPS:
        return Unchecked(f"it takes {_MIN_LENGTH_STEPS} steps to tell a drift from the problems drawn")
    found, skill = change(course.early, course.recent), change(record.skill.early, record.skill.recent)
    ratio = found.after / max(found.before, 1e-9)
    is_far = ratio >= LENGTH_RATIO or ratio <= 1 / LENGTH_RATIO
    if not is_far or abs(found.difference) < _LENGTH_ERRORS * found.error or skill.rises:
        return None
    word = "longer" if ratio > 1 else "shorter"
    return Finding(
        f"Look at why completions get {word}: {from_to(found, '.0f')} tokens from {steps_in_words(course.early)} to "
        f"{steps_in_words(course.recent)}, while the share of right ones does not rise ({_skill_in_words(skill)}).",
        onset(course, found.before, found.after),
        f"{ratio:.2f} times as long, limits {LENGTH_RATIO:g} and 1 / {LENGTH_RATIO:g}; {standard_errors(found)}, limit "
        f"{_LENGTH_ERRORS:g} standard errors.",
        steps_of(
            course, extremes(course, int(course.recent.steps[0]), highest=ratio > 1), lambda value: f"{value:,.0f} tokens"
        ),
    )


def _skill_in_words(skill: Change) -> str:
    return "unknown" if not np.isfinite(skill.error) else f"{percent(skill.before)} to {percent(skill.after)}"


def length_bias(record: Record) -> Result:
    """Within groups, wrong completions get ever longer than right ones, or the other way round, since the run began."""
    course = _length_gap(record)
    if len(course) < _MIN_LENGTH_STEPS:
        return Unchecked(f"fewer than {_MIN_LENGTH_STEPS} steps have groups with right and wrong completions")
    found = change(course.early, course.recent)
    grew = abs(found.after) - abs(found.before)
    if abs(found.after) < np.log(LENGTH_RATIO) or grew < np.log(LENGTH_RATIO) / 2 or not (found.rises or found.falls):
        return None
    long, short = ("wrong", "right") if found.after > 0 else ("right", "wrong")
    sign = 1 if found.after > 0 else -1
    ratios = [float(np.exp(sign * level)) for level in (found.before, found.after)]
    return Finding(
        f"Look at what length earns: within groups {long} completions are {ratios[1]:.2f} times as long as {short} ones in "
        f"{steps_in_words(course.recent)}, {ratios[0]:.2f} times in {steps_in_words(course.early)}.",
        onset(course, found.before, found.after),
        f"Mean logarithm of the ratio {from_to(found)}: {standard_errors(found)}; limits a ratio of {LENGTH_RATIO:g} and half "
        "of that growth.",
        steps_of(
            course,
            extremes(course, int(course.recent.steps[0]), highest=sign > 0),
            lambda value: f"{long} ones {significant(float(np.exp(sign * value)))} times as long",
        ),
    )


def _length_gap(record: Record) -> Course:
    """By step, the mean over its groups of the logarithm of wrong completions' mean length over that of right ones.

    Completions that were cut off take no part: of them another signal tells.
    """
    ledger = record.ledger
    right = np.where(ledger.cut, np.nan, record.right)
    count = len(ledger.starts)

    def mean_tokens(of: Floats) -> Floats:
        members = of == 1
        sums = np.bincount(ledger.group_of[members], ledger.tokens[members], minlength=count)
        found: Floats = sums / np.maximum(1, np.bincount(ledger.group_of[members], minlength=count))
        return found

    long, short = mean_tokens(1 - right), mean_tokens(right)
    known = (long > 0) & (short > 0)
    gap = np.full(len(ledger), np.nan)
    gap[ledger.starts[known]] = np.log(long[known] / short[known])
    return ledger.by_step(gap)
