"""Signals of the optimiser and the policy: what is no number, spikes, entropy, KL, clipping, the learning rate, vLLM."""

import numpy as np

from training.doctor.courses import Course, change, onset, outliers, spikes, stays
from training.doctor.finding import MAX_EVIDENCE, Evidence, Finding, Result, Unchecked
from training.doctor.of_groups import FLAT_SHARE
from training.doctor.record import Record
from training.doctor.telling import extremes, from_to, standard_errors, steps_in_words, steps_of
from training.text import count, percent, significant, words_listed

ENTROPY, KL, LOSS, GRADIENT, RATE = "entropy", "kl", "loss", "grad_norm", "learning_rate"
CLIPPED_TOKENS, CAPPED_TOKENS = "clip_ratio/region_mean", "cispo_clip_ratio"
LOGP_DIFFERENCE = "sampling/sampling_logp_difference/mean"
IMPORTANCE_RATIO = "sampling/importance_sampling_ratio/mean"

MUST_BE_NUMBERS = (LOSS, GRADIENT, KL, ENTROPY)
"""What a step logs as no number only where its arithmetic broke."""

ENTROPY_SHARE = 0.2
"""Entropy now against the run's first steps. A run that learns well keeps most of it (the demo 0.65)."""

ENTROPY_TIMES = 2.0
"""The same upwards, and by how much at least, in nats: half as much again as a run whose answers are being found."""
ENTROPY_NATS = 0.3

MASTERED = 0.9
"""Share of right completions from which certainty is what one wants, so that low entropy is no reason to look."""

KL_HIGH = 1.0
"""Nats a token from the reference model, from which on the policy is another model; and from where on growth counts."""
KL_GROWING = 0.3

SPIKE = 20.0
"""Times the median of the 50 steps around: gradients' norms vary tenfold in good runs, rarely more. Or, several times:"""
SPIKES, SEVERAL = 10.0, 3

LOSS_DEVIATIONS, LOSS_LEAST = 20.0, 1.0
"""Robust deviations from the median, and in units of the loss, whose terms are advantages of about 1."""

GRADIENT_GROWTH = 10.0
"""Times the median of the run's beginning."""

CLIP_SHARE = 0.2
"""Tokens clipped: a fifth of what was generated teaches nothing. Runs that learn well stay far below 0.05."""

LOGP_LIMIT, LOGP_GROWTH = 0.05, 3.0
"""Nats a token between vLLM's probabilities and the trainer's; in bfloat16 about 0.01 is usual."""
LOGP_LEAST = 0.02
RATIO_LOW = 0.7

MIN_LOGGED = 8
"""Fewer steps of a scalar say nothing of its course."""

MIN_RATE_STEPS = 30
_UNMOVED = 0.05
"""Relative change of entropy or length that counts as none."""
_UNMOVED_KL = 0.002


def not_a_number(record: Record) -> Result:
    """A step logged its loss, gradient, KL or entropy as no number: from then on the weights may be broken."""
    broken = {name: steps for name in MUST_BE_NUMBERS if (steps := record.no_numbers.get(name))}
    if not any(name in record.scalars or name in broken for name in MUST_BE_NUMBERS):
        return Unchecked("the run logs neither loss nor gradient")
    if not broken:
        return None
    first = min(steps[0] for steps in broken.values())
    places = sorted({step for steps in broken.values() for step in steps})[:MAX_EVIDENCE]

    counted = [f"{name} at {count(len(steps), 'step')}" for name, steps in broken.items()]

    def shows(step: int) -> str:
        return f"{words_listed([name for name, steps in broken.items() if step in steps])} not a number"

    return Finding(
        f"Look at the numbers: {words_listed(list(broken))} not a number since step {first:,}.",
        first,
        f"Any such step counts; on record {words_listed(counted)}.",
        tuple(Evidence(step, None, None, shows(step)) for step in places),
    )


def entropy_collapse(record: Record) -> Result:
    """The policy became certain of its next token before it became right."""
    course = record.logged(ENTROPY)
    if len(course) < MIN_LOGGED:
        return Unchecked("the run does not log its entropy")
    before, after = course.baseline, course.recent.median
    is_mastered = bool(len(record.skill)) and record.skill.recent.mean >= MASTERED
    if before <= 0 or after >= ENTROPY_SHARE * before or is_mastered:
        return None
    return Finding(
        f"Look at whether the run still explores: entropy fell from {before:.3f} in its first steps to {after:.3f} in "
        f"{steps_in_words(course.recent)}.",
        onset(course, before, after),
        f"{percent(after / before)} of the median of the first steps, limit {percent(ENTROPY_SHARE)}, while "
        f"{_right_in_words(record)} of the completions are right, limit {percent(MASTERED)}.",
        steps_of(
            course,
            extremes(course, int(course.recent.steps[0]), highest=False),
            lambda value: f"entropy {significant(value)}",
        ),
    )


def _right_in_words(record: Record) -> str:
    return percent(record.skill.recent.mean) if len(record.skill) else "an unknown share"


def entropy_explosion(record: Record) -> Result:
    """The policy became much less certain than it began: it samples noise."""
    course = record.logged(ENTROPY)
    if len(course) < MIN_LOGGED:
        return Unchecked("the run does not log its entropy")
    before, after = course.baseline, course.recent.median
    limit = max(ENTROPY_TIMES * before, before + ENTROPY_NATS)
    skill = change(record.skill.early, record.skill.recent)
    if after < limit or not stays(course.recent.values, lambda values: values > (before + after) / 2) or skill.rises:
        return None
    return Finding(
        f"Look at what is sampled: entropy rose from {before:.3f} in the first steps to {after:.3f} in "
        f"{steps_in_words(course.recent)}.",
        onset(course, before, after),
        f"Limit {significant(limit)}: {ENTROPY_TIMES:g} times the median of the first steps, and {ENTROPY_NATS:g} more; the "
        "share "
        "of right completions does not rise.",
        steps_of(
            course, extremes(course, int(course.recent.steps[0]), highest=True), lambda value: f"entropy {significant(value)}"
        ),
    )


def kl_growth(record: Record) -> Result:
    """The policy has left the reference model far behind, or is leaving it faster and faster."""
    course = record.logged(KL)
    if len(course) < MIN_LOGGED:
        return Unchecked("the run does not log a KL divergence (beta is 0)")
    now, middle = course.recent.median, course.part(len(course) // 3, max(len(course) * 2 // 3, 1)).median
    is_high = now >= KL_HIGH and stays(course.recent.values, lambda values: values >= KL_HIGH / 2)
    is_growing = now >= KL_GROWING and now >= 2 * middle
    if not (is_high or is_growing):
        return None
    return Finding(
        f"Look at how far the policy has gone: KL from the reference model is {significant(now)} nats a token in "
        f"{steps_in_words(course.recent)}, {significant(middle)} in the middle of the run.",
        onset(course, min(course.baseline, now / 2), now),
        f"Limit {KL_HIGH:g} nats, or {KL_GROWING:g} and twice what it was in the middle third.",
        steps_of(course, extremes(course, int(course.recent.steps[0]), highest=True), lambda value: f"KL {significant(value)}"),
    )


def gradient_spikes(record: Record) -> Result:
    """Single steps with a gradient far beyond those around, or gradients that have grown tenfold."""
    course = record.scalars.get(GRADIENT)
    if course is None or len(course) < 2 * MIN_LOGGED:
        return Unchecked(f"the run has logged no gradient norm, or fewer than {2 * MIN_LOGGED}")
    far, several = spikes(course.values, SPIKE), spikes(course.values, SPIKES)
    chosen = far if len(far) else several if len(several) >= SEVERAL else np.empty(0, np.int64)
    condensed = course.condensed()
    positive = condensed.values[condensed.values > 0]
    growth = condensed.recent.median / max(float(np.median(positive[: condensed.window])), 1e-12) if len(positive) else 0.0
    if not len(chosen) and growth < GRADIENT_GROWTH:
        return None
    middle = float(np.median(course.values))
    if len(chosen):
        worst = float(course.values[chosen].max())
        told = f"{count(len(chosen), 'step')} of {len(course):,} with a gradient of up to {significant(worst)}"
        begins = int(course.steps[chosen[0]])
        order = chosen[np.argsort(-course.values[chosen], kind="stable")]
    else:
        told = f"gradients {growth:.0f} times those of the beginning"
        begins = onset(condensed, condensed.baseline, condensed.recent.median)
        order = np.argsort(-course.values, kind="stable")
    return Finding(
        f"Look at the gradient: {told}, where {significant(middle)} is the median.",
        begins,
        f"A spike is {SPIKE:g} times the median of the steps around it, or {SPIKES:g} times it {SEVERAL} times; growth is "
        f"{GRADIENT_GROWTH:g} times the beginning ({growth:.1f} now).",
        steps_of(course, order, lambda value: f"gradient norm {significant(value)}"),
    )


def loss_spikes(record: Record) -> Result:
    """Single steps with a loss far from all others."""
    course = record.scalars.get(LOSS)
    if course is None or len(course) < 2 * MIN_LOGGED:
        return Unchecked(f"the run has logged no loss, or fewer than {2 * MIN_LOGGED}")
    found = outliers(course.values, LOSS_DEVIATIONS, LOSS_LEAST)
    if not len(found):
        return None
    middle = float(np.median(course.values))
    order = found[np.argsort(-np.abs(course.values[found] - middle), kind="stable")]
    return Finding(
        f"Look at the loss: {count(len(found), 'step')} of {len(course):,} with one of up to "
        f"{significant(float(course.values[order[0]]))}, where {significant(middle)} is the median.",
        int(course.steps[found[0]]),
        f"Further than {LOSS_LEAST:g} and {LOSS_DEVIATIONS:g} robust deviations from the median.",
        steps_of(course, order, lambda value: f"loss {significant(value)}"),
    )


def clipped(record: Record) -> Result:
    """Many tokens are beyond the range in which they are learnt from: the policy moves further than a batch can tell."""
    if record.spec.get("importance_sampling_level") == "sequence":
        return Unchecked("with ratios of whole completions many are clipped in good runs too")
    course = record.logged(CLIPPED_TOKENS) if len(record.logged(CLIPPED_TOKENS)) else record.logged(CAPPED_TOKENS)
    if len(course) < MIN_LOGGED:
        return Unchecked("the run does not log how much is clipped")
    now = course.recent.median
    if now < CLIP_SHARE:
        return None
    return Finding(
        f"Look at how far a step goes: {percent(now)} of the tokens of {steps_in_words(course.recent)} are clipped.",
        onset(course, min(course.baseline, now / 2), now),
        f"Median of {steps_in_words(course.recent)} against a limit of {percent(CLIP_SHARE)}; {percent(course.baseline)} in "
        "the "
        "first steps.",
        steps_of(
            course, extremes(course, int(course.recent.steps[0]), highest=True), lambda value: f"{percent(value)} clipped"
        ),
    )


def rate_too_low(record: Record) -> Result:
    """Nothing moves: neither reward nor length nor entropy nor KL, though groups have variance to learn from."""
    total, length, entropy, kl = record.total, record.tokens, record.logged(ENTROPY), record.logged(KL)
    if len(total) < MIN_RATE_STEPS:
        return Unchecked(f"it takes {MIN_RATE_STEPS} steps to tell that nothing moves")
    if float(record.groups.flat[record.groups.step >= record.since].mean()) >= FLAT_SHARE:
        return Unchecked("most groups have no variance to learn from")
    if len(kl) and kl.recent.median > _UNMOVED_KL:
        return None
    courses = {"reward": total, "length": length} | ({"entropy": entropy} if len(entropy) >= MIN_RATE_STEPS else {})
    found = {name: change(course.early, course.recent) for name, course in courses.items()}
    if any(abs(moved.difference) > 2 * moved.error for moved in found.values()) or any(
        abs(moved.difference) > _UNMOVED * abs(moved.before) for name, moved in found.items() if name != "reward"
    ):
        return None
    return Finding(
        f"Look at the learning rate{_rate_in_words(record)}: in {count(len(total), 'step')} {words_listed(list(found))} "
        "have not "
        "moved.",
        int(total.steps[0]),
        "; ".join(f"{name} {standard_errors(moved)}" for name, moved in found.items())
        + f". Limits 2 standard errors, {percent(_UNMOVED)} of length and entropy"
        + (f", {_UNMOVED_KL:g} nats of KL ({significant(kl.recent.median)})." if len(kl) else "."),
        steps_of(total, (len(total) - 1, 0), lambda value: f"reward {significant(value)}"),
    )


def _rate_in_words(record: Record) -> str:
    rate = record.scalars.get(RATE)
    highest = float(rate.values.max()) if rate is not None and len(rate) else record.spec.get("learning_rate")
    return "" if highest is None else f" ({float(highest):.3g})"


def rate_too_high(record: Record) -> Result:
    """The policy breaks: reward and skill fall to less than half while entropy, KL or gradients leave their range."""
    total, skill = record.total, record.skill
    if len(total) < MIN_LOGGED or not len(skill):
        return Unchecked("the run does not record whether completions are right")
    reward, right = change(total.early, total.recent), change(skill.early, skill.recent)
    scale = record.highest or max(abs(reward.before), 1e-9)
    has_fallen = reward.falls and -reward.difference >= 0.15 * scale and right.falls and right.after <= right.before / 2
    moved = _out_of_range(record) if has_fallen else []
    if not moved:
        return None
    return Finding(
        f"Look at the learning rate{_rate_in_words(record)}: the reward fell from {from_to(reward)} and the share of right "
        f"completions from {from_to(right)}, while {words_listed(moved)}.",
        onset(total, reward.before, reward.after),
        f"Reward {standard_errors(reward)}; right {standard_errors(right)}; limits 15% of the highest reward and half of the "
        "right ones.",
        steps_of(total, extremes(total, record.since, highest=False), lambda value: f"reward {significant(value)}"),
    )


def _out_of_range(record: Record) -> list[str]:
    """What tells that the weights moved too far."""
    entropy, kl, gradient = record.logged(ENTROPY), record.logged(KL), record.logged(GRADIENT)
    found = []
    if len(entropy) and not 1 / 3 < entropy.recent.median / max(entropy.baseline, 1e-9) < 2:
        found.append(f"entropy went from {entropy.baseline:.3g} to {entropy.recent.median:.3g}")
    if len(kl) and kl.recent.median >= KL_GROWING:
        found.append(f"KL went to {kl.recent.median:.3g}")
    if len(gradient) and gradient.recent.median >= GRADIENT_GROWTH / 2 * max(gradient.baseline, 1e-12):
        found.append(f"gradients went from {gradient.baseline:.3g} to {gradient.recent.median:.3g}")
    return found


def vllm_mismatch(record: Record) -> Result:
    """What vLLM sampled with is not what is learnt with: the run is off its policy without knowing."""
    course, ratio = record.logged(LOGP_DIFFERENCE), record.logged(IMPORTANCE_RATIO)
    if len(course) < MIN_LOGGED:
        return Unchecked("the run does not log vLLM's probabilities")
    now, before = course.recent.median, course.baseline
    is_far = now >= LOGP_LIMIT or (now >= LOGP_LEAST and now >= LOGP_GROWTH * before)
    is_cut = len(ratio) >= MIN_LOGGED and ratio.recent.median < RATIO_LOW
    if not (is_far or is_cut):
        return None
    shown: Course = course if is_far else ratio
    return Finding(
        f"Look at what generates: vLLM's probabilities of the sampled tokens are {significant(now)} nats from the trainer's in "
        f"{steps_in_words(course.recent)}, {significant(before)} at first{_ratio_in_words(ratio)}.",
        onset(shown, min(shown.baseline, shown.recent.median / 2) if is_far else 1.0, shown.recent.median),
        f"Limits {LOGP_LIMIT:g} nats, or {LOGP_LEAST:g} and {LOGP_GROWTH:g} times the first steps, or a mean ratio below "
        f"{RATIO_LOW:g}.",
        steps_of(
            shown,
            extremes(shown, int(shown.recent.steps[0]), highest=is_far),
            lambda value: f"{significant(value)} nats apart" if is_far else f"mean ratio {significant(value)}",
        ),
    )


def _ratio_in_words(ratio: Course) -> str:
    return f"; the mean ratio is {significant(ratio.recent.median)}" if len(ratio) else ""
