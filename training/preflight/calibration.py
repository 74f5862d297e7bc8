"""What two measured steps and a sample of groups say of a run, in place of estimates; `training.jobs.calibrate` measures."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.config import RunConfig
from training.doctor.of_groups import FLAT_SHARE
from training.doctor.of_texts import CUT_SHARE
from training.groups import Group, Rollout, Verifier
from training.intervals import wilson_interval
from training.preflight import Preflight, in_order
from training.preflight.subject import Finding


@dataclass(frozen=True)
class Forecast:
    """Groups sampled from the model as the run would find it."""

    groups: int
    flat: int
    """Without variance: every completion earned the same."""
    all_right: int
    """Of the flat ones, by the run's verifier."""
    all_wrong: int
    mean_tokens: float
    cut_share: float
    """Of the completions, at `max_completion_length`."""

    @property
    def flat_interval(self) -> tuple[float, float]:
        """The 95% interval of the share of groups without variance."""
        return wilson_interval(self.flat / self.groups, self.groups)


@dataclass(frozen=True)
class Calibration:
    """What was measured."""

    step_time_s: float
    """Generation included, shared out where several steps learn from one batch."""
    generation_s: float
    """Its part that generates and scores."""
    tokens_a_step: float
    """Completion tokens."""
    peak_gib: float
    device: str
    """Whose memory that is: the GPU's, allocated by torch, or the process's, resident."""
    forecast: Forecast

    @property
    def learning_s(self) -> float:
        """The rest of the step."""
        return self.step_time_s - self.generation_s


def forecast(rollouts: Sequence[Rollout], verifier: Verifier) -> Forecast:
    """What sampled groups tell; batches follow each other, so groups are told apart by problem."""
    by_problem: dict[str, list[Rollout]] = defaultdict(list)
    for rollout in rollouts:
        by_problem[rollout.problem_id].append(rollout)
    groups = [Group(members[0].step, index, tuple(members)) for index, members in enumerate(by_problem.values())]
    kinds = [group.kind(verifier) for group in groups if group.is_flat]
    return Forecast(
        groups=len(groups),
        flat=len(kinds),
        all_right=kinds.count("right"),
        all_wrong=kinds.count("wrong"),
        mean_tokens=sum(rollout.tokens for rollout in rollouts) / len(rollouts),
        cut_share=sum(rollout.finish_reason == "length" for rollout in rollouts) / len(rollouts),
    )


def with_calibration(config: RunConfig, found: Preflight, measured: Calibration) -> Preflight:
    """The preflight with measurements in place of estimates, and with what they give to say."""
    expected = found.expectation
    answers = expected.evaluations * config.evaluation_problems * config.evaluation_samples
    evaluation_s = expected.evaluation_s
    if evaluation_s is None:
        evaluation_s = answers * measured.generation_s * config.num_iterations / config.completions_per_step
    findings = [finding for finding in found.findings if finding.about != "memory"]
    return replace(
        found,
        findings=in_order([*findings, *_forecast_findings(config, measured.forecast)]),
        expectation=replace(
            expected,
            basis=("two measured steps",),
            step_time_s=measured.step_time_s,
            tokens_a_step=measured.tokens_a_step,
            evaluation_s=evaluation_s,
        ),
    )


def _forecast_findings(config: RunConfig, sampled: Forecast) -> list[Finding]:
    findings = []
    if sampled.flat / sampled.groups >= FLAT_SHARE:
        why = "right" if sampled.all_right > sampled.all_wrong else "wrong"
        findings.append(
            Finding(
                "warning",
                "problems",
                f"{sampled.flat} of {sampled.groups} sampled groups have no variance and would teach nothing.",
                f"Most are all {why}: train on a subset of {'harder' if why == 'right' else 'easier'} problems, raise "
                "num_generations, or start from another model.",
            )
        )
    if sampled.cut_share >= CUT_SHARE:
        findings.append(
            Finding(
                "warning",
                "max_completion_length",
                f"{sampled.cut_share:.0%} of the sampled completions were cut off at {config.max_completion_length:,} tokens.",
                "Raise max_completion_length.",
            )
        )
    return findings
