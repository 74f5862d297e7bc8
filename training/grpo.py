"""The training process: one run of TRL's GRPO, from the model to the last evaluation, everything on record in the store.

Reads top to bottom: `train` is the story; below it the parts that TRL calls. The configuration is checked elsewhere, and
`jobs.job_process` records how it all ends.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import GRPOConfig, GRPOTrainer

from training.config import RunConfig
from training.engines import plain
from training.errors import AtlasError
from training.evaluate import evaluate_model
from training.jobs import JobProcess, StopRequested
from training.problems import Problem, ProblemSet
from training.prompts import chat_messages
from training.rewards import REWARDS, Reward
from training.store import Rollout, Store

_CARRIED = ("problem_id", "tokens", "finish_reason")
"""Columns that a reward function hands to TRL's log for the ledger."""


class RewardError(AtlasError):
    """A reward function raised; a crash never becomes a score."""


def train(config: RunConfig, problem_set: ProblemSet, process: JobProcess, folder: Path) -> None:
    """Run or resume a training run: evaluate, train to `max_steps` or a stop request, evaluate again.

    Checkpoints go to `folder`. After a stop the second evaluation is left out.
    """
    store, job_id = process.store, process.job.id
    process.progress(0, config.max_steps, "loading the model")
    model, tokenizer = plain.load_model(config.model)
    checkpoints = [checkpoint for checkpoint in store.checkpoints(job_id) if Path(checkpoint.path).is_dir()]
    latest = checkpoints[-1] if checkpoints else None
    store.truncate(job_id, after_step=latest.step if latest else 0)

    if latest is None:
        _evaluate(config, problem_set, process, model, tokenizer, "before", 0)
    trainer = make_trainer(config, problem_set, model, tokenizer, process, folder)
    process.progress(latest.step if latest else 0, config.max_steps, "training")
    trainer.train(resume_from_checkpoint=latest.path if latest else None)

    step = trainer.state.global_step
    if step < config.max_steps:
        process.reason = f"stopped on request at step {step} of {config.max_steps}, checkpoint saved"
        raise StopRequested
    _evaluate(config, problem_set, process, trainer.model, tokenizer, "after", step)
    process.progress(step, config.max_steps, "done")
    process.reason = f"all {step} steps done"


def make_trainer(
    config: RunConfig, problem_set: ProblemSet, model: Any, tokenizer: Any, process: JobProcess, folder: Path
) -> "LedgerTrainer":
    """TRL's trainer with the article's rewards, the ledger, and the callback that links it to the store."""
    carrier, *others = config.reward_weights
    return LedgerTrainer(
        model=model,
        processing_class=tokenizer,
        args=_trl_config(config, folder),
        train_dataset=_dataset(problem_set.of_split("train"), config.system_prompt),
        reward_funcs=[
            _trl_reward(REWARDS[carrier], _carry(config.max_completion_length, tokenizer.eos_token_id)),
            *(_trl_reward(REWARDS[name]) for name in others),
        ],
        callbacks=[StoreCallback(process)],
        record=lambda rollouts: process.store.add_rollouts(process.job.id, rollouts),
    )


class LedgerTrainer(GRPOTrainer):
    """GRPOTrainer that hands every generation batch to `record`, whole, before learning from it.

    TRL's own completion log keeps only the last batch of each logging step. When `_generate_and_score_completions`
    returns, its deques hold exactly the batch just generated, gathered over all processes, in dataset order: rows of one
    group stand together.
    """

    def __init__(self, *args: Any, record: Callable[[list[Rollout]], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._record = record

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        if self.model.training and self.accelerator.is_main_process:
            self._record(self._last_rollouts())
        return batch

    def _last_rollouts(self) -> list[Rollout]:
        logs = self._logs
        weights = dict(zip(self.reward_func_names, self.reward_weights.tolist(), strict=True))
        ids, tokens, reasons = (logs["extra"][column] for column in _CARRIED)
        rollouts = []
        for row, completion in enumerate(logs["completion"]):
            rewards = {name: _number(logs["rewards"][name][row]) for name in weights}
            scored = [weights[name] * value for name, value in rewards.items() if value is not None]
            rollouts.append(
                Rollout(
                    step=self.state.global_step + 1,
                    group_index=row // self.num_generations,
                    position=row % self.num_generations,
                    problem_id=ids[row],
                    completion=completion,
                    rewards=rewards,
                    total=sum(scored) if scored else None,
                    advantage=logs["advantages"][row],
                    tokens=tokens[row],
                    finish_reason=reasons[row],
                )
            )
        return rollouts


class StoreCallback(TrainerCallback):
    """Writes each step's scalars, progress and checkpoints to the store, and obeys stop requests."""

    def __init__(self, process: JobProcess) -> None:
        self._process = process

    @property
    def _store(self) -> Store:
        return self._process.store

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._process.stop_requested():
            control.should_save = True
            control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if logs is None or "train_runtime" in logs:
            return
        values = {name: _number(value) for name, value in logs.items() if value is None or isinstance(value, int | float)}
        self._store.add_scalars(self._process.job.id, state.global_step, values)
        self._process.progress(state.global_step, state.max_steps, "training")

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        path = Path(args.output_dir or ".") / f"checkpoint-{state.global_step}"
        self._store.add_checkpoint(self._process.job.id, state.global_step, str(path))


def _evaluate(
    config: RunConfig, problem_set: ProblemSet, process: JobProcess, model: Any, tokenizer: Any, label: str, step: int
) -> None:
    problems = problem_set.of_split("test")[: config.evaluation_problems]
    if not problems:
        return

    def report(done: int) -> None:
        process.progress(step, config.max_steps, f"evaluating {label} training: {done:,} of {len(problems):,} problems")
        process.check_stop()

    report(0)
    items = evaluate_model(
        model,
        tokenizer,
        problems,
        system_prompt=config.system_prompt,
        max_completion_length=config.max_completion_length,
        temperature=config.evaluation_temperature,
        report=report,
    )
    process.store.add_evaluation(process.job.id, label, step, "test", items)


def _trl_config(config: RunConfig, folder: Path) -> GRPOConfig:
    if config.wandb:
        os.environ["WANDB_DIR"] = str(folder)
        if not os.environ.get("WANDB_API_KEY"):
            os.environ["WANDB_MODE"] = "offline"
    on_gpu = torch.cuda.is_available()
    return GRPOConfig(
        output_dir=str(folder),
        max_steps=config.max_steps,
        num_generations=config.num_generations,
        per_device_train_batch_size=config.per_device_train_batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        max_completion_length=config.max_completion_length,
        temperature=config.temperature,
        beta=config.beta,
        epsilon=config.epsilon,
        loss_type=config.loss_type,
        scale_rewards=config.scale_rewards,
        reward_weights=list(config.reward_weights.values()),
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler_type,
        warmup_steps=math.ceil(config.warmup_ratio * config.max_steps),
        weight_decay=config.weight_decay,
        adam_beta1=config.adam_beta1,
        adam_beta2=config.adam_beta2,
        max_grad_norm=config.max_grad_norm,
        save_steps=config.save_steps,
        save_total_limit=config.save_total_limit,
        seed=config.seed,
        logging_steps=1,
        report_to="wandb" if config.wandb else "none",
        use_cpu=not on_gpu,
        bf16=on_gpu,
        gradient_checkpointing=on_gpu,
        disable_tqdm=True,
    )


def _dataset(problems: tuple[Problem, ...], system_prompt: str) -> datasets.Dataset:
    return datasets.Dataset.from_list(
        [
            {"prompt": chat_messages(problem.question, system_prompt), "problem_id": problem.id, "gold": problem.gold}
            for problem in problems
        ]
    )


def _trl_reward(reward: Reward, carry: Callable[..., None] | None = None) -> Callable[..., list[float | None]]:
    """A registry entry as TRL calls it: lists of conversational completions in, a list of numbers out."""

    def score(completions: list[Any], gold: list[str], **columns: Any) -> list[float | None]:
        if carry is not None:
            carry(**columns)
        return [_score(reward, completion[0]["content"], answer) for completion, answer in zip(completions, gold, strict=True)]

    score.__name__ = reward.name
    return score


def _score(reward: Reward, completion: str, gold: str) -> float | None:
    try:
        return reward.score(completion, gold)
    except Exception as error:
        raise RewardError(
            f"The reward function {reward.name} raised {type(error).__name__}: {error} on the completion {completion[:200]!r}.",
            "Mend the function, or set its weight to 0.",
        ) from error


def _carry(max_completion_length: int, eos_token_id: int) -> Callable[..., None]:
    """Hands each row's problem id, token count and finish reason to TRL's log, where the ledger reads them."""

    def carry(
        problem_id: list[str], completion_ids: list[list[int]], log_extra: Callable[[str, list[Any]], None], **_: Any
    ) -> None:
        cut = [len(ids) >= max_completion_length and ids[-1] != eos_token_id for ids in completion_ids]
        values: tuple[list[Any], ...] = (
            problem_id,
            [len(ids) for ids in completion_ids],
            ["length" if was_cut else "stop" for was_cut in cut],
        )
        for column, rows in zip(_CARRIED, values, strict=True):
            log_extra(column, rows)

    return carry


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
