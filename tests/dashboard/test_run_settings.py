"""A run's settings beside those of its preset."""

from pathlib import Path

from dashboard.run_settings import preset_of, settings_table
from training.presets import load_preset, save_preset
from training.rewards import REWARDS
from training.settings import CHOSEN_OF


def test_what_differs_from_the_preset_is_marked(tmp_path: Path) -> None:
    preset = load_preset("demo")
    rewards = {name: weight for name, weight in preset.rewards.items() if name != "xml_count"} | {"integer": 2.0, "value": 0.0}
    config = preset.model_copy(update={"learning_rate": 1e-4, "rewards": rewards})
    assert preset_of(config, tmp_path) == preset
    table = settings_table(config, preset)
    assert len(table) == len(CHOSEN_OF["grpo"]) - 1 + len(REWARDS)
    differing = settings_table(config, preset, only_differing=True)
    assert table[table["differs"] != ""]["setting"].tolist() == differing["setting"].tolist()
    assert differing[["setting", "value", "in the preset"]].to_numpy().tolist() == [
        ["learning_rate", "0.0001", "0.003"],
        ["rewards.integer", "2", "1"],
        ["rewards.xml_count", "0", "1"],
    ]
    assert table.set_index("setting").loc["max_steps", "unit"] == "steps"


def test_nothing_differs_in_a_run_of_the_preset_itself(tmp_path: Path) -> None:
    config = load_preset("demo")
    assert len(settings_table(config, preset_of(config, tmp_path), only_differing=True)) == 0


def test_a_preset_that_is_gone_marks_nothing(tmp_path: Path) -> None:
    save_preset(load_preset("demo"), "mine", tmp_path)
    config = load_preset("mine", ["seed=7"], tmp_path)
    assert preset_of(config, tmp_path) == load_preset("mine", (), tmp_path)
    (tmp_path / "mine.toml").unlink()
    assert preset_of(config, tmp_path) is None
    table = settings_table(config, None)
    assert set(table["differs"]) == {""}
    assert "in the preset" not in table
    assert preset_of(config.model_copy(update={"preset": ""}), tmp_path) is None
