"""Selections on their way between the page and the browser."""

from pathlib import Path

import numpy as np
import pytest

from dashboard.components.map.map_plot import bits_of, rows_of
from dashboard.components.shared.browser import reference
from dashboard.figures import spec_of
from dashboard.web_files import WebFiles


@pytest.mark.parametrize("rows", [[], [0], [7], [8], [0, 1, 15, 16], list(range(100)), [99_999]])
def test_rows_survive_the_way_to_the_browser_and_back(rows: list[int]) -> None:
    assert rows_of(bits_of(rows)) == rows
    assert rows_of(bits_of(np.array(rows, np.int32))) == rows


def test_a_selection_has_one_form_whatever_its_order() -> None:
    assert bits_of([3, 1, 2]) == bits_of([1, 2, 3])


def test_a_large_selection_is_small() -> None:
    assert len(bits_of(range(100_000))) < 17_000


def test_a_large_figure_travels_with_the_page_where_its_file_cannot_be_written(tmp_path: Path) -> None:
    large = spec_of("x" * 100_000)
    (tmp_path / "file").touch()
    assert reference(large, WebFiles(tmp_path / "file" / "web")) == {"revision": large.revision, "json": large.json}
