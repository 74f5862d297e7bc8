"""Configurations and presets: what is accepted, and what an error says."""

from pathlib import Path

import pytest

from training.config import RunConfig, load_preset, parse_config, preset_description, preset_paths
from training.errors import ConfigError


@pytest.mark.parametrize("name", preset_paths())
def test_every_preset_loads_and_says_what_it_is(name: str) -> None:
    assert load_preset(name).preset == name
    assert preset_description(preset_paths()[name])


def test_every_field_has_help_and_a_group() -> None:
    for name, field in RunConfig.model_fields.items():
        assert field.description, name
        assert isinstance(field.json_schema_extra, dict)
        assert field.json_schema_extra["group"]


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
        ("max_steps", "is not an assignment"),
        ("model.name=1", "is not a table"),
    ],
)
def test_a_wrong_setting_is_named_with_value_and_remedy(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_preset("demo", [assignment])
    assert message in str(raised.value)
    assert raised.value.remedy


def test_a_malformed_preset_names_the_file_and_the_place(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("max_steps = = 3\n")
    with pytest.raises(ConfigError, match=r"mine\.toml cannot be read: .*line 1"):
        load_preset(str(path))


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="Use one of demo"):
        load_preset("nothing")


def test_own_presets_stand_beside_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('# Mine.\nmodel = "demo"\nmax_steps = 3\n')
    assert load_preset("mine", own=tmp_path).max_steps == 3
    assert preset_description(preset_paths(tmp_path)["mine"]) == "Mine."
    assert "demo" in preset_paths(tmp_path)


def test_a_stored_configuration_is_enough_to_make_it_again() -> None:
    config = load_preset("demo")
    assert parse_config(config.model_dump(mode="json")) == config
