"""Studies: `study`, `studies`."""

import json
import sys
from typing import Annotated

import typer

from training.command_line.parameters import AsJson, Assignments, Backend
from training.command_line.stores import open_here, reconcile_here, wait_for
from training.command_line.study_text import check_facts, check_lines, result_facts, result_lines
from training.errors import ConfigError
from training.presets import load_preset
from training.store import LOCAL, Store
from training.studies.conducting import STUDY
from training.studies.launching import add_seeds, check_study, launch_study, study_of, study_on_record
from training.studies.members import members_of
from training.studies.plan import Search, parse_ranges, parse_vary
from training.studies.ready_studies import ReadyStudy, ready_studies, ready_study
from training.studies.results import results_of


def start_study(
    preset: Annotated[str | None, typer.Option(help="the preset whose run is varied; demo if none is given")] = None,
    ready: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"begin with a ready study: {', '.join(ready_studies())}")
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=V,V", help="a setting and its values, as lora_rank=2,8; first=,demo-sft for a stage before"),
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option("--range", metavar="KEY=LOW..HIGH", help="of a search: a setting and its range; ,log behind for ratios"),
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, metavar="N", help="search with so many runs, by Optuna")] = None,
    prune: Annotated[bool, typer.Option("--prune", help="of a search: stop runs that fall behind")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="runs of each arm, with seeds from the preset's own on")] = 3,
    assignments: Assignments = None,
    name: Annotated[str, typer.Option(help="what the study is called, with a number behind")] = "study",
    add_to: Annotated[str | None, typer.Option(metavar="STUDY", help="give this study so many further seeds instead")] = None,
    backend: Backend = LOCAL,
    at_once: Annotated[int, typer.Option(min=1, max=100, help="runs that are queued or at work together")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print what it would come to and start nothing")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="return when it has ended; status 1 unless it finished")] = False,
    as_json: AsJson = False,
) -> int:
    """Runs that differ in named settings and seeds, started as one; the same again goes on with one that was stopped."""
    home, store = open_here()
    if add_to is not None:
        if vary or ranges or trials or ready:
            remedy = "Leave out --ready, --vary, --range and --trials."
            raise ConfigError("--add-to adds seeds to a study as it is.", remedy)
        study_id = add_seeds(store, home, add_to, seeds)
    else:
        begun = ready_study(ready) if ready else ReadyStudy("demo", (), "")
        spec = study_of(
            load_preset(preset or begun.preset, assignments or (), home.presets),
            parse_vary([*begun.vary, *(vary or ())]),
            1 if trials else seeds,
            own_presets=home.presets,
            backend=backend,
            at_once=at_once,
            search=_search(ranges, trials, prune),
        )
        if dry_run:
            found = check_study(store, home, spec)
            print(json.dumps(check_facts(found), indent=2) if as_json else "\n".join(check_lines(found)))
            return 1 if any(check.errors for check in found.arms) else 0
        study_id = launch_study(store, home, spec, name)
    print(json.dumps({"study_id": study_id}) if as_json else f"study_id: {study_id}", flush=True)
    return wait_for(store, home, study_id) if wait else 0


def _search(ranges: list[str] | None, trials: int | None, prune: bool) -> Search | None:
    if trials is None:
        if ranges or prune:
            raise ConfigError("--range and --prune are of a search.", "Add --trials N, or name values with --vary.")
        return None
    return Search(trials=trials, ranges=parse_ranges(ranges or ()), prune=prune)


def show_studies(
    study: Annotated[str | None, typer.Argument(metavar="STUDY", help="the study's id; all of them without")] = None,
    as_json: AsJson = False,
) -> int:
    """The studies; with an id its arms, what each setting does, and its runs."""
    home, store = open_here(rewards=False)
    reconcile_here(store, home)
    if study is None:
        return _list_studies(store, as_json)
    job, spec = study_on_record(store, study)
    members = members_of(store, job.id, spec)
    found = results_of(store, spec, members)
    if as_json:
        facts = {"id": job.id, "status": job.status, "reason": job.reason, "spec": job.spec}
        print(json.dumps(facts | result_facts(found, members), indent=2))
        return 0
    print(f"{job.id}  {job.status} on {spec.backend}  {job.done:,.0f} of {job.total:,.0f} runs  {job.reason or job.message}")
    print(*result_lines(found, members), sep="\n")
    return 0


def _list_studies(store: Store, as_json: bool) -> int:
    studies = store.jobs(STUDY.kind)
    if as_json:
        print(json.dumps([{"id": job.id, "status": job.status, "done": job.done, "total": job.total} for job in studies]))
        return 0
    if not studies:
        print("No studies yet. `python -m training study --vary lora_rank=2,8` starts one.", file=sys.stderr)
    for job in studies:
        print(f"{job.id:<24} {job.status:<9} {job.done:,.0f} of {job.total:,.0f} runs  {job.reason or job.message}")
    return 0
