"""What all tests share: an own home folder, and the real GSM8K where it lies beside the checkout."""

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub, which reads it once

import pytest
import streamlit as st

from analysis.atlas import AtlasParameters, build_atlas, stage_keys
from analysis.cache import Cache
from analysis.embed import embed, encoders_folder
from tests.postgres import Postgres
from training.data.problems import load_problems
from training.home import Home
from training.store import Store

# As dashboard/.streamlit/config.toml has it, which pages that run without a server do not read: their session may act.
st.config.set_option("server.address", "127.0.0.1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For `pytest -n 2`: a file's tests stay together; so do all that start a Ray cluster, lest two run at once, and all files
    that need GSM8K's map, which is built once.

    pytest-xdist 3.8 has groups of its own, which come to nothing under pytest 9.2: it writes them where ids no longer are.
    """
    from xdist.scheduler import LoadScopeScheduling

    class TogetherByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if file.startswith("tests/cluster/"):
                return "cluster"
            return "gsm8k" if "gsm8k_home" in (config.rootpath / file).read_text(encoding="utf-8") else file

    return TogetherByFile(config, log)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Faults take minutes: they are tried by `make faults`, which names their folder."""
    return True if collection_path.name == "faults" and not any("faults" in argument for argument in config.args) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `both_databases` that use a store run on each."""
    if metafunc.definition.get_closest_marker("both_databases") and "store_kind" in metafunc.fixturenames:
        metafunc.parametrize("store_kind", ["sqlite", "postgres"])


@pytest.fixture
def store_kind() -> str:
    """The database behind the test's home: sqlite, or postgres."""
    return "sqlite"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real Postgres of this session, from Debian's package."""
    server = Postgres.create()
    if server is None:
        pytest.skip("there is no Postgres here (Debian: apt-get install postgresql)")
    with server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """A store of this test alone on Postgres."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def home(tmp_path: Path, store_kind: str, request: pytest.FixtureRequest) -> Home:
    """An empty home folder of this test alone."""
    variables = {"GRPO_ATLAS_HOME": str(tmp_path / "home")}
    if store_kind == "postgres":
        variables["GRPO_ATLAS_STORE"] = request.getfixturevalue("postgres_url")
    return Home.from_environment(variables)


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    """The run store of that home."""
    store = Store.open(home.store_url)
    yield store
    store.close()


@pytest.fixture
def own_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has jobs of the kind "code" (`tests/own_kinds`) known to the processes that are started, as of an installed package."""
    root = Path(__file__).resolve().parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root / "own_kinds"), str(root.parent)]))


@pytest.fixture
def dashboard_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the dashboard, run in this process, read that home and remember nothing of another test's."""
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GRPO_ATLAS_DATA", raising=False)
    st.cache_resource.clear()


@pytest.fixture(scope="session")
def gsm8k() -> Path:
    """The folder with GSM8K's train.jsonl and test.jsonl, which is not part of the project."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "gsm8k"
    if not folder.is_dir():
        pytest.skip(f"GSM8K does not lie in {folder}")
    return folder


@pytest.fixture(scope="session")
def shared_datasets() -> Path:
    """The folder with data sets of other forms, which are not part of the project."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "datasets"
    if not folder.is_dir():
        pytest.skip(f"other data sets do not lie in {folder}")
    return folder


@pytest.fixture(scope="session")
def gsm8k_home(gsm8k: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Home:
    """A home whose source `auto` is GSM8K, its atlas built.

    The embeddings take minutes on two cores, so pytest's cache keeps them between sessions, under the key of what they
    were computed from (`pytest --cache-clear` forgets them). Neighbours and layout are computed anew.
    """
    root = tmp_path_factory.mktemp("gsm8k-home")
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(root), "GRPO_ATLAS_DATA": str(gsm8k)})
    cache = Cache.from_home(home)
    kept = pytestconfig.cache.mkdir("gsm8k-embeddings")
    shutil.copytree(kept, cache.root)
    problems = load_problems("auto", home)
    build_atlas(problems, AtlasParameters(), cache, lambda progress: None, partial(embed, encoders=encoders_folder(home)))
    shutil.copy(cache.root / f"{stage_keys(problems, AtlasParameters())['embeddings']}.npz", kept)
    return home
