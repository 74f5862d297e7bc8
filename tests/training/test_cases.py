"""Inputs made after public bug reports, which are not part of the project: what is read of each, and how each is scored."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.fakes import full_demo_run
from training.__main__ import main
from training.data.duplicates import repeats
from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.errors import RewardError, SourceError
from training.home import Home
from training.preflight import preflight
from training.rewards import REWARDS, score_completion
from training.rewards.own import register_own_rewards
from training.store import Store

GSM8K = "GSM8K"


@pytest.fixture(scope="module")
def cases() -> Path:
    folder = Path(__file__).resolve().parents[3] / "shared" / "cases"
    if not folder.is_dir():
        pytest.skip(f"the cases do not lie in {folder}")
    return folder


@pytest.fixture
def registry() -> Iterator[None]:
    before = dict(REWARDS)
    yield
    REWARDS.clear()
    REWARDS.update(before)


READ = {
    "d01-wrong-gold": (GSM8K, 9, 3, "48"),
    "d02-duplicates": (GSM8K, 120, 10, "48"),
    "d03-operators": (GSM8K, 10, 10, "9"),
    "d04-decimal-comma": (GSM8K, 1, 0, "1002"),
    "d05-scripts": (GSM8K, 12, 3, "8"),
    "e01-tsv": (GSM8K, 14, 4, "1"),
    "f01-numinamath-tir": ("NuminaMath-TIR", 6, 0, "48"),
    "f02-hub-layout-gsm8k-rows": (GSM8K, 4, 2, "48"),
    "f02-openr1-hub-layout": ("OpenR1-Math", 6, 0, "48"),
    "f02-openr1-hub-layout/data/train-00000-of-00001.jsonl": ("OpenR1-Math", 6, 0, "48"),
    "f03-dapo": ("DAPO and verl", 120, 0, "48"),
    "f04-verl-gsm8k": ("GSM8K as verl keeps it", 4, 2, "48"),
    "f05-math-500": ("MATH-500", 0, 5, r"\frac{3}{4}"),
    "f06-metamathqa": ("MetaMathQA", 6, 0, "48"),
    "f07-orca-math": ("Orca-Math, or solutions that end in their number", 6, 0, "48"),
    "f08-big-math": ("Big-Math", 6, 0, "48"),
    "f09-gsm-plus": ("GSM-Plus", 0, 6, "48"),
    "f09-test-and-testmini": (GSM8K, 0, 6, "48"),
    "f10-gsm-symbolic": ("GSM-Symbolic", 40, 0, "12"),
    "f11-grade-school-math": (GSM8K, 4, 2, "48"),
    "f12-csv": ("columns by their names", 4, 2, "48"),
    "f12-csv-gsm8k": (GSM8K, 6, 0, "48"),
    "f13-chat/messages.jsonl": ("conversations with a solution", 6, 0, "48"),
    "f13-chat/sharegpt.jsonl": ("conversations (ShareGPT)", 6, 0, "48"),
    "f14-mgsm/de": ("MGSM", 1, 1, "8"),
    "f14-mgsm/zh": ("MGSM", 0, 1, "8"),
    "f14-mgsm/bn": ("MGSM", 0, 1, "8"),
    "f14-mgsm/ru": ("MGSM", 0, 1, "8"),
    "f14-mgsm/mgsm_de.tsv": ("columns by their names", 1, 0, "8"),
    "f14-mgsm/mgsm_bn.tsv": ("columns by their names", 1, 0, "8"),
    "f15-countdown": ("Countdown", 3, 0, ""),
    "f16-numbers/int_answer.jsonl": ("columns by their names", 6, 0, "48"),
    "f16-numbers/float_answer.jsonl": ("columns by their names", 6, 0, "48"),
    "f16-numbers/svamp.jsonl": ("SVAMP", 3, 0, "5"),
    "f16-numbers/gsm_hard.jsonl": ("GSM-Hard", 2, 0, "39286936"),
    "f17-pandas/columns.json": (GSM8K, 6, 0, "48"),
    "f17-pandas/records.json": (GSM8K, 6, 0, "48"),
    "f17-pandas/array-in.jsonl": (GSM8K, 6, 0, "48"),
    "f18-gsm8k-synth": ("gsm8k-synth", 6, 0, "48"),
    "f19-bare-answer": ("columns by their names", 6, 0, "48"),
    "f20-one-file.jsonl": (GSM8K, 2, 1, "48"),
    "f20-prefixed": (GSM8K, 4, 2, "48"),
    "f20-prefixed/gsm8k_test.jsonl": (GSM8K, 0, 2, "69"),
    "f20-splits": (GSM8K, 3, 2, "48"),
    "f21-half-rejected": (GSM8K, 13, 8, "48"),
    "l01-changed/before": (GSM8K, 16, 4, "48"),
}
"""Input -> its layout, train and test problems, and the first gold answer."""

LEFT_OUT = {
    "d04-decimal-comma": (3, 0),
    "f09-gsm-plus": (1, 1),
    "f09-test-and-testmini": (0, 1),
    "f11-grade-school-math": (0, 3),
    "f20-one-file.jsonl": (3, 0),
    "f20-splits": (0, 1),
    "f21-half-rejected": (1, 0),
}
"""Input -> rows that are rejected, and files that are passed over."""


def summary(problem_set: ProblemSet) -> tuple[str, int, int, str]:
    train, test = problem_set.of_split("train"), problem_set.of_split("test")
    return problem_set.layout, len(train), len(test), problem_set.problems[0].gold


@pytest.mark.parametrize("name", READ)
def test_an_input_is_read_and_what_is_left_out_is_counted(name: str, cases: Path, home: Home) -> None:
    problem_set = load_problems(str(cases / name), home)
    assert summary(problem_set) == READ[name]
    assert (len(problem_set.rejected), len(problem_set.left_out)) == LEFT_OUT.get(name, (0, 0))
    assert load_problems(problem_set.source, home).content_hash == problem_set.content_hash


@pytest.mark.parametrize("name", ["f13-chat", "f14-mgsm", "f16-numbers", "f17-pandas", "l01-changed"])
def test_a_folder_of_several_data_sets_names_them(name: str, cases: Path, home: Home) -> None:
    with pytest.raises(SourceError) as raised:
        load_problems(str(cases / name), home)
    inside = sorted(path.name for path in (cases / name).iterdir())
    assert all(there in str(raised.value) for there in inside if name != "f14-mgsm" or "." not in there)


@pytest.mark.parametrize(
    ("folder", "files"), [("f04-verl-gsm8k", ("train", "test")), ("f03-dapo", ("train",)), ("f01-numinamath-tir", ("train",))]
)
def test_the_same_rows_as_parquet_are_the_same_problems(
    folder: str, files: tuple[str, ...], cases: Path, home: Home, tmp_path: Path
) -> None:
    for name in files:
        lines = (cases / folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        pq.write_table(pa.Table.from_pylist([json.loads(line) for line in lines]), tmp_path / f"{name}.parquet")
    assert summary(load_problems(str(tmp_path), home)) == READ[folder]
    assert load_problems(str(tmp_path), home).content_hash == load_problems(str(cases / folder), home).content_hash


def test_a_wide_column_is_not_read_and_a_number_is_an_answer(home: Home, tmp_path: Path) -> None:
    numbers = range(200)
    table = {"question": [f"{n} plus 1?" for n in numbers], "answer": pa.array([n + 1 for n in numbers], pa.int64())}
    pq.write_table(pa.table(table | {"generations": [[f"{n} " * 800] for n in numbers]}), tmp_path / "train.parquet")
    problem_set = load_problems(str(tmp_path), home)
    assert [problem.gold for problem in problem_set.problems] == [str(n + 1) for n in numbers]
    assert not any(problem.columns for problem in problem_set.problems)


def test_decimal_commas_are_read_where_they_are_said_to_be(cases: Path, home: Home) -> None:
    problem_set = load_problems(f"{cases / 'd04-decimal-comma'}?decimal=comma", home)
    assert [problem.gold for problem in problem_set.problems] == ["3.50", "3.5", "1234.56", "1.002"]


def test_half_rejected_is_read_but_for_what_is_none(cases: Path, home: Home) -> None:
    problem_set = load_problems(str(cases / "f21-half-rejected"), home)
    golds = [problem.gold for problem in problem_set.of_split("train")[-7:]]
    assert golds == ["1/2", "18", "5", "-5", "12 apples", "70000", "7:30"]


def test_kinds_of_gold_are_told_apart(cases: Path, home: Home) -> None:
    kinds = {problem.gold: problem.gold_kind for problem in load_problems(str(cases / "f05-math-500"), home).problems}
    assert kinds[r"\frac{3}{4}"] == "expression"
    assert kinds["9999"] == "number"
    assert kinds["Ann"] == "text"


@pytest.mark.parametrize(
    ("name", "again"), [("f03-dapo", 114), ("d03-operators", 0), ("f10-gsm-symbolic", 0), ("f11-grade-school-math", 0)]
)
def test_repeats_are_those_of_the_same_words_and_operators(name: str, again: int, cases: Path, home: Home) -> None:
    assert len(repeats(load_problems(str(cases / name), home).problems)) == again


def test_a_train_split_alone_can_be_held_out_from(cases: Path, home: Home) -> None:
    for name in ("f08-big-math", "f01-numinamath-tir", "f20-prefixed/gsm8k_train.jsonl"):
        assert len(load_problems(f"{cases / name}?hold_out=2", home).of_split("test")) == 2


def test_data_that_changed_is_noticed(cases: Path, home: Home) -> None:
    before, after = (load_problems(str(cases / "l01-changed" / name), home) for name in ("before", "after"))
    with pytest.raises(SourceError):
        after.require_content(before.content_hash)


VALUES = {
    "boxed": [1.0] * 8,
    "format-newlines": [1.0] * 8,
    "gold-unreadable": [None] * 9,
    "hash-answers": [1.0, 1.0, 0.0, 1.0, 1.0, 1.0],
    "money": [1.0, 1.0, 0.0, 1.0, 0.0],
    "negative-decimal": [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0],
    "other-shapes": [1.0] * 5,
    "runs-on": [0.0, 1.0, 1.0],
    "several": [None, None, 0.0, 1.0, 0.0, 0.0, None],
    "written-numbers": [1.0] * 8 + [0.0] * 5 + [1.0] + [0.0] * 5,
}
"""File of completions -> value_correctness of its lines."""


@pytest.mark.parametrize("name", VALUES)
def test_completions_are_scored_by_value(
    name: str, cases: Path, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(home.root))
    assert main(["score", "--jsonl", str(cases / "score" / f"{name}.jsonl")]) == 0
    facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["rewards"]["value_correctness"] for line in facts] == VALUES[name]
    assert all(line["answer"] is not None for line in facts)


def test_expressions_are_judged_by_what_they_mean(cases: Path) -> None:
    lines = (cases / "score" / "gold-unreadable.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    math = [score_completion(row["completion"], row["answer"]).get("math") for row in rows]
    assert math[:7] == [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("name", "reward", "completion", "value"),
    [
        ("alarm", "verified", "<answer>72</answer>", 1.0),
        ("none_mostly", "long_only", "short", None),
        ("numpy_values", "np32", "72", 0.5),
        ("numpy_values", "npbool", "72", 1.0),
        ("numpy_values", "npint", "72", 1.0),
        ("trl_style", "trl", "72", 2.0),
        ("raises", "near", "<answer>73</answer>", 1.0),
        ("hangs", "tidy", "two words", 0.0),
    ],
)
def test_functions_that_others_wrote_are_called(
    name: str, reward: str, completion: str, value: float | None, cases: Path
) -> None:
    register_own_rewards(cases / "rewards" / f"{name}.py")
    assert REWARDS[reward].score(completion, "72") == value


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("name", "reward", "says"),
    [("always_raises", "broken", "NameError"), ("one_list", "listed", "returned"), ("raises", "near", "ValueError")],
)
def test_functions_that_fail_are_named_and_refused_before_the_launch(
    name: str, reward: str, says: str, cases: Path, store: Store
) -> None:
    register_own_rewards(cases / "rewards" / f"{name}.py")
    with pytest.raises(RewardError, match=says):
        REWARDS[reward].score("no number", "72")
    demo = load_problems("demo")
    found = preflight(full_demo_run(rewards={"correctness": 1.0, reward: 1.0}), demo, store, None)
    assert [bool(re.search(says, finding.text)) for finding in found.findings if finding.certain] == [True]
