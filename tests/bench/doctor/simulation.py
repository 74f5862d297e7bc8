"""A run made by a stated process, written through the real store: a policy of a given skill, form, length and entropy by step.

A step draws problems of unequal difficulty (logistic, deviation `spread`), their completions are right or not by skill and
difficulty, in form or not, of log-normal length and cut off at the limit; rewards follow from that as the run weighs them.
Scalars are what TRL would log of it, each with its own noise: entropy and KL vary by some percent, gradients log-normally with
heavy tails, step times by a gamma distribution. Nothing is drawn from the signals' own assumptions.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from training.groups import Rollout
from training.presets import load_preset
from training.store import Store
from training.store.evaluations import EvaluationItem, add_items, complete_evaluation, open_evaluation
from training.store.schema import scalars

Course = Callable[[float], float]
"""From the share of the run that is done, 0 to 1, to a value."""

Draw = np.random.Generator

_SENTENCE = "so then the shop sold boxes of each kind and we add what was left over in May to get how many there are now"
_WORDS = _SENTENCE.split()

Luck = Iterator[float]
"""Numbers from 0 to 1, drawn beforehand."""


def steady(value: float) -> Course:
    return lambda done: value


def linear(first: float, last: float) -> Course:
    return lambda done: first + (last - first) * done


def rising(first: float, last: float, speed: float = 3.0) -> Course:
    """As learning goes: fast at first, then ever slower."""
    return lambda done: last + (first - last) * float(np.exp(-speed * done))


def breaking(before: Course, after: float, at: float, over: float = 0.1) -> Course:
    """As before until a share of the run is done, then within `over` of it to another value."""

    def value(done: float) -> float:
        part = min(1.0, max(0.0, (done - at) / over))
        return before(done) * (1 - part) + after * part

    return value


_RIGHT = rising(0.3, 0.75)
_SOFT = steady(0.15)
_FORM = rising(0.6, 0.99)
_READABLE = steady(0.99)
_REASONED = steady(0.98)
_LOOPED = steady(0.005)
_COPIED = steady(0.05)
_SCORED = steady(1.0)
_LENGTH = steady(120.0)
_WRONG_LENGTH = steady(1.1)
_HACK = steady(0.0)
_ENTROPY = linear(0.6, 0.4)
_KL = rising(0.0, 0.06, 1.5)
_GRADIENT = steady(0.5)
_CLIP = steady(0.005)
_LEARNING_RATE = linear(1e-5, 1e-6)
_STEP_TIME = steady(6.0)
_SLOW_GPU = steady(0.0)


@dataclass(frozen=True)
class Simulation:
    """One run's process."""

    steps: int = 80
    groups: int = 4
    size: int = 8
    spread: float = 1.2
    """Of the problems' difficulty, in logits."""
    right: Course = _RIGHT
    """Share of right completions of a problem of middling difficulty."""
    soft: Course = _SOFT
    """Of wrong completions, those whose answer is right and only ill-formed."""
    form: Course = _FORM
    """Share of completions that mark an answer in the form asked for."""
    readable: Course = _READABLE
    """Share of marked answers that are a number, of wrong ones."""
    reasoned: Course = _REASONED
    """Share of completions with reasoning."""
    looped: Course = _LOOPED
    """Share of completions that go round in circles."""
    copied: Course = _COPIED
    """Share of completions that are their group's first one again."""
    scored: Course = _SCORED
    """Share of completions that the verifier can judge."""
    length: Course = _LENGTH
    """Mean tokens of a completion."""
    length_deviation: float = 0.35
    """Of the logarithm."""
    wrong_length: Course = _WRONG_LENGTH
    """Times as long as right ones."""
    limit: int = 400
    weights: Mapping[str, float] = field(
        default_factory=lambda: {"correctness": 1.0, "soft_correctness": 1.0, "integer": 1.0, "strict_format": 1.0}
    )
    silent: str = ""
    """A reward function that pays nothing."""
    hack: Course = _HACK
    """Share of wrong completions that are paid by `integer` and `strict_format` in full."""
    judged: Course | None = None
    """A further reward that is continuous, around this value."""
    entropy: Course = _ENTROPY
    kl: Course | None = _KL
    gradient: Course = _GRADIENT
    gradient_deviation: float = 0.4
    gradient_spikes: tuple[float, ...] = ()
    """Shares of the run at which a gradient is 60 times as large."""
    loss_spikes: tuple[float, ...] = ()
    """At which a loss is 8 off."""
    broken_at: float | None = None
    """From where on loss and gradient are no number."""
    clip: Course = _CLIP
    learning_rate: Course = _LEARNING_RATE
    step_time: Course = _STEP_TIME
    stalls: float = 0.0
    """Share of steps that take 15 times as long."""
    mismatch: Course | None = None
    """Nats between vLLM's probabilities and the trainer's; `None` without vLLM."""
    gpus: int = 0
    slow_gpu: Course = _SLOW_GPU
    """How much less of the time the last GPU works."""
    evaluations: tuple[float, ...] = ()
    """Shares of the run at which held-out problems are asked."""
    evaluated: int = 150
    held_out: Course | None = None
    """Share of held-out problems that is right; that of training where it is `None`."""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def with_(self, **changes: Any) -> "Simulation":
        return replace(self, **changes)


def write(store: Store, simulation: Simulation, name: str, seed: int) -> str:
    """The run in the store, by id."""
    draw = np.random.default_rng(seed)
    own = {"rewards": dict(simulation.weights), "max_steps": simulation.steps, "seed": seed, **simulation.settings}
    spec = load_preset("demo").model_dump(mode="json") | own
    job_id = store.create_job("train", name, spec, total=simulation.steps)[0].id
    difficulty = draw.normal(0, simulation.spread, 400)
    rollouts: list[Rollout] = []
    logged: list[dict[str, Any]] = []
    for step in range(1, simulation.steps + 1):
        done = (step - 1) / max(1, simulation.steps - 1)
        of_step = _rollouts(simulation, draw, difficulty, step, done)
        rollouts += of_step
        values = _scalars(simulation, draw, of_step, done)
        logged += [{"job_id": job_id, "step": step, "name": key, "value": values[key], "time": 0.0} for key in values]
    store.record(job_id, rollouts=rollouts)
    with store.writing() as connection:  # at once: `record` replaces scalars step by step
        connection.execute(scalars.insert(), logged)
    _evaluate(store, job_id, simulation, draw)
    return job_id


def _chance(skill: float, difficulty: float) -> float:
    skill = min(max(skill, 1e-4), 1 - 1e-4)
    return float(1 / (1 + np.exp(-(np.log(skill / (1 - skill)) + difficulty))))


def _rollouts(simulation: Simulation, draw: Draw, difficulty: np.ndarray, step: int, done: float) -> list[Rollout]:
    found = []
    for group in range(simulation.groups):
        problem = int(draw.integers(len(difficulty)))
        chance = _chance(simulation.right(done), float(difficulty[problem]))
        texts: list[str] = []
        for position in range(simulation.size):
            luck = iter(draw.random(16).tolist())
            is_right, fields = _completion(simulation, luck, chance, done, float(draw.standard_normal()), texts)
            rewards = _rewards(simulation, luck, is_right, fields, done)
            weights = simulation.weights
            scored = [weights[name] * value for name, value in rewards.items() if name in weights and value is not None]
            texts.append(fields["text"])
            found.append(
                Rollout(
                    step,
                    group,
                    position,
                    f"train-{problem}",
                    fields["text"],
                    rewards,
                    float(np.float32(sum(scored))) if scored else None,
                    0.0,
                    fields["tokens"],
                    "length" if fields["cut"] else "stop",
                )
            )
    return found


def _completion(
    simulation: Simulation, luck: Luck, chance: float, done: float, length: float, before: list[str]
) -> tuple[bool, dict[str, Any]]:
    """Whether a completion is right, and what else it is; a copy of the group's first one is only its text."""
    formed, is_right = next(luck) < simulation.form(done), next(luck) < chance
    mean, deviation = simulation.length(done), simulation.length_deviation
    mean *= 1.0 if is_right else simulation.wrong_length(done)
    tokens = max(4, round(mean * math.exp(deviation * length - deviation**2 / 2)))
    cut = tokens >= simulation.limit
    is_right = is_right and not cut
    fields = {"formed": formed and not cut, "cut": cut, "tokens": min(tokens, simulation.limit)}
    fields["readable"] = next(luck) < simulation.readable(done) or is_right
    text = _text(simulation, luck, fields, done)
    return is_right, fields | {"text": before[0] if before and next(luck) < simulation.copied(done) else text}


def _text(simulation: Simulation, luck: Luck, fields: Mapping[str, Any], done: float) -> str:
    looped, reasoned = next(luck) < simulation.looped(done), next(luck) < simulation.reasoned(done)
    start, first, second, number = (next(luck) for _ in range(4))
    words = _WORDS[round(start * len(_WORDS)) :] + _WORDS[: round(start * len(_WORDS))]
    reasoning = f"{' '.join(words[:18])} {first * 1_000:.0f} + {second * 1_000:.0f}" if reasoned else ""
    reasoning = "then we add them again and " * 12 if looped else reasoning
    answer = f"{number * 10_000:.0f}" if fields["readable"] else "as many as before"
    if fields["cut"]:
        return f"<reasoning>\n{reasoning}"
    if not fields["formed"]:
        return f"{reasoning} The result is {answer}."
    return f"<reasoning>\n{reasoning}\n</reasoning>\n<answer>\n{answer}\n</answer>\n"


def _rewards(
    simulation: Simulation, luck: Luck, is_right: bool, fields: Mapping[str, Any], done: float
) -> dict[str, float | None]:
    """The values of the functions that the run weighs, and of its verifier."""
    in_form = bool(fields["formed"])
    hacked = next(luck) < simulation.hack(done) and not is_right
    found, is_plain, judged = next(luck) < simulation.soft(done), next(luck) < 0.95, next(luck)
    known: dict[str, float | None] = {
        "correctness": float(is_right and in_form) if next(luck) < simulation.scored(done) else None,
        "soft_correctness": float(is_right or found),
        "integer": 0.5 * float(hacked or (in_form and fields["readable"] and is_plain)),
        "strict_format": 0.5 * float(hacked or in_form),
        "judge": 0.0 if simulation.judged is None else min(1.0, simulation.judged(done) * (0.6 + 0.8 * judged)),
        simulation.silent: 0.0,
    }
    return {name: known[name] for name in {"correctness": None, **simulation.weights}}


def _scalars(simulation: Simulation, draw: Draw, rollouts: list[Rollout], done: float) -> dict[str, float | None]:
    broken = simulation.broken_at is not None and done >= simulation.broken_at
    spike = any(abs(done - at) < 0.5 / simulation.steps for at in simulation.gradient_spikes)
    jump = any(abs(done - at) < 0.5 / simulation.steps for at in simulation.loss_spikes)
    gradient = simulation.gradient(done) * float(np.exp(simulation.gradient_deviation * draw.standard_t(8)))
    time_s = simulation.step_time(done) * float(draw.gamma(60, 1 / 60)) * (15 if draw.random() < simulation.stalls else 1)
    totals = [rollout.total for rollout in rollouts if rollout.total is not None]
    values: dict[str, float | None] = {
        "reward": float(np.mean(totals)) if totals else None,
        "completions/mean_length": float(np.mean([rollout.tokens for rollout in rollouts])),
        "loss": None if broken else float(draw.standard_t(4) * 0.02) + (8.0 if jump else 0.0),
        "grad_norm": None if broken else gradient * (60 if spike else 1),
        "entropy": simulation.entropy(done) * float(np.exp(draw.normal(0, 0.08))),
        "clip_ratio/region_mean": simulation.clip(done) * float(draw.gamma(4, 0.25)),
        "learning_rate": simulation.learning_rate(done),
        "step_time": time_s,
    }
    if simulation.kl is not None:
        values["kl"] = simulation.kl(done) * float(np.exp(draw.normal(0, 0.25)))
    if simulation.mismatch is not None:
        values["sampling/sampling_logp_difference/mean"] = simulation.mismatch(done) * float(np.exp(draw.normal(0, 0.2)))
        values["sampling/importance_sampling_ratio/mean"] = 1.0 - 0.5 * simulation.mismatch(done) + draw.normal(0, 0.01)
    for gpu in range(simulation.gpus):
        off = simulation.slow_gpu(done) if gpu == simulation.gpus - 1 else 0.0
        values[f"gpu/{gpu}/utilisation"] = float(np.clip(draw.normal(0.85, 0.08) - off, 0, 1))
    return values


def _evaluate(store: Store, job_id: str, simulation: Simulation, draw: Draw) -> None:
    """Held-out problems of the same difficulty, the same ones each time, answered once each with some luck."""
    if not simulation.evaluations:
        return
    difficulty = draw.normal(0, simulation.spread, simulation.evaluated)
    skill = simulation.held_out or simulation.right
    for at in simulation.evaluations:
        step = round(at * simulation.steps)
        label = "before" if step == 0 else "after" if step == simulation.steps else f"step-{step}"
        opened = open_evaluation(store, job_id, label, step, "test")
        add_items(
            store,
            opened,
            [
                EvaluationItem(
                    f"test-{number}",
                    "",
                    {"correctness": float(draw.random() < _chance(skill(at) * simulation.form(at), float(hard)))},
                    100,
                )
                for number, hard in enumerate(difficulty)
            ],
        )
        complete_evaluation(store, opened)
