"""The shape of the program: imports go one way, and the web process stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from dashboard.state import Field, Keys, State

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("training", "analysis", "dashboard")
"""Each may import itself and those before it."""
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


def imported(module: Path) -> Iterator[str]:
    """The top-level packages that a module imports anywhere in it."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


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
        "curves",
        "thinning",
        "evaluation_figures",
        "comparison_figures",
        "comparison_tables",
        "run_rows",
        "training_map_figure",
        "changed_problems",
    ):
        assert "streamlit" not in set(imported(ROOT / "dashboard" / f"{name}.py"))


def test_no_dashboard_file_shadows_a_package() -> None:
    assert {module.stem for module in (ROOT / "dashboard").glob("*.py")}.isdisjoint(
        {*PACKAGES, *HEAVY, "streamlit", "plotly", "pandas"}
    )


def test_only_data_caches() -> None:
    users = [
        module.name for module in modules("dashboard") if "st.cache_" in module.read_text(encoding="utf-8").split('"""', 2)[-1]
    ]
    assert users == ["data.py", "map_data.py", "run_data.py"]


def test_every_table_is_made_by_the_module_that_keeps_it_from_being_calculated() -> None:
    users = [module.name for module in modules("dashboard") if ".dataframe(" in module.read_text(encoding="utf-8")]
    assert users == ["table.py"]


def test_the_web_process_imports_nothing_heavy() -> None:
    names = [".".join(module.relative_to(ROOT).with_suffix("").parts) for module in modules("dashboard")]
    library = [
        name for name in names if name != "dashboard.app" and ".app_pages." not in name and not name.endswith("__init__")
    ]
    pages = {name for module in modules("dashboard/app_pages") for name in full_imports(module)}
    script = f"import importlib, sys\nfor name in {sorted({*library, *pages})}: importlib.import_module(name)\n"
    script += f"print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.split() == []


def full_imports(module: Path) -> set[str]:
    """The project's modules that a page imports; the page itself is a script that runs on import."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PACKAGES)
    }


def test_the_entry_script_is_short() -> None:
    assert len((ROOT / "dashboard" / "app.py").read_text(encoding="utf-8").splitlines()) <= 40


def test_no_widget_shares_its_name_with_what_is_remembered() -> None:
    fields = {name for name, value in vars(State).items() if isinstance(value, Field)}
    assert fields.isdisjoint(set(Keys))


def test_pages_are_left_by_links_alone() -> None:
    """See dashboard/components/going.py."""
    assert [module for module in modules("dashboard") if "switch_page(" in module.read_text(encoding="utf-8")] == []
