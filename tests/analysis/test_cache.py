"""The cache returns exactly what was written, from either folder, and treats anything damaged as missing."""

import errno
from pathlib import Path

import numpy as np
import pytest

from analysis.cache import Cache, cache_key
from training.errors import HomeError
from training.home import DEMO_ATLAS, Home

ARRAYS = {"rows": np.arange(600, dtype=np.float32).reshape(100, 6), "names": np.arange(3)}


def entry(cache: Cache) -> Path:
    (file,) = cache.root.iterdir()
    return file


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.write("a", ARRAYS)
    read = cache.read("a")
    assert read is not None
    assert set(read) == set(ARRAYS)
    assert all(np.array_equal(read[name], ARRAYS[name]) and read[name].dtype == ARRAYS[name].dtype for name in ARRAYS)


def test_a_missing_entry_and_a_missing_folder_are_none(tmp_path: Path) -> None:
    assert Cache(tmp_path / "nowhere", shipped=tmp_path / "neither").read("a") is None


def test_every_input_changes_the_key() -> None:
    keys = {
        cache_key("layout", seed=1, min_dist=0.1),
        cache_key("layout", seed=2, min_dist=0.1),
        cache_key("layout", seed=1, min_dist=0.2),
        cache_key("neighbors", seed=1, min_dist=0.1),
    }
    assert len(keys) == 4
    assert cache_key("layout", seed=1, min_dist=0.1) == cache_key("layout", min_dist=0.1, seed=1)


def test_shipped_entries_are_read_and_own_ones_come_first(tmp_path: Path) -> None:
    shipped = Cache(tmp_path / "shipped")
    shipped.write("a", {"rows": np.zeros(3)})
    cache = Cache(tmp_path / "own", shipped=shipped.root)
    assert cache.read("a")["rows"].sum() == 0
    cache.write("a", {"rows": np.ones(3)})
    assert cache.read("a")["rows"].sum() == 3
    assert shipped.read("a")["rows"].sum() == 0


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, -1], ids=lambda kept: f"kept {kept}")
def test_an_entry_cut_short_counts_as_missing(tmp_path: Path, kept: float) -> None:
    cache = Cache(tmp_path / "cache")
    cache.write("a", ARRAYS)
    content = entry(cache).read_bytes()
    entry(cache).write_bytes(content[: int(kept * len(content)) if kept == 0.5 else int(kept)])
    assert cache.read("a") is None


def test_a_flipped_bit_counts_as_missing(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.write("a", ARRAYS)
    content = bytearray(entry(cache).read_bytes())
    content[content.index(ARRAYS["rows"].tobytes()) + 1000] ^= 1
    entry(cache).write_bytes(content)
    assert cache.read("a") is None


def test_a_damaged_own_entry_falls_back_to_the_shipped_one(tmp_path: Path) -> None:
    Cache(tmp_path / "shipped").write("a", ARRAYS)
    cache = Cache(tmp_path / "own", shipped=tmp_path / "shipped")
    cache.write("a", ARRAYS)
    entry(cache).write_bytes(b"not an archive")
    assert cache.read("a") is not None


def test_a_full_disk_is_an_error_with_a_remedy_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    cache = Cache(tmp_path / "cache")
    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(HomeError, match=r"No space left on device.*Free some space"):
        cache.write("a", ARRAYS)
    assert list(cache.root.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="GRPO_ATLAS_HOME"):
        Cache(tmp_path / "file" / "cache").write("a", ARRAYS)


def test_the_cache_of_a_home_has_the_demo_behind_it(home: Home) -> None:
    cache = Cache.from_home(home)
    assert (cache.root, cache.shipped) == (home.cache / "atlas", DEMO_ATLAS)


@pytest.fixture
def crowded(tmp_path: Path) -> Cache:
    """A cache whose folder cannot be made."""
    (tmp_path / "file").touch()
    return Cache(tmp_path / "file" / "cache", stopgap=tmp_path / "user" / "home")


def test_what_the_cache_does_not_take_is_kept_for_a_while_and_said(crowded: Cache) -> None:
    assert crowded.stopgap_notice(["a"]) == ""
    crowded.write("a", ARRAYS)
    assert crowded.has("a")
    found = crowded.read("a")
    assert found is not None
    assert np.array_equal(found["rows"], ARRAYS["rows"])
    assert str(crowded.stopgap) in crowded.stopgap_notice(["b", "a"])
    assert crowded.stopgap_notice(["b"]) == ""


def test_a_stopgap_that_others_may_write_to_is_not_used(crowded: Cache) -> None:
    assert crowded.stopgap is not None
    crowded.stopgap.mkdir(parents=True)
    crowded.stopgap.chmod(0o777)
    with pytest.raises(HomeError):
        crowded.write("a", ARRAYS)
    assert list(crowded.stopgap.iterdir()) == []
    Cache(crowded.stopgap).write("a", ARRAYS)
    assert not crowded.has("a")
