"""Numbers written out for people."""

import pytest

from training.text import agree, count, duration, percent, shorten, size_text, span, with_interval


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1.00 KiB"),
        (36_966, "36.1 KiB"),
        (210 * 2**10, "210 KiB"),
        (2**20 - 1, "1.00 MiB"),
        (31 * 2**20, "31.0 MiB"),
        (3 * 2**29, "1.50 GiB"),
        (1020 * 2**30, "1,020 GiB"),
        (5e16, "45,475 TiB"),
    ],
)
def test_a_size_has_the_unit_that_leaves_three_digits(size_bytes: float, text: str) -> None:
    assert size_text(size_bytes) == text


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


def test_a_word_agrees_with_its_number() -> None:
    assert [agree(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]


def test_an_interval_has_its_values_format() -> None:
    assert with_interval(0.1, 0.0279, 0.301) == "0.100 (0.028 to 0.301)"
    assert with_interval(-0.5, -1, 0.25, "+.1f") == "-0.5 (-1.0 to +0.2)"
    assert span(1000, 20000, ",") == "1,000 to 20,000"
