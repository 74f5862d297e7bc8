"""Matches texts in a process of its own: a regular expression may need unbounded time or memory, and its caller can end this.

Run by `analysis.search_pool`; standard library only, so that it starts at once. Arguments: processor seconds for matching,
bytes of memory. From stdin: a line with `[[pattern, whether it must not be found], ...]`, then one with the texts. To stdout:
`{"rows"}` of the texts for which all of them hold, or `{"error", "position"}`, the position null where there is none. It ends
with another status than 0 where it has not memory enough.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Sequence

_NICENESS = 5
"""As jobs have: pages come first."""


def found_rows(terms: Sequence[tuple[str, bool]], texts: Sequence[str]) -> dict[str, object]:
    try:
        rows = list(range(len(texts)))
        for pattern, excludes in terms:
            search = re.compile(pattern, re.IGNORECASE).search
            rows = [row for row in rows if (search(texts[row]) is None) == excludes]
        return {"rows": rows}
    except re.error as error:
        return {"error": error.msg, "position": error.pos}
    except RecursionError:
        return {"error": "too many brackets inside one another", "position": None}
    except OverflowError:
        return {"error": "a number is too large", "position": None}


def main() -> None:
    time_limit_s, memory_bytes = float(sys.argv[1]), int(sys.argv[2])
    os.nice(_NICENESS)
    try:
        import resource
    except ImportError:  # Windows has none
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    terms, texts = map(json.loads, sys.stdin.buffer)
    # Python handles no signal while an expression is matched; left to itself this one ends the process.
    signal.setitimer(signal.ITIMER_PROF, time_limit_s)
    json.dump(found_rows(terms, texts), sys.stdout)


if __name__ == "__main__":
    main()
