"""Scoring completions with a judge's model; the only module of this folder that imports torch.

Steps are put to a process reward model as TRL's PRMTrainer trains it (trl 0.12 to 0.29, `PRMTrainer.tokenize_row`): the
question, then each step with a line break behind it, cut into tokens one by one, and the label at the break.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer

from training.engines.hugging_face import calculation_dtype, first_line
from training.errors import ModelError
from training.judging.judges import Judge, JudgeKind, judge_path
from training.judging.steps import reasoning_steps

Asked = tuple[str, str]
"""(question, completion)."""
Score = Callable[[Sequence[Asked]], list[list[float]]]
"""The scores of each: one of an outcome reward model, one a step of a process reward model, each from 0 to 1; none of a
completion without steps, or of one that is longer than the model reads."""

BATCH_SIZE = 32
_RIGHT = 1
"""The label of what is right."""
_MODELS: Mapping[JudgeKind, Any] = {
    "outcome": AutoModelForSequenceClassification,
    "process": AutoModelForTokenClassification,
}


def load_judge(judge: Judge) -> Score:
    """What scores completions, with the model loaded, on the GPU where there is one.

    Raises:
        ModelError: neither the Hub nor the disk has it, or it cannot be loaded.
    """
    path = judge_path(judge.name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        model = _MODELS[judge.kind].from_pretrained(path, dtype=calculation_dtype("auto"))
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The judge {judge.name!r} cannot be loaded: {first_line(error)}", "Check the name, or the network."
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id  # by which a classifier of whole texts finds their ends
    model = (model.to("cuda") if torch.cuda.is_available() else model).eval()
    return partial(_score, model, tokenizer, _SCORED[judge.kind])


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


def _score(model: Any, tokenizer: Any, kind: "_Kind", asked: Sequence[Asked]) -> list[list[float]]:
    """In batches of similar lengths, in the order asked."""
    tokens, read = kind
    rows = [tokens(tokenizer, *one) for one in asked]
    longest = getattr(model.config, "max_position_embeddings", None) or float("inf")
    fitting = [place for place, (ids, ends) in enumerate(rows) if ends and len(ids) <= longest]
    found: list[list[float]] = [[] for _ in rows]
    by_length = sorted(fitting, key=lambda place: len(rows[place][0]))
    for start in range(0, len(by_length), BATCH_SIZE):
        places = by_length[start : start + BATCH_SIZE]
        ids, mask = padded([rows[place][0] for place in places], tokenizer.pad_token_id)
        with torch.inference_mode():
            logits = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits.float().cpu()
        for place, row in zip(places, logits, strict=True):
            found[place] = read(row, rows[place][1])
    return found


def _whole_tokens(tokenizer: Any, question: str, completion: str) -> tuple[list[int], list[int]]:
    """A conversation where the tokenizer knows how one is written, else the pair of texts; scored at the end."""
    if tokenizer.chat_template:
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": completion}]
        ids = tokenizer.apply_chat_template(turns, return_dict=False)
    else:
        ids = tokenizer(question, completion)["input_ids"]
    return ids, [len(ids) - 1]


def _tokens_of_steps(tokenizer: Any, question: str, completion: str) -> tuple[list[int], list[int]]:
    return step_tokens(tokenizer, question, reasoning_steps(completion))


def _whole_score(logits: torch.Tensor, _: Sequence[int]) -> list[float]:
    """Of (L,) logits: of a single one its logistic function, of two the chance of the second."""
    return [float(logits[0].sigmoid() if len(logits) == 1 else logits.softmax(-1)[_RIGHT])]


def _step_scores(logits: torch.Tensor, ends: Sequence[int]) -> list[float]:
    """Of (T, 2) logits: the chance, at the end of each step, that it is right."""
    found: list[float] = logits[list(ends)].softmax(-1)[:, _RIGHT].tolist()
    return found


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


_Kind = tuple[Callable[[Any, str, str], tuple[list[int], list[int]]], Callable[[torch.Tensor, Sequence[int]], list[float]]]
_SCORED: Mapping[JudgeKind, _Kind] = {
    "outcome": (_whole_tokens, _whole_score),
    "process": (_tokens_of_steps, _step_scores),
}
