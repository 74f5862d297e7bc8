"""The two measures of lm-evaluation-harness's task `gsm8k`, version 3.0: how an answer is found and compared there.

Source: `lm_eval/tasks/gsm8k/gsm8k.yaml` of release 0.4.13: the filters `strict-match` and `flexible-extract`, and what
`exact_match` ignores. `tests/bench/harness.py` holds them against that program.
"""

import re

_NOTHING = "[invalid]"
"""What the harness compares where a filter finds nothing."""

_STRICT = re.compile(r"#### (-?[0-9.,]+)")
_FLEXIBLE = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")
_LAST_POINT = re.compile(r"\.$")
_MARK = "#### "


def strict_answer(completion: str) -> str:
    """The number after the first `#### `; `[invalid]` where none stands so."""
    found = _STRICT.search(completion)
    return found[1] if found else _NOTHING


def flexible_answer(completion: str) -> str:
    """The last number in the text, as it is written; `[invalid]` where there is none."""
    found: list[tuple[str, str]] = _FLEXIBLE.findall(completion)
    return "".join(found[-1]) if found else _NOTHING


def strict_match(completion: str, gold: str) -> float:
    """1.0 if the number after the first `#### ` is the gold answer, as lm-evaluation-harness's strict-match.

    Source: see above. Commas, `$` and a point at the end do not count. Holes: a gold answer that is no number is never
    reached, and the first of several answers decides.
    """
    return float(_compared(strict_answer(completion)) == _compared(gold))


def flexible_extract(completion: str, gold: str) -> float:
    """1.0 if the last number in the text is the gold answer, as lm-evaluation-harness's flexible-extract.

    Source: see above. Commas, `$` and a point at the end do not count. Holes: whatever number ends the text decides, the 2
    of "in 2 days" too, and any two of `$`, `.` and `,` in a row are a number.
    """
    return float(_compared(flexible_answer(completion)) == _compared(gold))


def _compared(answer: str) -> str:
    """What `exact_match` compares of an answer: in small letters, without what it ignores, in its order."""
    plain = answer.replace(",", "").replace("$", "").rpartition(_MARK)[2]
    return _LAST_POINT.sub("", plain).lower()
