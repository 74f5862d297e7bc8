"""The model card of a trained model: what it was trained from and on, and what was measured. Names no machine's folder."""

import re
from collections.abc import Sequence
from pathlib import Path

from training.config import RunConfig
from training.evaluation.evaluate import evaluation_table
from training.store import Job
from training.store.evaluations import Evaluation

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_NAMED_SOURCES = {"demo": "generated word problems", "hub": "GSM8K (openai/gsm8k)"}


def model_card(run: Job, config: RunConfig, step: int, evaluations: Sequence[Evaluation]) -> str:
    """The card as Markdown with its head in YAML.

    Args:
        step: of the checkpoint that the model is.
        evaluations: the run's complete ones; those that tell nothing of this step or its beginning are left out.
    """
    shown = [found for found in evaluations if found.step in (0, step)]
    parts = [
        _head(config),
        f"# {run.id}, step {step:,}",
        f"Trained with GRPO by [TRL](https://github.com/huggingface/trl) and GRPO Atlas from {base_name(config.model)}.",
        _facts(run, config, step),
        "## Measured",
        _table(shown) if shown else "This checkpoint was not evaluated.",
    ]
    return "\n\n".join(parts) + "\n"


def base_name(model: str) -> str:
    """The base model for readers elsewhere: a Hub name as it is, of a folder only its own name."""
    if model == "demo":
        return "GRPO Atlas's demo model"
    return model if _is_hub_name(model) else Path(model).name


def _head(config: RunConfig) -> str:
    lines = ["---", "library_name: transformers", "pipeline_tag: text-generation"]
    if _is_hub_name(config.model):
        lines += [f"base_model: {config.model}"]
    if config.source == "hub":
        lines += ["datasets:", "- openai/gsm8k"]
    return "\n".join([*lines, "tags:", "- grpo", "- trl", "- grpo-atlas", "---"])


def _facts(run: Job, config: RunConfig, step: int) -> str:
    source = config.source if config.source in _NAMED_SOURCES else Path(config.source).name
    rewards = ", ".join(f"{name} {weight:g}" for name, weight in config.reward_weights.items())
    adapter = f"LoRA of rank {config.lora_rank}, merged" if config.lora_rank else "every weight"
    facts = {
        "Run": run.id,
        "Preset": config.preset or "none",
        "Base model": base_name(config.model),
        "Problems": _NAMED_SOURCES.get(source, source),
        "Steps": f"{step:,} of {config.max_steps:,}",
        "Trained": adapter,
        "Rewards": rewards,
        "Completions a step": f"{config.completions_per_step:,} in groups of {config.num_generations:,}",
        "Learning rate": f"{config.learning_rate:g}",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in facts.items())])


def _table(evaluations: Sequence[Evaluation]) -> str:
    """One row a reward, one column an evaluation: its mean and 95% interval."""
    tables = [evaluation_table(found) for found in evaluations]
    titles = [f"{found.label}, {len({i.problem_id for i in found.items}):,} {found.split} problems" for found in evaluations]
    scores = {key: score for table in tables for key, score in table.items()}
    lines = [f"| | {' | '.join(titles)} | maximum |", f"|---|{'---|' * len(titles)}---|"]
    for key, known in scores.items():
        cells = [f"{t[key].value:.3f} ({t[key].low:.3f} to {t[key].high:.3f})" if key in t else "" for t in tables]
        lines.append(f"| {known.title} | {' | '.join(cells)} | {known.maximum:g} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _is_hub_name(model: str) -> bool:
    return _HUB_NAME.fullmatch(model) is not None and not Path(model).expanduser().exists()
