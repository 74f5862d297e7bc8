"""A run's difficulty pools on the command line: where its problems stand, the flow, and what choosing them would have saved."""

import json
import textwrap
from dataclasses import asdict
from typing import Annotated

import typer

from analysis.outcomes import group_frame
from analysis.pools import POOL, POOL_TITLES, flow, savings, with_pools
from training.command_line.parameters import AsJson
from training.errors import StoreError
from training.home import Home
from training.prior import kept_prior
from training.sampling.pools import POOLS
from training.store import Store
from training.store.ledger import group_outcomes
from training.stored_config import rollout_config
from training.text import count

_WIDTH = 120

RunId = Annotated[str, typer.Argument(help="a run with completions on record, whether or not it chose its problems")]


def tell_pools(run_id: RunId, as_json: AsJson = False) -> int:
    """Say where a run's problems stand, how they got there, and what pools or dynamic sampling would have saved."""
    home = Home.from_environment()
    store = Store.open(home.store_url)
    config = rollout_config(store.job(run_id).spec)
    groups = group_frame(group_outcomes(store, run_id))
    if groups.empty:
        raise StoreError(f"{run_id} has no completions on record.", "Name a run that has taken a step.")
    groups = with_pools(groups, config.pool_limits, kept_prior(home.job_folder(run_id)))
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
    print(textwrap.fill(found.reading, _WIDTH))
    return 0
