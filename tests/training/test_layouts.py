"""Layouts of data sets: each is recognised by its columns, and mappings go over what is recognised."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.data.layouts import LAYOUTS
from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.errors import SourceError
from training.home import Home
from training.rewards import REWARDS
from training.rewards.rows import reward_row

QUESTION = "Ria has 4 jars with 6 shells each. How many shells?"
SOLUTION = "There are 4 * 6 = 24 shells."
HASHED = f"{SOLUTION}\n#### 24"
BOXED = "So there are $4 \\cdot 6 = \\boxed{24}$ shells."
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": QUESTION},
    {"role": "assistant", "content": HASHED},
]
WRAPPED = (
    "Solve the following math problem step by step. The last line of your response should be of the form Answer: $Answer "
    f"(without quotes) where $Answer is the answer to the problem.\n\n{QUESTION}\n\nRemember to put your answer on its own "
    'line after "Answer:".'
)
ENDING = ' Let\'s think step by step and output the final answer after "####".'
GENERATED = ["<think>long</think>"]

ROWS: dict[str, dict[str, Any]] = {
    "GSM8K as verl keeps it": {
        "data_source": "gsm8k",
        "prompt": [{"role": "user", "content": QUESTION + ENDING}],
        "reward_model": {"style": "rule", "ground_truth": "24"},
        "extra_info": {"split": "train", "index": 0, "answer": HASHED, "question": QUESTION},
    },
    "DAPO and verl": {
        "prompt": [{"role": "user", "content": WRAPPED}],
        "reward_model": {"style": "rule", "ground_truth": "24"},
        "extra_info": {"index": "a"},
    },
    "SVAMP": {
        "ID": "1",
        "Body": "Ria has 4 jars with 6 shells each.",
        "Question": "How many shells?",
        "Equation": "( 4 * 6 )",
        "Answer": 24.0,
    },
    "ASDiv": {
        "body": "Ria has 4 jars with 6 shells each.",
        "question": "How many shells?",
        "solution_type": "Multiplication",
        "answer": "24 (shells)",
        "formula": "4*6=24",
    },
    "GSM-Hard": {"input": QUESTION, "code": "def solution():\n    return 4 * 6", "target": 24.0},
    "MGSM": {"question": QUESTION, "answer": None, "answer_number": 24, "equation_solution": None},
    "AQuA-RAT": {"question": QUESTION, "options": ["A)10", "B)24"], "rationale": SOLUTION, "correct": "B"},
    "ARC": {"id": "1", "question": QUESTION, "choices": {"text": ["10", "24"], "label": ["A", "B"]}, "answerKey": "B"},
    "MMLU": {"question": QUESTION, "subject": "sums", "choices": ["10", "24"], "answer": 1},
    "GSM-Symbolic": {"id": 1, "instance": 3, "question": QUESTION, "answer": HASHED, "original_id": 7},
    "GSM-Plus": {"question": QUESTION, "solution": SOLUTION, "answer": "24", "perturbation_type": "digit expansion"},
    "gsm8k-synth": {"question": QUESTION, "solution": f"{SOLUTION} #### 24", "answer": 24.0, "program": ["4*6"]},
    "OpenR1-Math": {"problem": QUESTION, "solution": BOXED, "answer": "24", "generations": GENERATED},
    "MATH-500": {"problem": QUESTION, "solution": BOXED, "answer": "24", "subject": "Algebra", "level": 2},
    "MATH with its answers": {"problem": QUESTION, "solution": BOXED, "expected_answer": "24", "level": "Level 2"},
    "MATH": {"problem": QUESTION, "solution": BOXED, "level": "Level 2", "type": "Algebra"},
    "NuminaMath-CoT": {"source": "web", "problem": QUESTION, "solution": BOXED, "messages": TURNS},
    "NuminaMath-TIR": {"problem": QUESTION, "solution": BOXED, "messages": TURNS},
    "Big-Math": {"problem": QUESTION, "answer": "24", "domain": ["Algebra"], "llama8b_solve_rate": 0.5},
    "MetaMathQA": {"type": "GSM_Rephrased", "query": QUESTION, "response": f"{SOLUTION}\n#### 24\nThe answer is: 24"},
    "Countdown": {"target": 24, "nums": [4, 6, 1]},
    "Alpaca": {"instruction": QUESTION, "input": "", "output": f"{SOLUTION} So she has 24 shells."},
    "conversations with a solution": {"messages": TURNS[:-1], "solution": "\\boxed{24}"},
    "conversations (ChatML)": {"messages": TURNS},
    "conversations (ShareGPT)": {
        "conversations": [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": HASHED}],
    },
}

OTHERS: dict[str, tuple[str, str, str]] = {
    "AQuA-RAT": (f"{QUESTION}\nA)10\nB)24", "B", "choice"),
    "ARC": (f"{QUESTION}\nA. 10\nB. 24", "B", "choice"),
    "MMLU": (f"{QUESTION}\nA. 10\nB. 24", "B", "choice"),
    "Countdown": (
        "Using +, -, *, / and each of the numbers [4, 6, 1] exactly once, write an expression that equals 24.",
        "",
        "none",
    ),
}
"""Question, gold and its kind where they are not the usual ones."""

BY_NAMES: dict[str, dict[str, Any]] = {
    "GSM8K": {"question": QUESTION, "answer": HASHED},
    "GSM8K, Socratic": {"question": QUESTION, "answer": f"How many are there? ** {SOLUTION}\n#### 24"},
    "Orca-Math, or solutions that end in their number": {"question": QUESTION, "answer": f"{SOLUTION} So she has 24 shells."},
    "columns by their names": {"prompt": QUESTION, "ground_truth": "24", "difficulty": 0.3},
}


def load(folder: Path, rows: list[dict[str, Any]], options: str = "") -> ProblemSet:
    file = folder / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return load_problems(f"{file}{options}", Home(folder, "sqlite://", data=None))


def test_every_layout_has_a_row_here() -> None:
    assert list(ROWS) == [layout.name for layout in LAYOUTS]


@pytest.mark.parametrize("name", [*ROWS, *BY_NAMES])
def test_a_layout_is_recognised_and_gives_question_and_gold(name: str, tmp_path: Path) -> None:
    problem_set = load(tmp_path, [(ROWS | BY_NAMES)[name]])
    (problem,) = problem_set.problems
    assert problem_set.layout == name
    assert (problem.question, problem.gold, problem.gold_kind) == OTHERS.get(name, (QUESTION, "24", "number"))
    assert problem_set.read_as.casefold().startswith(f"{name.casefold()}: question from")


@pytest.mark.parametrize("name", [*ROWS, *BY_NAMES])
def test_a_layout_is_recognised_in_parquet_too(name: str, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [(ROWS | BY_NAMES)[name]] * 2
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    read, same = load_problems(str(tmp_path / "train.parquet")), load(tmp_path, rows)
    assert read.layout == name
    assert [(p.question, p.gold, p.steps) for p in read.problems] == [(p.question, p.gold, p.steps) for p in same.problems]


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("GSM8K as verl keeps it", (SOLUTION,)),
        ("GSM-Hard", ("def solution():", "return 4 * 6")),
        ("GSM-Plus", (SOLUTION,)),
        ("gsm8k-synth", (SOLUTION,)),
        ("MATH", (BOXED,)),
        ("Big-Math", ()),
        ("conversations (ChatML)", (SOLUTION,)),
    ],
)
def test_the_reference_solution_has_steps_and_a_bare_answer_has_none(name: str, steps: tuple[str, ...], tmp_path: Path) -> None:
    assert load(tmp_path, [ROWS[name]]).problems[0].steps == steps


def test_short_columns_travel_along_and_long_ones_do_not(tmp_path: Path) -> None:
    row = {"problem": QUESTION, "answer": "24", "domain": ["Algebra", "Sums"], "rate": 0.5, "easy": True, "empty": ""}
    columns = (
        load(tmp_path, [row | {"edge": "x" * 200, "long": "x" * 201, "inner": {"a": 1}, "null": None}]).problems[0].columns
    )
    assert columns == {"domain": "Algebra; Sums", "rate": 0.5, "easy": True, "edge": "x" * 200}


def test_the_numbers_of_which_a_question_is_made_travel_along_for_rewards(tmp_path: Path) -> None:
    (problem,) = load(tmp_path, [ROWS["Countdown"]]).problems
    assert problem.columns == {"target": 24, "nums": (4, 6, 1)}
    scores = [
        REWARDS["countdown"].score_all([f"<answer>{answer}</answer>"], [""], [reward_row(problem, problem.question)])
        for answer in ("4 * 6 * 1", "4 * 6")
    ]
    assert scores == [[1.0], [0.0]]


def test_columns_that_say_nothing_are_an_error_that_names_them(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no columns that are known: 'alpha, beta'") as raised:
        load(tmp_path, [{"alpha": QUESTION, "beta": "24"}])
    assert "question=" in raised.value.remedy


def test_several_texts_of_a_problem_are_no_reference_solution(tmp_path: Path) -> None:
    """As in a file of samples: they are what a model wrote."""
    rows = [
        {"question": f"{QUESTION} ({n})", "gt": "24", "response": ["It is 24.", "No, 25."], "score": [1, 0]} for n in range(4)
    ]
    problem_set = load(tmp_path, rows)
    assert {problem.gold for problem in problem_set.problems} == {"24"}
    assert all(problem.steps == () for problem in problem_set.problems)


def test_the_case_of_a_column_s_name_does_not_matter(tmp_path: Path) -> None:
    assert load(tmp_path, [{"Question": QUESTION, "Answer": "24"}]).problems[0].gold == "24"


@pytest.mark.parametrize(
    ("row", "options", "question", "gold"),
    [
        ({"alpha": QUESTION, "beta": "24"}, "question=alpha&gold=beta", QUESTION, "24"),
        (
            {"Story": "Ria has 4.", "Ask": "How many?", "beta": 4},
            "question={Story} {Ask}&gold=beta",
            "Ria has 4. How many?",
            "4",
        ),
        ({"n": 4, "xs": [1, 2], "beta": 3}, "question=Make {n} from {xs}.&gold=beta", "Make 4 from [1, 2].", "3"),
        ({"a": {"b": {"q": QUESTION}}, "c": {"g": "24"}}, "question=a.b.q&gold=c.g", QUESTION, "24"),
        ({"a.b": QUESTION, "c": "24"}, "question=a.b&gold=c", QUESTION, "24"),
        ({"chat": TURNS}, "question=chat.user&solution=chat.assistant", QUESTION, "24"),
        ({"alpha": QUESTION, "beta": "so [24] it is"}, r"question=alpha&gold=beta&found=/\[(\d+?)\]/", QUESTION, "24"),
        ({"alpha": QUESTION, "beta": BOXED}, "question=alpha&gold=beta&found=box", QUESTION, "24"),
        ({"alpha": QUESTION, "beta": HASHED}, "question=alpha&solution=beta&found=number", QUESTION, "24"),
        ({"alpha": QUESTION}, "question=alpha&gold=none", QUESTION, ""),
        ({"alpha": f"Q: {QUESTION}", "beta": 24}, "question=alpha&gold=beta&cut=^Q:\\s", QUESTION, "24"),
        ({"alpha": QUESTION, "beta": "3,5"}, "question=alpha&gold=beta&decimal=comma", QUESTION, "3.5"),
        ({"question": QUESTION, "answer": "no", "key": "24"}, "gold=key", QUESTION, "24"),
        ({"problem": QUESTION, "solution": BOXED, "level": "1", "type": "x", "key": 7}, "gold=key", QUESTION, "7"),
    ],
)
def test_a_mapping_says_where_question_and_gold_are(
    row: dict[str, Any], options: str, question: str, gold: str, tmp_path: Path
) -> None:
    problem_set = load(tmp_path, [row], f"?{options}")
    (problem,) = problem_set.problems
    assert (problem.question, problem.gold) == (question, gold)
    assert problem_set.layout == "a mapping"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("question=gamma&gold=beta", "the key 'gamma' is missing"),
        ("question=alpha&gold=gamma", "the key 'gamma' is missing"),
        ("question=alpha&gold=beta&found=/x(.)/", "nothing matches /x(.)/"),
        ("question=alpha.user&gold=number", "the key 'number' is missing"),
        ("question=number&gold=beta", "'number' is not text"),
    ],
)
def test_a_row_that_a_mapping_does_not_fit_says_why(options: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as raised:
        load(tmp_path, [{"alpha": QUESTION, "beta": "24", "number" if "gold=number" not in options else "n": 5}], f"?{options}")
    assert f"train.jsonl:1: {reason}" in str(raised.value)


@pytest.mark.parametrize(
    ("row", "question", "gold"),
    [
        ({"instruction": "Add.", "input": "2 + 3", "output": "5"}, "Add.\n2 + 3", "5"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Add?"}]}], "solution": "5"}, "Add?", "5"),
        ({"question": "Add?", "solution": ["First.", "Then 5."], "final_answer": ["5"]}, "Add?", "5"),
        ({"Question": "Add?", "Correct Answer": "5", "Explanation": "As 7 is too much."}, "Add?", "5"),
        ({"prompt": [{"role": "user", "content": "Add?"}], "reward_model": {"ground_truth": '["5"]'}}, "Add?", "5"),
    ],
)
def test_texts_in_parts_and_lists_of_one_answer_are_read(row: dict[str, Any], question: str, gold: str, tmp_path: Path) -> None:
    (problem,) = load(tmp_path, [row]).problems
    assert (problem.question, problem.gold) == (question, gold)


@pytest.mark.parametrize("answer", [200, -1])
def test_a_choice_that_there_is_not_is_no_answer(answer: int, tmp_path: Path) -> None:
    rows = [ROWS["MMLU"], ROWS["MMLU"] | {"answer": answer}]
    (rejection,) = load(tmp_path, rows).rejected
    assert "the number of its choice is out of range" in str(rejection)


def test_a_turn_that_shows_more_than_text_is_no_question(tmp_path: Path) -> None:
    parts = [{"type": "image", "image": "a.png"}, {"type": "text", "text": "How many?"}]
    with pytest.raises(SourceError, match=r"'messages\.user' is not text"):
        load(tmp_path, [{"messages": [{"role": "user", "content": parts}], "solution": "5"}])


def test_how_solutions_fall_into_steps_can_be_said(tmp_path: Path) -> None:
    row = {"question": QUESTION, "solution": "First 4. Then 6.\nSo 24.", "answer": "24"}
    counts = [len(load(tmp_path, [row], f"?steps={kind}").problems[0].steps) for kind in ("lines", "sentences", "latex")]
    assert counts == [2, 3, 3]
