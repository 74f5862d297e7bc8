"""Finding problems by what their questions say: by words, by a regular expression, or by meaning.

The web process may import this: nothing here needs torch. Converting a model, which does, is for a job.
"""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis import embed
from analysis.encoder import MANIFEST, TextEncoder
from analysis.search_pool import SearchError, SearchPool, Term, Texts
from training.home import Home

Mode = Literal["words", "regex"]

QUERY_CHARACTERS = 1_000
"""The longest query that is read: room for a whole question."""
QUERY_WORDS = 50
"""The most words and phrases of one query, as each is looked for in every question."""

_TERM = re.compile(r'(?P<exclude>-?)(?:"(?P<phrase>[^"]*)(?:"|$)|(?P<word>\S+))')


def match_text(texts: Texts, query: str, mode: Mode, pool: SearchPool) -> NDArray[np.bool_]:
    """(N,) bool: which texts a query finds; upper and lower case are the same.

    Mode "words": every word must occur, be it inside a longer one; words "in quotation marks" as whole words and in this
    order; a word or phrase after - must not occur. A query without words finds everything.
    Mode "regex": the pattern, in Python's syntax, must be found somewhere.

    Raises:
        SearchError: the query is too long, the pattern has an error, or matching takes more time or memory than it may have.
        SearchBusyError: others search at the moment.
    """
    _require_short(query)
    terms = _words(query) if mode == "words" else [Term(query)]
    what = f"The {'search' if mode == 'words' else 'regular expression'} {_shown(query)}"
    try:
        answer = pool.rows(texts, terms)
    except TimeoutError as error:
        raise SearchError(
            f"{what} takes more than {pool.time_limit_s:g} seconds.",
            "Simplify it: a repetition inside a repetition, such as (a+)+, can take for ever.",
        ) from error
    except MemoryError as error:
        raise SearchError(f"{what} needs more memory than it may have.", "Simplify it.") from error
    if "error" in answer:
        place = "" if answer["position"] is None else f" at character {answer['position'] + 1}"
        raise SearchError(
            f"{what} cannot be read{place}: {answer['error']}.",
            "Correct it, put \\ before a character that stands for itself, or search by words.",
        )
    found = np.zeros(texts.count, np.bool_)
    found[answer["rows"]] = True
    return found


def rank_by_meaning(query: str, encoder: TextEncoder, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) float32: the cosine between the query and each row of the (N, D) unit rows, made with the same model.

    Raises:
        SearchError: the query is blank or too long.
    """
    _require_short(query)
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


def _require_short(query: str) -> None:
    if len(query) > QUERY_CHARACTERS:
        raise SearchError(
            f"The query has {len(query):,} characters; at most {QUERY_CHARACTERS:,} are looked for.", "Shorten it."
        )


def _words(query: str) -> Sequence[Term]:
    """The words and phrases of a query; those that do not depend on each other once."""
    found = {
        Term(_phrase_pattern(term["phrase"]) if term["word"] is None else re.escape(term["word"]), bool(term["exclude"]))
        for term in _TERM.finditer(query)
    }
    if len(found) > QUERY_WORDS:
        raise SearchError(
            f"The query has {len(found):,} words; at most {QUERY_WORDS} are looked for.", "Leave out the common ones."
        )
    return sorted(found, key=lambda term: -len(term.pattern))


def _phrase_pattern(phrase: str) -> str:
    """The phrase's words in order, any white space between them, and no word character next to its ends."""
    words = r"\s+".join(map(re.escape, phrase.split()))
    return rf"(?<!\w){words}(?!\w)"


def _shown(pattern: str, longest: int = 60) -> str:
    return pattern if len(pattern) <= longest else pattern[: longest - 1] + "…"
