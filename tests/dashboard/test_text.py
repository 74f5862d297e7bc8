"""Texts from the data are shown as written."""

import pytest

from dashboard.text import plain


@pytest.mark.parametrize(
    "text", ["costs $5 and $6", "**bold** _it_ `code`", "<script>alert(1)</script>", "[a](b) ![c](d)", ":red[x]"]
)
def test_markup_in_data_is_escaped(text: str) -> None:
    escaped = plain(text)
    assert escaped.replace("\\", "") == text
    for mark in "$*`<[:_":
        assert escaped.count(mark) == escaped.count(f"\\{mark}")


def test_line_breaks_cannot_start_a_block() -> None:
    assert "\n" not in plain("a\n\n# heading\n- item")
