"""The difficulty pools of a run: how they fill, what the steps draw from them, the flow between them, what they could save."""

import pandas as pd
import streamlit as st

from analysis.pools import POOL_TITLES, Savings, flow, savings
from dashboard import run_data
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.completions import DROPPED
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import render_table
from dashboard.keys import Keys
from dashboard.text import plain
from training.config import RunConfig
from training.rewards import title_of
from training.sampling.pools import POOLS
from training.text import count, percent, span

_HEIGHT = "300px"


def render_pools(run_id: str, config: RunConfig, groups: pd.DataFrame, shown: pd.DataFrame, problems: int) -> None:
    """The shares over the steps, the flow in the steps shown, and the estimate.

    Args:
        groups: all of the run's, of `analysis.pools.with_pools`.
        shown: those of the steps that the map shows.
        problems: how many the run trains on.
    """
    left, right = panes("pools", [3, 2], gap="medium")
    with left:
        st.markdown("**Pools over the steps**")
        alt = "Problems met by pool after each step, and the shares of the groups that each step drew from each pool"
        render_chart(run_data.pools_over_steps(run_id, problems), key=Keys.POOLS, alt=alt, height=_HEIGHT)
        st.caption(
            "A problem is too hard while its recent pass rate is more likely than not at most "
            f"{percent(config.pool_too_hard_at)}, and mastered while it is at least {percent(config.pool_mastered_at)}; each "
            f"group halves the weight of those before. Right is by {plain(title_of(config.verifier).lower())}."
        )
    with right:
        st.markdown(f"**From pool to pool, steps {span(int(shown['step'].min()), int(shown['step'].max()), ',')}**")
        _render_flow(shown)
        st.caption(_words(savings(groups, config.pool_shares), config))
        if dropped := dropped_words(shown):
            st.caption(dropped)


def _render_flow(shown: pd.DataFrame) -> None:
    table = flow(shown)
    table = table[table.sum(axis=1) > 0]
    number = {pool: st.column_config.NumberColumn(f"to {POOL_TITLES[pool].lower()}", width="small") for pool in POOLS}
    render_table(
        table.assign(pool=[POOL_TITLES[pool] for pool in table.index]),
        key=Keys.POOL_FLOW,
        hide_index=True,
        column_order=["pool", *POOLS[1:]],
        column_config={"pool": st.column_config.TextColumn("from", width="small"), **number},
        alt="Problems by the pool before and after these steps",
    )


def _words(found: Savings, config: RunConfig) -> str:
    """What choosing would have saved, as an estimate; of a run that chooses, that it does."""
    if config.sampling == "pools" or config.dynamic_sampling_rounds:
        return f"{found.wasted} The run chooses already: by {_ways(config)}."
    return found.reading


def _ways(config: RunConfig) -> str:
    ways = ["pools"] if config.sampling == "pools" else []
    ways += [f"up to {count(config.dynamic_sampling_rounds, 'further round')}"] if config.dynamic_sampling_rounds else []
    return " and ".join(ways)


def dropped_words(shown: pd.DataFrame) -> str:
    """What the steps generated and did not learn from, with the reasons; empty where that is nothing."""
    dropped = shown[shown["dropped"] != ""]
    if dropped.empty:
        return ""
    numbers = dropped["dropped"].value_counts()
    reasons = ", ".join(f"{numbers[reason]:,} because {words}" for reason, words in DROPPED.items() if reason in numbers)
    tokens = int(dropped["tokens"].sum())
    return (
        f"Not learnt from: {count(len(dropped), 'group')} of {count(dropped['problem'].nunique(), 'problem')} with "
        f"{count(tokens, 'token')}, {percent(tokens / max(1, int(shown['tokens'].sum())))} of those in these steps: {reasons}."
    )
