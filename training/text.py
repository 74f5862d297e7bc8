"""Numbers and words written out for people, the same in terminal, page, report and model card."""

from collections.abc import Mapping, Sequence


def shorten(text: str, width: int) -> str:
    """One line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def count(number: int, noun: str) -> str:
    """`1 problem`, `8,792 problems`."""
    return f"{number:,} {agree(number, noun, noun + 's')}"


def agree(number: float, one: str, many: str) -> str:
    """The word that goes with a number: `is` with 1, `are` with 0 and 2."""
    return one if number == 1 else many


def span(low: float, high: float, form: str = ".3f") -> str:
    """`0.512 to 0.702`; each number in the format `form`."""
    return f"{low:{form}} to {high:{form}}"


def with_interval(value: float, low: float, high: float, form: str = ".3f") -> str:
    """`0.612 (0.512 to 0.702)`."""
    return f"{value:{form}} ({span(low, high, form)})"


def words_listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def listed(weights: Mapping[str, float]) -> str:
    """`correctness 1, soft_format 0.5`."""
    return ", ".join(f"{name} {weight:g}" for name, weight in weights.items())


def percent(share: float) -> str:
    """A share with as many digits as help: 12%, 1.3%."""
    digits = 0 if share == 0 or share >= 0.0995 else 1
    return f"{share:.{digits}%}"


def significant(number: float) -> str:
    """Three significant digits, thousands separated: 0.785, 12.3, 8,790."""
    if number and abs(number) < 0.0001:
        return f"{number:.2e}"
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


def duration(seconds: float) -> str:
    """What was measured: `40 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def rough_duration(seconds: float) -> str:
    """What was estimated: `1.3 s`, `12 min`, `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size_text(size_bytes: float) -> str:
    """A size, with three significant digits from a KiB on: `812 bytes`, `36.1 KiB`, `1.25 GiB`, `1,020 GiB`."""
    value, unit = float(size_bytes), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1023.5:
            break
        value, unit = value / 1024, larger
    if unit == "bytes":
        return f"{value:,.0f} {agree(round(value), 'byte', 'bytes')}"
    return f"{value:,.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"
