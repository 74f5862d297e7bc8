"""Signals of rewards: paid without skill, in training and on held-out problems; never paid, always paid, no longer rising."""

import numpy as np

from training.doctor.courses import Change, Course, change, onset
from training.doctor.finding import MAX_EVIDENCE, Finding, Result, Unchecked
from training.doctor.record import Evaluated, Record
from training.doctor.telling import extremes, from_to, rows_of, standard_errors, steps_in_words, steps_of
from training.intervals import paired_interval
from training.text import agree, percent, significant, words_listed

_SKILLS = ("correctness", "soft_correctness")
"""The article's two meanings of right, looked at beside the verifier's where they are on record."""

MIN_FALL = 0.05
"""Correctness, 0 to 1. A smaller change is not worth a person's time even when it is no accident."""

LEAST_PAID = 0.05
"""Share of the highest total, or of its spread over the run, by which the reward has to rise to be held against skill."""

MIN_COMMON = 20
"""Problems that two evaluations must have in common to be compared."""

SATURATED_SHARE = 0.95
"""Completions that earn all there is: of groups of 8 two in three are then without variance (0.95^8 = 0.66)."""

MIN_SILENT = 200
"""Completions of which one at least should earn something: a rate of 1.5% stays silent in 1 of 20 such runs."""

PLATEAU_STEPS = 60
"""Shorter runs are still on their way."""

ROOM = 0.9
"""Share of the highest total above which there is little left to learn."""


def reward_without_skill(record: Record) -> Result:
    """The total rises while every measure of skill falls, from the window with the best skill to the last one.

    The total holds the correctness that it is compared with, so that chance moves them together: apart they move for a reason.
    """
    skills = {name: _skill(record, name) for name in dict.fromkeys((record.verifier.name, *_SKILLS))}
    skills = {name: course for name, course in skills.items() if len(course)}
    if record.verifier.name not in skills:
        return Unchecked(f"the run does not record {record.verifier.name}")
    best = _best_window(record.skill)
    reward = change(_over(record.total, best), record.total.recent)
    changes = {name: change(_over(course, best), course.recent) for name, course in skills.items()}
    if not (_is_paid(record, reward) and all(found.falls and -found.difference >= MIN_FALL for found in changes.values())):
        return None
    fallen = words_listed([f"{name} fell from {from_to(found)}" for name, found in changes.items()])
    rows = record.ledger.since(int(record.skill.recent.steps[0]))
    wrong = rows[(record.right[rows] == 0) & np.isfinite(record.ledger.total[rows])]
    by_pay = wrong[np.argsort(-record.ledger.total[wrong], kind="stable")]
    fall = changes[record.verifier.name]
    later = record.skill.part(int(np.searchsorted(record.skill.steps, best[0])), len(record.skill))
    return Finding(
        f"Look at what is paid for: from {_in_words(best)} to {steps_in_words(record.skill.recent)} the reward rose from "
        f"{from_to(reward)} while {fallen}.",
        onset(later, fall.before, fall.after),
        f"Reward {standard_errors(reward)}; {record.verifier.name} {standard_errors(fall)}; limits 2.5 standard errors and "
        f"{MIN_FALL:g} of correctness.",
        rows_of(record, by_pay, lambda row: f"wrong, yet paid {record.ledger.total[row]:.2f}"),
    )


def _skill(record: Record, name: str) -> Course:
    if name == record.verifier.name:
        return record.skill
    values = record.ledger.rewards.get(name)
    return Course(np.empty(0, np.int64), np.empty(0)) if values is None else record.ledger.by_step(values)


def _best_window(skill: Course) -> tuple[int, int]:
    """First and last step of the window before the last one with the highest skill, so that a rise hides no later fall."""
    width = skill.window
    starts = range(0, max(1, len(skill) - 2 * width + 1), width)
    best = max(starts, key=lambda start: skill.part(start, start + width).mean)
    chosen = skill.part(best, best + width)
    return int(chosen.steps[0]), int(chosen.steps[-1])


def _over(course: Course, steps: tuple[int, int]) -> Course:
    first, last = np.searchsorted(course.steps, steps[0]), np.searchsorted(course.steps, steps[1], side="right")
    return course.part(int(first), int(last))


def _in_words(steps: tuple[int, int]) -> str:
    return f"steps {steps[0]:,} to {steps[1]:,}"


def _is_paid(record: Record, reward: Change) -> bool:
    """Whether the reward rose by more than chance, and by something that counts."""
    scale = record.highest or float(np.nanmax(np.abs(record.ledger.total), initial=0.0))
    return reward.rises and reward.difference >= LEAST_PAID * scale


def held_out_behind(record: Record) -> Result:
    """The training reward rises from one evaluation to a later one, and held-out problems are no more often right, or less.

    Where training's own skill rises, held-out skill has to rise by less than half as much, with 95% confidence.
    """
    if len(record.evaluations) < 2:
        return Unchecked("there are no two evaluations of it on held-out problems")
    last = record.evaluations[-1]
    for earlier in record.evaluations[:-1]:
        found = _against(record, earlier, last, is_first=earlier is record.evaluations[0])
        if found is not None:
            return found
    return None


def _against(record: Record, before: Evaluated, after: Evaluated, *, is_first: bool) -> Finding | None:
    common = sorted(before.rates.keys() & after.rates.keys())
    if len(common) < MIN_COMMON or before.step >= after.step:
        return None
    differences = np.array([after.rates[problem] - before.rates[problem] for problem in common])
    low, high = paired_interval(differences)
    reward, skill = (_between(course, before.step, after.step) for course in (record.total, record.skill))
    learnt = skill.difference if skill.rises else 0.0
    has_fallen = high < -MIN_FALL / 2
    has_not_risen = is_first and low <= 0 and high < max(MIN_FALL, learnt / 2)
    stands_still = is_first and learnt == 0 and low <= 0 and float(differences.mean()) < MIN_FALL
    if not (_is_paid(record, reward) and (has_fallen or has_not_risen or stands_still)):
        return None
    rates = [float(np.mean([found.rates[problem] for problem in common])) for found in (before, after)]
    verb = "fell" if has_fallen else "did not rise"
    return Finding(
        f"Look at what is learnt: from step {before.step:,} to step {after.step:,} the training reward rose from "
        f"{from_to(reward)}, while the share of {len(common):,} held-out problems that is right {verb} "
        f"({percent(rates[0])} to {percent(rates[1])}).",
        _since_evaluation(record, before, after),
        f"Held out {significant(float(differences.mean()))} (95% interval {low:.3f} to {high:.3f}, paired); in training "
        f"{significant(skill.difference)}; reward {standard_errors(reward)}.",
        steps_of(
            record.total, extremes(record.total, before.step, highest=True), lambda value: f"mean reward {significant(value)}"
        ),
    )


def _between(course: Course, first: int, last: int) -> Change:
    """From the window that begins at one step to that which ends at another."""
    until = course.up_to(last)
    later = until.part(int(np.searchsorted(until.steps, first)), len(until))
    width = min(course.window, len(later) // 2)
    return change(later.part(0, width), later.part(len(later) - width, len(later)))


def _since_evaluation(record: Record, before: Evaluated, after: Evaluated) -> int:
    """The step of the evaluation after which none was better than the one that skill is held against."""
    rates = {found.step: float(np.mean(list(found.rates.values()))) for found in record.evaluations}
    later = [step for step in rates if before.step < step <= after.step]
    better = [step for step in later if rates[step] > rates[before.step] + MIN_FALL]
    return max([before.step, *better, int(record.total.steps[0])])


def silent_rewards(record: Record) -> Result:
    """Reward functions that were 0, or could not be computed, for every completion that was read."""
    ledger = record.ledger
    silent = [name for name, values in ledger.rewards.items() if not np.nan_to_num(values).any()]
    if not silent:
        return None
    if len(ledger) < MIN_SILENT:
        return Unchecked(f"of {len(ledger):,} completions none may earn a rare reward by chance")
    names = words_listed(silent)
    best = np.argsort(-np.nan_to_num(ledger.total, nan=-np.inf), kind="stable")
    return Finding(
        f"Look at what {names} {agree(len(silent), 'asks', 'ask')} for: not one of {len(ledger):,} completions earned anything "
        "there.",
        int(ledger.steps[0]),
        f"0 of {len(ledger):,} completions; with 95% confidence fewer than 1 in {len(ledger) // 3:,} earn it.",
        rows_of(record, best, lambda row: f"among the best paid ({_amount(ledger.total[row])}), nothing from {names}"),
    )


def _amount(total: float) -> str:
    return "nothing scorable" if np.isnan(total) else f"{total:.2f}"


def reward_saturated(record: Record) -> Result:
    """Nearly all completions earn the most that any has earned: nothing tells better from worse any more."""
    total = record.ledger.total
    if not np.isfinite(total).any():
        return Unchecked("no completion has a total")
    most = float(np.nanmax(total))
    course = record.ledger.by_step(np.where(np.isnan(total), np.nan, total >= most - 1e-6 * abs(most)))
    if len(course) < 2 or course.recent.mean < SATURATED_SHARE:
        return None
    rows = record.ledger.since(int(course.recent.steps[0]))
    paid = rows[total[rows] >= most - 1e-6 * abs(most)][::-1]
    return Finding(
        f"Look at what is left to learn: {percent(course.recent.mean)} of the completions of {steps_in_words(course.recent)} "
        f"earn the same {most:.2f}, the most that any has earned.",
        onset(course, min(course.early.mean, SATURATED_SHARE / 2), course.recent.mean),
        f"{percent(course.recent.mean)} against a limit of {percent(SATURATED_SHARE)}; {percent(course.early.mean)} of "
        f"{steps_in_words(course.early)}.",
        rows_of(record, paid, lambda row: f"earns {total[row]:.2f}"),
    )


def plateau(record: Record) -> Result:
    """The second half of a long run brings nothing more, with room left above; also where nothing ever rose."""
    course = record.total
    if len(course) < PLATEAU_STEPS:
        return Unchecked(f"it takes {PLATEAU_STEPS} steps to tell a plateau from a slow rise")
    middle = course.part(len(course) // 2 - course.window // 2, len(course) // 2 + (course.window + 1) // 2)
    late, whole = change(middle, course.recent), change(course.early, course.recent)
    highest = record.highest or float(np.nanmax(record.ledger.total))
    room = highest - late.after
    if late.after >= ROOM * highest or late.rises or late.falls or whole.falls or late.most > room / 3:
        return None
    rose = whole.rises
    begins = onset(course, whole.before, whole.after) if rose else int(course.steps[0])
    told = "has not risen since" if rose else "has not clearly risen: it was"
    return Finding(
        f"Look at whether more steps bring anything: the reward {told} {significant(late.before if rose else whole.before)} at "
        f"{steps_in_words(middle if rose else course.early)} and is {significant(late.after)} now, of at most "
        f"{significant(highest)}.",
        begins,
        f"From the middle to now {standard_errors(late)}; 95% upper end {significant(late.most)}, limit a third of the "
        f"{significant(room)} that are left.",
        steps_of(
            course, range(len(course) - 1, len(course) - 1 - MAX_EVIDENCE, -1), lambda value: f"reward {significant(value)}"
        ),
    )
