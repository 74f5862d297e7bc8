"""Evaluations within a run, for real: TRL in this process on the demo model, and TRL's vLLM layer over a fake engine."""

from collections import Counter
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from trl.generation import vllm_generation
from trl.generation.vllm_generation import VLLMGeneration

from tests.tiny_runs import few_problems, go_on, rewarding_length, run_to_the_end, tiny
from training.config import RunConfig
from training.data.sample import sample
from training.engines.hugging_face import load_tokenizer
from training.evaluation.evaluate import evaluate_model
from training.home import Home
from training.jobs.job_process import JobProcess
from training.jobs.train.run_evaluation import RunEvaluator, complete_with_vllm, preserved_randomness
from training.store import Job, Store
from training.store.evaluations import EvaluationItem, complete_evaluations

EVALUATED = tiny(
    max_steps=3, evaluation_problems=2, evaluation_steps=1, evaluation_temperature=1.0, evaluation_samples=2, save_steps=1
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture(scope="module")
def store(home: Home) -> Store:
    return Store.open(home.store_url)


@pytest.fixture(scope="module", autouse=True)
def length_is_rewarded() -> Iterator[None]:
    with rewarding_length():
        yield


@pytest.fixture(scope="module")
def evaluated(store: Store, home: Home, length_is_rewarded: None) -> Job:
    return run_to_the_end(store, home, EVALUATED)


def test_a_run_is_evaluated_before_after_every_n_steps_and_after(evaluated: Job, store: Store) -> None:
    evaluations = complete_evaluations(store, evaluated.id)
    assert [(found.label, found.step) for found in evaluations] == [
        ("before", 0),
        ("step-1", 1),
        ("step-2", 2),
        ("after", 3),
    ]
    asked = [problem.id for problem in sample(few_problems().of_split("test"), 2) for _ in range(2)]
    assert all([item.problem_id for item in found.items] == asked for found in evaluations)


def test_a_run_with_evaluations_has_the_ledger_of_the_run_without(evaluated: Job, store: Store, home: Home) -> None:
    """Sampled evaluations between the steps, and hot sampling in training: a single number drawn would show."""
    without = run_to_the_end(store, home, EVALUATED.model_copy(update={"evaluation_problems": 0}))
    assert complete_evaluations(store, without.id) == []
    assert store.rollouts(evaluated.id) == store.rollouts(without.id)
    norms = [
        [scalar.value for scalar in store.scalars(job.id) if scalar.name in ("grad_norm", "loss")]
        for job in (evaluated, without)
    ]
    assert norms[0] == norms[1]
    assert any(norms[0])


def test_evaluations_that_are_not_wanted_are_left_out(store: Store, home: Home) -> None:
    config = EVALUATED.model_copy(update={"evaluate_before": False, "evaluate_after": False, "evaluation_steps": 3})
    job = run_to_the_end(store, home, config)
    assert [found.label for found in complete_evaluations(store, job.id)] == ["step-3"]


def test_a_stop_during_an_evaluation_saves_a_checkpoint_and_resuming_makes_the_evaluation(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_in_step_1(self: RunEvaluator, label: str, step: int, when: str) -> None:
        if label == "step-1":
            self._process.signalled = True
        evaluate(self, label, step, when)

    evaluate = RunEvaluator.evaluate
    monkeypatch.setattr(RunEvaluator, "evaluate", stop_in_step_1)
    job = run_to_the_end(store, home, EVALUATED)
    assert (job.status, [found.step for found in store.checkpoints(job.id)]) == ("stopped", [1])
    assert [found.label for found in complete_evaluations(store, job.id)] == ["before"]

    monkeypatch.setattr(RunEvaluator, "evaluate", evaluate)
    store.requeue(job.id)
    resumed = go_on(store, home, job.id, EVALUATED)
    assert resumed.status == "finished"
    assert [found.label for found in complete_evaluations(store, job.id)] == ["before", "step-1", "step-2", "after"]
    assert Counter(rollout.step for rollout in store.rollouts(job.id)) == {1: 4, 2: 4, 3: 4}


def answer(prompts: Sequence[Any], length: int, temperature: float) -> list[tuple[str, int]]:
    return [("<answer>5</answer>", 9) for _ in prompts]


def test_a_killed_evaluation_goes_on_with_what_it_had(store: Store) -> None:
    asked: list[int] = []

    def dies_in_the_second_batch(prompts: Sequence[Any], length: int, temperature: float) -> list[tuple[str, int]]:
        asked.append(len(prompts))
        if len(asked) == 2:
            raise MemoryError
        return answer(prompts, length, temperature)

    job_id = store.create_job("train", "tiny", {})[0].id
    config, problem_set = (
        RunConfig(model="demo", evaluation_problems=4, evaluation_samples=20, evaluation_temperature=1),
        few_problems(),
    )
    process = JobProcess(store, store.job(job_id))
    with pytest.raises(MemoryError):
        RunEvaluator(config, problem_set, process, dies_in_the_second_batch).evaluate("before", 0, "before training")
    assert asked == [64, 16]
    RunEvaluator(config, problem_set, process, dies_in_the_second_batch).evaluate("before", 0, "before training")
    assert asked == [64, 16, 16]
    (evaluation,) = complete_evaluations(store, job_id)
    assert len(evaluation.items) == 80


def test_what_was_measured_is_kept_batch_by_batch() -> None:
    kept: list[list[EvaluationItem]] = []
    items = evaluate_model(
        answer,
        few_problems().of_split("test"),
        prompts=[problem.question for problem in few_problems().of_split("test")],
        max_completion_length=9,
        temperature=1.0,
        samples=20,
        report=lambda done: None,
        keep=kept.append,
    )
    assert [len(batch) for batch in kept] == [64, 16]
    assert [item for batch in kept for item in batch] == items


def test_evaluations_draw_alike_and_leave_the_generator_as_it_was() -> None:
    expected = torch.rand(1, generator=torch.Generator().manual_seed(5))
    torch.manual_seed(5)
    drawn = []
    for _ in range(2):
        with preserved_randomness(42):
            drawn.append(torch.rand(3))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(torch.rand(1), expected)


class FakeVllm:
    """vLLM's engine as TRL's colocated generation calls it."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def generate(self, prompts: list[Any], sampling_params: Any, use_tqdm: bool) -> list[Any]:
        self.asked.append(sampling_params)
        token = SimpleNamespace(logprob=0.0, rank=1)
        done = SimpleNamespace(token_ids=[20, 21, 1], logprobs=[{20: token}, {21: token}, {1: token}])
        return [SimpleNamespace(prompt_token_ids=prompt["prompt_token_ids"], outputs=[done]) for prompt in prompts]


def test_vllm_evaluates_with_its_own_sampling_and_trains_with_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """TRL's real layer over vLLM: its settings are changed for the evaluation alone."""
    monkeypatch.setattr(vllm_generation, "SamplingParams", SimpleNamespace, raising=False)
    synced: list[int] = []
    generation = object.__new__(VLLMGeneration)
    vars(generation).update(
        {"mode": "colocate", "llm": FakeVllm(), "accelerator": None, "model": torch.nn.Module(), "tensor_parallel_size": 1},
        enable_sleep_mode=False,
        temperature=0.9,
        top_p=0.8,
        top_k=40,
        min_p=0.1,
        repetition_penalty=1.0,
        max_completion_length=200,
        logprobs=0,
        generation_kwargs={},
        structured_outputs_regex=None,
        sync_weights=lambda: synced.append(1),
    )
    before = dict(vars(generation))
    trainer = SimpleNamespace(vllm_generation=generation, state=SimpleNamespace(global_step=3), _last_loaded_step=2)
    tokenizer = load_tokenizer("demo")
    question = [{"role": "user", "content": "How many?"}]
    expected = tokenizer.decode([20, 21]), 3
    assert complete_with_vllm(trainer, tokenizer, [question, question], 40, 0.0) == [expected, expected]
    assert complete_with_vllm(trainer, tokenizer, [question], 40, 0.5) == [expected]
    asked = generation.llm.asked
    assert [(found.temperature, found.top_p, found.top_k, found.min_p, found.max_tokens) for found in asked] == [
        (0.0, 1.0, 0, 0.0, 40),
        (0.5, 1.0, 0, 0.0, 40),
    ]
    assert (synced, trainer._last_loaded_step) == ([1], 3)
    assert vars(generation) == before
