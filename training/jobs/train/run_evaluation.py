"""Evaluations within a run: before training, after every n steps, after training.

They leave no trace in the training: the random number generators, the model's mode and vLLM's settings are put back, so a
run with evaluations has the ledger of the same run without them.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.config import StageConfig
from training.data.problem import ProblemSet
from training.data.sample import sample
from training.engines import Complete, Engine
from training.engines.hugging_face import prompt_tokens
from training.evaluation.evaluate import evaluate_model
from training.jobs.job_process import JobProcess, StopRequested
from training.prompts import Prompt
from training.rewards.forms import form_named
from training.store.evaluations import add_items, complete_evaluation, complete_evaluations, open_evaluation


class RunEvaluator:
    """Evaluates the model of one run, as it is at the moment, on a sample of the test split."""

    def __init__(self, config: StageConfig, problem_set: ProblemSet, process: JobProcess, complete: Complete) -> None:
        self._config = config
        self._problems = sample(problem_set.of_split("test"), config.evaluation_problems)
        self._process = process
        self._complete = complete

    def evaluate(self, label: str, step: int, when: str) -> None:
        """Measure and record under `label`, batch by batch; go on with what a killed process had measured of it.

        Args:
            when: for people, as in "evaluating before training".

        Raises:
            StopRequested: the run was asked to stop; the evaluation stays unfinished.
        """
        config, process = self._config, self._process
        if not self._problems:
            return
        evaluation = process.patiently(lambda: open_evaluation(process.store, process.job.id, label, step, "test"))

        def report(done: int) -> None:
            of = f"{done // config.evaluation_samples:,} of {len(self._problems):,} problems"
            process.progress(step, config.max_steps, f"evaluating {when}: {of}", "evaluating")
            process.check_stop()

        report(len(evaluation.done))
        with preserved_randomness(config.seed):
            evaluate_model(
                self._complete,
                self._problems,
                prompts=[config.prompting.messages(problem.question) for problem in self._problems],
                max_completion_length=config.max_completion_length,
                temperature=config.evaluation_temperature,
                form=form_named(config.answer_form),
                required=config.judges,
                report=report,
                samples=config.evaluation_samples,
                done=evaluation.done,
                keep=lambda items: process.patiently(lambda: add_items(process.store, evaluation, items)),
            )
        process.patiently(lambda: complete_evaluation(process.store, evaluation))

    def evaluate_step(self, step: int) -> None:
        """The evaluation of a step, if one is due there; the last step has its own, unless that is not wanted."""
        config = self._config
        is_last = step == config.max_steps and config.evaluate_after
        if not config.evaluation_steps or step % config.evaluation_steps or is_last:
            return
        self.evaluate(f"step-{step}", step, f"after step {step:,}")
        self._process.progress(step, config.max_steps, "training", "training")

    def has_step(self, step: int) -> bool:
        """Whether the evaluation of a step is complete."""
        done = self._process.patiently(lambda: complete_evaluations(self._process.store, self._process.job.id))
        return any(evaluation.label == f"step-{step}" for evaluation in done)


class EvaluationCallback(TrainerCallback):
    """Has the evaluator called after every step, and for the step that a run resumes from if its evaluation is missing.

    A stop request ends an evaluation, never the training within a step: the checkpoint is still saved.
    """

    def __init__(self, evaluator: RunEvaluator) -> None:
        self._evaluator = evaluator

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step and not self._evaluator.has_step(state.global_step):
            self._evaluate(state, control)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if not control.should_training_stop or state.global_step == state.max_steps:
            self._evaluate(state, control)

    def _evaluate(self, state: TrainerState, control: TrainerControl) -> None:
        if not state.is_world_process_zero:
            return
        try:
            self._evaluator.evaluate_step(state.global_step)
        except StopRequested:
            control.should_save = True
            control.should_training_stop = True


def completer(engine: Engine, trainer: Any, tokenizer: Any) -> Complete:
    """What completes prompts with the policy that a trainer has at the moment: its vLLM if it has one, else its model."""

    def complete(prompts: Sequence[Prompt], max_new_tokens: int, temperature: float) -> list[tuple[str, int]]:
        if getattr(trainer.args, "use_vllm", False):  # of GRPO's arguments alone
            return complete_with_vllm(trainer, tokenizer, prompts, max_new_tokens, temperature)
        model = trainer.accelerator.unwrap_model(trainer.model)
        with trainer.accelerator.autocast():
            return engine.complete(model, tokenizer, prompts, max_new_tokens, temperature)

    return complete


def complete_with_vllm(
    trainer: Any, tokenizer: Any, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
) -> list[tuple[str, int]]:
    """(completion, tokens) a prompt by the vLLM that TRL's trainer generates with.

    TRL's own call hands over the weights and wakes vLLM, and Unsloth's replacement of it the adapter; only its sampling
    settings are changed, for this one call.
    """
    generation = trainer.vllm_generation
    if trainer._last_loaded_step != trainer.state.global_step:
        generation.sync_weights()
        trainer._last_loaded_step = trainer.state.global_step
    ids = prompt_tokens(tokenizer, prompts)
    settings = {"temperature": temperature, "top_p": 1.0, "top_k": 0, "min_p": None, "max_completion_length": max_new_tokens}
    training = {name: getattr(generation, name) for name in settings}
    try:
        vars(generation).update(settings)
        _, completions, _, _ = generation.generate(prompts=ids, images=None, num_generations=1)
    finally:
        vars(generation).update(training)
    return [(tokenizer.decode(row, skip_special_tokens=True), len(row)) for row in completions]


@contextmanager
def preserved_randomness(seed: int) -> Iterator[None]:
    """Seed every generator that sampling may use, and put them back as they were.

    All of a run's evaluations draw alike, so what differs between them is the model.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if devices:
            torch.cuda.set_rng_state_all(devices)
