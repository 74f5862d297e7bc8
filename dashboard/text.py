"""Texts from the data made safe for places that read Streamlit's Markdown."""

import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~$:&=^])")


def plain(text: str) -> str:
    """Text for places that read Markdown (labels, messages): shown as written, never as markup or a formula."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def file_name(title: str) -> str:
    """A title as the beginning of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-") or "problems"
