"""Numbers written out for people."""

import pytest

from training.text import size_text


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
