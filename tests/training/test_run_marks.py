"""Tags, notes and the archive, kept with runs in a real store."""

import pytest

from training.errors import StoreError
from training.store import Store
from training.store.run_marks import MarkError, Marks, all_marks, known_tags, marks_of, run_name, set_marks

pytestmark = pytest.mark.both_databases


@pytest.fixture
def run_ids(store: Store) -> list[str]:
    return [store.create_job("train", "demo", {"seed": seed})[0].id for seed in (1, 2)]


def test_marks_are_kept_by_run_and_replaced_whole(store: Store, run_ids: list[str]) -> None:
    first, second = run_ids
    assert marks_of(store, first) == Marks()
    set_marks(store, first, Marks(("lr sweep", "Best"), "Keep this one.", archived=True))
    set_marks(store, second, Marks(("alpha",)))
    assert marks_of(store, first) == Marks(("lr sweep", "Best"), "Keep this one.", True)
    assert known_tags(store) == ["alpha", "Best", "lr sweep"]
    set_marks(store, first, Marks())
    assert all_marks(store) == {second: Marks(("alpha",))}


def test_a_tag_is_kept_once_and_without_stray_spaces(store: Store, run_ids: list[str]) -> None:
    set_marks(store, run_ids[0], Marks(("  lr   sweep ", "lr sweep")))
    assert marks_of(store, run_ids[0]).tags == ("lr sweep",)


@pytest.mark.parametrize("tag", ["", "   ", "a,b", "x" * 41])
def test_a_tag_that_no_address_could_hold_is_refused(store: Store, run_ids: list[str], tag: str) -> None:
    with pytest.raises(MarkError, match="cannot be tagged"):
        set_marks(store, run_ids[0], Marks((tag,)))
    assert marks_of(store, run_ids[0]) == Marks()


def test_a_name_is_one_line_and_the_id_where_it_is_none(store: Store, run_ids: list[str]) -> None:
    first, second = run_ids
    set_marks(store, first, Marks(name="  Higher\n rate "))
    set_marks(store, second, Marks(name=second))
    assert [run_name(store, run_id) for run_id in run_ids] == ["Higher rate", second]
    assert marks_of(store, second) == Marks()
    with pytest.raises(MarkError, match="A name of 81 characters is too long"):
        set_marks(store, first, Marks(name="x" * 81))


def test_too_many_tags_and_too_long_a_note_are_refused(store: Store, run_ids: list[str]) -> None:
    with pytest.raises(MarkError, match="21 tags"):
        set_marks(store, run_ids[0], Marks(tuple(f"t{number}" for number in range(21))))
    with pytest.raises(MarkError, match="10,001 characters"):
        set_marks(store, run_ids[0], Marks(note="x" * 10_001))


def test_marks_of_a_run_that_is_not_there_are_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="There is no run 'nobody-1'"):
        set_marks(store, "nobody-1", Marks(("a",)))
