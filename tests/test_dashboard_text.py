"""Texts from the data are shown as written; numbers read well."""

import pytest

from dashboard.text import count, duration, percent, plain, shorten


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


def test_counts_are_separated_and_in_the_right_number() -> None:
    assert [count(1, "problem"), count(8792, "problem")] == ["1 problem", "8,792 problems"]


@pytest.mark.parametrize(("share", "text"), [(0, "0%"), (0.1234, "12%"), (0.0123, "1.2%"), (1, "100%")])
def test_small_shares_get_a_decimal(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0 s"), (40, "40 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations_are_written_out(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_shortening_keeps_to_the_width() -> None:
    assert shorten("one\ntwo   three", 9) == "one two…"
