"""Judges: what each is by its config.json, the steps that it scores, and scores equal to what its model says by itself."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer

from training.errors import ModelError
from training.home import DEMO_MODEL
from training.judging.judges import Judge, judge_named
from training.judging.scoring import load_judge, step_tokens
from training.judging.steps import one_score, reasoning_steps

QUESTION = "How many apples are left?"
COMPLETION = "<reasoning>\nThere were 8+4=12 apples.\n12-3=9 are left.\n</reasoning>\n<answer>\n9\n</answer>"
STEPS = ("There were 8+4=12 apples.", "12-3=9 are left.")


def save_tiny(kind: Any, folder: Path, labels: int, *, template: bool = True) -> Path:
    """A classifier of a few hundred thousand random weights, with the demo's tokenizer."""
    torch.manual_seed(1)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = AutoConfig.from_pretrained(DEMO_MODEL, num_labels=labels, **small, num_key_value_heads=2, head_dim=16)
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    tokenizer.chat_template = tokenizer.chat_template if template else None
    config.pad_token_id = tokenizer.pad_token_id
    kind.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("completion", "steps"),
    [
        (COMPLETION, STEPS),
        ("<reasoning>\nOne.\n\nTwo.\n<answer>\n2", ("One.", "Two.")),
        ("One.\n</reasoning>\n<answer>2</answer>", ("One.",)),
        ("One.\nSo \\boxed{2}.", ("One.", "So \\boxed{2}.")),
        ("One.\n#### 2", ("One.",)),
        ("<reasoning>\n", ()),
        ("</answer>\nOne.", ()),
    ],
)
def test_the_steps_are_the_lines_before_the_answer(completion: str, steps: tuple[str, ...]) -> None:
    assert reasoning_steps(completion) == steps


def test_the_scores_of_steps_become_one() -> None:
    assert [one_score([0.5, 0.2, 0.8], kind) for kind in ("last", "min", "product")] == [0.8, 0.2, pytest.approx(0.08)]
    assert one_score([], "last") is None


def test_a_judge_is_recognised_by_the_class_in_its_config(tmp_path: Path) -> None:
    whole = save_tiny(AutoModelForSequenceClassification, tmp_path / "whole", 1)
    steps = save_tiny(AutoModelForTokenClassification, tmp_path / "steps", 2)
    assert judge_named(str(whole)) == Judge(str(whole), "outcome", 1)
    assert judge_named(str(steps)) == Judge(str(steps), "process", 2)
    assert judge_named("demo") == Judge("demo", "process", 2)


def test_what_is_no_judge_is_refused_with_the_remedy(tmp_path: Path) -> None:
    three = save_tiny(AutoModelForTokenClassification, tmp_path / "three", 3)
    for name, problem in (
        (str(DEMO_MODEL), "is no judge: it is a LlamaForCausalLM"),
        (str(three), "has 3 labels"),
        (str(tmp_path), "config.json"),
        (str(tmp_path / "nowhere"), "There is no folder"),
    ):
        with pytest.raises(ModelError, match=problem) as refused:
            judge_named(name)
        assert refused.value.remedy


def test_a_process_judge_scores_the_line_break_behind_each_step(tmp_path: Path) -> None:
    """As TRL's PRMTrainer cuts and labels: prompt, then step and separator one by one, the label at the separator."""
    folder = save_tiny(AutoModelForTokenClassification, tmp_path, 2)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForTokenClassification.from_pretrained(folder).eval()
    cut = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (QUESTION, STEPS[0], "\n", STEPS[1], "\n")]
    ids, ends = step_tokens(tokenizer, QUESTION, STEPS)
    assert ids == [token for part in cut for token in part]
    assert ends == [sum(map(len, cut[:3])) - 1, len(ids) - 1]
    with torch.inference_mode():
        expected = model(torch.tensor([ids])).logits[0, ends].softmax(-1)[:, 1].tolist()
    asked = [(QUESTION, COMPLETION), (QUESTION, "<answer>9</answer>"), (QUESTION, f"{STEPS[0]}\n")]
    two, none, one = load_judge(judge_named(str(folder)))(asked)
    assert two == pytest.approx(expected, abs=1e-5)
    assert none == []
    assert one == pytest.approx(expected[:1], abs=1e-5), "what follows a step does not change its score"


@pytest.mark.parametrize("labels", [1, 2])
@pytest.mark.parametrize("template", [True, False])
def test_an_outcome_judge_scores_whole_completions_the_same_in_any_batch(tmp_path: Path, labels: int, template: bool) -> None:
    folder = save_tiny(AutoModelForSequenceClassification, tmp_path, labels, template=template)
    score = load_judge(judge_named(str(folder)))
    asked = [(QUESTION, COMPLETION), (QUESTION, "9"), (QUESTION, COMPLETION * 3)]
    together = score(asked)
    assert [len(one) for one in together] == [1, 1, 1]
    assert all(0 < value < 1 for (value,) in together)
    for one, alone in zip(together, (score([pair])[0] for pair in asked), strict=True):
        assert one == pytest.approx(alone, abs=1e-5)


def test_a_completion_longer_than_the_judge_reads_has_no_score(tmp_path: Path) -> None:
    score = load_judge(judge_named(str(save_tiny(AutoModelForTokenClassification, tmp_path, 2))))
    long = "\n".join(["1+1=2."] * 200)
    assert [len(found) for found in score([(QUESTION, long), (QUESTION, COMPLETION)])] == [0, 2]
