"""Two LoRA steps with the trainer that Unsloth writes for GPUs, on the CPU; fails if a setting or a rollout is lost.

Takes the folder to work in. A process of its own: the trainer replaces TRL's for good, and Unsloth must come before TRL.
"""

import os
import sys
from pathlib import Path
from typing import Any

OWN = {
    "torch_empty_cache_steps",
    "logging_nan_inf_filter",
    "per_device_eval_batch_size",
    "eval_accumulation_steps",
    "router_aux_loss_coef",
    "generation_kwargs",
    "vllm_importance_sampling_correction",
}
"""Where Unsloth has defaults of its own and a run has no setting. Its vLLM shares the weights that are trained, so it corrects
nothing for a difference between the two."""


METHODS = ("grpo", "rloo")

SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"lora_rank": 0, "loss_type": "dr_grpo", "beta": 0.04},
    {"loss_type": "luspo", "importance_sampling_level": "sequence", "delta": 4.0, "off_policy_mask_threshold": 0.5},
    {"loss_type": "sapo", "sapo_temperature_pos": 1.5, "entropy_coef": 0.01, "top_entropy_quantile": 0.2, "min_p": 0.05},
    {"loss_type": "vespo", "vespo_k_pos": 1.5, "multi_objective_aggregation": "normalize_then_sum"},
    {"loss_type": "cispo", "epsilon_high": 5.0},
    {"method": "rloo"},
    {"method": "rloo", "beta": 0.04, "normalize_advantages": True},
)
"""What each run decides otherwise than a small one with an adapter."""


def main(folder: Path) -> None:
    """Check the settings of several kinds of run, then train one by each method."""
    # Read when Unsloth is imported: where it writes, and no torch.compile, which takes a minute on a CPU.
    os.environ |= {"UNSLOTH_COMPILE_LOCATION": str(folder / "compiled"), "UNSLOTH_COMPILE_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
    from training.engines import engine_named

    trainer_classes = engine_named("unsloth").trainer_classes
    trl_configs = {method: trainer_classes(method)[1] for method in METHODS}
    import unsloth.models.rl  # noqa: F401 - makes Unsloth write and install its trainers, GPU or not

    from tests.tiny_runs import tiny

    lora = tiny(engine="unsloth", lora_rank=4)
    for changes in SETTINGS:
        config = lora.model_copy(update=changes)
        trainer_class, config_class = trainer_classes(config.method)
        assert "Unsloth" in trainer_class.__name__, trainer_class
        assert config_class is not trl_configs[config.method]
        check_settings(config, config_class, trl_configs[config.method], folder)
    for method in METHODS:
        check_ledger(lora.model_copy(update={"method": method}), folder)


def check_settings(config: Any, config_class: Any, trl_config: Any, folder: Path) -> None:
    """Unsloth's GRPOConfig has the values of TRL's in everything that a run decides."""
    from training.jobs.train.grpo import _trl_config

    expected = _trl_config(config, trl_config, 300, folder)
    found = _trl_config(config, config_class, 300, folder)
    changed = {
        name: (getattr(expected, name), getattr(found, name))
        for name in trl_config.__dataclass_fields__.keys() - OWN
        if getattr(expected, name) != getattr(found, name)
    }
    assert not changed, changed


def check_ledger(config: Any, folder: Path) -> None:
    """Every completion of two steps is handed over, and the adapter learns from them."""
    from tests.tiny_runs import rewarding_length, trainer_of
    from training.home import Home

    batches: list[list[Any]] = []
    with rewarding_length():
        trainer = trainer_of(config, Home.from_environment({"GRPO_ATLAS_HOME": str(folder / "home")}), batches.append)
        trainer.train()
    places = [(rollout.step, rollout.group_index, rollout.position) for batch in batches for rollout in batch]
    assert places == [(step, group, position) for step in (1, 2) for group in (0, 1) for position in (0, 1)], places
    weights = trainer.model.state_dict()
    assert all(weights[name].abs().sum() > 0 for name in weights if "lora_B.default" in name)  # not RLOO's "ref"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
