"""The tokens of completions under two models, piece by piece: memory goes by the piece, not by the sequence's length."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from training.engines.hugging_face import chat_ids
from training.errors import ModelError
from training.tokens.pair import Forward, Pair
from training.tokens.pieces import cut
from training.tokens.scores import Measured, Request, Scored

_PIECE_LOGITS = 2**24
"""Logits of one piece: 64 MiB in float32, of which calculating takes a handful."""
_LONGEST_PIECE = 1024


def score(pair: Pair, request: Request) -> list[Scored]:
    """What the two models make of each token of the completions.

    Raises:
        ModelError: the two cut the text into different tokens, or have other tokens; or one cannot read on where it stopped.
    """
    prompt = chat_ids(pair.tokenizer, [list(request.prompt)])[0]
    if prompt != chat_ids(pair.against_tokenizer, [list(request.prompt)])[0]:
        raise _other_tokens(pair)
    found = []
    for text in request.texts:
        ids, texts, parts = cut(pair.tokenizer, text)
        if ids != cut(pair.against_tokenizer, text)[0]:
            raise _other_tokens(pair)
        model, against, kl = measure(pair, prompt, ids, request.temperature)
        found.append(Scored(ids=ids, texts=texts, parts=parts, ended=text.ended, model=model, against=against, kl=kl))
    return found


@torch.inference_mode()
def measure(
    pair: Pair, prompt: Sequence[int], completion: Sequence[int], temperature: float = 1.0, piece_logits: int = _PIECE_LOGITS
) -> tuple[Measured, Measured, list[float | None]]:
    """Each model's view of the T tokens of a completion, and KL(model || against) at each place.

    Args:
        prompt: token ids, at least one.
        completion: (T,) token ids.
        piece_logits: how many logits are held at once.

    Raises:
        ModelError: as of `score`.
    """
    read = [*prompt, *completion[:-1]] if completion else []
    first = len(prompt) - 1
    views, others, divergences = _View(), _View(), []
    mine, theirs = _Reader(pair.forward, pair.names[0]), _Reader(pair.against_forward, pair.names[1])
    piece = max(1, min(_LONGEST_PIECE, piece_logits // len(pair.tokenizer)))
    for start in range(0, len(read), piece):
        end = min(start + piece, len(read))
        logits, other = mine.read(read[start:end]), theirs.read(read[start:end])
        if logits.shape != other.shape:
            raise _other_tokens(pair)
        if end <= first:
            continue
        scored = max(start, first)
        targets = torch.tensor(completion[scored - first : end - first], device=logits.device)
        logprobs = _logprobs(logits[scored - start :], temperature)
        against = _logprobs(other[scored - start :].to(logits.device), temperature)
        views.add(logprobs, targets)
        others.add(against, targets)
        divergences += _divergence(logprobs, against).tolist()
    return views.measured(pair.tokenizer), others.measured(pair.tokenizer), _finite(divergences)


class _Reader:
    """Reads a sequence on where it stopped."""

    def __init__(self, forward: Forward, name: str) -> None:
        self._forward, self._name = forward, name
        self._cache: Any = None

    def read(self, ids: Sequence[int]) -> Tensor:
        """(S, V) logits of the token after each of these S."""
        output = self._forward(ids, self._cache)
        self._cache = getattr(output, "past_key_values", None)
        if self._cache is None:
            raise ModelError(
                f"The model {self._name!r} does not keep what it has read, so it cannot be scored piece by piece.",
                "Score it under a model of transformers that has a cache.",
            )
        found: Tensor = output.logits[0]
        return found


class _View:
    """Collects what one model makes of the tokens, piece after piece."""

    def __init__(self) -> None:
        self._own: list[float] = []
        self._entropy: list[float] = []
        self._likeliest: list[int] = []
        self._best: list[float] = []

    def add(self, logprobs: Tensor, targets: Tensor) -> None:
        """(S, V) log-probabilities at S places, and the (S,) tokens that stand there."""
        best, likeliest = logprobs.max(dim=-1)
        self._own += logprobs.gather(-1, targets[:, None])[:, 0].tolist()
        self._entropy += _expectation(logprobs, -logprobs).tolist()
        self._likeliest += likeliest.tolist()
        self._best += best.tolist()

    def measured(self, tokenizer: Any) -> Measured:
        """All that was collected."""
        return Measured(
            logprob=_finite(self._own),
            entropy=_finite(self._entropy),
            likeliest=[tokenizer.decode([token]) for token in self._likeliest],
            likeliest_logprob=_finite(self._best),
        )


def _logprobs(logits: Tensor, temperature: float) -> Tensor:
    """(S, V) float32, whatever the model calculates in."""
    return torch.log_softmax(logits.float() / temperature, dim=-1)


def _divergence(logprobs: Tensor, against: Tensor) -> Tensor:
    """KL(P || Q) = sum of P (log P - log Q), (S,); infinite where Q rules out what P does not. Rounding takes it below 0."""
    return _expectation(logprobs, logprobs - against).clamp_min(0)


def _expectation(logprobs: Tensor, values: Tensor) -> Tensor:
    """(S,) the mean of values (S, V) under the distributions; what has no probability takes no part, whatever its value."""
    return torch.where(logprobs > -math.inf, logprobs.exp() * values, 0).sum(dim=-1)


def _finite(values: Sequence[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]


def _other_tokens(pair: Pair) -> ModelError:
    mine, other = pair.names
    return ModelError(
        f"{mine!r} and {other!r} cut this text into different tokens, so there is nothing to compare token by token.",
        "Choose models with the same tokenizer, such as two checkpoints of one run.",
    )
