"""What a study's page shows in tables: its arms, its runs, and two arms problem by problem. Nothing here knows Streamlit."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboard.comparison_tables import both_met
from training.studies.members import Member
from training.studies.plan import value_words
from training.studies.results import ArmResult
from training.text import duration


def arm_table(arms: Sequence[ArmResult]) -> pd.DataFrame:
    """A row an arm: its settings, how many runs finished, and means over them with their 95% intervals."""
    return pd.DataFrame(
        [
            {name: value_words(value) for name, value in arm.arm.settings.items()}
            | {
                "runs": len(arm.outcomes),
                "before": arm.before.words if arm.before else "",
                "after": arm.after.words,
                "final reward": arm.reward.words if arm.reward else "",
                "tokens a run": round(arm.tokens.value),
                "took": duration(arm.seconds.value),
            }
            for arm in arms
        ]
    )


def run_rows(members: Sequence[Member]) -> pd.DataFrame:
    """A row a run, in the order of their launch."""
    return pd.DataFrame(
        [
            {"run": member.run.id}
            | {name: value_words(value) for name, value in member.arm.settings.items()}
            | {"seed": member.seed, "status": [member.stages[0].status if member.stages[0].active else member.run.status]}
            | {"progress": 100 * np.mean([job.fraction for job in member.stages]), "how it stands": _stands(member)}
            for member in members
        ]
    )


def _stands(member: Member) -> str:
    at_work = next((job for job in member.stages if job.active), member.run)
    return member.reason or at_work.message or at_work.reason


def arms_met(first: ArmResult, other: ArmResult) -> pd.DataFrame:
    """`comparison_tables.both_met` of two arms: the mean of each problem's pass rates over the runs of each."""
    return both_met(_mean_rates(first), _mean_rates(other))


def _mean_rates(arm: ArmResult) -> pd.DataFrame:
    return pd.DataFrame({"pass_rate": pd.DataFrame([dict(outcome.rates) for outcome in arm.outcomes]).mean()})
