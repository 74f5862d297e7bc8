"""What preflight says of a run of supervised fine-tuning: its solutions, its memory, what to expect."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.tiny_runs import tiny_sft
from training.data.problem import Problem, ProblemSet
from training.data.problems import load_problems
from training.errors import ConfigError
from training.home import Home
from training.machines import Machine
from training.preflight import Preflight, preflight
from training.preflight.subject import Finding
from training.preflight.text import preflight_facts, preflight_lines
from training.runs.launch import launch_run
from training.store import Store

CPU = Machine(gpus=(), memory_gib=16, disk_free_gib=100, has_cuda_torch=False)
Check = Callable[..., list[Finding]]


def some(*, train: Sequence[Problem] | None = None) -> ProblemSet:
    demo = load_problems("demo")
    return replace(demo, problems=(*(train or demo.of_split("train")[:40]), *demo.of_split("test")[:4]))


def bare(problem: Problem) -> Problem:
    return replace(problem, steps=(), answer=problem.gold)


@pytest.fixture
def found(store: Store) -> Check:
    """Problems, a setting and other settings -> what preflight says about that."""

    def check(problem_set: ProblemSet, about: str, **settings: Any) -> list[Finding]:
        return [finding for finding in checked(store, problem_set, **settings).findings if finding.about == about]

    return check


def checked(store: Store, problem_set: ProblemSet, **settings: Any) -> Preflight:
    config = tiny_sft(max_steps=10, **{"per_device_train_batch_size": 4, "save_steps": 5, **settings})
    return preflight(config, problem_set, store, CPU)


def test_good_solutions_are_nothing_to_speak_of(store: Store) -> None:
    assert checked(store, some(), evaluation_problems=4).findings == ()


def test_a_source_without_solutions_is_refused_with_the_remedy(found: Check) -> None:
    train = [bare(problem) for problem in some().of_split("train")]
    [finding] = found(some(train=train), "source")
    assert (finding.severity, finding.certain) == ("error", True)
    assert "set stage=grpo" in finding.remedy


def test_no_run_is_queued_of_a_source_without_solutions(store: Store, home: Home, tmp_path: Any) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text("".join(f'{{"question": "{row} plus 1?", "gold": {row + 1}}}\n' for row in range(40)))
    with pytest.raises(ConfigError, match="has a reference solution"):
        launch_run(store, home, tiny_sft(source=str(file), max_steps=1))
    assert store.jobs() == []


def test_problems_without_a_solution_are_counted(found: Check) -> None:
    first, *others = some().of_split("train")
    [finding] = found(some(train=[bare(first), *others]), "source")
    assert finding.severity == "warning"
    assert "1 of 40 train problems has no reference solution" in finding.text


@pytest.mark.parametrize(("longest", "severities"), [(160, []), (80, ["note"]), (60, ["warning"]), (8, ["error"])])
def test_solutions_that_are_too_long_are_told(longest: int, severities: list[str], found: Check) -> None:
    findings = found(some(), "max_completion_length", max_completion_length=longest)
    assert [finding.severity for finding in findings] == severities


def test_a_verifier_that_finds_the_solutions_wrong_is_told_before_it_is_taught(found: Check) -> None:
    train = [replace(problem, gold=f"{problem.gold}.5") for problem in some().of_split("train")]
    [finding] = found(some(train=train), "verifier", verifier="soft_correctness")
    assert finding.severity == "warning"
    assert "40 of 40 reference solutions wrong" in finding.text
    assert found(some(train=train), "verifier", verifier="value_correctness") == []


def test_a_model_without_an_adapters_layer_or_too_few_problems_are_refused_as_for_grpo(found: Check) -> None:
    assert found(some(), "lora_targets", lora_rank=4, lora_targets=("none_proj",))[0].certain
    assert found(some(), "source", per_device_train_batch_size=64)[0].certain
    assert found(some(), "load_in_4bit", lora_rank=4, load_in_4bit=True)[0].severity == "error"


def test_memory_counts_logits_in_chunks_and_completions_of_evaluations_alone(store: Store) -> None:
    def parts(**settings: Any) -> dict[str, float]:
        memory = checked(store, some(), **settings).memory
        assert memory is not None
        return {part.name: part.gib for part in memory.parts}

    plain = parts(evaluation_problems=0)
    assert "KV cache" not in plain
    assert "KV cache" in parts(evaluation_problems=4)
    assert parts(loss_type="nll")["Logits"] > plain["Logits"]
    assert parts(per_device_train_batch_size=8)["Logits"] == plain["Logits"]


def test_what_to_expect_is_told_in_solutions(store: Store) -> None:
    found = checked(store, some())
    config = tiny_sft(max_steps=10, per_device_train_batch_size=4, save_steps=5)
    assert (found.expectation.learns_from, found.expectation.completions, found.expectation.epochs) == ("solutions", 40, 1.0)
    told = "\n".join(preflight_lines(config, "Demo", found))
    assert "10 steps of 4 solutions" in told
    assert "40 solutions, at most 6,400 tokens" in told
    assert "--calibrate" not in told
    assert preflight_facts(config, found)["config"]["stage"] == "sft"


def test_only_earlier_runs_of_the_stage_tell_the_pace(store: Store) -> None:
    for kind, config, seconds in (("train", {"stage": "grpo", "model": "demo"}, 9.0), ("sft", tiny_sft().model_dump(), 2.0)):
        job = store.create_job(kind, kind, {**tiny_sft().model_dump(mode="json"), **config, "lora_targets": []})[0]
        store.start(job.id)
        store.record(job.id, scalars=[(step, {"step_time": seconds, "loss": 1.0}) for step in range(1, 6)])
        store.end(job.id, "finished", "done")
    expected = checked(store, some(), per_device_train_batch_size=2).expectation
    assert (expected.basis, expected.step_time_s) == (("sft-1",), 2.0)
