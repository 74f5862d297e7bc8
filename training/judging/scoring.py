"""Scoring completions with a judge's model; the only module of this folder that imports torch.

A classifier of tokens reads steps as TRL's PRMTrainer trains it (trl 0.12 to 0.29, `PRMTrainer.tokenize_row`): the question,
then each step with a line break behind it, cut into tokens one by one, and the label at the break. A language model that
answers with marks is asked as RLHFlow's are (Xiong et al. 2024, "An Implementation of Generative PRM"): each step is a user's
turn, the first with the question before it, and the score is the chance of "+" against "-" as the first token of the answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from training.engines.hugging_face import calculation_dtype, chat_ids, first_line
from training.errors import ModelError
from training.judging.judges import Judge, JudgeKind
from training.judging.steps import solution_steps
from training.prompts import CHAT_TEMPLATES

Asked = tuple[str, str]
"""(question, completion)."""
Score = Callable[[Sequence[Asked]], list[list[float]]]
"""The scores of each, from 0 to 1: one of a judge of whole completions, one a step of the others; none of a completion without
steps, or of one that is longer than the model reads."""

BATCH_SIZE = 32
_LOGITS = 2**28
"""At most so many at once, unless one completion has more: a language model has one a token for each of its vocabulary."""
_RIGHT = 1
"""The label of what is right."""
_MARKS = ("-", "+")


@dataclass(frozen=True)
class Row:
    """A question and a completion as a judge reads them."""

    ids: list[int]
    ends: list[int]
    """The places at which the scores are read."""
    begin: int = 0
    """Of the completion's first token, for whoever reads on from there."""


def load_judge(judge: Judge) -> Score:
    """What scores completions, with the model loaded, on the GPU where there is one.

    Raises:
        ModelError: neither the Hub nor the disk has it, or it cannot be loaded.
    """
    kind = _KINDS[judge.kind]
    try:
        tokenizer = AutoTokenizer.from_pretrained(judge.model)
        model = kind.model.from_pretrained(judge.model, dtype=calculation_dtype("auto"))
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The judge {judge.name!r} cannot be loaded: {first_line(error)}", "Check the name, or the network."
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if kind.converses and not tokenizer.chat_template:
        tokenizer.chat_template = CHAT_TEMPLATES["plain"]
    model.config.pad_token_id = tokenizer.pad_token_id  # by which a classifier of whole texts finds their ends
    model = (model.to("cuda") if torch.cuda.is_available() else model).eval()
    return partial(_score, model, tokenizer, kind)


def step_tokens(tokenizer: Any, question: str, steps: Sequence[str]) -> tuple[list[int], list[int]]:
    """(ids of the question and its steps, the place of each step's last token)."""
    begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    head = begin + _ids(tokenizer, question)
    parts = [_ids(tokenizer, step) + _ids(tokenizer, "\n") for step in steps]
    ends = [end - 1 for end in accumulate(map(len, parts), initial=len(head))][1:]
    return [token for part in (head, *parts) for token in part], ends


def padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, attention mask), both (N, T) int64, padded on the right."""
    width = max(map(len, rows))
    ids = [[*row, *[pad] * (width - len(row))] for row in rows]
    mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
    return torch.tensor(ids), torch.tensor(mask)


def likelihood_tokens(tokenizer: Any, question: str, completion: str) -> Row:
    """The conversation as a model would go on with it, and the last token of each step, of the last one that of the whole.

    Raises:
        ModelError: the tokenizer does not know where its tokens stand in a text.
    """
    (prompt,) = chat_ids(tokenizer, [[{"role": "user", "content": question}]])
    try:
        written = tokenizer(completion, add_special_tokens=False, return_offsets_mapping=True)
    except NotImplementedError as error:
        raise ModelError(
            "The judge's tokenizer is one of Python's, which does not say where in a text its tokens stand.",
            "Use a judge with a tokenizer.json, as AutoTokenizer's save_pretrained writes it.",
        ) from error
    starts = [start for start, _ in written["offset_mapping"]]
    steps = [sum(start < step.end for start in starts) for step in solution_steps(completion)]
    ends = [len(prompt) + end - 1 for end in (*steps[:-1], len(starts))] if steps else []
    return Row([*prompt, *written["input_ids"]], ends, len(prompt))


def _score(model: Any, tokenizer: Any, kind: "_Kind", asked: Sequence[Asked]) -> list[list[float]]:
    """In batches of similar lengths, in the order asked."""
    rows = [kind.row(tokenizer, *one) for one in asked]
    config = model.config.get_text_config()
    longest = getattr(config, "max_position_embeddings", None) or float("inf")
    fitting = [place for place, row in enumerate(rows) if row.ends and len(row.ids) <= longest]
    found: list[list[float]] = [[] for _ in rows]
    by_length = sorted(fitting, key=lambda place: len(rows[place].ids))
    outputs = config.vocab_size if kind.converses else 1
    widest = max((len(rows[place].ids) for place in by_length), default=1)
    at_once = max(1, min(BATCH_SIZE, _LOGITS // (widest * outputs)))
    for start in range(0, len(by_length), at_once):
        places = by_length[start : start + at_once]
        ids, mask = padded([rows[place].ids for place in places], tokenizer.pad_token_id)
        with torch.inference_mode():
            logits = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits
        for place, of_row in zip(places, logits, strict=True):
            found[place] = kind.read(of_row, rows[place], tokenizer)
    return found


def _whole_tokens(tokenizer: Any, question: str, completion: str) -> Row:
    """A conversation where the tokenizer knows how one is written, else the pair of texts; scored at the end."""
    if tokenizer.chat_template:
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": completion}]
        ids = tokenizer.apply_chat_template(turns, return_dict=False)
    else:
        ids = tokenizer(question, completion)["input_ids"]
    return Row(ids, [len(ids) - 1])


def _tokens_of_steps(tokenizer: Any, question: str, completion: str) -> Row:
    return Row(*step_tokens(tokenizer, question, [step.text for step in solution_steps(completion)]))


def _marks_tokens(tokenizer: Any, question: str, completion: str) -> Row:
    """A turn a step, each but the last answered by "+"; scored where the answer begins.

    Raises:
        ModelError: the chat template writes what was said before otherwise later on.
    """
    turns: list[dict[str, str]] = []
    asked: list[list[int]] = []
    for place, step in enumerate(solution_steps(completion)):
        turns.append({"role": "user", "content": step.text if place else f"{question} {step.text}"})
        asked += chat_ids(tokenizer, [turns])
        turns.append({"role": "assistant", "content": _MARKS[_RIGHT]})
    if any(asked[-1][: len(ids)] != ids for ids in asked):
        raise ModelError(
            "The judge's chat template changes earlier turns, so that steps cannot be marked one after the other.",
            "Use a judge whose conversations grow at their end.",
        )
    return Row(asked[-1] if asked else [], [len(ids) - 1 for ids in asked])


def _whole_score(logits: torch.Tensor, _row: Row, _tokenizer: Any) -> list[float]:
    """Of (L,) logits: of a single one its logistic function, of two the chance of the second."""
    logits = logits.float()
    return [float(logits[0].sigmoid() if len(logits) == 1 else logits.softmax(-1)[_RIGHT])]


def _step_scores(logits: torch.Tensor, row: Row, _tokenizer: Any) -> list[float]:
    """Of (T, 2) logits: the chance, at the end of each step, that it is right."""
    found: list[float] = logits[row.ends].float().softmax(-1)[:, _RIGHT].tolist()
    return found


def _mark_scores(logits: torch.Tensor, row: Row, tokenizer: Any) -> list[float]:
    """Of (T, V) logits: the chance, behind each step, of the mark for right against that for wrong."""
    marks = [_ids(tokenizer, mark)[-1] for mark in _MARKS]
    return _step_scores(logits[:, marks], row, tokenizer)


def _likelihoods(logits: torch.Tensor, row: Row, _tokenizer: Any) -> list[float]:
    """Of (T, V) logits: the geometric mean, up to the end of each step, of the probabilities of the completion's tokens."""
    written = torch.tensor(row.ids[row.begin :], device=logits.device)
    likely = logits[row.begin - 1 : len(row.ids) - 1].float().log_softmax(-1).gather(-1, written[:, None])[:, 0]
    means = likely.cumsum(0) / torch.arange(1, len(written) + 1, device=logits.device)
    found: list[float] = means[[end - row.begin for end in row.ends]].exp().tolist()
    return found


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


@dataclass(frozen=True)
class _Kind:
    """How judges of a kind are loaded, asked and read."""

    model: Any
    row: Callable[[Any, str, str], Row]
    """(tokenizer, question, completion) -> what is put to the model."""
    read: Callable[[torch.Tensor, Row, Any], list[float]]
    """(the model's logits of it, itself, tokenizer) -> the scores."""
    converses: bool = False
    """Whether it is a language model, whose logits are of its vocabulary."""


_KINDS: Mapping[JudgeKind, _Kind] = {
    "outcome": _Kind(AutoModelForSequenceClassification, _whole_tokens, _whole_score),
    "process": _Kind(AutoModelForTokenClassification, _tokens_of_steps, _step_scores),
    "marks": _Kind(AutoModelForCausalLM, _marks_tokens, _mark_scores, converses=True),
    "likelihood": _Kind(AutoModelForCausalLM, likelihood_tokens, _likelihoods, converses=True),
}
