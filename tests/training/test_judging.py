"""Judges: what each is by its name and config.json, the steps that it scores, scores equal to what its model says by itself."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from training.errors import ModelError
from training.home import DEMO_MODEL, DEMO_PRM
from training.judging import scoring
from training.judging.judges import Judge, judge_named
from training.judging.scoring import likelihood_tokens, load_judge, step_tokens
from training.judging.steps import one_score, solution_steps

QUESTION = "How many apples are left?"
COMPLETION = "<reasoning>\nThere were 8+4=12 apples.\n12-3=9 are left.\n</reasoning>\n<answer>\n9\n</answer>"
STEPS = ("There were 8+4=12 apples.", "12-3=9 are left.", "9")


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
        ("<reasoning>\nOne.\n\nTwo.\n<answer>\n2", ("One.", "Two.", "2")),
        ("One.\n</reasoning>\n<answer>2</answer>", ("One.", "2")),
        ("One.\nSo \\boxed{2}.", ("One.", "So \\boxed{2}.")),
        ("One.\n#### 2", ("One.", "#### 2")),
        ("<answer>\n2\n</answer>\nOne more.", ("2",)),
        ("<reasoning>\n", ()),
        ("</answer>\nOne.", ()),
    ],
)
def test_the_steps_are_the_lines_up_to_the_answer(completion: str, steps: tuple[str, ...]) -> None:
    found = solution_steps(completion)
    assert tuple(step.text for step in found) == steps
    begin = 0
    for step in found:
        assert step.text in completion[begin : step.end], "where a step's line ends"
        assert completion[begin : step.end].endswith("\n") or step is found[-1]
        begin = step.end


def test_the_scores_of_steps_become_one() -> None:
    assert [one_score([0.5, 0.2, 0.8], kind) for kind in ("last", "min", "product")] == [0.8, 0.2, pytest.approx(0.08)]
    assert one_score([], "last") is None


def test_a_judge_is_recognised_by_the_class_in_its_config(tmp_path: Path) -> None:
    whole = save_tiny(AutoModelForSequenceClassification, tmp_path / "whole", 1)
    steps = save_tiny(AutoModelForTokenClassification, tmp_path / "steps", 2)
    assert judge_named(str(whole)) == Judge(str(whole), "outcome", str(whole))
    assert judge_named(str(steps)) == Judge(str(steps), "process", str(steps))
    assert judge_named("demo") == Judge("demo", "likelihood", str(DEMO_PRM))


def test_a_language_model_is_a_judge_by_how_it_is_asked() -> None:
    for asked in ("marks", "likelihood"):
        judge = judge_named(f"{asked}:demo")
        assert judge == Judge(f"{asked}:demo", asked, str(DEMO_MODEL))
        assert judge.scores_steps


def test_what_is_no_judge_is_refused_with_the_remedy(tmp_path: Path) -> None:
    three = save_tiny(AutoModelForTokenClassification, tmp_path / "three", 3)
    for name, problem in (
        (str(DEMO_MODEL), "is no judge: it is a LlamaForCausalLM"),
        (f"marks:{three}", "is no judge: it is a LlamaForTokenClassification"),
        ("marks:", "There is no"),
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
    parts = (QUESTION, STEPS[0], "\n", STEPS[1], "\n", STEPS[2], "\n")
    cut = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in parts]
    ids, ends = step_tokens(tokenizer, QUESTION, STEPS)
    assert ids == [token for part in cut for token in part]
    assert ends == [sum(map(len, cut[:number])) - 1 for number in (3, 5, 7)]
    with torch.inference_mode():
        expected = model(torch.tensor([ids])).logits[0, ends].softmax(-1)[:, 1].tolist()
    asked = [(QUESTION, COMPLETION), (QUESTION, "<answer></answer>"), (QUESTION, f"{STEPS[0]}\n")]
    three, none, one = load_judge(judge_named(str(folder)))(asked)
    assert three == pytest.approx(expected, abs=1e-5)
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
    assert [len(found) for found in score([(QUESTION, long), (QUESTION, COMPLETION)])] == [0, 3]


def test_a_judge_of_marks_is_asked_as_rlhflow_asks_its_own(tmp_path: Path) -> None:
    """As its prm_evaluate.py reads a judge: a conversation a step, answered by "+", at the third token from the end."""
    folder = save_tiny(AutoModelForCausalLM, tmp_path, 2)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    plus, minus = (tokenizer.encode(mark)[-1] for mark in "+-")
    conversation: list[dict[str, str]] = []
    expected = []
    for place, step in enumerate(STEPS):
        conversation.append({"role": "user", "content": step if place else f"{QUESTION} {step}"})
        conversation.append({"role": "assistant", "content": "+"})
        ids = tokenizer.apply_chat_template(conversation, return_tensors="pt", return_dict=False)
        with torch.inference_mode():
            expected.append(float(model(ids).logits[0, -3, [plus, minus]].softmax(-1)[0]))
    score = load_judge(judge_named(f"marks:{folder}"))
    found, none = score([(QUESTION, COMPLETION), (QUESTION, "")])
    assert found == pytest.approx(expected, abs=1e-5)
    assert none == []


def test_a_chat_template_that_rewrites_earlier_turns_is_refused(tmp_path: Path) -> None:
    folder = save_tiny(AutoModelForCausalLM, tmp_path, 2)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "{{ messages | length }}" + str(tokenizer.chat_template)
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match="changes earlier turns"):
        load_judge(judge_named(f"marks:{folder}"))([(QUESTION, COMPLETION)])


@pytest.mark.parametrize("template", [True, False])
def test_a_judge_of_likelihood_scores_up_to_the_end_of_each_step(tmp_path: Path, template: bool) -> None:
    """Against the model's loss, which is minus the mean logarithm of the probabilities."""
    folder = save_tiny(AutoModelForCausalLM, tmp_path, 2, template=template)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    if template:
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": QUESTION}], tokenize=False, add_generation_prompt=True
        )
    else:
        prompt = f"User: {QUESTION}\n\nAssistant:"
    begin = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    expected = []
    for text in (COMPLETION[: COMPLETION.index("12-3")], COMPLETION[: COMPLETION.index("</reasoning>")], COMPLETION):
        ids = torch.tensor([begin + tokenizer(text, add_special_tokens=False)["input_ids"]])
        labels = ids.clone()
        labels[:, : len(begin)] = -100
        with torch.inference_mode():
            expected.append(float(torch.exp(-model(ids, labels=labels).loss)))
    score = load_judge(judge_named(f"likelihood:{folder}"))
    found, none, one = score([(QUESTION, COMPLETION), (QUESTION, ""), (QUESTION, "9")])
    assert found == pytest.approx(expected, rel=1e-4)
    assert none == []
    assert len(one) == 1


def test_a_tokenizer_that_does_not_say_where_its_tokens_stand_is_refused() -> None:
    class Slow:
        def apply_chat_template(self, *_: Any, **__: Any) -> list[list[int]]:
            return [[1]]

        def __call__(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

    with pytest.raises(ModelError, match="where in a text its tokens stand") as refused:
        likelihood_tokens(Slow(), QUESTION, COMPLETION)
    assert "tokenizer.json" in refused.value.remedy


def test_few_completions_are_read_at_once_where_the_vocabulary_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = load_judge(judge_named("demo"))
    asked = [(QUESTION, COMPLETION), (QUESTION, "9"), (QUESTION, COMPLETION * 2)]
    together = score(asked)
    monkeypatch.setattr(scoring, "_LOGITS", 1)
    for one, alone in zip(together, score(asked), strict=True):
        assert one == pytest.approx(alone, rel=1e-4)
