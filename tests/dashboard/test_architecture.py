"""The shape of the program: imports go one way, between packages and between rooms, and the web process stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.fields import Group
from dashboard.keys import Keys
from dashboard.state import State

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("training", "analysis", "dashboard")
"""Each may import itself and those before it."""
ROOMS = {
    "training": (
        "data",
        "imports",
        "rewards",
        "config",
        "settings stored_config",
        "shares presets",
        "store",
        "models prior",
        "engines",
        "judging",
        "allowed evaluation tokens",
        "doctor",
        "alerts insight",
        "preflight",
        "backends",
        "jobs",
        "runs",
        "studies",
        "command_line",
        "__main__",
        "demo",
    ),
    "dashboard": (
        "components/shared",
        "components/map",
        "components/launch components/run components/evaluate",
        "components/study",
        "app_pages app",
        "__main__",
    ),
}
"""Folders and modules of a package, each of which may import itself and what stands before it; those in one place not each
other. Before the first stands the ground: all modules that are not named here.
"""
HEAVY = (
    "torch",
    "transformers",
    "umap",
    "sklearn",
    "numba",
    "datasets",
    "trl",
    "peft",
    "sentence_transformers",
    "wandb",
    "ray",
    "scipy",
    "openvino",
)


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(module: Path) -> Iterator[tuple[str, str]]:
    """(where from, what) of all that a module imports anywhere in it; of `import x` only x."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def imported(module: Path) -> set[str]:
    """The top-level packages that a module imports."""
    return {source.split(".")[0] for source, _ in imports(module)}


def room(path: str, rooms: list[str]) -> str:
    """The room that a module is in, given as a path in its package."""
    return next((room for room in rooms if f"{path}/".startswith(f"{room}/")), "ground")


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_stand_on_those_before_them(package: str) -> None:
    floor = {room: number for number, place in enumerate(("ground", *ROOMS[package])) for room in place.split()}
    rooms = [name for name in floor if name != "ground"]
    assert [name for name in rooms if not list((ROOT / package).glob(f"{name}*"))] == []
    wrong = []
    for module in modules(package):
        here = room(module.relative_to(ROOT / package).with_suffix("").as_posix(), rooms)
        for source, name in imports(module):
            there = room("/".join([*source.split("."), name][1:]), rooms)
            if source.split(".")[0] == package and here != there and floor[there] >= floor[here]:
                wrong.append(f"{module.relative_to(ROOT)} in {here} imports {source}.{name} in {there}")
    assert wrong == []


def test_imports_go_one_way() -> None:
    wrong = [
        f"{module.relative_to(ROOT)} imports {name}"
        for place, package in enumerate(PACKAGES)
        for module in modules(package)
        for name in imported(module)
        if name in PACKAGES[place + 1 :]
    ]
    assert wrong == []


def test_only_the_dashboard_knows_streamlit() -> None:
    assert [
        module for package in ("training", "analysis") for module in modules(package) if "streamlit" in imported(module)
    ] == []


def test_figures_do_not_know_streamlit() -> None:
    for name in (
        "figures",
        "atlas_figure",
        "colourings",
        "contours",
        "web_files",
        "axes",
        "curves",
        "curve_figures",
        "evaluated_points",
        "thinning",
        "evaluation_figures",
        "scaling_figures",
        "comparison_figures",
        "comparison_tables",
        "run_rows",
        "run_colours",
        "run_changes",
        "run_head",
        "run_log",
        "run_settings",
        "run_stages",
        "group_figure",
        "training_map_figure",
        "changed_problems",
    ):
        assert "streamlit" not in set(imported(ROOT / "dashboard" / f"{name}.py"))


def test_no_dashboard_file_shadows_a_package() -> None:
    assert {module.stem for module in (ROOT / "dashboard").glob("*.py")}.isdisjoint(
        {*PACKAGES, *HEAVY, "streamlit", "plotly", "pandas"}
    )


def test_one_module_caches() -> None:
    users = [
        module.name for module in modules("dashboard") if "st.cache_" in module.read_text(encoding="utf-8").split('"""', 2)[-1]
    ]
    assert users == ["caching.py"]


def test_every_table_is_made_by_the_module_that_keeps_it_from_being_calculated() -> None:
    users = [module.name for module in modules("dashboard") if ".dataframe(" in module.read_text(encoding="utf-8")]
    assert users == ["table.py"]


def test_the_web_process_imports_nothing_heavy() -> None:
    names = [".".join(module.relative_to(ROOT).with_suffix("").parts) for module in modules("dashboard")]
    library = [
        name for name in names if name != "dashboard.app" and ".app_pages." not in name and not name.endswith("__init__")
    ]
    # pages are scripts that run on import: what they import stands for them
    pages = {name for module in modules("dashboard/app_pages") for name, _ in imports(module) if name.startswith(PACKAGES)}
    script = f"import importlib, sys\nfor name in {sorted({*library, *pages})}: importlib.import_module(name)\n"
    script += f"print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.split() == []


def test_the_entry_script_is_short() -> None:
    assert len((ROOT / "dashboard" / "app.py").read_text(encoding="utf-8").splitlines()) <= 40


def test_no_widget_shares_its_name_with_what_is_remembered() -> None:
    groups = [State(), *(group for group in vars(State).values() if isinstance(group, Group))]
    fields = {name for group in groups for field in group.fields() for name in (field.key, field.widget)}
    assert fields.isdisjoint(set(Keys))


def test_every_name_of_a_widget_is_used() -> None:
    text = "".join(module.read_text(encoding="utf-8") for module in modules("dashboard"))
    assert [key.name for key in Keys if f"Keys.{key.name}" not in text] == []


def test_pages_are_left_by_links_alone() -> None:
    """See dashboard/components/shared/going.py."""
    assert [module for module in modules("dashboard") if "switch_page(" in module.read_text(encoding="utf-8")] == []
