"""The home folder: made where it can be, looked at where it cannot be written."""

import os
from pathlib import Path
from typing import Any

import pytest

from training.errors import HomeError
from training.home import Home


def test_a_home_is_made_with_its_folders(tmp_path: Path) -> None:
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path / "home")})
    assert {path.name for path in home.root.iterdir()} == {"cache", "runs", "presets", "locks", "deletions"}
    assert home.why_unwritable() == ""
    home.require_writable()
    assert len(list(home.root.iterdir())) == 5


@pytest.mark.parametrize(("number", "words"), [(28, "No space left on device"), (30, "Read-only file system")])
def test_a_home_that_cannot_be_written_can_be_opened_and_says_why_when_it_is_to_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(path: Path, *args: Any, **given: Any) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)})
    assert home.why_unwritable() == words
    with pytest.raises(HomeError, match=f"{words}.*Set GRPO_ATLAS_HOME"):
        home.require_writable()


def test_a_home_that_is_not_there_and_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="Set GRPO_ATLAS_HOME"):
        Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path / "file" / "home")})
