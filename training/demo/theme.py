"""What a theme of the demo's stories is, and the people and words that all themes share.

A theme says in its own words what the `moves` need: a move that a theme has no sentence for does not occur in it, so that
nobody eats bicycles. The language of the sentences is described in `moves`; the themes are in `themes_home` and `themes_away`.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMES = {
    "she": "Ada|Aisha|Anna|Bella|Carla|Chloe|Dina|Elena|Emma|Fatima|Grace|Hana|Ines|Ivy|Julia|Kim|Laura|Leah|"
    "Lucy|Maya|Mia|Nina|Nora|Olga|Priya|Rosa|Ruth|Sara|Sofia|Tara|Uma|Vera|Wendy|Yuki|Zoe",
    "he": "Adam|Ahmed|Alex|Ben|Boris|Carlos|Chen|Daniel|David|Eli|Emil|Felix|George|Hugo|Ivan|Jack|James|Juan|Karl|"
    "Ken|Leo|Liam|Marco|Max|Noah|Omar|Oscar|Paul|Pedro|Ravi|Rob|Sam|Tom|Victor|Will|Yusuf",
}

WORDS = {
    "day1": "Monday|Tuesday|Wednesday",
    "day2": "Thursday|Friday|Saturday|Sunday",
    "when": "the next day|in the evening|after lunch|later|at noon",
}

ASIDES = (
    "It was a {cold|hot|rainy|windy|busy} {Monday|Friday|morning|evening|day|week}.",
    "@A lives in {Boston|Texas|Chicago|London|a village|the mountains} with {a friend|two cats|a sister}.",
    "@A {is tall|has red hair|speaks French|drinks tea|wears glasses|is left-handed|likes chess}.",
    "A {friend|neighbor|teacher|reporter} asked @A {about this|to help|a question}.",
    "@A {got up early|had slept badly|was in a hurry|was in a good mood|felt happy}.",
    "@A has {blue eyes|a funny hat|two sisters|a loud voice|a good memory}.",
    "@A and {a friend|a cousin|the neighbors} like {math|puzzles|jokes|to count things}.",
    "@A wrote {everything|it all} down in {a diary|a notebook}.",
)
"""Sentences that fit any theme."""


@dataclass(frozen=True)
class Theme:
    """A theme's words, alternatives separated by "|", and its sentences by the move that they tell."""

    items: str
    """What is counted, in the plural."""
    verb: str
    """How the items come about, as "past|infinitive"."""
    boxes: str
    friends: str
    things: str
    """What money is spent on, in the plural."""
    gift: str
    """What someone saves for."""
    part: str
    """What goes into one item, in the plural."""
    job: str
    says: dict[str, tuple[str, ...]]
    openers: tuple[str, ...]
    """Sentences that set the scene and change nothing."""
    without: frozenset[str] = frozenset()
    """Moves with common wordings that make no sense here."""
    often: frozenset[str] = frozenset()
    """Beginnings that are drawn more often here."""
