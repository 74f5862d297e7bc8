"""The demo data set and the demo model: what the generator promises, and that the shipped files are what it makes."""

import json
import random
import re
from collections import Counter

import pytest
import torch

from training.demo import pretrain
from training.demo.templates import OPENERS, TEMPLATES
from training.demo.word_problems import DEMO_SEED, LIMIT, demo_splits, generate, render, to_jsonl
from training.home import DEMO_DATA, DEMO_MODEL
from training.problems import load_problems
from training.rewards import REWARDS, extract_answer, soft_correctness

PROBLEMS = generate(1500, seed=11)


def test_every_annotation_is_right():
    for problem in PROBLEMS:
        for shown, expression, result, written in re.findall(r"(\S+)=\$?<<([^=]+)=(\d+)>>(\d+)", problem.answer):
            assert shown == expression
            assert result == written
            assert eval(expression) == int(result), problem.answer


def test_every_solution_line_has_one_annotation_and_the_last_one_is_the_answer():
    for problem in PROBLEMS:
        *lines, last = problem.answer.split("\n")
        assert all(line.count("<<") == 1 for line in lines)
        assert last == f"#### {problem.gold}"
        assert lines[-1].partition(">>")[2].startswith(problem.gold)


def test_results_are_small_whole_numbers():
    results = [int(number) for problem in PROBLEMS for number in re.findall(r">>(\d+)", problem.answer)]
    assert min(results) >= 2
    assert max(results) <= LIMIT


def test_every_template_renders_without_leftovers():
    for name, template in TEMPLATES.items():
        problem = render(template, random.Random(name))
        assert not re.search(r"[@{}|\[\]]", problem.question + problem.answer), problem
        assert problem.question[0].isupper() or problem.question[0].isdigit()
        assert problem.question.endswith("?")


def test_there_are_many_themes_and_templates_and_every_theme_has_openers():
    themes = Counter(template.theme for template in TEMPLATES.values())
    assert len(TEMPLATES) >= 40
    assert len(themes) >= 12
    assert min(themes.values()) >= 3
    assert set(themes) == set(OPENERS)
    assert themes["ages"] >= 5


def test_step_counts_have_roughly_gsm8k_proportions():
    steps = Counter(len(problem.steps) for problem in PROBLEMS)
    assert set(steps) == set(range(2, 9))
    assert 0.7 < sum(steps[n] for n in (2, 3, 4)) / len(PROBLEMS) < 0.9


def test_generation_repeats_from_its_seed_and_changes_with_it():
    assert generate(50, seed=5) == generate(50, seed=5)
    assert generate(50, seed=5) != generate(50, seed=6)


def test_no_question_occurs_twice_or_in_both_splits():
    questions = [problem.question for problems in demo_splits().values() for problem in problems]
    assert len(questions) == len(set(questions)) == 2400


def test_excluded_questions_are_not_generated():
    first = {problem.question for problem in generate(40, seed=DEMO_SEED)}
    assert not first & {problem.question for problem in generate(40, seed=DEMO_SEED, exclude=first)}


@pytest.mark.parametrize("split", ["train", "test"])
def test_shipped_files_are_what_the_generator_writes(split):
    assert (DEMO_DATA / f"{split}.jsonl").read_text(encoding="utf-8") == to_jsonl(demo_splits()[split])


def test_the_program_reads_every_demo_problem():
    demo = load_problems("demo")
    assert len(demo.problems) == 2400
    assert not demo.rejected
    assert all(len(problem.equations) == len(problem.steps) for problem in demo.problems)


def test_rows_have_only_question_and_answer():
    row = json.loads((DEMO_DATA / "test.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert list(row) == ["question", "answer"]


def test_reference_completions_are_right_in_mixed_formats():
    rng = random.Random(0)
    completions = [(pretrain.reference_completion(problem, rng), problem.gold) for problem in PROBLEMS]
    assert all(soft_correctness(text, gold) == 1.0 for text, gold in completions)
    hard = sum(extract_answer(text) == gold for text, gold in completions) / len(completions)
    strict = sum(REWARDS["strict_format"].score(text, gold) == 0.5 for text, gold in completions) / len(completions)
    assert 0.25 < hard < 0.5
    assert 0.6 < strict < 0.9


@pytest.fixture(scope="module")
def demo_model():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL, local_files_only=True)
    return AutoModelForCausalLM.from_pretrained(DEMO_MODEL, local_files_only=True), tokenizer


def test_shipped_weights_are_small():
    assert (DEMO_MODEL / "model.safetensors").stat().st_size < 10_000_000


def test_shipped_model_loads_in_float32(demo_model):
    model, _ = demo_model
    assert {str(p.dtype) for p in model.parameters()} == {"torch.float32"}


def test_chat_template_renders_the_system_prompt_as_one_token(demo_model):
    _, tokenizer = demo_model
    ids = pretrain.encode_prompt(tokenizer, "How many?")
    assert ids[1] == tokenizer.convert_tokens_to_ids(pretrain.SYSTEM_PROMPT)
    assert tokenizer.decode(ids).endswith("<|user|>How many?<|end|><|assistant|>")


def test_tokens_spell_any_text_and_digits_stand_alone(demo_model):
    _, tokenizer = demo_model
    text = "Zoë's 1234 naïve €5 kites\n\tcost $60.5?"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert all(len(re.sub(r"\D", "", tokenizer.decode([token]))) <= 1 for token in range(len(tokenizer)))


def test_shipped_model_reasons_between_the_tags_and_often_calculates_right(demo_model):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on busy cores many threads wait for each other at every one of these small operations
    model, tokenizer = demo_model
    scores = pretrain.measure(model, tokenizer, demo_splits()["test"][:24], sample=False)
    torch.set_num_threads(threads)
    assert scores["soft_correctness"] > 0.5
    assert scores["correctness"] < scores["soft_correctness"] - 0.2
    assert scores["soft_format"] > 0.3


def test_the_card_names_the_mixed_formats_and_no_machine():
    card = (DEMO_MODEL / "README.md").read_text(encoding="utf-8")
    assert "mixed answer formats on purpose" in card
    assert "/work/" not in card
    assert "/tmp/" not in card
