"""Which language a data set is written in, told from a sample of its questions, and what that means for its map.

Stop words and the rule that capitals inside sentences are names hold for English; so does the default embedding model.
"""

from collections.abc import Sequence

from analysis.embed import DEFAULT_MODEL, is_default

ENGLISH = "en"
MULTILINGUAL_MODEL = "paraphrase-multilingual-MiniLM-L12-v2"

_SAMPLE = 200
"""Questions that are looked at, and characters of them."""
_CHARACTERS = 100
_LEAST_LETTERS = 40
"""Fewer letters than this may be of any language."""


def language_of(questions: Sequence[str]) -> str:
    """The language of most of the questions, as ISO 639-1 writes it; English where there is too little text to tell."""
    # It reads a model of 1 MB when it is imported.
    from py3langid import classify

    step = max(1, len(questions) // _SAMPLE)
    text = " ".join(question[:_CHARACTERS] for question in questions[::step][:_SAMPLE])
    if sum(map(str.isalpha, text)) < _LEAST_LETTERS:
        return ENGLISH
    return str(classify(text)[0])


def model_notice(questions: Sequence[str], model: str) -> str:
    """What to know of a map of questions in another language, in words; empty where model and language go together."""
    if not is_default(model) or (language := language_of(questions)) == ENGLISH:
        return ""
    return (
        f"Most questions are not in English (it looks like {language!r}), and {DEFAULT_MODEL} knows English best: "
        f"{MULTILINGUAL_MODEL} is for many languages."
    )
