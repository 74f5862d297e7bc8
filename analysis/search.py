"""Finding problems by what their questions say: by words, by a regular expression, or by meaning.

The web process may import this: nothing here needs torch. Converting a model, which does, is for a job.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis import embed
from analysis.encoder import MANIFEST, TextEncoder
from training.errors import AtlasError
from training.home import Home

Mode = Literal["words", "regex"]

TIME_LIMIT_S = 5.0
"""For a regular expression over all questions; an ordinary one takes a second over 100,000."""

_WORKER = Path(__file__).with_name("regex_worker.py")
_TERM = re.compile(r'(?P<exclude>-?)(?:"(?P<phrase>[^"]*)(?:"|$)|(?P<word>\S+))')


class SearchError(AtlasError):
    """A query cannot be understood or answered."""


def match_text(questions: Sequence[str], query: str, mode: Mode, time_limit_s: float = TIME_LIMIT_S) -> NDArray[np.bool_]:
    """(N,) bool: which questions a query finds; upper and lower case are the same.

    Mode "words": every word must occur, be it inside a longer one; words "in quotation marks" as whole words and in this
    order; a word or phrase after - must not occur. A query without words finds everything.
    Mode "regex": the pattern, in Python's syntax, must be found somewhere.

    Raises:
        SearchError: the pattern has an error, or takes more time or memory than it may have.
    """
    return _match_words(questions, query) if mode == "words" else _match_regex(questions, query, time_limit_s)


def rank_by_meaning(query: str, encoder: TextEncoder, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) float32: the cosine between the query and each row of the (N, D) unit rows, made with the same model.

    Raises:
        SearchError: the query is blank.
    """
    if not query.strip():
        raise SearchError("A blank query has no meaning to search for.", "Type a few words, or a whole question.")
    cosines: NDArray[np.float32] = embeddings @ embed.unit_rows(encoder.encode([query]))[0]
    return cosines


def search_encoder(model: str, home: Home) -> TextEncoder | None:
    """What `rank_by_meaning` needs, opened within a second or so; `None` until `prepare_encoder` has run once.

    Raises:
        SearchError: the embedding has no model that could embed a query.
        ModelError: the model is unknown on this machine.
    """
    _require_model(model)
    return TextEncoder.load(embed.encoder_folder(model, embed.encoders_folder(home)))


def encoder_stamp(model: str, home: Home) -> str:
    """Changes whenever `search_encoder` would open something else; cheap, so that a page can cache the encoder by it.

    Raises:
        ModelError: the model is unknown on this machine.
    """
    try:
        made = (embed.encoder_folder(model, embed.encoders_folder(home)) / MANIFEST).stat()
    except FileNotFoundError:
        return "none"
    return f"{made.st_ino} {made.st_mtime_ns}"


def prepare_encoder(model: str, home: Home) -> TextEncoder:
    """Make sure that `search_encoder` finds the model; belongs into a job, because it may fetch and convert it.

    Raises:
        SearchError: the embedding has no model that could embed a query.
        ModelError: the model cannot be found, loaded, verified or converted.
        HomeError: the converted model cannot be written.
    """
    _require_model(model)
    embed.fetch_model(model)
    return embed.text_encoder(model, embed.encoders_folder(home))


def _require_model(model: str) -> None:
    if model == embed.TFIDF:
        raise SearchError(
            f"The embedding {embed.TFIDF} knows only the words of its own questions, so it cannot place a query by meaning.",
            "Search by words, or choose another embedding model.",
        )


def _match_words(questions: Sequence[str], query: str) -> NDArray[np.bool_]:
    found = np.ones(len(questions), np.bool_)
    for term in _TERM.finditer(query):
        pattern = _phrase_pattern(term["phrase"]) if term["word"] is None else re.escape(term["word"])
        search = re.compile(pattern, re.IGNORECASE).search
        occurs = np.fromiter((search(question) is not None for question in questions), np.bool_, len(questions))
        found &= ~occurs if term["exclude"] else occurs
    return found


def _phrase_pattern(phrase: str) -> str:
    """The phrase's words in order, any white space between them, and no word character next to its ends."""
    words = r"\s+".join(map(re.escape, phrase.split()))
    return rf"(?<!\w){words}(?!\w)"


def _match_regex(questions: Sequence[str], pattern: str, time_limit_s: float) -> NDArray[np.bool_]:
    command = [sys.executable, "-I", "-S", str(_WORKER)]
    request = json.dumps({"pattern": pattern, "texts": list(questions)})
    try:
        done = subprocess.run(command, input=request, capture_output=True, text=True, timeout=time_limit_s)
    except subprocess.TimeoutExpired as error:
        raise SearchError(
            f"The regular expression {_shown(pattern)} takes more than {time_limit_s:g} seconds.",
            "Simplify it: a repetition inside a repetition, such as (a+)+, can take for ever.",
        ) from error
    if done.returncode != 0:
        raise SearchError(
            f"The regular expression {_shown(pattern)} needs more time or memory than it may have.", "Simplify it."
        )
    answer = json.loads(done.stdout)
    if "error" in answer:
        place = "" if answer["position"] is None else f" at character {answer['position'] + 1}"
        raise SearchError(
            f"The regular expression {_shown(pattern)} cannot be read{place}: {answer['error']}.",
            "Correct it, put \\ before a character that stands for itself, or search by words.",
        )
    found = np.zeros(len(questions), np.bool_)
    found[answer["rows"]] = True
    return found


def _shown(pattern: str, longest: int = 60) -> str:
    return pattern if len(pattern) <= longest else pattern[: longest - 1] + "…"
