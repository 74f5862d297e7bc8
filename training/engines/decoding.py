"""Decoding on a CPU: a prompt that is asked several times is read once, and rows that have ended leave the batch.

transformers reads each of a group's equal prompts, decodes a batch until its last row ends, and goes on calculating the rows
that have ended before. On a CPU, where a row costs its share, most of the reading is wasted, and half of the decoding when the
mean completion is half as long as the longest.
"""

from typing import Any

import torch
from transformers import DynamicCache, GenerationConfig, GenerationMixin, LogitsProcessorList, StoppingCriteriaList


def decode_unfinished(
    model: Any,
    input_ids: torch.Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    synced_gpus: bool = False,
    **model_kwargs: Any,
) -> Any:
    """Sampling and greedy decoding, to be given to `generate` as `custom_generate`.

    The same random numbers choose the same row's tokens as in `GenerationMixin._sample`, so the completions are equal but for
    how a matrix product rounds. Where rows cannot leave, on a GPU, which would wait after each token to hear whether one
    ended, or with a cache of fixed size, that is what decodes.

    Args:
        input_ids: (N, P) int64, padded on the left.

    Returns:
        (N, P + T) int64: prompt and completion, padded on the right. What else `return_dict_in_generate` asks for is
        given by transformers' own decoding.
    """
    if not _can_shrink(input_ids, generation_config, synced_gpus, model_kwargs):
        return GenerationMixin._sample(
            model, input_ids, logits_processor, stopping_criteria, generation_config, synced_gpus, **model_kwargs
        )
    pad = generation_config._pad_token_tensor
    sequences, live = input_ids, torch.arange(len(input_ids))
    outputs = _read(model, input_ids, model_kwargs)
    while True:
        model_kwargs = model._update_model_kwargs_for_generation(outputs, model_kwargs, is_encoder_decoder=False)
        scores = logits_processor(sequences[live], outputs.logits[:, -1].to(copy=True, dtype=torch.float32))
        column = pad.repeat(len(sequences))
        column[live] = _sampled(scores, live, len(sequences)) if generation_config.do_sample else scores.argmax(dim=-1)
        sequences = torch.cat([sequences, column[:, None]], dim=-1)
        unfinished = ~stopping_criteria(sequences[live], None)
        if not unfinished.any():
            return sequences
        if not unfinished.all():
            live = live[unfinished]
            model_kwargs = _rows_of(model_kwargs, unfinished.nonzero().flatten(), len(unfinished))
        inputs = model.prepare_inputs_for_generation(sequences[live], next_sequence_length=1, **model_kwargs)
        outputs = model(**inputs, return_dict=True)


def _read(model: Any, input_ids: torch.Tensor, model_kwargs: dict[str, Any]) -> Any:
    """What the model says of the prompts, each of those that are equal calculated once; the cache has all of them."""
    rows = len(input_ids)
    told = [input_ids, *(value.flatten(1) for value in model_kwargs.values() if _is_of_rows(value, rows))]
    different, like = torch.unique(torch.cat(told, dim=-1), dim=0, return_inverse=True)
    first = torch.empty(len(different), dtype=torch.int64)
    first[like] = torch.arange(rows)
    own = _rows_of(model_kwargs, first, rows)
    outputs = model(**model.prepare_inputs_for_generation(input_ids[first], is_first_iteration=True, **own), return_dict=True)
    outputs.logits = outputs.logits[like]
    outputs.past_key_values.batch_select_indices(like)
    return outputs


def _can_shrink(ids: torch.Tensor, config: GenerationConfig, synced_gpus: bool, model_kwargs: dict[str, Any]) -> bool:
    return (
        ids.device.type == "cpu"
        and not synced_gpus
        and not config.return_dict_in_generate
        and config._pad_token_tensor is not None
        and type(model_kwargs.get("past_key_values")) is DynamicCache
    )


def _sampled(scores: torch.Tensor, live: torch.Tensor, rows: int) -> torch.Tensor:
    """A token for each live row; the draw is made over all rows, so that each one's random numbers stay its own."""
    chances = torch.ones(rows, scores.shape[1])
    chances[live] = scores.softmax(dim=-1)
    return torch.multinomial(chances, num_samples=1).squeeze(1)[live]


def _rows_of(model_kwargs: dict[str, Any], kept: torch.Tensor, rows: int) -> dict[str, Any]:
    """What the model is called with, for these of its rows alone; the cache is changed in place."""
    model_kwargs["past_key_values"].batch_select_indices(kept)
    return {name: value[kept] if _is_of_rows(value, rows) else value for name, value in model_kwargs.items()}


def _is_of_rows(value: Any, rows: int) -> bool:
    return isinstance(value, torch.Tensor) and value.dim() > 1 and len(value) == rows
