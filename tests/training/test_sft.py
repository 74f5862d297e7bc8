"""Supervised fine-tuning on reference solutions: TRL in this process on the demo model, with a store, stopped and resumed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.tiny_runs import few_problems, run_to_the_end, tiny_sft
from training.config import SftConfig
from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.engines import hugging_face
from training.errors import ConfigError, SourceError
from training.home import Home
from training.jobs.job_process import job_process
from training.jobs.kinds import type_of
from training.jobs.train.sft import solution_data
from training.jobs.train.stage import load, train
from training.jobs.train.store_callback import StoreCallback
from training.rewards import ARTICLE_REWARDS, REWARDS
from training.runs import launch
from training.store import Store
from training.store.evaluations import complete_evaluations
from training.stored_config import stored_config

STEPS = 6
FULL = tiny_sft(precision="float32", max_steps=STEPS, save_total_limit=3, evaluation_problems=1, evaluation_steps=3)
LORA = FULL.model_copy(
    update={"evaluation_problems": 0, "lora_rank": 4, "lora_targets": ("q_proj", "down_proj"), "lora_dropout": 0.2}
)
"""Its dropout draws random numbers in every step."""
ACCUMULATED = FULL.model_copy(
    update={"evaluation_problems": 0, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 2}
)

Train = Callable[..., None]


class NoProcesses:
    """A backend that starts nothing; the test is the process."""

    def submit(self, job: Any, command: Any) -> None:
        pass

    def status(self, job: Any) -> str:
        return "gone"


@pytest.fixture(autouse=True)
def one_order_of_sums() -> Iterator[None]:
    """So that equal runs are equal bit by bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def problems() -> ProblemSet:
    """Five train problems, two a step: a pass over the data takes three steps, the last of one problem."""
    demo = load_problems("demo")
    return replace(demo, problems=(*demo.of_split("train")[:5], *demo.of_split("test")[:2]))


@pytest.fixture
def training(store: Store, home: Home, problems: ProblemSet, monkeypatch: pytest.MonkeyPatch) -> Train:
    """`training(run_id, config, stop_at=2)` trains as the run's process until it ends, or is asked to stop in step 2."""
    monkeypatch.setattr(launch, "backend_named", lambda name, home: NoProcesses())

    def run(run_id: str, config: SftConfig, *, stop_at: int = 0) -> None:
        def on_step_begin(callback: StoreCallback, args: Any, state: Any, control: Any, **_: Any) -> None:
            callback._process.signalled = state.global_step + 1 == stop_at

        monkeypatch.setattr(StoreCallback, "on_step_begin", on_step_begin)
        with job_process(store, run_id) as process:
            process.begin()
            train(config, problems, process, home.job_folder(run_id))

    return run


def create(store: Store, name: str) -> str:
    return store.create_job("sft", name, {"run": name})[0].id


def learning(store: Store, run_id: str) -> list[tuple[int, str, float | None]]:
    measured = ("step_time", "system/")
    return [(s.step, s.name, s.value) for s in store.scalars(run_id) if not s.name.startswith(measured)]


def weights(store: Store, run_id: str) -> dict[str, torch.Tensor]:
    """Of the run's last checkpoint."""
    [file] = Path(store.checkpoints(run_id)[-1].path).glob("*model.safetensors")
    return load_file(file)


def completions(store: Store, run_id: str) -> dict[str, list[str]]:
    """What the model answered in each evaluation."""
    return {found.label: [item.completion for item in found.items] for found in complete_evaluations(store, run_id)}


@pytest.mark.parametrize(("config", "stop_at"), [(FULL, 2), (FULL, 3), (LORA, 4), (ACCUMULATED, 4)])
def test_a_resumed_run_is_the_run_that_was_not_interrupted(
    config: SftConfig, stop_at: int, store: Store, home: Home, training: Train
) -> None:
    """Stops within a pass over the data, at its end, and in the second one."""
    whole, stopped = create(store, "whole"), create(store, "stopped")
    training(whole, config)
    training(stopped, config, stop_at=stop_at)
    assert store.job(stopped).status == "stopped"
    assert store.checkpoints(stopped)[-1].step == stop_at
    launch.resume_run(store, home, stopped)
    training(stopped, config)
    assert store.job(stopped).reason == f"all {STEPS} steps done"
    assert learning(store, stopped) == learning(store, whole)
    assert completions(store, stopped) == completions(store, whole)
    expected = weights(store, whole)
    assert all(torch.equal(found, expected[name]) for name, found in weights(store, stopped).items())


def test_a_step_leaves_trls_figures_and_no_rollouts(store: Store, home: Home) -> None:
    run = run_to_the_end(store, home, tiny_sft())
    found = {name for step, name, _ in learning(store, run.id) if step == 2}
    assert found >= {"loss", "mean_token_accuracy", "entropy", "grad_norm", "learning_rate", "num_tokens"}
    times = [scalar.value for scalar in store.scalars(run.id) if scalar.name == "step_time"]
    assert len(times) == 2
    assert all(time is not None and time > 0 for time in times)
    assert store.rollouts(run.id) == []
    assert [checkpoint.step for checkpoint in store.checkpoints(run.id)] == [2]


def test_the_model_is_evaluated_before_between_and_after(store: Store, home: Home) -> None:
    config = tiny_sft(max_steps=3, evaluation_problems=4, evaluation_steps=2)
    run = run_to_the_end(store, home, config)
    evaluations = complete_evaluations(store, run.id)
    assert [(found.label, found.step) for found in evaluations] == [("before", 0), ("step-2", 2), ("after", 3)]
    assert all(set(item.rewards) >= set(ARTICLE_REWARDS) for found in evaluations for item in found.items)


def test_training_on_solutions_makes_them_likelier(store: Store, home: Home) -> None:
    run = run_to_the_end(store, home, tiny_sft(max_steps=8, learning_rate=3e-4, per_device_train_batch_size=6))
    losses = [scalar.value or 0.0 for scalar in store.scalars(run.id) if scalar.name == "loss"]
    accuracy = [scalar.value or 0.0 for scalar in store.scalars(run.id) if scalar.name == "mean_token_accuracy"]
    assert losses[-1] < 0.6 * losses[0]
    assert accuracy[-1] > accuracy[0]


def test_the_loss_is_of_the_solution_and_the_end_of_the_turn_alone() -> None:
    tokenizer = hugging_face.load_tokenizer("demo")
    [problem, *_] = few_problems().of_split("train")
    row = solution_data(tiny_sft(), few_problems(), tokenizer).rows[0]
    learnt = [label for label in row["labels"] if label != -100]
    prompt = tokenizer.apply_chat_template(tiny_sft().prompting.messages(problem.question), add_generation_prompt=True)
    assert row["input_ids"] == [*prompt["input_ids"], *learnt]
    assert learnt[-1] == tokenizer.eos_token_id
    solution = tokenizer.decode(learnt[:-1])
    assert solution.endswith(f"</reasoning>\n<answer>\n{problem.gold}\n</answer>\n")
    assert REWARDS["correctness"].score(solution, problem.gold) == 1.0


def test_the_prompt_is_as_the_run_asks(home: Home) -> None:
    config = tiny_sft(chat_template="plain", system_prompt="End with ####.", answer_form="hashes")
    tokenizer = hugging_face.load_tokenizer("demo", "plain")
    row = solution_data(config, few_problems(), tokenizer).rows[0]
    [problem, *_] = few_problems().of_split("train")
    text = tokenizer.decode(row["input_ids"])
    assert text.startswith(f"End with ####.\n\nUser: {problem.question}\n\nAssistant:")
    assert text.endswith(f"#### {problem.gold}{tokenizer.eos_token}")


def test_problems_that_cannot_be_learnt_from_are_left_out_counted_and_told(store: Store, home: Home) -> None:
    few = few_problems()
    first, second, *others = few.of_split("train")
    without = replace(first, steps=(), answer=first.gold)
    no_gold = replace(second, gold="", gold_kind="none")
    some = replace(few, problems=(without, no_gold, *others))
    lengths = sorted(sum(label != -100 for label in row["labels"]) for row in rows_of(some, 1000))
    run = run_to_the_end(store, home, tiny_sft(max_completion_length=lengths[0], max_steps=1), some)
    longer = f"{sum(length > lengths[0] for length in lengths)} problems left out for their solutions' length"
    assert run.reason == f"all 1 steps done, 2 problems left out for want of a reference solution, {longer}"


def rows_of(problem_set: ProblemSet, longest: int) -> Any:
    tokenizer = hugging_face.load_tokenizer("demo")
    return solution_data(tiny_sft(max_completion_length=longest), problem_set, tokenizer).rows


def test_nothing_to_learn_from_is_an_error_with_the_remedy() -> None:
    few = few_problems()
    bare = replace(few, problems=tuple(replace(problem, steps=(), answer=problem.gold) for problem in few.problems))
    with pytest.raises(SourceError, match="Name the column that holds the solutions"):
        rows_of(bare, 160)
    with pytest.raises(ConfigError, match="leaves no solution to learn from"):
        rows_of(few, 3)


@pytest.mark.parametrize("loss_type", ["chunked_nll", "nll", "dft"])
def test_each_loss_is_trls(loss_type: str, store: Store, home: Home) -> None:
    run = run_to_the_end(store, home, tiny_sft(loss_type=loss_type, max_steps=1))
    [loss] = [scalar.value for scalar in store.scalars(run.id) if scalar.name == "loss"]
    assert loss is not None
    assert loss > 0


def test_a_run_killed_after_its_last_step_is_not_trained_a_step_more(store: Store, home: Home, training: Train) -> None:
    run_id = create(store, "whole")
    config = FULL.model_copy(update={"max_steps": 2})
    training(run_id, config)
    before = learning(store, run_id)
    store.end(run_id, "failed", "killed while the trained model was evaluated")
    launch.resume_run(store, home, run_id)
    training(run_id, config)
    assert store.job(run_id).reason == "all 2 steps done"
    assert learning(store, run_id) == before


def test_the_kind_of_job_reads_its_configuration_from_the_store(store: Store, home: Home) -> None:
    config = tiny_sft(max_steps=1)
    found = type_of("sft")
    assert (found.kind, found.takes_accelerator, found.parse(config.model_dump(mode="json"))) == ("sft", True, config)
    assert stored_config(config.model_dump(mode="json")) == config
    assert len(load(config, few_problems())[2].rows) == 6
