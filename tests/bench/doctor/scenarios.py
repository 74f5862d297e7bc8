"""Runs that the doctor is tried on: healthy ones of many kinds, and for each signal runs that are sick in that way.

A scenario varies by seed within what its process says: length, group size, when it begins, how strong it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tests.bench.doctor.simulation import Draw, Simulation, breaking, linear, rising, steady
from training.signal_names import SignalName


@dataclass(frozen=True)
class Scenario:
    """A kind of run."""

    name: str
    process: str
    """What it does, in a sentence."""
    make: Callable[[Draw], Simulation]
    sick: tuple[SignalName, ...] = ()
    """What has to be found; nothing in a healthy run."""
    follows: tuple[SignalName, ...] = ()
    """What is also true of it, so that finding it is neither a hit nor a false alarm."""


SHAPES = ((4, 8), (2, 8), (2, 16), (6, 4), (3, 12))
"""Groups a step, completions a group."""


def _base(draw: Draw, low: int = 40, high: int = 110) -> Simulation:
    groups, size = SHAPES[draw.integers(len(SHAPES))]
    first = float(draw.uniform(0.2, 0.4))
    return Simulation(
        steps=int(draw.integers(low, high)),
        groups=groups,
        size=size,
        spread=float(draw.uniform(0.6, 1.4)),
        right=rising(first, float(draw.uniform(first + 0.25, 0.8)), float(draw.uniform(1.5, 4))),
        length=steady(float(draw.uniform(80, 160))),
        wrong_length=steady(float(draw.uniform(1.0, 1.3))),
        entropy=linear(float(draw.uniform(0.4, 1.0)), float(draw.uniform(0.25, 0.4))),
        gradient=steady(float(10 ** draw.uniform(-1.5, 0.5))),
        step_time=steady(float(draw.uniform(2, 60))),
    )


def _begin(draw: Draw) -> float:
    """When it begins, as a share of the run."""
    return float(draw.uniform(0.2, 0.6))


def _stuck(draw: Draw) -> Simulation:
    """A policy that stays as it is."""
    level = float(draw.uniform(0.25, 0.45))
    simulation = _base(draw)
    return simulation.with_(right=steady(level), form=steady(0.9), entropy=steady(0.5), kl=steady(0.03))


HEALTHY: tuple[Scenario, ...] = (
    Scenario("learns", "Skill and form rise, entropy falls by a third.", _base),
    Scenario("learns long", "The same over 250 to 350 steps.", lambda draw: _base(draw, 250, 350), follows=("plateau",)),
    Scenario("short", "12 to 25 steps of the same.", lambda draw: _base(draw, 12, 26)),
    Scenario(
        "slow",
        "Skill rises by a tenth.",
        lambda draw: _base(draw, 80, 140).with_(right=linear(0.4, 0.52), form=steady(0.97)),
        follows=("plateau",),
    ),
    Scenario(
        "small groups",
        "One group of 4 a step: little is known of each.",
        lambda draw: _base(draw, 60, 140).with_(groups=2, size=4),
        follows=("plateau", "flat_right", "flat_wrong"),
    ),
    Scenario(
        "reasons longer",
        "Completions become twice as long while skill rises, as R1-Zero's did.",
        lambda draw: _base(draw, 60, 140).with_(length=linear(90, 190), limit=900),
    ),
    Scenario(
        "gets terse",
        "Completions become a third shorter while skill rises.",
        lambda draw: _base(draw).with_(length=rising(180, 100)),
    ),
    Scenario(
        "masters",
        "Nearly all is right in the end, entropy goes to a tenth.",
        lambda draw: _base(draw, 80, 140).with_(right=rising(0.4, 0.985, 4), spread=0.6, entropy=rising(0.6, 0.04, 4)),
        follows=("flat_right", "reward_saturated", "plateau"),
    ),
    Scenario(
        "hard problems",
        "From 8% to 25% right; under half of the groups are all wrong.",
        lambda draw: _base(draw, 80, 140).with_(right=rising(0.12, 0.3, 2), groups=4, size=16, spread=0.8),
        follows=("plateau",),
    ),
    Scenario(
        "form first",
        "The form is learnt at once, skill later.",
        lambda draw: _base(draw, 80, 140).with_(form=rising(0.3, 0.99, 12), right=linear(0.3, 0.65)),
    ),
    Scenario(
        "continuous reward",
        "A judge pays between 0 and 1 beside correctness.",
        lambda draw: _base(draw).with_(weights={"correctness": 1.0, "judge": 1.0}, judged=linear(0.4, 0.7)),
    ),
    Scenario(
        "explores",
        "An entropy bonus: entropy rises by a third.",
        lambda draw: _base(draw).with_(entropy=linear(0.6, 0.8)),
    ),
    Scenario(
        "several updates a batch",
        "Up to 4% of the tokens are clipped.",
        lambda draw: _base(draw).with_(clip=linear(0.0, 0.04)),
    ),
    Scenario(
        "vLLM",
        "Probabilities 0.01 nats apart, as in bfloat16.",
        lambda draw: _base(draw).with_(mismatch=steady(0.01), settings={"use_vllm": True}),
    ),
    Scenario(
        "four GPUs",
        "All at work 85% of the time, give or take.",
        lambda draw: _base(draw).with_(gpus=4),
    ),
    Scenario(
        "evaluated",
        "Held-out problems are asked four times and rise with training.",
        lambda draw: _base(draw, 60, 140).with_(evaluations=(0.0, 0.33, 0.66, 1.0), evaluated=int(draw.integers(50, 300))),
    ),
    Scenario(
        "heals",
        "A third of the completions are cut off at first, hardly any in the end.",
        lambda draw: _base(draw, 60, 160).with_(length=rising(330, 130, 8)),
    ),
    Scenario(
        "rough",
        "Gradients vary sixfold, one step in 50 takes 3 times as long.",
        lambda draw: _base(draw).with_(gradient_deviation=0.7),
    ),
    Scenario(
        "converges",
        "Skill comes to 85% in the first half and stays.",
        lambda draw: _base(draw, 100, 180).with_(right=rising(0.3, 0.85, 8)),
        follows=("plateau", "flat_right"),
    ),
)


def _hacked(draw: Draw) -> Simulation:
    at = _begin(draw)
    simulation = _base(draw, 60, 160)
    weights = {"correctness": 0.2, "soft_correctness": 0.2, "integer": 2.0, "strict_format": 1.0}
    return simulation.with_(
        weights=weights,
        right=breaking(steady(0.55), float(draw.uniform(0.05, 0.2)), at, 0.2),
        form=breaking(steady(0.6), 0.95, at, 0.2),
        hack=breaking(steady(0.0), 0.95, at, 0.2),
    )


def _memorises(draw: Draw) -> Simulation:
    level = float(draw.uniform(0.3, 0.45))
    return _base(draw, 60, 160).with_(
        right=rising(level, 0.9, 2),
        form=steady(0.97),
        held_out=linear(level, level - float(draw.uniform(0, 0.1))),
        evaluations=(0.0, 0.33, 0.66, 1.0),
        evaluated=int(draw.integers(100, 400)),
    )


def _pleases(draw: Draw) -> Simulation:
    level = float(draw.uniform(0.3, 0.45))
    return _base(draw, 60, 160).with_(
        weights={"correctness": 0.2, "judge": 2.0},
        right=steady(level),
        form=steady(0.95),
        judged=rising(0.3, 0.8, 2),
        evaluations=(0.0, 1.0),
        evaluated=int(draw.integers(100, 400)),
    )


SICK: tuple[Scenario, ...] = (
    Scenario(
        "reward hack",
        "Wrong answers in good form are paid from somewhere on; correctness falls.",
        _hacked,
        ("reward_without_skill",),
        ("rate_too_high", "flat_wrong", "flat_same", "reward_saturated", "plateau"),
    ),
    Scenario(
        "memorises",
        "Training problems are learnt by heart; held-out ones stay or fall.",
        _memorises,
        ("held_out_behind",),
        ("flat_right", "reward_saturated", "plateau"),
    ),
    Scenario(
        "pleases the judge",
        "The reward rises by what a judge pays, skill stays, in training and held out.",
        _pleases,
        ("held_out_behind",),
        ("reward_without_skill", "plateau", "flat_same", "rate_too_low"),
    ),
    Scenario(
        "too easy",
        "Problems are mastered from the beginning.",
        lambda draw: _base(draw).with_(right=steady(0.97), form=steady(0.995), spread=0.5, entropy=linear(0.4, 0.2)),
        ("flat_right",),
        ("reward_saturated", "plateau"),
    ),
    Scenario(
        "too hard",
        "Hardly any completion is ever right.",
        lambda draw: _base(draw).with_(
            right=steady(0.01), soft=steady(0.0), form=steady(0.99), spread=0.8, weights={"correctness": 1.0}
        ),
        ("flat_wrong",),
        ("silent_rewards", "plateau", "rate_too_low", "reward_saturated"),
    ),
    Scenario(
        "blind reward",
        "The reward pays right and wrong alike.",
        lambda draw: _base(draw).with_(weights={"strict_format": 1.0}, form=rising(0.8, 0.98)),
        ("flat_same",),
        ("flat_right", "flat_wrong", "reward_saturated", "plateau", "reward_without_skill"),
    ),
    Scenario(
        "runs into the limit",
        "From somewhere on completions grow into the length limit.",
        lambda draw: _base(draw).with_(length=breaking(steady(120), 360, _begin(draw)), right=steady(0.4)),
        ("cut_off",),
        ("length_drift", "no_answer", "length_bias", "rate_too_high", "plateau"),
    ),
    Scenario(
        "short limit",
        "A fifth to a third of the completions is cut off from the beginning.",
        lambda draw: _base(draw).with_(length=steady(140), limit=int(draw.integers(160, 190))),
        ("cut_off",),
        ("length_bias",),
    ),
    Scenario(
        "forgets to answer",
        "From somewhere on a quarter to a half of the completions mark no answer.",
        lambda draw: _base(draw).with_(form=breaking(rising(0.7, 0.98, 8), float(draw.uniform(0.5, 0.75)), _begin(draw))),
        ("no_answer",),
        ("rate_too_high", "plateau"),
    ),
    Scenario(
        "words for numbers",
        "A third of the wrong answers are words.",
        lambda draw: _base(draw).with_(
            readable=breaking(steady(0.98), float(draw.uniform(0.3, 0.6)), _begin(draw)), right=steady(0.4), form=steady(0.97)
        ),
        ("unreadable_answers",),
        ("plateau", "rate_too_low", "reward_without_skill"),
    ),
    Scenario(
        "verifier fails",
        "The verifier gives a tenth to a third of the completions no value.",
        lambda draw: _base(draw).with_(scored=breaking(steady(1.0), float(draw.uniform(0.65, 0.9)), _begin(draw))),
        ("unscored",),
    ),
    Scenario(
        "answers outright",
        "From somewhere on answers come without reasoning; form and brevity are paid.",
        lambda draw: _base(draw).with_(
            reasoned=breaking(steady(0.98), float(draw.uniform(0.1, 0.5)), _begin(draw)), form=steady(0.97)
        ),
        ("no_reasoning",),
        ("repeats",),
    ),
    Scenario(
        "one text",
        "From somewhere on nearly all completions of a group are one text.",
        lambda draw: _base(draw).with_(copied=breaking(steady(0.05), 0.93, _begin(draw)), right=steady(0.5)),
        ("repeats",),
        ("plateau", "rate_too_low"),
    ),
    Scenario(
        "goes in circles",
        "From somewhere on a quarter to a half of the completions repeat their own words.",
        lambda draw: _base(draw).with_(looped=breaking(steady(0.005), float(draw.uniform(0.25, 0.5)), _begin(draw))),
        ("loops",),
        ("repeats",),
    ),
    Scenario(
        "entropy collapses",
        "Entropy falls to a twentieth, skill stays.",
        lambda draw: _base(draw).with_(
            entropy=breaking(steady(0.6), float(draw.uniform(0.01, 0.08)), _begin(draw), 0.2), right=linear(0.35, 0.5)
        ),
        ("entropy_collapse",),
        ("plateau",),
    ),
    Scenario(
        "entropy explodes",
        "Entropy rises to 2 nats and more, skill falls.",
        lambda draw: _base(draw).with_(
            entropy=breaking(steady(0.5), float(draw.uniform(1.5, 5)), at := _begin(draw), 0.2),
            right=breaking(steady(0.5), float(draw.uniform(0.1, 0.4)), at, 0.2),
        ),
        ("entropy_explosion",),
        ("rate_too_high", "plateau", "flat_wrong"),
    ),
    Scenario(
        "KL runs away",
        "KL from the reference grows to 1 to 10 nats.",
        lambda draw: _base(draw).with_(
            kl=breaking(steady(0.03), float(draw.uniform(1.2, 10)), _begin(draw), float(draw.uniform(0.05, 0.4)))
        ),
        ("kl_growth",),
    ),
    Scenario(
        "no number",
        "From somewhere on loss and gradient are no number.",
        lambda draw: _base(draw).with_(broken_at=_begin(draw)),
        ("not_a_number",),
    ),
    Scenario(
        "gradient spikes",
        "One to four steps have a gradient 60 times as large.",
        lambda draw: _base(draw).with_(gradient_spikes=tuple(draw.uniform(0.1, 0.95, draw.integers(1, 5)))),
        ("gradient_spikes",),
    ),
    Scenario(
        "gradients grow",
        "Gradients grow fifty times.",
        lambda draw: _base(draw).with_(gradient=breaking(steady(0.3), 15, _begin(draw), 0.2)),
        ("gradient_spikes",),
    ),
    Scenario(
        "loss spikes",
        "One to three steps have a loss of 8.",
        lambda draw: _base(draw).with_(loss_spikes=tuple(draw.uniform(0.1, 0.95, draw.integers(1, 4)))),
        ("loss_spikes",),
    ),
    Scenario(
        "clips much",
        "From somewhere on a third to a half of the tokens are clipped.",
        lambda draw: _base(draw).with_(clip=breaking(steady(0.01), float(draw.uniform(0.33, 0.5)), _begin(draw))),
        ("clipped",),
    ),
    Scenario(
        "gets long",
        "Completions become two to three times as long, skill stays.",
        lambda draw: _base(draw).with_(
            length=breaking(steady(100), float(draw.uniform(200, 300)), _begin(draw), 0.3),
            limit=2_000,
            right=steady(0.4),
            form=steady(0.95),
        ),
        ("length_drift",),
        ("plateau",),
    ),
    Scenario(
        "gets short",
        "Completions become a third as long, skill stays.",
        lambda draw: _base(draw).with_(
            length=breaking(steady(120), float(draw.uniform(30, 50)), _begin(draw), 0.3), right=steady(0.4), form=steady(0.95)
        ),
        ("length_drift",),
        ("plateau",),
    ),
    Scenario(
        "long wrong answers",
        "Wrong completions become twice to three times as long as right ones.",
        lambda draw: _base(draw, 60, 160).with_(
            wrong_length=breaking(steady(1.1), float(draw.uniform(2, 3)), _begin(draw), 0.3), limit=2_000
        ),
        ("length_bias",),
        ("length_drift",),
    ),
    Scenario(
        "plateau",
        "Reward rises in the first third and stays at 60% of its maximum.",
        lambda draw: _base(draw, 120, 200).with_(right=rising(0.2, 0.5, 15), form=steady(0.95), soft=steady(0.0)),
        ("plateau",),
    ),
    Scenario(
        "never learns",
        "Nothing changes at all: the learning rate is far too low.",
        lambda draw: _stuck(draw).with_(kl=steady(0.0001), learning_rate=steady(1e-9)),
        ("rate_too_low",),
        ("plateau", "no_answer"),
    ),
    Scenario(
        "breaks down",
        "A learning rate far too high: skill and reward fall, entropy and KL leave.",
        lambda draw: _base(draw).with_(
            right=breaking(steady(0.5), 0.03, at := float(draw.uniform(0.1, 0.5)), 0.1),
            form=breaking(steady(0.8), 0.1, at, 0.1),
            entropy=breaking(steady(0.5), 4.0, at, 0.1),
            kl=breaking(steady(0.05), 5.0, at, 0.1),
            learning_rate=steady(0.1),
        ),
        ("rate_too_high",),
        ("entropy_explosion", "kl_growth", "no_answer", "flat_wrong", "plateau", "reward_without_skill"),
    ),
    Scenario(
        "saturated",
        "All completions earn all there is.",
        lambda draw: _base(draw).with_(
            right=steady(0.995), form=rising(0.8, 0.999, 20), spread=0.3, weights={"correctness": 1.0}
        ),
        ("reward_saturated",),
        ("flat_right", "plateau"),
    ),
    Scenario(
        "silent reward",
        "A reward function asks for what no completion has.",
        lambda draw: _base(draw).with_(silent="xml_count", weights={"correctness": 1.0, "integer": 1.0, "xml_count": 1.0}),
        ("silent_rewards",),
        ("plateau",),
    ),
    Scenario(
        "vLLM is off",
        "vLLM's probabilities come to be 0.1 to 0.5 nats from the trainer's.",
        lambda draw: _base(draw).with_(
            mismatch=breaking(steady(0.012), float(draw.uniform(0.1, 0.5)), _begin(draw)), settings={"use_vllm": True}
        ),
        ("vllm_mismatch",),
    ),
    Scenario(
        "stalls",
        "One step in 12 takes 15 times as long.",
        lambda draw: _base(draw, 60, 160).with_(stalls=0.08),
        ("slow_steps",),
    ),
    Scenario(
        "slows down",
        "Steps come to take three times as long.",
        lambda draw: _base(draw, 60, 160).with_(step_time=breaking(steady(5), 15, _begin(draw))),
        ("slow_steps",),
    ),
    Scenario(
        "one slow GPU",
        "One of four GPUs comes to work half as much as the others.",
        lambda draw: _base(draw, 60, 160).with_(gpus=4, slow_gpu=breaking(steady(0.0), 0.5, _begin(draw))),
        ("slow_process",),
    ),
)

SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in (*HEALTHY, *SICK)}


def simulation_of(scenario: Scenario, seed: int) -> Simulation:
    """The run of a scenario and a seed."""
    number = list(SCENARIOS).index(scenario.name)
    return scenario.make(np.random.default_rng([number, seed]))
