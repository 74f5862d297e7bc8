"""A run's difficulty pools on the command line: where its problems stand, the flow, and what choosing them would have saved."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from analysis.outcomes import group_frame
from analysis.pools import POOL, POOL_TITLES, Savings, flow, savings, with_pools
from training.command_line.parameters import AsJson
from training.errors import StoreError
from training.home import Home
from training.prior import kept_prior
from training.sampling.pools import POOLS, Limits
from training.store import Store
from training.store.ledger import group_outcomes
from training.stored_config import rollout_config
from training.text import count, percent

RunId = Annotated[str, typer.Argument(help="a run with completions on record, whether or not it chose its problems")]


def tell_pools(run_id: RunId, as_json: AsJson = False) -> int:
    """Say where a run's problems stand, how they got there, and what pools or dynamic sampling would have saved."""
    home = Home.from_environment()
    store = Store.open(home.store_url)
    config = rollout_config(store.job(run_id).spec)
    groups = group_frame(group_outcomes(store, run_id))
    if groups.empty:
        raise StoreError(f"{run_id} has no completions on record.", "Name a run that has taken a step.")
    limits = Limits(config.pool_too_hard_at, config.pool_mastered_at)
    groups = with_pools(groups, limits, kept_prior(home.job_folder(run_id)))
    stand = groups.drop_duplicates("problem", keep="last")[POOL].value_counts()
    pools = {pool: int(stand.get(place, 0)) for place, pool in enumerate(POOLS)}
    found = savings(groups, config.pool_shares)
    if as_json:
        print(json.dumps({"pools": pools, "flow": flow(groups).to_dict("index"), "savings": asdict(found)}))
        return 0
    print(f"{run_id}: {count(groups['problem'].nunique(), 'problem')} met in {count(found.groups, 'group')}")
    for pool, number in pools.items():
        if number or pool != "not_met":
            print(f"  {POOL_TITLES[pool]:<12} {number:>6,}")
    print("\n".join(savings_lines(found)))
    return 0


def savings_lines(found: Savings) -> list[str]:
    """The estimate in words."""
    wasted = percent(found.flat_tokens / max(1, found.tokens))
    lines = [f"{wasted} of {count(found.tokens, 'token')} went into {count(found.flat_groups, 'group')} that taught nothing."]
    if found.pool_tokens is None:
        lines.append("No problem was met again, so nothing can be said of pools.")
    else:
        part = percent(found.pool_tokens / max(1, found.tokens))
        lines.append(f"Estimate: drawn from pools by their shares, {part} of the tokens would have brought as many that teach.")
    lines.append(f"Estimate: with dynamic sampling {found.filled_steps:,.0f} full steps instead of {found.steps:,}.")
    lines.append("It assumes that a group is as likely to have variance, and as long, as those of its pool were here, and")
    return [*lines, "teaches as much whenever it is drawn."]
