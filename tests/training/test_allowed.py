"""What a page may name: nothing outside the folders that whoever started the dashboard allows."""

from dataclasses import replace
from pathlib import Path

import pytest

from training.allowed import allowed_judge, allowed_model, allowed_source
from training.errors import ModelError, SourceError
from training.home import DEMO_MODEL, Home
from training.store import Store


def test_the_demo_and_hub_names_are_allowed_and_nothing_that_only_resembles_them(store: Store, home: Home) -> None:
    for name in ("demo", "Qwen/Qwen2.5-0.5B-Instruct", " meta-llama/Llama-3.1-8B-Instruct "):
        assert allowed_model(name, store, home) == name.strip()
    for name in ("", "gpt2", "a/b/c", "owner/na me", "owner/$(id)", "o/n;rm", "-x/y", "own..er/name", "a\n/b"):
        with pytest.raises(ModelError, match="is not a model's name"):
            allowed_model(name, store, home)


def test_folders_of_the_home_and_named_ones_are_allowed_and_others_are_not(store: Store, home: Home, tmp_path: Path) -> None:
    mine, elsewhere = home.root / "models" / "mine", tmp_path / "elsewhere"
    for folder in (mine, elsewhere):
        folder.mkdir(parents=True)
    assert allowed_model(str(mine), store, home) == str(mine)
    assert allowed_model(str(DEMO_MODEL), store, home) == str(DEMO_MODEL)
    for name in (str(elsewhere), f"{home.root}/../elsewhere", "~", "/", "../elsewhere"):
        with pytest.raises(ModelError, match=r"A page may not load .* GRPO_ATLAS_FOLDERS"):
            allowed_model(name, store, home)
    assert allowed_model(str(elsewhere), store, replace(home, folders=(tmp_path,))) == str(elsewhere)


def test_a_judges_model_is_held_to_the_same_folders(store: Store, home: Home, tmp_path: Path) -> None:
    mine = home.root / "models" / "judge"
    mine.mkdir(parents=True)
    for name in ("demo", "owner/judge", "marks:owner/judge", f"likelihood:{mine}", "likelihood:demo"):
        assert allowed_judge(f" {name} ", store, home) == name
    for name in (f"marks:{tmp_path}", f"likelihood:{tmp_path}", str(tmp_path), "marks:", "other:owner/judge"):
        with pytest.raises(ModelError):
            allowed_judge(name, store, home)


def test_a_link_out_of_an_allowed_folder_is_refused(store: Store, home: Home, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (home.root / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ModelError, match="may not load"):
        allowed_model(str(home.root / "link"), store, home)
    (home.root / "loop").symlink_to(home.root / "loop")
    for name in (str(home.root / "loop"), f"{home.root}\0", "~nobody-of-this-name/x"):
        with pytest.raises(ModelError):
            allowed_model(name, store, home)


def test_a_recorded_checkpoint_is_allowed_wherever_it_lies(store: Store, home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "cluster" / "checkpoint-10"
    folder.mkdir(parents=True)
    run = store.create_job("train", "demo", {})[0]
    with pytest.raises(ModelError):
        allowed_model(str(folder), store, home)
    store.add_checkpoint(run.id, 10, str(folder))
    assert allowed_model(str(folder), store, home) == str(folder)
    folder.rmdir()
    with pytest.raises(ModelError, match="There is no folder"):
        allowed_model(str(folder), store, home)


def test_sources_are_held_to_the_same_folders(home: Home, tmp_path: Path) -> None:
    assert [allowed_source(name, home) for name in ("auto", "demo", "hub ")] == ["auto", "demo", "hub"]
    (tmp_path / "gsm8k").mkdir()
    for name in (str(tmp_path / "gsm8k"), "/etc/passwd", "", "gsm8k"):
        with pytest.raises(SourceError, match="may not read"):
            allowed_source(name, home)
    assert allowed_source(f"{tmp_path}/gsm8k", replace(home, data=tmp_path / "gsm8k")) == str(tmp_path / "gsm8k")


def test_allowed_folders_come_from_the_environment_and_go_to_other_processes(tmp_path: Path) -> None:
    variables = {"GRPO_ATLAS_HOME": str(tmp_path / "home"), "GRPO_ATLAS_FOLDERS": f"{tmp_path}/a:{tmp_path}/b:"}
    home = Home.from_environment(variables)
    assert home.folders == (tmp_path / "a", tmp_path / "b")
    assert Home.from_environment(home.environment()) == home
