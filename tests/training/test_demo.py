"""The demo data set and the demo model: what the generator promises, and that the shipped files are what it makes."""

import json
import random
import re
from collections import Counter, defaultdict

import pytest
import torch

from training.data.problems import load_problems
from training.demo import pretrain, process_rewards
from training.demo.lessons import drill, reference_completion
from training.demo.moves import START
from training.demo.stories import LIMIT, MOVES, THEMES, can_tell, draw_story
from training.demo.word_problems import DEMO_SEED, WordProblem, demo_splits, generate, to_jsonl
from training.engines.hugging_face import complete, load_model
from training.home import DEMO_DATA, DEMO_MODEL, DEMO_PRM
from training.judging.judges import judge_named
from training.judging.scoring import load_judge
from training.judging.steps import solution_steps
from training.presets import load_preset
from training.prompts import Prompting
from training.rewards import REWARDS, extract_answer, soft_correctness

PROBLEMS = generate(1500, seed=11)
STORIES = [draw_story(rng) for rng in [random.Random(3)] for _ in range(3000)]


@pytest.fixture(scope="module")
def splits():
    return demo_splits()


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


def test_every_problem_reads_as_sentences_without_leftovers():
    for problem in PROBLEMS:
        text = f"{problem.question} {problem.answer} {problem.unit}"
        assert not re.search(r"[@{}|\[\]]|  | [.?]|\ba [aeo]", text), text
        assert all(part[0].isupper() or part[0].isdigit() for part in re.split(r"(?<=[.?]) ", problem.question))
        assert problem.question.endswith("?")


def test_every_sentence_of_every_theme_belongs_to_a_move_and_every_move_is_told():
    told = {told.move.name for story in STORIES for told in story.chain}
    assert told == set(MOVES)
    assert all(set(theme.says) | theme.without | theme.often <= set(MOVES) for theme in THEMES.values())
    assert all(can_tell(THEMES[story.theme], told.move) for story in STORIES for told in story.chain)


def test_there_are_many_themes_and_many_structures_in_several_of_them(splits):
    themes: dict[str, set[str]] = defaultdict(set)
    for problem in (problem for problems in splits.values() for problem in problems):
        themes[problem.structure].add(problem.theme)
    assert len(THEMES) >= 16
    assert {"ages", "family"} <= set(THEMES)
    assert sum(len(names) >= 4 for names in themes.values()) >= 40


def test_step_counts_have_gsm8k_proportions_in_every_theme():
    steps = Counter(len(problem.steps) for problem in PROBLEMS)
    shares = [steps[n] / len(PROBLEMS) for n in range(2, 9)]
    assert shares == pytest.approx([0.26, 0.29, 0.22, 0.13, 0.06, 0.03, 0.01], abs=0.03)
    for theme in THEMES:
        lengths = [len(problem.steps) for problem in PROBLEMS if problem.theme == theme]
        assert sum(lengths) / len(lengths) == pytest.approx(3.6, abs=0.6)


def test_a_story_calculates_with_what_the_move_before_gave():
    for story in STORIES:
        start, *others = story.chain
        assert start.move.takes == START
        kind, value = start.move.gives, start.numbers["w" if start.move.lines else "a"]
        for told in others:
            assert (told.move.takes, told.numbers["v"]) == (kind, value)
            kind, value = told.move.gives, told.numbers["w"]


def test_generation_repeats_from_its_seed_and_changes_with_it():
    assert generate(50, seed=5) == generate(50, seed=5)
    assert generate(50, seed=5) != generate(50, seed=6)


def test_no_question_occurs_twice_or_in_both_splits(splits):
    questions = [problem.question for problems in splits.values() for problem in problems]
    assert len(questions) == len(set(questions)) == 2400


def test_excluded_questions_are_not_generated():
    first = {problem.question for problem in generate(40, seed=DEMO_SEED)}
    assert not first & {problem.question for problem in generate(40, seed=DEMO_SEED, exclude=first)}


@pytest.mark.parametrize("split", ["train", "test"])
def test_shipped_files_are_what_the_generator_writes(split, splits):
    assert (DEMO_DATA / f"{split}.jsonl").read_text(encoding="utf-8") == to_jsonl(splits[split])


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
    completions = [(reference_completion(problem, rng), problem.gold) for problem in PROBLEMS]
    assert all(soft_correctness(text, gold) == 1.0 for text, gold in completions)
    hard = sum(extract_answer(text) == gold for text, gold in completions) / len(completions)
    strict = sum(REWARDS["strict_format"].score(text, gold) == 0.5 for text, gold in completions) / len(completions)
    assert 0.25 < hard < 0.5
    assert 0.6 < strict < 0.9


def test_drills_calculate_right_with_small_whole_numbers():
    rng = random.Random(0)
    calculations = [pair for _ in range(200) for pair in drill(rng)]
    assert {next(symbol for symbol in "+-*/" if symbol in text) for text, _ in calculations} == set("+-*/")
    for text, result in calculations:
        assert eval(text.rstrip("=$")) == int(result)
        assert 2 <= int(result) <= LIMIT


@pytest.fixture(scope="module")
def demo_model():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL, local_files_only=True)
    return AutoModelForCausalLM.from_pretrained(DEMO_MODEL, local_files_only=True), tokenizer


def test_shipped_weights_are_small():
    assert (DEMO_MODEL / "model.safetensors").stat().st_size < 12_000_000


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


def test_shipped_model_reasons_between_the_tags_and_often_calculates_right(demo_model, splits):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on busy cores many threads wait for each other at every one of these small operations
    model, tokenizer = demo_model
    scores = pretrain.measure(model, tokenizer, splits["test"][:24], sample=False)
    torch.set_num_threads(threads)
    assert scores["soft_correctness"] > 0.5
    assert scores["correctness"] < scores["soft_correctness"] - 0.2
    assert scores["soft_format"] > 0.3


def test_the_card_names_the_mixed_formats_and_no_machine():
    card = (DEMO_MODEL / "README.md").read_text(encoding="utf-8")
    assert "mixed answer formats on purpose" in card
    assert "/work/" not in card
    assert "/tmp/" not in card


@pytest.fixture
def posters():
    """A problem of two steps and an answer."""
    answer = "He got 8*8=<<8*8=64>>64 posters.\nHe needed 92-64=<<92-64=28>>28 more.\n#### 28"
    return WordProblem("How many more?", answer, "posters", "rate > lack", "posters")


def test_a_step_is_right_as_long_as_all_results_are_the_references(posters):
    assert process_rewards.labels([*posters.steps, "28 posters"], posters) == [True, True, True]
    assert process_rewards.labels(["In all 8*8=64.", "Then 92-64=38.", "38", "28"], posters) == [True, False, False, False]
    assert process_rewards.labels([posters.steps[0], "64"], posters) == [True, False], "a step that was left out"


@pytest.mark.parametrize(
    ("completion", "up_to"),
    [
        ("<reasoning>\nIn all 8*8=64.\nThen 92-64=28.\n</reasoning>\n<answer>\n28\n</answer>", None),
        ("<reasoning>\nIn all 8*8=64.\nThen 92-64=38.\n</reasoning>\n<answer>\n28\n</answer>", "Then 92-64=3"),
        ("In all 8*8=64.\nThen 92-64=281.\n<answer>28</answer>", "Then 92-64=281"),
        ("In all 8*8=64.\n<answer>64</answer>", "<answer>6"),
        ("In all 8*8=64.\nThen 92-64=28.\n<answer>29</answer>", "<answer>29"),
        ("In all 8*8=64.\nThen some more.\n<answer>28</answer>", "Then some more."),
    ],
)
def test_a_slip_ends_with_the_first_digit_that_is_another(posters, completion, up_to):
    end = process_rewards.slip_end(completion, posters)
    assert (end is None) == (up_to is None)
    assert up_to is None or completion[:end].endswith(up_to)


def test_a_slip_is_learnt_where_it_is_made_and_nothing_behind_it(posters):
    tokenizer = load_model("demo")[1]
    completion = "In all 8*8=64.\nThen 92-64=38.\n<answer>28</answer>"
    ids, targets = process_rewards._row(posters, completion, tokenizer)
    assert len(ids) == len(targets)
    learnt = [(tokenizer.decode(token), target) for token, target in zip(ids, targets, strict=True) if target >= 0]
    assert "".join(text for text, _ in learnt) == "In all 8*8=64.\nThen 92-64=3"
    assert [target for _, target in learnt] == [1] * (len(learnt) - 1) + [0]


def test_right_and_wrong_steps_are_told_apart_by_the_area_under_the_curve():
    assert process_rewards.told_apart([(0.9, True), (0.1, False)]) == 1.0
    assert process_rewards.told_apart([(0.5, True), (0.5, False), (0.9, False)]) == 0.25


def test_the_shipped_judge_is_small_and_tells_right_steps_of_the_demo_model_from_wrong_ones(splits):
    """By the chance that a right step scores higher than a wrong one, on problems that it has not seen."""
    assert sum(file.stat().st_size for file in DEMO_PRM.iterdir()) < 7_000_000
    asked = [problem for problem in splits["test"][:32] for _ in range(2)]
    torch.manual_seed(5)
    prompts = [Prompting().messages(problem.question) for problem in asked]
    texts = [text for text, _ in complete(*load_model("demo"), prompts, 160, 1.0)]
    steps = [[step.text for step in solution_steps(text)] for text in texts]
    right = [process_rewards.labels(found, one) for one, found in zip(asked, steps, strict=True)]
    score = load_judge(judge_named("demo"))
    scores = score([(one.question, text) for one, text in zip(asked, texts, strict=True)])
    scored = [pair for pairs in zip(scores, right, strict=True) for pair in zip(*pairs, strict=True)]
    assert process_rewards.told_apart(scored) > 0.8


def test_the_judges_card_names_what_it_was_measured_on_and_no_machine():
    card = (DEMO_PRM / "README.md").read_text(encoding="utf-8")
    assert "none of the demo's test split" in " ".join(card.split())
    assert "chance that a right step scores higher" in card
    assert "/work/" not in card
    assert "/tmp/" not in card


@pytest.mark.parametrize("name", ["demo", "demo-collapse"])
def test_demo_presets_run_anywhere_from_what_ships(name):
    config = load_preset(name)
    assert (config.model, config.source, config.engine, config.load_in_4bit) == ("demo", "demo", "transformers", False)


def test_the_collapse_preset_pays_more_for_an_integer_than_for_the_right_one():
    rewards = load_preset("demo-collapse").reward_weights
    assert rewards["integer"] * REWARDS["integer"].maximum > 4 * (rewards["correctness"] + rewards["soft_correctness"])
