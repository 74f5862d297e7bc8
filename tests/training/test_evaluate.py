"""Measuring a model outside a run: equal specs, several samples, and a job that goes on where it was stopped."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from training.backends.local import LocalBackend
from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.data.sample import sample
from training.engines import SeededComplete
from training.errors import AtlasError, ConfigError, SourceError
from training.evaluation.evaluate import BATCH_SIZE
from training.home import DEMO_MODEL, Home
from training.jobs import evaluate as evaluation_job
from training.jobs.evaluate import (
    EVALUATE,
    EvaluationSpec,
    evaluated_problems,
    evaluation_spec,
    judge_stamp,
    measured_before,
    search_settings,
    weights_stamp,
)
from training.jobs.running import run_job
from training.prompts import SYSTEM_PROMPT, Message
from training.runs.launch import launch_evaluation, queue_job
from training.store import Store
from training.store.evaluations import complete_evaluations

SETTINGS = {"split": "test", "fraction": 1.0, "temperature": 0.0, "samples": 1, "max_completion_length": 40}


@pytest.fixture
def demo() -> ProblemSet:
    return load_problems("demo")


@pytest.fixture
def spec(demo: ProblemSet) -> EvaluationSpec:
    return evaluation_spec("demo", demo, **SETTINGS | {"fraction": 0.25})


def test_several_samples_need_a_temperature(demo: ProblemSet) -> None:
    with pytest.raises(ConfigError, match="4 samples at temperature 0 would be 4 times the same completion"):
        evaluation_spec("demo", demo, **SETTINGS | {"samples": 4})


def test_a_share_of_a_split_is_measured_and_an_empty_split_is_an_error(demo: ProblemSet, spec: EvaluationSpec) -> None:
    assert evaluated_problems(spec, demo) == sample(demo.of_split("test"), 100)
    with pytest.raises(SourceError, match="has no test problems"):
        evaluated_problems(spec.model_copy(update={"content_hash": ""}), replace(demo, problems=demo.of_split("train")))


def test_a_model_whose_weights_changed_is_another_spec(demo: ProblemSet, tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.touch()
    first = evaluation_spec(str(tmp_path), demo, **SETTINGS)
    assert evaluation_spec(str(tmp_path), demo, **SETTINGS) == first
    os.utime(weights, ns=(0, weights.stat().st_mtime_ns + 1))
    assert evaluation_spec(str(tmp_path), demo, **SETTINGS) != first


def test_what_was_measured_before_a_stop_is_not_measured_again(
    store: Store, home: Home, demo: ProblemSet, spec: EvaluationSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = evaluated_problems(spec, demo)
    asked: list[str] = []

    def complete(prompts: Sequence[list[Message]], length: int, temperature: float) -> list[tuple[str, int]]:
        if not asked:
            store.request_stop(store.jobs("evaluate")[0].id)
        asked.extend(prompt[-1]["content"] for prompt in prompts)
        return [("<answer>5</answer>", 9) for _ in prompts]

    monkeypatch.setattr(evaluation_job, "_completer", lambda spec, home: complete)
    job, _ = queue_job(store, home, EVALUATE, spec, total=len(problems))
    run_job(store, home, job.id)
    assert (store.job(job.id).status, store.job(job.id).done) == ("stopped", BATCH_SIZE)
    assert complete_evaluations(store, job.id) == []

    again, waits = queue_job(store, home, EVALUATE, spec)
    assert (again.id, again.done, waits) == (job.id, BATCH_SIZE, True)
    run_job(store, home, job.id)
    (evaluation,) = complete_evaluations(store, job.id)
    assert asked == [problem.question for problem in problems]
    assert [item.problem_id for item in evaluation.items] == [problem.id for problem in problems]
    assert store.job(job.id).status == "finished"
    assert queue_job(store, home, EVALUATE, spec)[0].id != job.id, "a finished one is measured anew"


def test_what_is_being_measured_is_not_measured_twice(store: Store, home: Home, spec: EvaluationSpec) -> None:
    job, waits = queue_job(store, home, EVALUATE, spec)
    assert waits
    assert queue_job(store, home, EVALUATE, spec) == (job, False)


def test_a_spec_from_before_there_were_styles_is_equal_to_its_like(store: Store, demo: ProblemSet) -> None:
    old = {
        "model": "demo",
        "source": "demo",
        "content_hash": demo.content_hash,
        **SETTINGS,
        "system_prompt": SYSTEM_PROMPT,
        "system_turn": "system",
        "chat_template": "model",
        "answer_form": "tags",
        "vllm": False,
        "weights": weights_stamp("demo"),
    }
    job, _ = store.create_job("evaluate", "evaluate", old)
    spec = evaluation_spec("demo", demo, **SETTINGS, seed=1234)
    assert EvaluationSpec.model_validate(old) == spec
    found = measured_before(store, spec)
    assert found is not None
    assert found.id == job.id
    assert measured_before(store, evaluation_spec("demo", demo, **SETTINGS, prompt_style="question-answer", seed=1234)) is None


def test_a_style_brings_its_stops_its_form_its_verifier_and_its_examples(demo: ProblemSet) -> None:
    spec = evaluation_spec("demo", demo, **SETTINGS, prompt_style="question-answer", seed=1, chat_template="plain")
    assert (spec.stop[0], spec.answer_form, spec.verifier, spec.shots) == ("Question:", "hashes", "strict_match", 5)
    assert spec == evaluation_spec("demo", demo, **SETTINGS, prompt_style="question-answer", seed=1), "no template is used"
    assert EvaluationSpec.model_validate(spec.model_dump(mode="json")) == spec
    other = evaluation_spec("demo", demo, **SETTINGS, prompt_style="question-answer", shots=0, stop=["\n"], seed=1)
    assert (other.stop, other.seed) == (("\n",), None), "nothing is drawn"


def test_examples_need_a_seed_and_problems_to_draw_from(demo: ProblemSet) -> None:
    with pytest.raises(ConfigError, match="seed is not set"):
        evaluation_spec("demo", demo, **SETTINGS, shots=1)
    with pytest.raises(ConfigError, match="has 0 train problems"):
        evaluation_spec("demo", replace(demo, problems=demo.of_split("test")), **SETTINGS, shots=1, seed=1)


def test_prompts_that_leave_no_room_are_refused_before_anything_is_measured(store: Store, home: Home, demo: ProblemSet) -> None:
    spec = evaluation_spec("demo", demo, **SETTINGS | {"fraction": 0.01}, prompt_style="question-answer", seed=1)
    job, _ = queue_job(store, home, EVALUATE, spec)
    with pytest.raises(ConfigError, match=r"shots = 5: of 4 prompts 4 are longer than the 472 tokens that the model's 512"):
        run_job(store, home, job.id)
    assert complete_evaluations(store, job.id) == []


def drawn(store: Store, home: Home, spec: EvaluationSpec) -> list[str]:
    """The completions of a new evaluation, on the real demo model."""
    job, _ = queue_job(store, home, EVALUATE, spec)
    run_job(store, home, job.id)
    (evaluation,) = complete_evaluations(store, job.id)
    return [item.completion for item in evaluation.items]


@pytest.mark.parametrize("style", [{}, {"prompt_style": "question-answer", "shots": 1}])
def test_a_seed_draws_the_same_again_also_where_a_process_was_stopped_in_between(
    store: Store, home: Home, demo: ProblemSet, style: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled = SETTINGS | {"fraction": 0.01, "temperature": 2.0, "samples": 20, "max_completion_length": 16} | style
    spec = evaluation_spec("demo", demo, **sampled, seed=5)
    whole = drawn(store, home, spec)
    assert len(whole) == 80 > BATCH_SIZE
    assert len(set(whole)) > 8, "each sample is drawn anew"
    job, _ = queue_job(store, home, EVALUATE, spec)
    real = evaluation_job._completer

    def stopping(spec: EvaluationSpec, home: Home) -> SeededComplete:
        store.request_stop(job.id)
        return real(spec, home)

    with monkeypatch.context() as patched:
        patched.setattr(evaluation_job, "_completer", stopping)
        run_job(store, home, job.id)
    assert store.job(job.id).done == BATCH_SIZE // 20
    assert drawn(store, home, spec) == whole
    assert drawn(store, home, evaluation_spec("demo", demo, **sampled, seed=6)) != whole


def test_a_setting_out_of_range_is_named(demo: ProblemSet) -> None:
    with pytest.raises(ConfigError, match="temperature = 11"):
        evaluation_spec("demo", demo, **SETTINGS | {"temperature": 11})


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda self, job, command: commands.append(command))
    return commands


def test_launching_an_evaluation_starts_one_process_and_a_stopped_one_goes_on(
    store: Store, home: Home, spec: EvaluationSpec, submitted: list[list[str]]
) -> None:
    job_id = launch_evaluation(store, home, spec)
    assert launch_evaluation(store, home, spec) == job_id
    command = ["-m", "training.jobs", job_id]
    assert submitted == [command]
    assert (store.job(job_id).status, store.job(job_id).total) == ("queued", 100)

    store.end(job_id, "stopped", "stopped on request")
    assert launch_evaluation(store, home, spec) == job_id
    assert submitted == [command, command]


def test_the_process_of_an_evaluation_reads_all_that_it_measures_from_the_store(
    store: Store, home: Home, demo: ProblemSet, submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = evaluation_spec("demo", demo, **SETTINGS | {"fraction": 0.01, "system_prompt": "Count."})
    asked: list[Message] = []

    def complete(prompts: Sequence[list[Message]], length: int, temperature: float) -> list[tuple[str, int]]:
        asked.extend(prompts[0])
        return [("<answer>5</answer>", 9) for _ in prompts]

    monkeypatch.setattr(evaluation_job, "_completer", lambda spec, home: complete)
    job_id = launch_evaluation(store, home, spec)
    run_job(store, home, job_id)
    assert store.job(job_id).status == "finished"
    assert [turn["content"] for turn in asked] == ["Count.", sample(demo.of_split("test"), 4)[0].question]


SEARCH = {"search": "beam", "beam_width": 2, "judge": "demo", "judge_weights": "1"}
SAMPLED = SETTINGS | {"temperature": 1.0, "samples": 4}


def test_a_spec_without_a_search_is_as_those_on_record_from_before_there_were_searches(demo: ProblemSet) -> None:
    plain, searched = evaluation_spec("demo", demo, **SAMPLED), evaluation_spec("demo", demo, **SAMPLED, **SEARCH)
    assert not {*SEARCH} & plain.model_dump().keys()
    assert SEARCH.items() <= searched.model_dump(mode="json").items()
    for spec in (plain, searched):
        assert EvaluationSpec.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"samples": 3}, "3 beams are no multiple of the beam width 2"),
        ({"temperature": 0.0, "samples": 2, "beam_width": 2}, "2 samples at temperature 0|temperature above 0"),
        ({"vllm": True}, "without vLLM"),
        ({"judge": str(DEMO_MODEL)}, "is no judge"),
    ],
)
def test_a_search_that_cannot_be_made_is_refused_with_the_remedy(
    demo: ProblemSet, changed: dict[str, object], problem: str
) -> None:
    with pytest.raises(AtlasError, match=problem) as refused:
        evaluation_spec("demo", demo, **SAMPLED | SEARCH | changed)
    assert refused.value.remedy


def test_a_search_names_its_judge_and_its_weights_and_samples_name_none() -> None:
    assert search_settings("samples", 4, "demo") == {}
    found = search_settings("dvts", 2, "demo")
    assert found == {"search": "dvts", "beam_width": 2, "judge": "demo", "judge_weights": judge_stamp("demo")}
    with pytest.raises(ConfigError, match="no judge to guide it"):
        search_settings("beam", 2, "")


def test_a_stopped_search_goes_on_with_whole_problems(
    store: Store, home: Home, demo: ProblemSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = evaluation_spec("demo", demo, **SAMPLED | SEARCH | {"samples": 6, "fraction": 0.05})
    sizes: list[int] = []

    def complete(prompts: Sequence[list[Message]], length: int, temperature: float) -> list[tuple[str, int]]:
        if not sizes:
            store.request_stop(store.jobs("evaluate")[0].id)
        sizes.append(len(prompts))
        return [("<answer>5</answer>", 9) for _ in prompts]

    monkeypatch.setattr(evaluation_job, "_completer", lambda spec, home: complete)
    job, _ = queue_job(store, home, EVALUATE, spec)
    run_job(store, home, job.id)
    run_job(store, home, queue_job(store, home, EVALUATE, spec)[0].id)
    assert sizes == [60, 60], "as many problems as fit into a batch, each with all of its beams"
    (evaluation,) = complete_evaluations(store, job.id)
    assert (evaluation.problems, len(evaluation.items), evaluation.search) == (20, 120, "beam")
