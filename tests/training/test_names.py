"""Names that become folders: refused where they enter, and once more where a path is made or removed."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.own_kinds.kinds import CODE, CodeSpec
from tests.training.test_checkpoints import save
from training.__main__ import main
from training.artefacts import MANIFEST, Artefacts, fetch, remove_copies
from training.backends import local
from training.backends.registry import backend_names
from training.config import RunConfig, parse_config
from training.data.problems import load_problems
from training.errors import ArtefactError, ConfigError, StoreError
from training.home import Home
from training.jobs.output import output_spec
from training.models.checkpoints import keep_newest, model_on_this_disk
from training.names import as_title, is_component, is_name, is_title
from training.presets import load_preset, save_preset
from training.runs.deletion import belongings_of, delete_job
from training.runs.launch import launch_job
from training.store import Store, schema
from training.store.curation import SubsetError, save_subset
from training.store.job_search import RunFilter, find_runs
from training.stored_config import stored_config
from training.terminal import EXIT_ERROR

HOSTILE = (
    "../../victim/evil",
    "..",
    ".",
    "demo-1/checkpoint",
    "/tmp/evil",
    "a/../b",
    "nul\0byte",
    "line\nbreak",
    "carriage\rreturn",
    "tab\tulator",
    ".deleted demo-1",
    ".hidden",
    "-rf",
    "--force",
    "~root",
    "a" * 61,
    "a" * 5000,
    "dëmo",
    "dе\u043cо",
    "\u202eomed",
    "demo\u200b",
    "half\udc80",
    "trailing ",
    " leading",
    "$(id)",
    "a;b",
    "a\\b",
    "*",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused_wherever_names_enter(name: str, store: Store, home: Home) -> None:
    with pytest.raises(ConfigError):
        load_preset("demo", [f"preset={name}"])
    with pytest.raises(ConfigError):
        parse_config(load_preset("demo").model_dump() | {"preset": name})
    with pytest.raises(StoreError):
        store.create_job("train", name, {})
    with pytest.raises(StoreError):
        launch_job(store, home, CODE, CodeSpec(code=""), name=name)
    with pytest.raises(ConfigError):
        save_preset(load_preset("demo"), name, home.presets)
    assert store.jobs() == []
    assert list(home.runs.iterdir()) == []


@pytest.mark.parametrize("name", ["demo", "Demo", "qwen2.5-0.5b", "a", "0", "x_y", "a" * 60, "con"])
def test_a_plain_name_is_taken(name: str, store: Store) -> None:
    assert is_name(name)
    assert is_title(name)
    assert load_preset("demo", [f'preset="{name}"']).preset == name
    assert store.create_job("train", name, {})[0].id == f"{name}-1"


def test_names_that_differ_in_case_alone_never_share_a_folder(store: Store) -> None:
    ids = [store.create_job("train", name, {"of": name})[0].id for name in ("demo", "Demo", "DEMO")]
    assert ids == ["demo-1", "Demo-2", "DEMO-3"]


@pytest.mark.parametrize("name", ["../../victim/evil", "demo-1/checkpoint", "nul\0byte", "line\nbreak"])
def test_a_launch_that_is_refused_is_one_line_and_leaves_neither_row_nor_folder(
    name: str, store: Store, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, value in home.environment().items():
        monkeypatch.setenv(variable, value)
    before = sorted(home.root.parent.rglob("*"))
    assert main(["launch", "--set", f"preset={json.dumps(name)}"]) == EXIT_ERROR
    assert capsys.readouterr().err.count("\n") == 1
    assert store.jobs() == []
    assert sorted(home.root.parent.rglob("*")) == before


def test_a_process_that_cannot_be_started_at_all_leaves_no_queued_row(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("embedded null byte")

    monkeypatch.setattr(local.LocalBackend, "submit", fail)
    with pytest.raises(Exception, match="embedded null byte"):
        launch_job(store, home, CODE, CodeSpec(code=""))
    assert [job.status for job in store.jobs()] == ["failed"]


@pytest.mark.parametrize("title", [*HOSTILE, "", "Ünï 数学", "My problems (copy)", "x" * 300])
def test_any_title_becomes_one_that_a_job_can_have(title: str) -> None:
    assert is_title(as_title(title))
    assert is_title(as_title(f"map of {title}"))


def test_a_title_that_a_job_can_have_stays_as_it_is() -> None:
    assert as_title("map of GSM8K") == "map of GSM8K"


@pytest.mark.parametrize("name", ["../x", ".", "-x", ".x", "a/b", "a\\b", "a\0b", "a\nb", "a@2", "\u202ex", "x" * 61])
def test_a_subset_is_not_named_like_a_path_or_an_option(name: str, store: Store) -> None:
    with pytest.raises(SubsetError):
        save_subset(store, name, load_problems("demo"), ["train-0"], "by hand")


@pytest.mark.parametrize("name", ['"../x"', '"a b"', f'"{"a" * 61}"', '"a\\nb"', '"-x"'])
def test_a_backend_is_not_named_like_a_path(name: str, home: Home) -> None:
    (home.root / "backends.toml").write_text(f'[{name}]\nkind = "ray"\naddress = "http://127.0.0.1:9"\n')
    with pytest.raises(ConfigError, match="is no backend"):
        backend_names(home)


# What another program may have written to a store that is shared with it.


def plant(store: Store, job_id: str, status: str = "finished") -> str:
    """A row with an id that this program would never give."""
    spec = load_preset("demo").model_dump(mode="json") | {"preset": job_id.rpartition("-")[0]}
    values = {"id": job_id, "kind": "train", "name": "x", "backend": "local", "spec": spec, "status": status}
    with store.writing() as connection:
        connection.execute(schema.jobs.insert().values(values | {"created_at": 1.0, "heartbeat_at": 1.0}))
    return job_id


ODD_IDS = (
    "../../victim/evil-1",
    "..",
    "../home/presets",
    "a\nb-1",
    ".hidden-1",
    "x" * 300,
    "x" * 250,
    "demo-²",
    "demo-" + "9" * 5000,
)


@pytest.mark.parametrize("job_id", ODD_IDS)
def test_a_run_with_an_odd_id_is_listed_shown_and_deleted_and_nothing_else_goes(
    job_id: str,
    store: Store,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for variable, value in home.environment().items():
        monkeypatch.setenv(variable, value)
    victims = [home.root.parent / "victim" / "evil-1", home.presets / "mine.toml", home.runs / "demo-1" / "log.txt"]
    for victim in victims:
        victim.parent.mkdir(parents=True, exist_ok=True)
        victim.write_text("mine")
    plant(store, job_id)
    assert main(["list", "--json"]) == 0
    assert [run["run_id"] for run in json.loads(capsys.readouterr().out)] == [job_id]
    assert main(["show", "--", job_id]) == 0
    assert store.create_job("train", "demo", {})[0].id == "demo-1"
    assert stored_config(store.job(job_id).spec).model == "demo"
    belongings_of(store, home, job_id)
    delete_job(store, home, job_id)
    assert [job.id for job in store.jobs()] == ["demo-1"]
    assert [victim.read_text() for victim in victims] == ["mine"] * 3


@pytest.mark.parametrize("job_id", ["../../victim/evil-1", "..", "a/b-1", "nul\0-1", "x" * 300, ".deleted demo-1"])
def test_no_path_is_made_of_an_id_that_leads_elsewhere(job_id: str, home: Home) -> None:
    assert not is_component(job_id)
    with pytest.raises(StoreError):
        home.job_folder(job_id)


def test_a_run_whose_folder_is_a_link_loses_the_link_alone(store: Store, home: Home, tmp_path: Path) -> None:
    run_id = store.create_job("train", "demo", {})[0].id
    store.end(run_id, "finished", "done")
    elsewhere = tmp_path / "big-disk"
    elsewhere.mkdir()
    (elsewhere / "thesis.txt").write_text("mine")
    home.job_folder(run_id).symlink_to(elsewhere)
    delete_job(store, home, run_id)
    assert (elsewhere / "thesis.txt").read_text() == "mine"
    assert list(home.runs.iterdir()) == []


def test_links_in_a_runs_folder_are_not_followed(store: Store, home: Home, tmp_path: Path) -> None:
    run_id = store.create_job("train", "demo", {})[0].id
    store.end(run_id, "finished", "done")
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "thesis.txt").write_text("mine")
    folder = home.job_folder(run_id)
    folder.mkdir()
    (folder / "checkpoint-1").symlink_to(victim)
    (folder / "loop").symlink_to(folder)
    delete_job(store, home, run_id)
    assert (victim / "thesis.txt").read_text() == "mine"
    assert not folder.exists()


@pytest.mark.parametrize("where", ["outside", "dots", "link", "other run", "the folder itself", "nul"])
def test_a_recorded_checkpoint_that_lies_elsewhere_is_forgotten_and_stays(
    where: str, store: Store, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = store.create_job("train", "demo", {})[0].id
    folder = home.job_folder(run_id)
    victim = tmp_path / "victim" / "checkpoint-1"
    victim.mkdir(parents=True)
    other = home.runs / "demo-9" / "checkpoint-1"
    other.mkdir(parents=True)
    save(store, run_id, folder, 100)
    (folder / "link").symlink_to(victim.parent)
    path = {
        "outside": victim,
        "dots": folder / ".." / ".." / ".." / "victim" / "checkpoint-1",
        "link": folder / "link" / "checkpoint-1",
        "other run": other,
        "the folder itself": folder,
        "nul": f"{folder}/a\0b",
    }[where]
    store.add_checkpoint(run_id, 1, str(path))
    keep_newest(store, run_id, 1, folder)
    assert [checkpoint.step for checkpoint in store.checkpoints(run_id)] == [100]
    assert victim.is_dir()
    assert other.is_dir()
    assert (folder / "checkpoint-100").is_dir()
    assert "it stays" in capsys.readouterr().out


def test_a_recorded_copy_that_is_none_of_the_runs_stays(store: Store, home: Home, tmp_path: Path) -> None:
    run_id = store.create_job("train", "demo", {})[0].id
    victims = [tmp_path / "victim", tmp_path / run_id / "photos", tmp_path / "demo-9" / "checkpoint-1-0123abcd"]
    for step, victim in enumerate(victims, start=1):
        victim.mkdir(parents=True)
        store.add_checkpoint(run_id, step, f"file://{victim}")
    store.add_checkpoint(run_id, 8, f"zz://bucket/{run_id}/checkpoint-8-0123abcd")
    save(store, run_id, home.job_folder(run_id), 100)
    keep_newest(store, run_id, 3, home.job_folder(run_id))
    store.end(run_id, "finished", "done")
    delete_job(store, home, run_id)
    assert all(victim.is_dir() for victim in victims)


def test_only_copies_go_with_a_runs_uploads(tmp_path: Path) -> None:
    place = Artefacts(f"file://{tmp_path}/shared")
    (tmp_path / "made" / "checkpoint-1").mkdir(parents=True)
    (tmp_path / "made" / "checkpoint-1" / "weights").write_text("numbers")
    place.upload("demo-1", tmp_path / "made" / "checkpoint-1")
    mine = tmp_path / "shared" / "demo-1" / "notes.txt"
    mine.write_text("mine")
    remove_copies(f"file://{tmp_path}/shared/demo-1")
    assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]
    mine.unlink()
    remove_copies(f"file://{tmp_path}/shared/demo-1")
    assert not mine.parent.exists()


@pytest.mark.parametrize("name", ["../../victim.txt", "/tmp/grpo-atlas-victim.txt", "a/../../victim.txt", "nul\0"])
def test_a_manifest_that_names_files_elsewhere_is_not_fetched(name: str, tmp_path: Path) -> None:
    made = tmp_path / "made" / "checkpoint-1"
    made.mkdir(parents=True)
    (made / "weights").write_text("numbers")
    url = Artefacts(f"file://{tmp_path}/shared").upload("demo-1", made)
    manifest = Path(url.removeprefix("file://")) / MANIFEST
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(told | {"files": {name: 7}}))
    with pytest.raises(ArtefactError):
        fetch(url, tmp_path / "here" / "checkpoint-1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "made", "shared"]


@pytest.mark.parametrize("model", ["file:///x/../y-0123abcd", "file:///..", "file:///tmp/.deleted x/a-0123abcd"])
def test_a_model_named_by_an_odd_url_is_not_looked_for_in_a_runs_folder(model: str, home: Home) -> None:
    with pytest.raises(ArtefactError):
        model_on_this_disk(model, home)


@pytest.mark.parametrize("out", ["/", "~nosuchuser/x", "x" * 5000, "nul\0", "a/" + "b" * 300])
def test_a_model_is_written_to_no_folder_that_is_none(out: str, store: Store, home: Home) -> None:
    config: RunConfig = load_preset("demo")
    run_id = store.create_job("train", "demo", config.model_dump(mode="json"))[0].id
    save(store, run_id, home.job_folder(run_id), 5)
    with pytest.raises(ConfigError):
        output_spec(store, home, run_id, "merge", out=out)


@pytest.mark.both_databases
@pytest.mark.parametrize("run_id", ["nul\0byte", "half\ud800", "'; DROP TABLE jobs; --", "%", "_", "\ufdd00000"])
def test_asking_for_a_run_that_no_database_can_hold_says_that_there_is_none(run_id: str, store: Store) -> None:
    with pytest.raises(StoreError, match="There is no run"):
        store.job(run_id)
    assert store.checkpoints(run_id) == []
    assert store.last_scalar(run_id) == 0
    with store.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.jobs)) == 0


@pytest.mark.both_databases
@pytest.mark.parametrize("spec", [[], "demo", None, 3, {"preset": ["x"]}, {"model": {"deep": [1]}}])
def test_a_row_whose_spec_is_none_of_ours_is_listed_and_takes_no_other_away(
    spec: object, store: Store, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, value in home.environment().items():
        monkeypatch.setenv(variable, value)
    plant(store, "other-1")
    with store.writing() as connection:
        connection.execute(schema.jobs.update().values(spec=spec))
    store.create_job("train", "demo", load_preset("demo").model_dump(mode="json"))
    assert main(["list", "--json"]) == 0
    assert [run["run_id"] for run in json.loads(capsys.readouterr().out)] == ["demo-1", "other-1"]
    assert main(["health", "other-1"]) == 0
    assert main(["report", "other-1", "--out", str(home.root / "x.html")]) == EXIT_ERROR
    assert find_runs(store, RunFilter(search="other"), page=1, size=10).matching == 1
    delete_job(store, home, "other-1")
