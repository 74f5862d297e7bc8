"""How a reference solution falls into steps: its lines, its sentences, or its sentences and the lines of its formulas."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from training.data.answers import HASHES

_SENTENCE_END = re.compile(
    r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!\b(?:Dr|Mr|Ms|vs|no)\.)(?<!\b(?:Mrs|e\.g|i\.e|etc)\.)\s+(?=[^\W_a-z]|\\|\$|\0)|(?<=[。！？।])"
)
_MATHS = re.compile(r"\$\$.+?\$\$|\\\[.+?\\\]|\\begin\{(\w+\*?)\}.+?\\end\{\1\}|\$[^$]*\$", re.DOTALL)
_ROW_END = re.compile(r"\\\\(?:\[[^\]]*\])?")


def lines(solution: str) -> tuple[str, ...]:
    """The lines before `####`, blank ones left out."""
    return _filled(solution.rpartition(HASHES)[0].splitlines() if HASHES in solution else solution.splitlines())


def sentences(solution: str) -> tuple[str, ...]:
    """The sentences before `####`, those of several lines apart."""
    return _filled(part for line in lines(solution) for part in _SENTENCE_END.split(line))


def latex(solution: str) -> tuple[str, ...]:
    r"""The sentences, and the rows of formulas that stand by themselves; a full stop inside of mathematics ends nothing."""
    kept: list[str] = []

    def hide(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"\0{len(kept) - 1}\0"

    def show(text: str) -> str:
        return re.sub(r"\0(\d+)\0", lambda match: kept[int(match[1])], text)

    hidden = _MATHS.sub(hide, solution)
    parts = [show(part) for paragraph in re.split(r"\n\s*\n", hidden) for part in _SENTENCE_END.split(paragraph)]
    return _filled(row for part in parts for row in _ROW_END.split(part))


SPLITTERS: Mapping[str, Callable[[str], tuple[str, ...]]] = {"lines": lines, "sentences": sentences, "latex": latex}


def kind_of_steps(solutions: Sequence[str]) -> str:
    """How solutions like these fall into steps: by lines where most have several, else by sentences; by LaTeX's where it is."""
    written = [solution for solution in solutions if solution]
    if sum("$" in text and "\\" in text for text in written) * 2 > len(written):
        return "latex"
    return "lines" if sum(len(lines(text)) > 1 for text in written) * 2 >= len(written) else "sentences"


def _filled(parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(stripped for part in parts if (stripped := part.strip()))
