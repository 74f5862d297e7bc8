"""The folder of files for the browser."""

import gzip
import os
from pathlib import Path

import pytest

from dashboard.figures import spec_of
from dashboard.web_files import WebFiles
from training.errors import HomeError


def test_a_file_holds_the_json_under_its_content_s_name(tmp_path: Path) -> None:
    content = spec_of({"a": [1, 2]})
    name = WebFiles(tmp_path / "web").keep(content)
    assert name.startswith(content.revision)
    assert gzip.decompress((tmp_path / "web" / name).read_bytes()).decode() == content.json


def test_the_same_content_is_written_once(tmp_path: Path) -> None:
    files = WebFiles(tmp_path)
    file = tmp_path / files.keep(spec_of("same"))
    file.write_bytes(b"marked")
    files.keep(spec_of("same"))
    assert file.read_bytes() == b"marked"


def test_the_longest_unused_files_go_first(tmp_path: Path) -> None:
    roomy = WebFiles(tmp_path)
    first, second, third = (tmp_path / roomy.keep(spec_of(text)) for text in ("first", "second", "third"))
    for age, file in enumerate((third, second, first)):
        os.utime(file, (1000 - age, 1000 - age))
    roomy.keep(spec_of("first"))  # used again
    size = first.stat().st_size
    newest = tmp_path / WebFiles(tmp_path, limit_bytes=3 * size + size // 2).keep(spec_of("newest"))
    assert sorted(tmp_path.iterdir()) == sorted([first, third, newest])


def test_the_newest_file_is_kept_whatever_its_size(tmp_path: Path) -> None:
    files = WebFiles(tmp_path, limit_bytes=1)
    files.keep(spec_of("one"))
    newest = files.keep(spec_of("two"))
    assert [file.name for file in tmp_path.iterdir()] == [newest]


def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="GRPO_ATLAS_HOME"):
        WebFiles(tmp_path / "file" / "web").keep(spec_of("x"))
