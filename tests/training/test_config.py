"""Configurations: what is accepted, and what an error says."""

import pytest

from training.config import parse_config
from training.errors import ConfigError
from training.presets import load_preset
from training.settings import SETTINGS


def test_every_setting_says_what_it_means_and_may_be() -> None:
    values = load_preset("demo").model_dump()
    for name, setting in SETTINGS.items():
        assert setting.description.endswith("."), name
        assert setting.group, name
        assert setting.title[0].isupper() or setting.title.startswith("vLLM"), name
        assert "_" not in setting.title, name
        assert not setting.none or "0" in setting.description or name == "lora_rank", name
        is_number = isinstance(values[name], int | float) and not isinstance(values[name], bool)
        assert bool(setting.limits) == is_number, name
    assert SETTINGS["num_generations"].limits == "at least 2, at most 256"
    assert SETTINGS["num_generations"].unit == "completions"
    assert (SETTINGS["evaluation_steps"].title, SETTINGS["evaluation_steps"].none) == ("Evaluate every N steps", "never")
    titles = [setting.title for setting in SETTINGS.values()]
    assert len(set(titles)) == len(titles)
    assert SETTINGS["loss_type"].choices == ("grpo", "dr_grpo", "dapo", "bnpo")


def test_assignments_are_read_as_toml_then_as_text() -> None:
    config = load_preset(
        "demo", ["max_steps=7", "learning_rate=1e-4", "source=some/folder", "rewards.integer=0.25", "wandb=true"]
    )
    assert (config.max_steps, config.learning_rate, config.source, config.wandb) == (7, 1e-4, "some/folder", True)
    assert config.rewards == {"integer": 0.25}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("max_steps=0", "max_steps = 0: input should be greater than or equal to 1"),
        ("per_device_train_batch_size=30", "make the batch a multiple of 8"),
        ("num_generations=1", "num_generations = 1"),
        ("max_stepps=3", "did you mean max_steps?"),
        ("rewards.correctnes=1", "there is no reward function 'correctnes'"),
        ("rewards.integer=0", "at least one reward function needs a weight"),
        ("learning_rate=nan", "learning_rate"),
        ("loss_type=ppo", "loss_type = 'ppo'"),
        ("load_in_4bit=true", "set lora_rank"),
        ("epsilon_high=0.1", "epsilon_high = 0.1 is below epsilon = 0.2"),
        ("evaluation_samples=4", "set a temperature above 0"),
        ("max_steps", "is not an assignment"),
        ("model.name=1", "is not a setting"),
    ],
)
def test_a_wrong_setting_is_named_with_value_and_remedy(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_preset("demo", ["lora_rank=0", assignment])
    assert message in str(raised.value)
    assert raised.value.remedy


def test_a_stored_configuration_is_enough_to_make_it_again() -> None:
    config = load_preset("demo")
    assert parse_config(config.model_dump(mode="json")) == config
