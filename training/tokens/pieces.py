"""A completion cut into tokens that join back to its exact text."""

from typing import Any

from training.errors import ModelError
from training.tokens.scores import Text

Pieces = tuple[list[int], list[str], list[tuple[int, int]]]
"""Ids, texts and parts, as `training.tokens.scores.Scored` has them."""


def cut(tokenizer: Any, text: Text) -> Pieces:
    """The tokens of a completion as the tokenizer cuts it, and the one that ends the turn where it ended.

    The ledger keeps text, not tokens: a model that cut it in an unusual way, as hot sampling does, is not followed in that.
    What reads like a token of the conversation's frame was written in letters, and is read so.

    Raises:
        ModelError: the tokenizer does not say which characters its tokens stand for, or has no token that ends a turn.
    """
    if not tokenizer.is_fast:
        raise ModelError(
            f"The tokenizer of {tokenizer.name_or_path!r} does not say which characters its tokens stand for.",
            "Use a model with a tokenizer.json.",
        )
    found = tokenizer(text.completion, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    ids: list[int] = found["input_ids"]
    texts = _texts(text.completion, [end for _, end in found["offset_mapping"]])
    parts = _parts(texts)
    if not text.ended:
        return ids, texts, parts
    if tokenizer.eos_token_id is None:
        raise ModelError(f"The tokenizer of {tokenizer.name_or_path!r} names no token that ends a turn.", "Set its eos_token.")
    return [*ids, tokenizer.eos_token_id], [*texts, ""], [*parts, (1, 1)]


def _texts(completion: str, ends: list[int]) -> list[str]:
    """What each token adds; what a tokenizer passes over, such as spaces at an end, goes to the token after it, or the last."""
    texts, done = [], 0
    for place, end in enumerate(ends):
        until = len(completion) if place == len(ends) - 1 else max(done, end)
        texts.append(completion[done:until])
        done = until
    return texts


def _parts(texts: list[str]) -> list[tuple[int, int]]:
    """A character of several tokens stands at the first of them, and the others add nothing."""
    parts = [(1, 1)] * len(texts)
    begin = 0
    for place in range(1, len(texts) + 1):
        if place < len(texts) and not texts[place] and texts[begin]:
            continue
        length = place - begin
        parts[begin:place] = [(part, length) for part in range(1, length + 1)]
        begin = place
    return parts
