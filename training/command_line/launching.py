"""Starting a run, and what can be known before: `launch`, `preflight`, `presets`, `backends`."""

import json
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from training.backends.registry import backend_names, backend_state
from training.command_line.outputs import backend_line
from training.command_line.parameters import AsJson, Assignments, Backend, Preset, Then, ThenAssignments
from training.command_line.stores import open_here, wait_for
from training.config import RunConfig, StageConfig
from training.errors import ConfigError, shown
from training.home import Home
from training.names import is_name
from training.preflight import Preflight
from training.preflight.calibration import with_calibration
from training.preflight.sequence import with_sequence
from training.preflight.text import preflight_facts, preflight_lines
from training.presets import load_preset, preset_description, preset_paths, preset_text
from training.runs import launch
from training.store import LOCAL, Store


def launch_run(
    preset: Preset = "demo",
    assignments: Assignments = None,
    then: Then = None,
    then_assignments: ThenAssignments = None,
    backend: Backend = LOCAL,
    as_json: AsJson = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print what `preflight` finds and start nothing")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="return when the run has ended; status 1 unless it finished")] = False,
) -> int:
    """Start a training run as a detached process and print its run_id; with --then a second one behind it."""
    if dry_run:
        return check_run(preset, assignments, then, then_assignments, backend, as_json)
    home, store = open_here()
    first, second = _configurations(home, preset, assignments, then, then_assignments)
    if second is None:
        run_ids = {"run_id": launch.launch_run(store, home, first, backend, _tell)}
    else:
        run_ids = dict(zip(("run_id", "then"), launch.launch_stages(store, home, first, second, backend, _tell), strict=True))
    print(json.dumps(run_ids) if as_json else "\n".join(f"{name}: {run_id}" for name, run_id in run_ids.items()), flush=True)
    return wait_for(store, home, list(run_ids.values())[-1]) if wait else 0


def check_run(
    preset: Preset = "demo",
    assignments: Assignments = None,
    then: Then = None,
    then_assignments: ThenAssignments = None,
    backend: Backend = LOCAL,
    as_json: AsJson = False,
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="take two real steps and sample groups, for measurements instead of estimates"),
    ] = False,
) -> int:
    """What can be known of a run before it starts; status 1 if it would fail or teach nothing."""
    home, store = open_here()
    first, second = _configurations(home, preset, assignments, then, then_assignments)
    if second is not None:
        if calibrate:
            raise ConfigError("Calibrating measures one run, and --then adds a second.", "Leave out one of the two.")
        return _check_stages(store, home, first, second, backend, as_json)
    config, problem_set = launch.prepare_run(store, home, first)
    found = launch.check_run(store, home, config, problem_set, backend)
    measured = None
    if calibrate:
        if backend != LOCAL:
            raise ConfigError(f"Calibrating measures this machine, not {backend}.", "Leave out --calibrate or --backend.")
        if not isinstance(config, RunConfig):
            raise ConfigError(
                f"Calibrating samples groups of completions, and a run of stage {config.stage} generates none.",
                "Leave out --calibrate; a run's first steps tell how long one takes.",
            )
        if not found.errors:
            measured = launch.calibrate_run(store, home, config, problem_set, lambda doing: print(doing, file=sys.stderr))
            found = with_calibration(config, found, measured)
    if as_json:
        print(json.dumps(preflight_facts(config, found, measured), indent=2))
    else:
        print(*preflight_lines(config, problem_set.name, found, measured), sep="\n")
    return 1 if found.errors else 0


def _check_stages(store: Store, home: Home, first: StageConfig, then: StageConfig, backend: str, as_json: bool) -> int:
    """`check_run` of two runs in a row; as JSON a list of both."""
    checked = []
    for config in (first, launch.as_second(first, then)):
        config, problem_set = launch.prepare_run(store, home, config)
        checked.append((config, problem_set.name, launch.check_run(store, home, config, problem_set, backend)))
    (first, *_), (then, name, found) = checked
    checked[1] = (then, name, with_sequence(found, first, then))
    if as_json:
        print(json.dumps([preflight_facts(config, found) for config, _, found in checked], indent=2))
    else:
        print("\n\n".join("\n".join(preflight_lines(*each)) for each in checked))
    return 1 if any(found.errors for *_, found in checked) else 0


def _configurations(
    home: Home, preset: str, assignments: list[str] | None, then: str | None, then_assignments: list[str] | None
) -> tuple[StageConfig, StageConfig | None]:
    """The run's, and that of the run behind it if there is to be one."""
    if then_assignments and then is None:
        raise ConfigError("--then-set changes the second run, and --then names none.", "Add --then PRESET.")
    first = load_preset(preset, assignments or (), home.presets)
    return first, None if then is None else load_preset(then, then_assignments or (), home.presets)


def _tell(found: Preflight) -> None:
    """Errors that are not certain, and warnings; notes are for `preflight`."""
    for finding in found.findings:
        if finding.severity != "note" and not finding.certain:
            print(f"{finding.severity}: {finding.text} {finding.remedy}", file=sys.stderr)


def show_presets(preset: Annotated[str | None, typer.Argument(help="a preset, or a TOML file")] = None) -> int:
    """The presets; with a name all its settings, explained, as a file to change."""
    own = Home.from_environment().presets
    paths = preset_paths(own)
    if preset is not None:
        config = load_preset(preset, own=own)
        print(preset_text(config, preset_description(paths.get(preset) or Path(preset))), end="")
        return 0
    for name, path in paths.items():
        print(f"{name if is_name(name) else shown(name)}\n{textwrap.indent(textwrap.fill(_described(path), 96), '    ')}")
    return 0


def _described(path: Path) -> str:
    """What a preset says of itself, or why it cannot be used."""
    try:
        load_preset(str(path))
    except ConfigError as error:
        return f"cannot be used. {error.problem}"
    return preset_description(path)


def show_backends(as_json: AsJson = False) -> int:
    """Where runs may go: each one's state, free GPUs and queue."""
    home, store = open_here(rewards=False)
    names = backend_names(home)
    with ThreadPoolExecutor(len(names)) as pool:
        states = dict(zip(names, pool.map(lambda name: backend_state(name, home, store), names), strict=True))
    if as_json:
        print(json.dumps([{"backend": name} | asdict(state) for name, state in states.items()], indent=2))
        return 0
    for name, state in states.items():
        print(f"{name:<16} {state.kind:<11} {backend_line(state)}")
    return 0
