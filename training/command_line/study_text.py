"""Studies in words and as facts: what one would come to, and what one came to."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from training.preflight.subject import Finding
from training.preflight.text import finding_lines
from training.studies.launching import StudyCheck
from training.studies.members import Member
from training.studies.results import ArmResult, StudyResult
from training.text import count, rough_duration, size_text


def check_facts(found: StudyCheck) -> dict[str, Any]:
    """What `check_lines` say, as facts."""
    arms = [
        {"settings": check.arm.settings, "findings": [asdict(finding) for finding in check.findings]} for check in found.arms
    ]
    return asdict(found) | {"arms": arms}


def check_lines(found: StudyCheck) -> Iterator[str]:
    """The arms, what is wrong with which of them, and what all runs together come to."""
    yield f"{count(found.runs, 'run')}"
    yield from (f"  {check.arm.label}" for check in found.arms)
    for finding, labels in _shared_findings(found).items():
        where = "" if len(labels) == len(found.arms) else f" ({'; '.join(labels)})"
        yield from finding_lines(Finding(finding.severity, finding.about, finding.text + where, finding.remedy))
    yield "What to expect of all runs together"
    tokens = f"at most {found.most_tokens:,}" if found.tokens is None else f"about {found.tokens:,.0f}"
    took = (
        "no earlier run like them to go by" if found.total_s is None else f"{rough_duration(found.total_s)}, one after another"
    )
    room = "unknown, as the model's sizes are" if found.left_gib is None else f"about {size_text(found.left_gib * 2**30)}"
    yield f"  {tokens} tokens"
    yield f"  Time: {took}"
    yield f"  Disk: {room}"


def _shared_findings(found: StudyCheck) -> dict[Finding, list[str]]:
    """Each finding that is more than a note -> the arms that it is of."""
    shared: dict[Finding, list[str]] = {}
    for check in found.arms:
        for finding in check.findings:
            if finding.severity != "note":
                shared.setdefault(finding, []).append(check.arm.label)
    return shared


def result_facts(found: StudyResult, members: Sequence[Member]) -> dict[str, Any]:
    """What `result_lines` say, as facts."""
    return {
        "verifier": found.verifier.name,
        "problems": found.problems,
        "arms": [_arm_facts(arm) for arm in found.arms],
        "effects": [asdict(effect) | {"more_than_chance": effect.is_more_than_chance} for effect in found.effects],
        "runs": [
            {"id": member.run.id, "settings": member.arm.settings, "seed": member.seed, "status": member.run.status}
            | ({"reason": member.reason} if member.reason else {})
            for member in members
        ],
    }


def _arm_facts(arm: ArmResult) -> dict[str, Any]:
    means = {name: getattr(arm, name) for name in ("before", "after", "reward", "tokens", "seconds")}
    told = {name: mean and {"mean": mean.value, "interval": mean.interval} for name, mean in means.items()}
    return {"settings": arm.arm.settings, "runs": list(arm.run_ids)} | told


def result_lines(found: StudyResult, members: Sequence[Member]) -> Iterator[str]:
    """The arms with means over their runs, what each setting does, and the runs that did not finish."""
    if not found.arms:
        yield "No run has finished with an evaluation yet."
    else:
        yield f"Right by {found.verifier.name} on {count(found.problems, 'problem')}, means over runs with 95% intervals"
        width = max(len(arm.arm.label) for arm in found.arms)
        yield f"  {'':<{width}}  runs  {'before':<23} {'after':<23} tokens a run"
        for arm in found.arms:
            before = arm.before.words if arm.before else ""
            row = f"{before:<23} {arm.after.words:<23} {arm.tokens.value:,.0f}"
            yield f"  {arm.arm.label:<{width}}  {len(arm.outcomes):>4}  {row}"
    for effect in found.effects:
        yield f"{effect.title}: {effect.reading}"
    for member in members:
        if member.reason:
            yield f"{member.run.id} ({member.arm.label}, seed {member.seed}) {member.run.status}: {member.reason}"
