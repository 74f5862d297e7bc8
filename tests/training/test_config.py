"""Configurations: what is accepted, and what an error says."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from training.config import STAGES, RunConfig, SftConfig, StageName, parse_config
from training.errors import ConfigError
from training.presets import load_preset, preset_text
from training.settings import SETTINGS, SETTINGS_OF, missed, step_words


@pytest.mark.parametrize("stage", STAGES)
def test_every_setting_says_what_it_means_and_may_be(stage: StageName) -> None:
    values = parse_config({"model": "demo", "stage": stage}).model_dump()
    for name, setting in SETTINGS_OF[stage].items():
        assert setting.description.endswith("."), name
        assert setting.group, name
        assert setting.title[0].isupper() or setting.title.startswith("vLLM"), name
        assert "_" not in setting.title, name
        assert not setting.none or "0" in setting.description or name == "lora_rank", name
        is_number = isinstance(values[name], int | float) and not isinstance(values[name], bool)
        assert bool(setting.limits) == is_number, name
    titles = [setting.title for setting in SETTINGS_OF[stage].values()]
    assert len(set(titles)) == len(titles)


def test_a_settings_range_unit_and_choices_are_told() -> None:
    assert SETTINGS["num_generations"].limits == "at least 2, at most 256"
    assert SETTINGS["num_generations"].unit == "completions"
    assert (SETTINGS["evaluation_steps"].title, SETTINGS["evaluation_steps"].none) == ("Evaluate every N steps", "never")


def test_each_method_loss_and_sum_says_what_it_is_and_where_it_comes_from() -> None:
    for name in ("method", "loss_type", "multi_objective_aggregation"):
        assert tuple(SETTINGS[name].meanings) == SETTINGS[name].choices
    assert SETTINGS["loss_type"].choices == ("grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo")
    meanings = [meaning for name in ("method", "loss_type") for meaning in SETTINGS[name].meanings.values()]
    assert all(meaning.endswith(").") for meaning in meanings)
    assert sum("arXiv" in meaning for meaning in meanings) == len(meanings) - 1, "bnpo is TRL's own"


def test_a_setting_that_does_nothing_without_another_names_it_with_values_that_it_may_have() -> None:
    values = load_preset("demo", ["beta=0"]).model_dump()
    for name, setting in SETTINGS.items():
        for needed, wanted in setting.needs.items():
            choices = SETTINGS[needed].choices
            assert all(value in choices for value in wanted), name
            assert wanted or not choices, name
    assert missed("sapo_temperature_pos", values) == ("loss_type", ("sapo",))
    assert missed("sapo_temperature_pos", values | {"loss_type": "sapo"}) is None
    assert missed("sapo_temperature_pos", values | {"loss_type": "sapo", "method": "rloo"}) == ("method", ("grpo",))
    assert missed("use_bias_correction_kl", values) == ("beta", ())
    assert missed("use_bias_correction_kl", values | {"beta": 0.1}) is None


def test_assignments_are_read_as_toml_then_as_text() -> None:
    config = load_preset(
        "demo", ["max_steps=7", "learning_rate=1e-4", "source=some/folder", "rewards.integer=0.25", "wandb=true"]
    )
    assert (config.max_steps, config.learning_rate, config.source, config.wandb) == (7, 1e-4, "some/folder", True)
    assert config.rewards == load_preset("demo").rewards | {"integer": 0.25}
    assert load_preset("demo", ["rewards={ integer = 0.25 }"]).rewards == {"integer": 0.25}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("max_steps=0", "max_steps = 0: input should be greater than or equal to 1"),
        ("per_device_train_batch_size=30", "make the batch a multiple of 8"),
        ("num_generations=1", "num_generations = 1"),
        ("max_stepps=3", "did you mean max_steps?"),
        ("rewards.correctnes=1", "there is no reward function 'correctnes'"),
        ("rewards={ integer = 0 }", "at least one reward function needs a weight"),
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


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["sync_ref_model=true", "beta=0"], "sync_ref_model = true has nothing to move: beta = 0 has no reference model"),
        (["sync_ref_model=true", "lora_rank=2"], "an adapter's reference is the model without it"),
        (["entropy_coef_min=2"], "entropy_coef_max = 1 is below entropy_coef_min = 2"),
        (["vllm_importance_sampling_clip_min=3"], "vllm_importance_sampling_clip_max = 3 is not above"),
        (
            ["vllm_importance_sampling_mode=token_truncate", "vllm_importance_sampling_clip_max=0"],
            "set vllm_importance_sampling_clip_max, to 3 say",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(assignments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_preset("demo", assignments)


def test_a_stored_configuration_is_enough_to_make_it_again() -> None:
    config = load_preset("demo")
    assert parse_config(config.model_dump(mode="json")) == config


def test_a_configuration_is_of_the_stage_that_it_names_and_of_grpo_where_it_names_none() -> None:
    assert isinstance(parse_config({"model": "demo"}), RunConfig)
    assert isinstance(parse_config({"model": "demo", "stage": "sft"}), SftConfig)
    for stage in ("dpo", "", None, ["sft"]):
        with pytest.raises(ConfigError, match="Set stage to grpo or sft"):
            parse_config({"model": "demo", "stage": stage})
    with pytest.raises(ValidationError):
        SftConfig(model="demo", stage="grpo")


def test_grpo_has_every_setting_of_the_other_stages() -> None:
    assert SETTINGS.keys() >= SETTINGS_OF["sft"].keys()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_generations": 4}, "there is no setting 'num_generations'"),
        ({"rewards": {"integer": 1.0}}, "there is no setting 'rewards'"),
        ({"engine": "unsloth"}, "engine = 'unsloth'"),
        ({"answer_form": r"/Answer: (\d+)/"}, "Use tags, boxed, hashes"),
        ({"lora_rank": 4, "lora_targets": ("lm_head",)}, "set loss_type to nll"),
        ({"loss_type": "dapo"}, "loss_type = 'dapo'"),
    ],
)
def test_what_supervised_fine_tuning_cannot_do_is_named_with_the_remedy(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config({"model": "demo", "stage": "sft"} | changes)
    assert message in str(raised.value)


def test_a_preset_of_each_stage_reads_back_as_it_was_written(tmp_path: Path) -> None:
    for stage in STAGES:
        config = parse_config({"model": "demo", "stage": stage, "max_steps": 7, "preset": "mine"})
        (tmp_path / "mine.toml").write_text(preset_text(config))
        assert load_preset("mine", own=tmp_path) == config


def test_a_step_is_told_by_what_it_learns_from() -> None:
    assert step_words(parse_config({"model": "demo"})) == "4 problems × 8 completions"
    assert step_words(parse_config({"model": "demo", "stage": "sft"})) == "32 solutions"
