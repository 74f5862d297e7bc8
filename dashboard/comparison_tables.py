"""The tables that compare runs: settings that differ, final and best values, evaluations. Nothing here knows Streamlit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.outcomes import RIGHT
from dashboard.comparison_figures import Panel, RunCurve
from training.evaluation.evaluate import ARTICLE_TABLE, Score, evaluation_table
from training.intervals import paired_interval
from training.store.evaluations import Evaluation
from training.text import agree, count, span, with_interval

WINDOW_STEPS = 5
"""Steps that a final value, and a highest or lowest one, is the mean of: one step's mean is noise."""


@dataclass(frozen=True)
class Scores:
    """What one evaluation came to."""

    label: str
    step: int
    problems: int
    table: Mapping[str, Score]
    """`training.evaluation.evaluate.evaluation_table`."""


def differing_settings(specs: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row a setting that is not the same in all runs, one column a run; empty where a run has no such setting.

    Args:
        specs: run id -> its resolved configuration; each reward's weight counts as a setting.
    """
    flat = {run_id: _flat(spec) for run_id, spec in specs.items()}
    names = dict.fromkeys(name for settings in flat.values() for name in settings)
    rows = [{"setting": name} | {run_id: settings.get(name, "") for run_id, settings in flat.items()} for name in names]
    return pd.DataFrame(
        [row for row in rows if len({row[run_id] for run_id in flat}) > 1], columns=["setting", *flat], dtype=object
    )


def final_and_best(panels: Sequence[Panel]) -> pd.DataFrame:
    """One row a curve and run: the mean of the last steps, the highest and lowest mean of as many, and the step they end at."""
    rows = [
        {"curve": panel.curve.title, "run": run_id} | _extremes(curve)
        for panel in panels
        for run_id, curve in panel.runs.items()
        if len(curve.series[1])
    ]
    return pd.DataFrame(rows, columns=["curve", "run", "final", "highest", "highest at step", "lowest", "lowest at step"])


def scores_of(evaluation: Evaluation) -> Scores:
    """What an evaluation came to."""
    return Scores(evaluation.label, evaluation.step, evaluation.problems, evaluation_table(evaluation))


def evaluation_rows(evaluated: Mapping[str, Sequence[Scores]]) -> pd.DataFrame:
    """One row an evaluation, by run id: the article's five measures, each with its 95% interval."""
    rows = []
    for run_id, evaluations in evaluated.items():
        for found in evaluations:
            row: dict[str, object] = {"run": run_id, "evaluation": found.label, "step": found.step, "problems": found.problems}
            for score in found.table.values():
                row |= {score.title: score.value, f"{score.title}, low": score.low, f"{score.title}, high": score.high}
            rows.append(row)
    return pd.DataFrame(rows)


def shown_evaluations(rows: pd.DataFrame) -> pd.DataFrame:
    """`evaluation_rows` for reading: each measure and its interval in one cell."""
    shown = rows[["run", "evaluation", "step", "problems"]].copy()
    for title, _ in ARTICLE_TABLE.values():
        if title in rows:
            shown[title] = [
                "" if pd.isna(value) else with_interval(value, low, high)
                for value, low, high in zip(rows[title], rows[f"{title}, low"], rows[f"{title}, high"], strict=True)
            ]
    return shown


def _flat(spec: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in spec.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": _written(weight) for inner, weight in value.items()}
        else:
            found[name] = _written(value)
    return found


def _written(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_written, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _extremes(curve: RunCurve) -> dict[str, float]:
    """Over running means of `WINDOW_STEPS` steps, or of all while there are fewer."""
    steps, values = curve.series
    window = min(WINDOW_STEPS, len(values))
    means = np.convolve(values, np.full(window, 1 / window), mode="valid")
    high, low = int(means.argmax()), int(means.argmin())
    ends = steps[window - 1 :]
    return {
        "final": float(means[-1]),
        "highest": float(means[high]),
        "highest at step": int(ends[high]),
        "lowest": float(means[low]),
        "lowest at step": int(ends[low]),
    }


def common_outcomes(first: pd.DataFrame, last: pd.DataFrame) -> list[str]:
    """What two runs can be compared by, problem by problem: evaluations that both have, the latest first, and training.

    Args:
        first, last: as `analysis.outcomes.job_outcomes` gives them.
    """
    common = [column for column in first.columns if column in last.columns]
    return [
        *reversed([column for column in common if column.startswith(RIGHT)]),
        *(["pass_rate"] if "pass_rate" in common else []),
    ]


def both_met(first: pd.DataFrame, last: pd.DataFrame, by: str = "pass_rate") -> pd.DataFrame:
    """The problems that two runs both met, those whose pass rates differ most first.

    Args:
        first, last: as `analysis.outcomes.job_outcomes` gives them.
        by: one of their columns: of training, or of an evaluation.

    Returns:
        Indexed by problem id, float columns `before`, `after` and `change`, 0 to 1.
    """
    if by not in first or by not in last:
        return pd.DataFrame(columns=["before", "after", "change"], dtype=float)
    met = pd.DataFrame({"before": first[by], "after": last[by]}).dropna()
    met["change"] = met["after"] - met["before"]
    return met.loc[met["change"].abs().sort_values(ascending=False, kind="stable").index]


def reading_of(met: pd.DataFrame, first: str, last: str) -> str:
    """`both_met` in a sentence, the mean difference with its 95% paired interval over the problems.

    Args:
        met: at least one problem.
        first, last: the runs' ids.
    """
    low, high = paired_interval(met["change"].to_numpy(np.float64))
    better, worse = int((met["change"] > 0).sum()), int((met["change"] < 0).sum())
    certain = "" if low > 0 or high < 0 else ", which may be chance"
    before, after, change = (float(met[name].mean()) for name in ("before", "after", "change"))
    return (
        f"{count(len(met), 'problem')} {agree(len(met), 'was', 'were')} met by both. The mean pass rate is {before:.1%} in "
        f"{first} and {after:.1%} in {last}: a difference of {change:+.1%} (95% interval {span(low, high, '+.1%')})"
        f"{certain}; {better:,} are answered more often in {last}, {worse:,} less often."
    )
