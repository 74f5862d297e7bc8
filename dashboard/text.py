"""Words and numbers for people: texts from the data made safe to show, counts, shares and durations written out."""

import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~$:&=^])")


def plain(text: str) -> str:
    """Text for places that read Markdown (labels, messages): shown as written, never as markup or a formula."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def shorten(text: str, width: int) -> str:
    """One line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def count(number: int, noun: str) -> str:
    """`1 problem`, `8,792 problems`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """A share with as many digits as help: 12%, 1.3%."""
    digits = 0 if share == 0 or share >= 0.0995 else 1
    return f"{share:.{digits}%}"


def duration(seconds: float) -> str:
    """`40 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def significant(number: float) -> str:
    """Three significant digits, thousands separated: 0.785, 12.3, 8,790."""
    if number and abs(number) < 0.0001:
        return f"{number:.2e}"
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"
