"""Matches a regular expression in a process of its own: one may need unbounded time or memory, and its caller can end this.

Run by `analysis.search`; standard library only, so that it starts at once. From stdin: `{"pattern", "texts"}`. To stdout:
`{"rows"}` of the texts in which the pattern is found, or `{"error", "position"}`, the position null where there is none.
"""

import json
import re
import sys

MEMORY_BYTES = 2 << 30


def found_rows(pattern: str, texts: list[str]) -> dict[str, object]:
    try:
        search = re.compile(pattern, re.IGNORECASE).search
        return {"rows": [row for row, text in enumerate(texts) if search(text)]}
    except re.error as error:
        return {"error": error.msg, "position": error.pos}
    except RecursionError:
        return {"error": "too many brackets inside one another", "position": None}
    except OverflowError:
        return {"error": "a number is too large", "position": None}
    except MemoryError:
        return {"error": "it needs too much memory", "position": None}


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has none
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    _limit_memory()
    request = json.load(sys.stdin)
    json.dump(found_rows(request["pattern"], request["texts"]), sys.stdout)
