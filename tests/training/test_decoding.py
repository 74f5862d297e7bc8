"""Decoding that reads equal prompts once and leaves out the rows that have ended, against transformers' own loop."""

from typing import Any

import pytest
import torch
from transformers import DynamicCache, GenerationMixin

from training.engines import hugging_face
from training.engines.decoding import decode_unfinished

QUESTIONS = [
    f"Tom has {first} pens and buys {second} more. How many pens has he?" for first, second in ((3, 4), (9, 2), (5, 5))
]
GREEDY = {"do_sample": False}
SAMPLED = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}


@pytest.fixture(scope="module")
def demo() -> tuple[Any, Any]:
    return hugging_face.load_model("demo")


def inputs(tokenizer: Any, repeats: int = 6) -> Any:
    chats = [[{"role": "user", "content": question}] for question in QUESTIONS for _ in range(repeats)]
    return tokenizer.apply_chat_template(chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True)


def decoded(demo: tuple[Any, Any], **settings: Any) -> Any:
    model, tokenizer = demo
    torch.manual_seed(5)
    return GenerationMixin.generate(
        model,
        **inputs(tokenizer),
        max_new_tokens=60,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **settings,
    )


def lengths(tokenizer: Any, sequences: torch.Tensor) -> list[int]:
    """Tokens of each completion, its end among them."""
    completions = sequences[:, inputs(tokenizer)["input_ids"].shape[1] :].tolist()
    return [row.index(tokenizer.eos_token_id) + 1 if tokenizer.eos_token_id in row else len(row) for row in completions]


@pytest.mark.parametrize("settings", [GREEDY, SAMPLED, SAMPLED | {"top_p": 0.9, "repetition_penalty": 1.1}])
def test_the_tokens_are_those_of_transformers(demo: tuple[Any, Any], settings: dict[str, Any]) -> None:
    expected = decoded(demo, **settings)

    found = decoded(demo, **settings, custom_generate=decode_unfinished)

    assert len(set(lengths(demo[1], expected))) > 1, "rows end at different tokens"
    assert torch.equal(found, expected)


def test_equal_prompts_are_read_once_and_a_row_that_has_ended_is_calculated_no_further(demo: tuple[Any, Any]) -> None:
    model, tokenizer = demo
    rows: list[int] = []
    handle = model.register_forward_pre_hook(
        lambda module, arguments, named: rows.append(len(named["input_ids"])), with_kwargs=True
    )
    try:
        found = decoded(demo, **SAMPLED, custom_generate=decode_unfinished)
    finally:
        handle.remove()

    assert rows[0] == len(QUESTIONS)
    assert rows[1] == len(found)
    assert sum(rows[1:]) == sum(lengths(tokenizer, found)) - len(found)


def test_what_is_loaded_for_an_evaluation_decodes_so(demo: tuple[Any, Any]) -> None:
    assert demo[0].generate.keywords == {"custom_generate": decode_unfinished}


@pytest.mark.parametrize(
    "settings",
    [{"return_dict_in_generate": True, "output_scores": True}, {"cache_implementation": "static"}],
    ids=["scores are wanted", "a cache of fixed size"],
)
def test_where_rows_cannot_leave_transformers_decodes(demo: tuple[Any, Any], settings: dict[str, Any]) -> None:
    expected = decoded(demo, **SAMPLED, **settings)

    found = decoded(demo, **SAMPLED, **settings, custom_generate=decode_unfinished)

    if "output_scores" in settings:
        assert len(found.scores) == len(expected.scores)
        found, expected = found.sequences, expected.sequences
    assert torch.equal(found, expected)


def test_the_cache_that_rows_leave_is_one_that_grows(demo: tuple[Any, Any]) -> None:
    """What `decode_unfinished` asks for is what transformers makes unless told otherwise."""
    model, tokenizer = demo
    seen: list[Any] = []
    handle = model.register_forward_pre_hook(
        lambda module, arguments, named: seen.append(type(named["past_key_values"])), with_kwargs=True
    )
    try:
        model.generate(**inputs(tokenizer), max_new_tokens=2)
    finally:
        handle.remove()

    assert set(seen) == {DynamicCache}
