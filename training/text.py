"""Numbers written out for people, the same in terminal and page."""


def size_text(size_bytes: float) -> str:
    """A size, with three significant digits from a KiB on: `812 bytes`, `36.1 KiB`, `1.25 GiB`, `1,020 GiB`."""
    value, unit = float(size_bytes), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1023.5:
            break
        value, unit = value / 1024, larger
    if unit == "bytes":
        return f"{value:,.0f} {'byte' if round(value) == 1 else unit}"
    return f"{value:,.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"
