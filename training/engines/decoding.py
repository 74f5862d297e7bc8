"""Decoding on a CPU: rows that have ended leave the batch.

transformers decodes a batch until its last row ends, and goes on calculating the rows that have ended before. On a CPU, where a
row costs its share, the half of the work is wasted when the mean completion is half as long as the longest.
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
    inputs = model.prepare_inputs_for_generation(input_ids, is_first_iteration=True, **model_kwargs)
    while True:
        outputs = model(**inputs, return_dict=True)
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
            model_kwargs = _rows_of(model_kwargs, unfinished)
        inputs = model.prepare_inputs_for_generation(sequences[live], next_sequence_length=1, **model_kwargs)


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


def _rows_of(model_kwargs: dict[str, Any], kept: torch.Tensor) -> dict[str, Any]:
    """What the model is called with, for these rows alone; the cache is changed in place."""
    model_kwargs["past_key_values"].batch_select_indices(kept)
    return {
        name: value[kept] if isinstance(value, torch.Tensor) and value.shape[:1] == kept.shape else value
        for name, value in model_kwargs.items()
    }
