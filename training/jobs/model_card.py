"""The model card of a trained model: what it was trained from and on, and what was measured. Names no machine's folder."""

import re
from collections.abc import Sequence
from pathlib import Path

from training.config import RunConfig, StageConfig
from training.evaluation.evaluate import evaluation_table
from training.settings import step_words
from training.store import Job
from training.store.evaluations import Evaluation
from training.templates import template
from training.text import count, listed

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_NAMED_SOURCES = {"demo": "generated word problems", "hub": "GSM8K (openai/gsm8k)"}


def model_card(run: Job, config: StageConfig, step: int, evaluations: Sequence[Evaluation]) -> str:
    """The card as Markdown with its head in YAML.

    Args:
        step: of the checkpoint that the model is.
        evaluations: the run's complete ones; those that tell nothing of this step or its beginning are left out.
    """
    shown = [found for found in evaluations if found.step in (0, step)]
    tables = [evaluation_table(found) for found in shown]
    return template("jobs/model_card.md.j2").render(
        run=run.id,
        step=step,
        config=config,
        method=config.method.upper() if isinstance(config, RunConfig) else "supervised fine-tuning",
        base_model=config.model if _is_hub_name(config.model) else None,
        facts=_facts(run, config, step),
        titles=[f"{found.label}, {count(found.problems, f'{found.split} problem')}" for found in shown],
        tables=tables,
        measures={key: score for table in tables for key, score in table.items()},
    )


def base_name(model: str) -> str:
    """The base model for readers elsewhere: a Hub name as it is, of a folder only its own name."""
    if model == "demo":
        return "GRPO Atlas's demo model"
    return model if _is_hub_name(model) else Path(model).name


def _facts(run: Job, config: StageConfig, step: int) -> dict[str, str]:
    source = config.source if config.source in _NAMED_SOURCES else Path(config.source).name
    return {
        "Run": run.id,
        "Preset": config.preset or "none",
        "Base model": base_name(config.model),
        "Problems": _NAMED_SOURCES.get(source, source),
        "Steps": f"{step:,} of {config.max_steps:,}",
        "Trained": f"LoRA of rank {config.lora_rank}, merged" if config.lora_rank else "every weight",
        **_learnt_from(config),
        "Learning rate": f"{config.learning_rate:g}",
    }


def _learnt_from(config: StageConfig) -> dict[str, str]:
    if isinstance(config, RunConfig):
        groups = f"{config.completions_per_step:,} in groups of {config.num_generations:,}"
        return {"Rewards": listed(config.reward_weights), "Completions per step": groups}
    return {"Learnt from": f"reference solutions, answers marked by {config.answer_form}", "Each step": step_words(config)}


def _is_hub_name(model: str) -> bool:
    return _HUB_NAME.fullmatch(model) is not None and not Path(model).expanduser().exists()
