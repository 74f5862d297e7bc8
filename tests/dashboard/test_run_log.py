"""A run's log: its lines, their levels, searching them, and that nothing printed is taken for HTML."""

import pytest

from dashboard.run_log import log_html, log_lines, matching

TEXT = """loading <b>the model</b>
  0%|          | 0/3\r 33%|###       | 1/3\r100%|##########| 3/3

/lib/trl.py:3: UserWarning: this is old
WARNING:root:slow disk
\x1b[31mERROR\x1b[0m the GPU is gone
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    step()
ValueError: loss is nan
going on
torch.OutOfMemoryError: no room
no errors so far, and no warnings
"""


def test_lines_have_levels_and_what_was_written_over_is_gone() -> None:
    assert [(line.number, line.level, line.text.strip()) for line in log_lines(TEXT)] == [
        (1, "other", "loading <b>the model</b>"),
        (2, "other", "100%|##########| 3/3"),
        (4, "warning", "/lib/trl.py:3: UserWarning: this is old"),
        (5, "warning", "WARNING:root:slow disk"),
        (6, "error", "ERROR the GPU is gone"),
        (7, "error", "Traceback (most recent call last):"),
        (8, "error", 'File "train.py", line 3, in <module>'),
        (9, "error", "step()"),
        (10, "error", "ValueError: loss is nan"),
        (11, "other", "going on"),
        (12, "error", "torch.OutOfMemoryError: no room"),
        (13, "other", "no errors so far, and no warnings"),
    ]
    assert log_lines("") == []


@pytest.mark.parametrize(
    ("search", "levels", "found"),
    [
        ("", (), 12),
        ("MODEL loading", (), 1),
        ("model nothing", (), 0),
        ("", ("error",), 6),
        ("", ("error", "warning"), 8),
        ("gpu", ("warning",), 0),
    ],
)
def test_lines_are_found_by_words_and_level(search: str, levels: tuple[str, ...], found: int) -> None:
    assert len(matching(log_lines(TEXT), search, levels)) == found


def test_what_was_printed_is_never_html_and_what_is_searched_for_is_marked() -> None:
    shown = log_html(log_lines(TEXT), "<B> model (")
    assert "<b>" not in shown
    assert "loading <mark>&lt;b&gt;</mark>the <mark>model</mark>&lt;/b&gt;" in shown
    assert '<div class="warning"><span class="number">5</span><span class="level">warning </span>WARNING' in shown
