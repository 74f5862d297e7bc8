"""What is asked about the tokens of completions, and what is answered, as plain values; needs no torch.

All that is measured is in nats and conditions on the prompt and on the completion's tokens before.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_SURROGATE = re.compile("[\ud800-\udfff]")

Precision = Literal["auto", "float32"]
"""How weights are kept: as the machine calculates, which spares memory, or in float32, without which small updates are lost."""


class Text(BaseModel):
    """A completion whose tokens are to be scored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    completion: str
    ended: bool
    """Whether the model ended its turn after it; that token is scored, too."""


class Request(BaseModel):
    """Completions of one prompt, and the prompt as the model was shown it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: tuple[dict[str, str], ...] = Field(min_length=1)
    """The conversation."""
    texts: tuple[Text, ...] = Field(min_length=1)
    temperature: float = Field(1.0, gt=0)
    """What logits are divided by first, as the run sampled and learnt."""


class Measured(BaseModel):
    """What one model makes of each token of a completion; all lists have T values, `None` for what is not finite."""

    logprob: list[float | None]
    """Of the token; `None` where the model rules it out."""
    entropy: list[float | None]
    """Of the distribution over all tokens there."""
    likeliest: list[str]
    """The likeliest token there, as text."""
    likeliest_logprob: list[float | None]


class Scored(BaseModel):
    """The T tokens of a completion under two models."""

    ids: list[int]
    texts: list[str]
    """What each adds to the completion: joined, they are its text. One adds nothing where it is a further part of a character,
    or ends the turn."""
    parts: list[tuple[int, int]]
    """(which part, of how many) of the last character before, for tokens that are a part of one; (1, 1) for all others."""
    ended: bool
    """Whether the last token ends the turn."""
    model: Measured
    against: Measured
    kl: list[float | None]
    """KL(model || against) over all tokens, at each place; `None` where the other rules out what the model does not."""

    @property
    def ratio(self) -> list[float | None]:
        """The log-probability under the model less that under the other: above 0, training made the token more likely."""
        pairs = zip(self.model.logprob, self.against.logprob, strict=True)
        return [None if mine is None or other is None else mine - other for mine, other in pairs]

    def shown(self, place: int) -> str:
        """A token as people read it, where its own text does not tell."""
        part, parts = self.parts[place]
        if self.ended and place == len(self.ids) - 1:
            return "end of turn"
        if parts > 1:
            character = "".join(self.texts[: place + 1])[-1:]
            return f"{character} (part {part} of {parts})"
        return self.texts[place] or "nothing"


@dataclass(frozen=True)
class Whole:
    """What a completion comes to under two models."""

    logprob: float | None
    """The sum over its tokens; `None` where one is ruled out."""
    against_logprob: float | None
    entropy: float | None
    """The mean over its tokens."""
    kl: float | None
    """The sum of KL(model || against) over its places, an estimate of that of whole completions."""


def whole_of(scored: Scored) -> Whole:
    """The sums of a completion."""
    entropy = _sum(scored.model.entropy)
    mean = None if entropy is None else entropy / max(1, len(scored.ids))
    return Whole(_sum(scored.model.logprob), _sum(scored.against.logprob), mean, _sum(scored.kl))


OTHER_CUT = "The record says {:,} tokens: the model had cut this text otherwise, which the record does not keep."
"""What to know of a completion that `is_cut_otherwise`."""


def is_cut_otherwise(scored: Scored, recorded: int) -> bool:
    """Whether a completion was drawn in other tokens than those it is cut into now, by their number on record; 0 is unknown."""
    return recorded not in (0, len(scored.ids))


def first_difference(one: Sequence[int], other: Sequence[int]) -> int | None:
    """The place at which two completions part: their first different token, or where the shorter ends; `None` of equal ones."""
    for place, (mine, others) in enumerate(zip(one, other, strict=False)):
        if mine != others:
            return place
    return None if len(one) == len(other) else min(len(one), len(other))


def storable(text: str) -> str:
    """Text with U+FFFD for halves of surrogate pairs, which no tokenizer takes; as long as before."""
    return _SURROGATE.sub("\ufffd", text)


COLUMNS = (
    "place",
    "id",
    "token",
    "shown",
    "logprob",
    "entropy",
    "likeliest",
    "likeliest_logprob",
    "against_logprob",
    "against_entropy",
    "against_likeliest",
    "against_likeliest_logprob",
    "log_ratio",
    "kl",
)
"""Of a table of tokens, see `token_rows`."""


def token_rows(scored: Scored) -> Iterator[dict[str, Any]]:
    """A row a token: `COLUMNS`, the place counted from 1, `token` its text and `shown` as people read it."""
    values = zip(*_measured(scored.model), *_measured(scored.against), scored.ratio, scored.kl, strict=True)
    for place, row in enumerate(values):
        head = (place + 1, scored.ids[place], scored.texts[place], scored.shown(place))
        yield dict(zip(COLUMNS, (*head, *row), strict=True))


def _measured(model: Measured) -> tuple[Sequence[Any], ...]:
    return model.logprob, model.entropy, model.likeliest, model.likeliest_logprob


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None
