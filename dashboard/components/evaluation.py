"""The article's table before and after, and the problems that a run gained and lost."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.text import count, plain
from training.comparison import compare_evaluations
from training.evaluate import ARTICLE_TABLE, Score, evaluation_table
from training.rewards import extract_answer
from training.store import Evaluation, Job


def render_comparison(run: Job, evaluations: Mapping[str, Evaluation]) -> None:
    """The table first, then what changed problem by problem, and the problems whose hard correctness changed."""
    tables = {label: evaluation_table(evaluations[label]) for label in ("before", "after") if label in evaluations}
    st.dataframe(comparison_frame(tables), hide_index=True)
    problems = len(next(iter(evaluations.values())).items)
    note = f"{count(problems, 'test problem')}; intervals are 95% Wilson intervals."
    if "after" not in tables:
        note += " The second evaluation follows when training is done."
    st.caption(note)
    if "before" in evaluations and "after" in evaluations:
        compared = compare_evaluations(evaluations["before"], evaluations["after"])
        for comparison in compared.values():
            st.markdown(plain(comparison.reading))
        for title, ids in (("Gained", compared["hard"].gained), ("Lost", compared["hard"].lost)):
            st.subheader(f"{title}: {count(len(ids), 'problem')}", anchor=False)
            if ids:
                st.dataframe(_answers(run, evaluations, ids), hide_index=True)
            else:
                st.caption(plain(f"No problem was {title.lower()} by hard correctness."))


def comparison_frame(tables: Mapping[str, Mapping[str, Score]]) -> pd.DataFrame:
    """One row a measure in the article's order: value and interval of each evaluation, and the maximum."""
    rows = []
    for key, (title, _) in ARTICLE_TABLE.items():
        row: dict[str, object] = {"measure": title}
        for label, table in tables.items():
            if key in table:
                row[label] = f"{table[key].value:.3f}"
                row[f"{label}, 95% interval"] = f"{table[key].low:.3f} to {table[key].high:.3f}"
                row["maximum"] = f"{table[key].maximum:.1f}"
        rows.append(row)
    frame = pd.DataFrame(rows)
    return frame[[*(column for column in frame if column != "maximum"), "maximum"]]


def _answers(run: Job, evaluations: Mapping[str, Evaluation], ids: Sequence[str]) -> pd.DataFrame:
    problems = data.problems_by_id(str(run.spec["source"]))
    items = {label: {item.problem_id: item for item in evaluations[label].items} for label in ("before", "after")}
    return pd.DataFrame(
        [
            {
                "problem": problem_id,
                "gold": problems[problem_id].gold if problem_id in problems else "",
                "answer before": extract_answer(items["before"][problem_id].completion),
                "answer after": extract_answer(items["after"][problem_id].completion),
                "question": problems[problem_id].question if problem_id in problems else "",
            }
            for problem_id in ids
        ]
    )
