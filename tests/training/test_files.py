"""Files that appear whole or not at all."""

from pathlib import Path

import pytest

from training.files import replace_file


def test_a_failed_replacement_keeps_the_file_before(tmp_path: Path) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "file"
    file.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt):
        replace_file(file, interrupted)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"before"]
